"""From a plan to what `pretrain` takes: the vocabulary, learned or taken, and the encoded texts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import checkpoints
from ..data.books import books
from ..data.corpus import Corpus, build
from ..data.sources import find_files, read_documents
from ..download import cache_folder
from ..tokenizer import Tokenizer
from .distributed import World
from .plan import Plan
from .progress import Bar
from .runs import METRICS


class Prepared(NamedTuple):
    tokenizer: Tokenizer
    corpus: Corpus
    validation: Corpus | None


def prepare(plan: Plan, run_dir: Path, world: World) -> Prepared:
    """The main process does the work, into `run_dir` and the cache; the others find it done.

    Raises:
        GPT1VizError: text that is missing or cannot be read, a vocabulary that is not to be had.
    """
    ready = None
    if world.main:
        if not (run_dir / METRICS).exists():
            run_dir.mkdir(parents=True, exist_ok=True)
            vocabulary(plan).save(run_dir / "tokenizer.json")
        ready = _open(plan, run_dir)
    world.wait()
    return ready or _open(plan, run_dir)


def _open(plan: Plan, run_dir: Path) -> Prepared:
    tokenizer = Tokenizer.from_json(run_dir / "tokenizer.json")
    validation = encode(plan.validation, tokenizer, plan.books) if plan.validation else None
    return Prepared(tokenizer, encode(plan.text, tokenizer, plan.books), validation)


def encode(names: Sequence[str], tokenizer: Tokenizer, books_folder: str | None = None) -> Corpus:
    """Text from files and folders, or the story books ("books:validation"), encoded into the cache."""
    return build(_paths(names, books_folder), tokenizer, cache_folder() / "corpora")


def _paths(names: Sequence[str], books_folder: str | None) -> list[Path]:
    """Files and folders; where a name stands for story books, their files."""
    found = []
    for name in names:
        source, _, part = name.partition(":")
        found += books(part or "train", books_folder) if source == "books" else [Path(name)]
    return found


def vocabulary(plan: Plan) -> Tokenizer:
    """The vocabulary of a checkpoint, or one of so many entries learned from the plan's text."""
    if isinstance(plan.vocabulary, int):
        return Tokenizer.train(_lines(find_files(_paths(plan.text, plan.books))), plan.vocabulary)
    return checkpoints.load(plan.vocabulary).tokenizer


def _lines(paths: Sequence[Path]) -> Iterator[str]:
    total, done, bar = sum(path.stat().st_size for path in paths), 0, Bar("BPE")
    for path in paths:
        for document in read_documents(path):
            yield from document
        done += path.stat().st_size
        bar.show(done / max(total, 1))
    bar.close()
