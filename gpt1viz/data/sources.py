"""Text as a stream of documents: .txt, .md and .jsonl, plain or gzipped, .parquet, and data sets of the hub."""

import codecs
import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import GPT1VizError
from .hub_text import PREFIX, hub_files, read_texts

KINDS = (".txt", ".md", ".jsonl", ".parquet")
ROW_KINDS = (".jsonl", ".parquet")  # a document a row; of the others the whole file is one
LONGEST_LINE = 1 << 20  # bytes of text in memory at a time
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how Windows begins such a file


def find_files(names: Iterable[str | Path], lang: str = "en") -> list[Path]:
    """The text files that these files and folders (with all below them) hold, in order of name.

    Args:
        names: paths, or data sets of the Hugging Face hub (a str that begins with "hf:", see `hub_text.hub_files`).
        lang: of what is said on stderr.

    Raises:
        GPT1VizError: a path that is not there, a file of another kind named directly, nothing to read, or a data set
            that is not to be had.
    """
    names, found = list(names), []
    for name in names:
        path = Path(name)
        if isinstance(name, str) and name.startswith(PREFIX):
            found += hub_files(name, lang)
        elif path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and kind_of(p) in KINDS)
        elif not path.exists():
            raise GPT1VizError("text_missing", path=path)
        elif kind_of(path) not in KINDS:
            raise GPT1VizError("text_kind", path=path, kinds=", ".join(KINDS))
        else:
            found.append(path)
    if not found:
        raise GPT1VizError("text_none", paths=", ".join(map(str, names)), kinds=", ".join(KINDS))
    return found


def read_documents(path: Path) -> Iterator[Iterator[str]]:
    """The documents of one file, each as a stream of its lines: a whole .txt or .md file, or a row of the others.

    A line of .txt or .md that is longer than a million bytes counts as several, cut at blanks.

    Raises:
        GPT1VizError: text that is not UTF-8, binary data, a row without "text"; it names file and line.
    """
    if kind_of(path) == ".parquet":
        yield from (iter(text.splitlines()) for text in read_texts(path))
    elif kind_of(path) == ".jsonl":
        yield from (iter(text.splitlines()) for text in _row_texts(path))
    else:
        yield (line.rstrip("\r\n") for _, line in numbered_lines(path, LONGEST_LINE))


def _row_texts(path: Path) -> Iterator[str]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        row = json_object(line, number, path)
        if not isinstance(row.get("text"), str):
            raise GPT1VizError("text_field", path=path, line=number)
        yield row["text"]


def json_object(line: str, number: int, path: Path) -> dict:
    """A line of .jsonl; halves of characters, which JSON can write but no file in UTF-8 hold, become U+FFFD.

    Raises:
        GPT1VizError: it is no JSON object; it names file and line.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise GPT1VizError("text_json", path=path, line=number)
    if "\\ud" in line.lower():
        whole = json.dumps(row, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        row = json.loads(whole)
    return row


def numbered_lines(path: Path, longest: int = sys.maxsize) -> Iterator[tuple[int, str]]:
    """(line number from 1, line with its end) of a UTF-8 file, plain or gzipped.

    Args:
        longest: bytes of a line; one that has more comes in pieces.

    Raises:
        GPT1VizError: binary data, another encoding, a file that cannot be read; it names file and line.
    """
    number = 1
    try:
        with _open(path) as file:
            for number, raw in _pieces(file, longest):
                if b"\0" in raw and not (number == 1 and raw.startswith(UTF_16)):
                    raise GPT1VizError("text_binary", path=path, line=number)
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise GPT1VizError("text_encoding", path=path, line=number) from None
    except (OSError, EOFError, zlib.error) as fault:
        raise GPT1VizError("text_unreadable", path=path, fault=fault) from None


def _pieces(file: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    """(line number, bytes): whole lines, and of longer ones pieces that end behind a blank or a character."""
    number, rest = 1, b""
    while raw := rest + file.readline(longest - len(rest)):
        rest = b""
        if len(raw) == longest and not raw.endswith(b"\n"):
            last = next((n for n in range(1, 5) if raw[-n] & 0xC0 != 0x80), 1)  # bytes of the last character so far
            cut = raw.rfind(b" ") + 1 or len(raw) - last
            raw, rest = raw[:cut], raw[cut:]
        yield number, raw
        number += raw.endswith(b"\n")


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb"))


def kind_of(path: Path) -> str:
    """A file's ending in lower case, that of a gzipped one without .gz."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix
