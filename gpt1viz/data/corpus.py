"""A pre-training corpus: all documents as one memory-mapped file of ids, cleaned, split and encoded in parallel."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..errors import GPT1VizError
from ..tokenizer import NEWLINE_ENTRY, Tokenizer
from ..words import words
from .sources import find_files, read_documents

VERSION = 1  # of the files below and of what they hold; counted up when either changes
_CHUNK = 1 << 18  # characters that one process encodes at a time
_AHEAD = 4  # chunks a process that wait for it


@dataclass(frozen=True)
class Corpus:
    """Encoded text.

    Attributes:
        ids: (N,) uint16 or uint32, mapped from disk: the documents one after the other, a newline token behind every
            paragraph.
        starts: (documents + 1,) int64, where each document begins, and N.
        n_characters: of the cleaned text: words joined by one blank, a paragraph a line, the line's end counted.
        digest: of everything that determines the ids.
    """

    ids: np.ndarray
    starts: np.ndarray
    n_characters: int
    digest: str

    @classmethod
    def open(cls, folder: str | Path) -> "Corpus":
        """Map a corpus that `build` has written.

        Raises:
            GPT1VizError: there is none, or it is damaged.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
            ids = np.memmap(folder / "ids.bin", dtype=about["dtype"], mode="r")
            starts = np.fromfile(folder / "starts.bin", dtype=np.int64)
            whole = about["version"] == VERSION and len(ids) == about["n_tokens"] == starts[-1]
            corpus = cls(ids, starts, about["n_characters"], about["digest"])
        except (OSError, ValueError, KeyError, IndexError):
            raise GPT1VizError("corpus_damaged", path=folder) from None
        if not whole:
            raise GPT1VizError("corpus_damaged", path=folder)
        return corpus


def build(paths: Iterable[str | Path], tokenizer: Tokenizer, cache: str | Path, workers: int | None = None) -> Corpus:
    """Encode files and folders of text, or open what the same text and vocabulary gave before.

    Memory stays bounded whatever the size: text streams through in pieces of 256,000 characters.

    Args:
        paths: files and folders (see `sources`).
        tokenizer: encodes.
        cache: folder that keeps corpora, one a digest.
        workers: processes; by default one a core.

    Raises:
        GPT1VizError: nothing to read, or text that cannot be read; it names file and line.
    """
    files = find_files(paths)
    digest = _digest(files, tokenizer)
    folder = Path(cache) / digest
    if (folder / "corpus.json").exists():
        return Corpus.open(folder)
    beside = folder.with_name(f"{digest}.{os.getpid()}.new")
    beside.mkdir(parents=True)
    try:
        _write(files, tokenizer, beside, digest, workers or os.cpu_count() or 1)
        if not folder.exists():
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Corpus.open(folder)


def _digest(files: list[Path], tokenizer: Tokenizer) -> str:
    whole = hashlib.sha256(f"{VERSION}\n{tokenizer.to_json()}".encode())
    for path in files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:32]


def _write(files: list[Path], tokenizer: Tokenizer, folder: Path, digest: str, workers: int) -> None:
    dtype = np.uint16 if tokenizer.n_vocab <= 1 << 16 else np.uint32
    starts, n_tokens, n_characters = [0], 0, 0
    with (
        (folder / "ids.bin").open("wb") as out,
        ProcessPoolExecutor(workers, initializer=_begin, initargs=(tokenizer,)) as pool,
        tqdm(total=sum(path.stat().st_size for path in files), unit="B", unit_scale=True, disable=None) as bar,
    ):
        for ids, characters, size, last in _in_order(pool, _chunks(files), workers * _AHEAD):
            out.write(ids.astype(dtype).tobytes())
            n_tokens += len(ids)
            n_characters += characters
            bar.update(size)
            if last and n_tokens > starts[-1]:
                starts.append(n_tokens)
    if n_tokens == 0:
        raise GPT1VizError("text_none", paths=", ".join(map(str, files[:3])), kinds=".txt, .md, .jsonl")
    np.array(starts, dtype=np.int64).tofile(folder / "starts.bin")
    about = {"version": VERSION, "dtype": np.dtype(dtype).name, "n_tokens": n_tokens, "n_characters": n_characters}
    (folder / "corpus.json").write_text(json.dumps(about | {"digest": digest}), encoding="utf-8")


def _chunks(files: list[Path]) -> Iterator[tuple[list[str], bool]]:
    """Lines with text, in pieces that end where a line ends; True with the last piece of a document."""
    for path in files:
        for document in read_documents(path):
            lines, size = [], 0
            for line in document:
                if not line.strip():
                    continue
                lines.append(line)
                size += len(line)
                if size >= _CHUNK:
                    yield lines, False
                    lines, size = [], 0
            yield lines, True


def _in_order(pool: ProcessPoolExecutor, chunks: Iterator, ahead: int) -> Iterator:
    """Results in the order of the chunks, at most `ahead` of them begun."""
    waiting = [(pool.submit(_encode, lines), last) for lines, last in islice(chunks, ahead)]
    while waiting:
        future, last = waiting.pop(0)
        yield *future.result(), last
        for lines, last in islice(chunks, 1):
            waiting.append((pool.submit(_encode, lines), last))


_tokenizer: Tokenizer


def _begin(tokenizer: Tokenizer) -> None:
    global _tokenizer
    _tokenizer = tokenizer


def _encode(lines: list[str]) -> tuple[np.ndarray, int, int]:
    """(ids, characters of the cleaned text, bytes read) of some lines, each a paragraph."""
    newline = _tokenizer.row(NEWLINE_ENTRY)
    ids: list[int] = []
    characters = 0
    for line in lines:
        found = words(line)
        if found:
            ids += _tokenizer.encode(line)
            ids.append(newline)
            characters += len(" ".join(found)) + 1
    return np.array(ids, dtype=np.int64), characters, sum(len(line.encode()) + 1 for line in lines)
