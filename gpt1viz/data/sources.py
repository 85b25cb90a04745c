"""Text from files and folders: .txt, .md and .jsonl, plain or gzipped, as a stream of documents."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import GPT1VizError

KINDS = (".txt", ".md", ".jsonl")


def find_files(paths: Iterable[str | Path]) -> list[Path]:
    """The text files that these files and folders (with all below them) hold, in order of name.

    Raises:
        GPT1VizError: a path that is not there, a file of another kind named directly, or nothing to read.
    """
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and kind_of(p) in KINDS)
        elif not path.exists():
            raise GPT1VizError("text_missing", path=path)
        elif kind_of(path) not in KINDS:
            raise GPT1VizError("text_kind", path=path, kinds=", ".join(KINDS))
        else:
            found.append(path)
    if not found:
        raise GPT1VizError("text_none", paths=", ".join(map(str, paths)), kinds=", ".join(KINDS))
    return found


def read_documents(path: Path) -> Iterator[Iterator[str]]:
    """The documents of one file, each as a stream of its lines: a whole .txt or .md file, or a row of .jsonl.

    Raises:
        GPT1VizError: text that is not UTF-8, binary data, a row without "text"; it names file and line.
    """
    if kind_of(path) != ".jsonl":
        yield (line.rstrip("\r\n") for _, line in numbered_lines(path))
        return
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise GPT1VizError("text_json", path=path, line=number) from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise GPT1VizError("text_field", path=path, line=number)
        yield iter(row["text"].splitlines())


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line with its end) of a UTF-8 file, plain or gzipped.

    Raises:
        GPT1VizError: binary data, another encoding, a file that cannot be read; it names file and line.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, 1):
                if b"\0" in raw:
                    raise GPT1VizError("text_binary", path=path, line=number)
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise GPT1VizError("text_encoding", path=path, line=number) from None
    except (OSError, EOFError) as fault:
        raise GPT1VizError("text_unreadable", path=path, fault=fault) from None


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def kind_of(path: Path) -> str:
    """A file's ending, that of a gzipped one without .gz."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
