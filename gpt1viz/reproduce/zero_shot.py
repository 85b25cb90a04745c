"""Figure 2, right, in small: what checkpoints of pre-training make of tasks without fine-tuning, by the tokens read.

The paper's heuristics (`training.zero_shot`) on tasks that they fit, chance being 1/2 in each:

    oz/order      acceptability (CoLA): a sentence, or the same with two neighbouring words exchanged
    oz/next       choice (RACE): the sentence that follows, or one from elsewhere in the book
    toy/endings   choice: the ending that follows from a story
    toy/mood      sentiment (SST-2): "unhappy" or "happy" behind the story and "very"

The first two are made of six chapters that no model here has read (`data.oz`). For toy/same, toy/belongings and
toy/kinds the paper has no heuristic.
"""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path

import numpy as np

from .. import checkpoints
from ..checkpoints import Loaded
from ..data import oz
from ..data.task import Task, TextExample
from ..data.tasks import load_task
from ..training.evaluate import glance
from ..training.prepare import encode
from ..training.runs import read_run
from ..training.zero_shot import zero_shot
from .lstm import load_lstm
from .results import Bits, ZeroShot, read
from .run import append

LOADERS: dict[str, Callable[[str], Loaded]] = {"transformer": checkpoints.load, "lstm": load_lstm}
CHANCE = 0.5
SPLIT = "validation"
FEWEST = 6  # words of a sentence


def tasks() -> list[Task]:
    """The tasks, with 400 examples each in SPLIT, or a few more."""
    return [order(), following(), load_task("toy/endings"), load_task("toy/mood")]


def sentences() -> list[str]:
    """The sentences of the six chapters, titles and short ones left out."""
    found = [part for chapter in oz.chapters()[1:] for part in re.findall(r"[^.!?\n]+[.!?]+[\"']?", chapter)]
    return [sentence.strip() for sentence in found if len(sentence.split()) >= FEWEST]


def order(seed: int = 0) -> Task:
    """Which of two sentences is as written?

    In the other two neighbouring words without marks, drawn by the seed, are exchanged.
    """
    draws, examples = np.random.default_rng(seed), []
    for sentence in sentences():
        words = sentence.split()
        pairs = [
            k for k in range(1, len(words) - 2) if (words[k] + words[k + 1]).isalpha() and words[k] != words[k + 1]
        ]
        if pairs:
            k = pairs[draws.integers(len(pairs))]
            other = " ".join([*words[:k], words[k + 1], words[k], *words[k + 2 :]])
            examples.append(_example("", sentence, other, len(examples) % 2))
    return Task("oz/order", "choice", (), "accuracy", {SPLIT: tuple(examples)})


def following() -> Task:
    """Which sentence follows two others: the one that does, or one from half the chapters away?"""
    every = sentences()
    n = len(every)
    examples = [
        _example(f"{every[k - 2]} {every[k - 1]}", every[k], every[(k + n // 2) % n], k % 2) for k in range(2, n)
    ]
    return Task("oz/next", "choice", (), "accuracy", {SPLIT: tuple(examples)})


def _example(context: str, right: str, wrong: str, label: int) -> TextExample:
    answers = (wrong, right) if label else (right, wrong)
    return TextExample((context, "", *answers), label)


def zero_shot_rows(
    run_dir: str | Path, model: str, books: str | None = None, done: Container[int] = ()
) -> Iterator[list[ZeroShot | Bits]]:
    """Of each checkpoint of a pre-training run, oldest first: every task, and bits a character of the books held out.

    Args:
        run_dir: as `pretrain` or `pretrain_lstm` left it.
        model: of `results.MODELS`.
        books: folder of the books; without it the five that are needed are downloaded.
        done: steps to leave out.

    Raises:
        GPT1VizError: the folder is no run of such a model; no books.
    """
    run = read_run(run_dir)
    first = LOADERS[model](f"{run.path}@{run.checkpoints()[0][0]}")
    text = encode(["books:validation"], first.tokenizer, books)
    every = tasks()
    asked = [(task, zero_shot(task, first.tokenizer, SPLIT)) for task in every]
    tokens_a_step = run.settings["batch_size"] * first.info.config.n_ctx
    for step, _ in run.checkpoints():
        if step in done:
            continue
        lm = LOADERS[model](f"{run.path}@{step}").model
        where = {"model": model, "step": step, "tokens": step * tokens_a_step}
        rows: list[ZeroShot | Bits] = [Bits(**where, value=glance(lm, text)["bits_per_character"])]
        for task, ask in asked:
            [value] = ask(lm).values()
            rows.append(ZeroShot(task=task.name, metric=task.metric, value=value, chance=CHANCE, **where))
        yield rows


def measure(
    runs: Mapping[str, str | Path],
    results: Path,
    books: str | None = None,
    tell: Callable[[list[ZeroShot | Bits]], object] = print,
) -> None:
    """Append to results.jsonl what `zero_shot_rows` finds, checkpoint by checkpoint; what is there is not done again.

    Args:
        runs: run directories by the names of `results.MODELS`.
        results: the file.
        books: see `zero_shot_rows`.
        tell: called with the rows of each checkpoint.
    """
    there = read(results)
    for model, run_dir in runs.items():
        done = {row.step for row in there if isinstance(row, Bits) and row.model == model}
        for rows in zero_shot_rows(run_dir, model, books, done):
            for row in (*rows[1:], rows[0]):  # the bits last: they say that the checkpoint is done
                if row not in there:
                    append(results, row)
            tell(rows)
