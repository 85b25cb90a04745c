"""A pre-training corpus: all documents as one memory-mapped file of ids, cleaned, split and encoded in parallel."""

import hashlib
import json
import os
import shutil
import signal
import threading
import time
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from ..download import disk_faults
from ..errors import GPT1VizError
from ..tokenizer import NEWLINE_ENTRY, Tokenizer
from ..words import words
from .sources import KINDS, ROW_KINDS, find_files, kind_of, read_documents

VERSION = 1  # of the files below and of what they hold; counted up when either changes
_CHUNK = 1 << 18  # characters that one process encodes at a time
_AHEAD = 4  # chunks a process that wait for it
_ALONE = 3_000_000  # bytes of text, a few seconds of one core; below, starting processes gains nothing
_ABANDONED = 24 * 3600  # seconds without a change after which a half-written corpus is somebody's who was killed

Part = tuple[list[str], bool]  # some lines of a document, and whether it ends with them


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
        paths: files, folders, and data sets of the hub by name (see `sources.find_files`).
        tokenizer: encodes.
        cache: folder that keeps corpora, one a digest.
        workers: processes; by default one a core, and for a few megabytes only this one. They are started afresh, so
            that a script that comes here must do so below `if __name__ == "__main__":`.

    Raises:
        GPT1VizError: nothing to read, text that cannot be read (it names file and line), a full disk, or processes
            that die.
    """
    files = find_files(paths)
    digest = _digest(files, tokenizer)
    folder = Path(cache) / digest
    if (folder / "corpus.json").exists():
        return Corpus.open(folder)
    size = sum(path.stat().st_size for path in files)
    beside = folder.with_name(f"{digest}.{os.getpid()}.new")
    try:
        with disk_faults(beside.parent):
            _sweep(beside.parent)
            beside.mkdir(parents=True, exist_ok=True)
            _write(files, tokenizer, beside, digest, workers or (os.cpu_count() or 1 if size > _ALONE else 1))
            try:
                beside.rename(folder)
            except OSError:
                if not folder.exists():  # else another process was faster
                    raise
    except BrokenProcessPool:
        raise GPT1VizError("corpus_workers") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Corpus.open(folder)


def _sweep(cache: Path) -> None:
    """Remove what processes left half-written that were killed."""
    for half in cache.glob("*.new/ids.bin"):
        if time.time() - half.stat().st_mtime > _ABANDONED:
            shutil.rmtree(half.parent, ignore_errors=True)


def _digest(files: list[Path], tokenizer: Tokenizer) -> str:
    whole = hashlib.sha256(f"{VERSION}\n{tokenizer.to_json()}".encode())
    for path in files:
        if kind_of(path) in ROW_KINDS:  # the same bytes as .txt are another text
            whole.update(kind_of(path).encode())
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as fault:
            raise GPT1VizError("text_unreadable", path=path, fault=fault.strerror) from None
    return whole.hexdigest()[:32]


def _write(files: list[Path], tokenizer: Tokenizer, folder: Path, digest: str, workers: int) -> None:
    dtype = np.uint16 if tokenizer.n_vocab <= 1 << 16 else np.uint32
    starts, n_tokens, n_characters = array("q", [0]), 0, 0
    packed = any(path.suffix.lower() in (".gz", ".parquet") for path in files)  # nobody knows how much text that is
    total = None if packed else sum(path.stat().st_size for path in files)
    with (
        (folder / "ids.bin").open("wb") as out,
        tqdm(total=total, desc="BPE", unit="B", unit_scale=True, disable=None) as bar,
    ):
        for encoded in _encode_all(_chunks(files), tokenizer, workers):
            out.write(encoded.ids.astype(dtype).tobytes())
            for end in encoded.ends:
                if n_tokens + end > starts[-1]:
                    starts.append(n_tokens + end)
            n_tokens += len(encoded.ids)
            n_characters += encoded.n_characters
            bar.update(encoded.n_bytes)
    if n_tokens == 0:
        raise GPT1VizError("text_none", paths=", ".join(map(str, files[:3])), kinds=", ".join(KINDS))
    np.array(starts, dtype=np.int64).tofile(folder / "starts.bin")
    about = {"version": VERSION, "dtype": np.dtype(dtype).name, "n_tokens": n_tokens, "n_characters": n_characters}
    (folder / "corpus.json").write_text(json.dumps(about | {"digest": digest}), encoding="utf-8")


def _chunks(files: list[Path]) -> Iterator[list[Part]]:
    """Documents in portions of some 256,000 characters: a long one in several, many short ones in one."""
    chunk: list[Part] = []
    size = 0
    for path in files:
        for document in read_documents(path):
            lines: list[str] = []
            for line in document:
                if not line.strip():
                    continue
                lines.append(line)
                size += len(line)
                if size >= _CHUNK:
                    yield [*chunk, (lines, False)]
                    chunk, lines, size = [], [], 0
            chunk.append((lines, True))
            size += 1  # a document without text counts too, or a million of them would be one chunk
    if chunk:
        yield chunk


class Encoded(NamedTuple):
    """A chunk's ids, where documents end among them, the characters of its cleaned text and the bytes read."""

    ids: np.ndarray
    ends: list[int]
    n_characters: int
    n_bytes: int


def _encode_all(chunks: Iterator[list[Part]], tokenizer: Tokenizer, workers: int) -> Iterator[Encoded]:
    """Results in the order of the chunks, at most `_AHEAD` a process begun."""
    if workers == 1:
        yield from (_encode(chunk, tokenizer) for chunk in chunks)
        return
    # Started afresh, not forked: forking beside other threads (torch's, tokenizers') can hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(tokenizer,)) as pool:
        waiting = [pool.submit(_work, chunk) for chunk in islice(chunks, workers * _AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(_work, chunk) for chunk in islice(chunks, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_tokenizer: Tokenizer


def _begin(tokenizer: Tokenizer) -> None:
    global _tokenizer
    _tokenizer = tokenizer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that was killed leaves its workers waiting for ever, unless they look."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _work(chunk: list[Part]) -> Encoded:
    return _encode(chunk, _tokenizer)


def _encode(chunk: list[Part], tokenizer: Tokenizer) -> Encoded:
    """Each line is a paragraph, with a newline token behind it."""
    newline = tokenizer.row(NEWLINE_ENTRY)
    ids, ends = array("q"), []
    n_characters = n_bytes = 0
    for lines, last in chunk:
        for line in lines:
            n_bytes += len(line.encode()) + 1
            if found := words(line):
                ids.extend(tokenizer.encode(line))
                ids.append(newline)
                n_characters += len(" ".join(found)) + 1
        if last:
            ends.append(len(ids))
    return Encoded(np.array(ids, dtype=np.int64), ends, n_characters, n_bytes)
