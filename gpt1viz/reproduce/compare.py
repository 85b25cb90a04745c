"""What the paper found, and whether it comes out in small: differences from the full model, seed by seed."""

import math
from collections.abc import Sequence
from statistics import mean
from typing import NamedTuple

from .results import VARIANTS, Estimate, Row, estimate, finetuned

# Table 5 of the paper, in per cent: Matthews correlation for CoLA, F1 for MRPC and QQP, Pearson correlation for STS-B,
# accuracy for the others. Single runs of the model with 117M parameters.
TASKS = ("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE")
TABLE_5 = {
    "full": (45.4, 91.3, 82.3, 82.0, 70.3, 81.8, 88.1, 56.0),
    "no_aux": (47.9, 92.0, 84.9, 83.2, 69.8, 81.1, 86.9, 54.4),
    "no_pretraining": (18.9, 84.0, 79.4, 30.9, 65.5, 75.7, 71.2, 53.8),
    "lstm": (30.3, 90.5, 83.2, 71.8, 68.1, 73.7, 81.1, 54.6),
}
PAPER = {"full": 74.7, "no_aux": 75.0, "no_pretraining": 59.9, "lstm": 69.1}  # its means, as the paper prints them


class Effect(NamedTuple):
    """A row of table 5 against the full model, on the mean of all tasks.

    Attributes:
        score: the mean of all tasks, over seeds.
        difference: from the full model, over the seeds that both have.
        paper: the paper's mean of its eight tasks, 0 to 1.
        paper_difference: from the paper's full model.
    """

    score: Estimate
    difference: Estimate
    paper: float
    paper_difference: float

    @property
    def verdict(self) -> str:
        """The difference beside the paper's: "same" or "other" direction; "open" where its interval holds zero."""
        way = direction(self.difference) * self.paper_difference
        return "open" if way == 0 else "same" if way > 0 else "other"


def effects(rows: Sequence[Row], split: str) -> dict[str, Effect]:
    """The rows of table 5 that were run on all tasks, each with what it differs by from the full model.

    Args:
        split: "validation" or "test".
    """
    scores = _by_seed(rows, split)
    tasks = {task for _, task in scores}
    means: dict[str, dict[int, float]] = {}
    for variant in VARIANTS:
        each = [scores.get((variant, task), {}) for task in tasks]
        seeds = set.intersection(*map(set, each)) if each else set()
        means[variant] = {seed: mean(own[seed] for own in each) for seed in sorted(seeds)}
    found = {}
    for variant, own in means.items():
        difference = _difference(own, means["full"])
        if difference.n:
            paper, less = PAPER[variant] / 100, (PAPER[variant] - PAPER["full"]) / 100
            found[variant] = Effect(estimate([*own.values()]), difference, paper, less)
    return found


def task_differences(rows: Sequence[Row], split: str) -> dict[tuple[str, str], Estimate]:
    """What each row of table 5 differs by from the full model on each task, by task and row."""
    scores = _by_seed(rows, split)
    every = {
        (task, variant): _difference(own, scores.get(("full", task), {})) for (variant, task), own in scores.items()
    }
    return {which: difference for which, difference in every.items() if difference.n}


def direction(difference: Estimate) -> int:
    """1 or -1 where the interval lies on one side of zero, else 0; also 0 for a single run, which has no interval."""
    if math.isnan(difference.half) or abs(difference.mean) <= difference.half:
        return 0
    return 1 if difference.mean > 0 else -1


def _by_seed(rows: Sequence[Row], split: str) -> dict[tuple[str, str], dict[int, float]]:
    """Row of table 5 and task -> seed -> score."""
    scores: dict[tuple[str, str], dict[int, float]] = {}
    for row in finetuned(rows):
        if row.variant and (value := getattr(row, split)) is not None:
            scores.setdefault((row.variant, row.task), {})[row.seed] = value
    return scores


def _difference(own: dict[int, float], full: dict[int, float]) -> Estimate:
    """own less full over the seeds that both have."""
    differences = [own[seed] - full[seed] for seed in own if seed in full]
    return estimate(differences) if differences else Estimate(math.nan, math.nan, 0)


def in_words(estimate: Estimate, signed: bool = False) -> str:
    """In per cent: "88.9 ± 8.2", a difference "−14.8 ± 2.1"; of a single run "88.9"; "–" where there is none."""
    middle, half, _ = estimate
    if math.isnan(middle):
        return "–"
    shown = round(100 * middle, 1)
    text = f"{'−' if shown < 0 else '+' if signed and shown else ''}{abs(shown):.1f}"
    return text if math.isnan(half) else f"{text} ± {100 * half:.1f}"
