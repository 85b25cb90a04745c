"""Built-in toy tasks, one of each kind, made from templates in the words of the story books.

They work offline and are the same on every machine. Training and validation share their words and templates; the test
has names, nouns, adjectives, verbs and templates of its own, and shares with training little but words as common as
"was", "not" and "began". No text occurs twice, and classes are equally frequent, so that chance is 1/2 (toy/mood,
toy/same, toy/endings) or 1/3 (toy/belongings). Models have been fine-tuned on them: change no text, or their figures no
longer hold.
"""

from collections.abc import Callable
from typing import NamedTuple

from ...errors import GPT1VizError
from ..task import Task, TextExample
from . import belongings, endings, kinds, mood, same
from .words import Draw


class Toy(NamedTuple):
    """How a task is made: `make(draw, "train" or "test", label)` gives texts and their label."""

    kind: str
    labels: tuple[str, ...]
    metric: str
    make: Callable
    n_labels: int


TOYS = {
    "toy/mood": Toy("classification", mood.LABELS, "accuracy", mood.make, 2),
    "toy/belongings": Toy("entailment", belongings.LABELS, "accuracy", belongings.make, 3),
    "toy/same": Toy("similarity", same.LABELS, "accuracy", same.make, 2),
    "toy/endings": Toy("choice", (), "accuracy", endings.make, 2),
    "toy/kinds": Toy("token", kinds.LABELS, "f1", kinds.make, 1),
}
SIZES = {"train": 2000, "validation": 400, "test": 400}


def toy(name: str, seed: int = 0, sizes: dict[str, int] = SIZES) -> Task:
    """One of TOYS.

    Args:
        seed: another one gives other examples from the same words and templates.
        sizes: examples of each split.

    Raises:
        GPT1VizError: there is no toy task by that name.
    """
    if name not in TOYS:
        raise GPT1VizError("task_toy", name=name, allowed=", ".join(TOYS))
    of, seen = TOYS[name], set()
    splits = {}
    for split, size in sizes.items():
        draw = Draw(f"{name} {seed} {split}")
        examples = []
        while len(examples) < size:
            texts, label = of.make(draw, "test" if split == "test" else "train", len(examples) % of.n_labels)
            if texts not in seen:
                seen.add(texts)
                examples.append(TextExample(texts, label))
        splits[split] = tuple(draw.shuffled(examples))
    return Task(name, of.kind, of.labels, of.metric, splits)
