"""From a plan to what `pretrain` takes: the vocabulary, learned or taken, encoded texts, evaluations."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import checkpoints
from ..data.books import books
from ..data.corpus import Corpus, build
from ..data.sources import find_files, read_documents
from ..data.tasks import load_task
from ..download import cache_folder
from ..model import GPT1
from ..tokenizer import Tokenizer
from .distributed import World
from .plan import Plan
from .progress import Bar
from .runs import has_begun
from .zero_shot import zero_shot


class Prepared(NamedTuple):
    """What `pretrain` takes; the evaluations are in the main process only, which is the one that evaluates."""

    tokenizer: Tokenizer
    corpus: Corpus
    validation: Corpus | None
    evaluations: tuple[Callable[[GPT1], dict[str, float]], ...]


def prepare(plan: Plan, run_dir: Path, world: World, lang: str = "en") -> Prepared:
    """The main process does the work, into `run_dir` and the cache; the others find it done.

    Args:
        lang: of what is said on stderr.

    Raises:
        GPT1VizError: text or a task that is missing or cannot be read, a vocabulary that is not to be had.
    """
    ready = None
    if world.main:
        tasks = [load_task(name) for name in plan.zero_shot]
        if not has_begun(run_dir):
            tokenizer = vocabulary(plan, lang)
            run_dir.mkdir(parents=True, exist_ok=True)
            tokenizer.save(run_dir / "tokenizer.json")
        ready = _open(plan, run_dir, lang)
        ready = ready._replace(evaluations=tuple(zero_shot(task, ready.tokenizer) for task in tasks))
    world.wait()
    return ready or _open(plan, run_dir, lang)


def _open(plan: Plan, run_dir: Path, lang: str) -> Prepared:
    tokenizer = Tokenizer.from_json(run_dir / "tokenizer.json")
    validation = encode(plan.validation, tokenizer, plan.books, lang) if plan.validation else None
    return Prepared(tokenizer, encode(plan.text, tokenizer, plan.books, lang), validation, ())


def encode(names: Sequence[str], tokenizer: Tokenizer, books_folder: str | None = None, lang: str = "en") -> Corpus:
    """Text, encoded into the cache.

    Names are files and folders, data sets of the hub ("hf:owner/name"), or the story books ("books:validation").
    """
    return build(_files(names, books_folder, lang), tokenizer, cache_folder() / "corpora")


def _files(names: Sequence[str], books_folder: str | None, lang: str) -> list[Path]:
    """What the names stand for."""
    found = []
    for name in names:
        source, _, part = name.partition(":")
        found += books(part or "train", books_folder, lang) if source == "books" else find_files([name], lang)
    return found


def vocabulary(plan: Plan, lang: str = "en") -> Tokenizer:
    """The vocabulary of a checkpoint, or one of so many entries learned from the plan's text."""
    if isinstance(plan.vocabulary, int):
        return Tokenizer.train(_lines(_files(plan.text, plan.books, lang)), plan.vocabulary)
    return checkpoints.load(plan.vocabulary).tokenizer


def _lines(paths: Sequence[Path]) -> Iterator[str]:
    total, done, bar = sum(path.stat().st_size for path in paths), 0, Bar("BPE")
    for path in paths:
        for document in read_documents(path):
            yield from document
        done += path.stat().st_size
        bar.show(done / max(total, 1))
    bar.close()
