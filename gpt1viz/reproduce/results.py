"""What the paper in small measured: one JSON object a line in results.jsonl, its rows as dataclasses, their means.

    rows = stored()                                          # or read(folder / "results.jsonl")
    table5(rows)["toy/mood", "full"].test                    # Estimate(mean, half): mean ± half
    layers(rows)["toy/mood"][3].test                         # 3 blocks transferred; -1: nothing at all
    examples(rows)["toy/mood"][True][160].test               # pre-trained, 160 examples
    zero_shot(rows)["toy/mood"]["transformer"]               # ZeroShot rows by tokens read
    bits(rows)["transformer"]                                # Bits rows by tokens read

No torch here: pages and notebooks read results without it.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from ..training import files

STORED = Path(__file__).parents[1] / "assets" / "reproduce" / "results.jsonl"
VARIANTS = ("full", "no_aux", "no_pretraining", "lstm")  # the rows of table 5
MODELS = ("transformer", "lstm")
SPLITS = ("validation", "test")
T_95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)  # Student's t at 97.5 %, for 1 to 30 degrees of freedom


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """A fine-tuning run.

    Attributes:
        task: as `load_task` takes it, e.g. "toy/mood"; a file's stem.
        metric: what `validation` and `test` are, 0 to 1: "accuracy", "f1" ...
        model: of MODELS, or "early": a transformer whose pre-training read as many tokens as the LSTM's.
        start: the checkpoint's id.
        n_layer, n_transfer: blocks of the model, and those that came from the checkpoint; 0 is embeddings only, -1
            nothing, which is training from scratch.
        lm_coef: weight of the auxiliary loss; 0 is without.
        n_train, n_examples: examples of the training split, and those that were learned from.
        seed: of new rows, head and blocks, of the examples chosen and of their order.
        precision: of the arithmetic.
        validation, test: the metric after training; `test` is None where the task has no such split.
        seconds: of the clock, on a machine that may have done other work too.
        weights, data: digests of the checkpoint and of the task's examples.
        digest: of all that decides what comes out. Equal digests are equal runs.
    """

    task: str
    metric: str
    model: str
    start: str
    n_layer: int
    n_transfer: int
    lm_coef: float
    n_train: int
    n_examples: int
    seed: int
    precision: str
    validation: float
    test: float | None
    seconds: float
    weights: str
    data: str
    digest: str

    @property
    def pretrained(self) -> bool:
        """Whether anything came from the checkpoint, were it the embeddings only."""
        return self.n_transfer >= 0

    @property
    def variant(self) -> str | None:
        """Which row of table 5 this is a run of, "early" being beside them; None for those of other parts."""
        if self.n_examples != self.n_train or self.n_transfer not in (-1, self.n_layer):
            return None
        if self.model != "transformer":
            return self.model if self.pretrained and self.lm_coef else None
        known = {(True, True): "full", (True, False): "no_aux", (False, True): "no_pretraining"}
        return known.get((self.pretrained, bool(self.lm_coef)))


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """What a checkpoint of pre-training makes of a task without having been fine-tuned.

    Attributes:
        task, metric, model: as in Finetuned.
        step, tokens: updates and tokens of pre-training up to this checkpoint.
        value: the metric, 0 to 1.
        chance: what guessing gives.
    """

    task: str
    metric: str
    model: str
    step: int
    tokens: int
    value: float
    chance: float


@dataclass(frozen=True, kw_only=True)
class Bits:
    """How well a checkpoint of pre-training predicts books that were held out.

    Attributes:
        model, step, tokens: as in ZeroShot.
        value: bits a character.
    """

    model: str
    step: int
    tokens: int
    value: float


Row = Finetuned | ZeroShot | Bits
KINDS: dict[str, type] = {"finetune": Finetuned, "zero_shot": ZeroShot, "bits": Bits}  # "kind" in the file


class Estimate(NamedTuple):
    """A mean over n runs and half the width of its 95 % interval (Student's t), NaN for a single run."""

    mean: float
    half: float
    n: int


class Summary(NamedTuple):
    """Runs that differ in their seed alone. `test` is NaN where the task has no test split."""

    metric: str
    validation: Estimate
    test: Estimate


# ---- the file


def to_dict(row: Row) -> dict:
    """A row as its line has it."""
    kind = next(kind for kind, of in KINDS.items() if isinstance(row, of))
    return {"kind": kind, **asdict(row)}


def read(path: Path) -> list[Row]:
    """The rows of a file that may still grow; half a line and what is no row are left out."""
    rows = []
    for values in files.read_rows(path)[0]:
        of = KINDS.get(values.pop("kind", None))
        if of and {field.name for field in fields(of)} == values.keys():
            rows.append(of(**values))
    return rows


@cache
def stored() -> tuple[Row, ...]:
    """The results that come with the package: the bundled checkpoint on the toy tasks."""
    return tuple(read(STORED))


# ---- means


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % interval of the mean of at most 31 runs: t s / sqrt(n)."""
    n = len(values)
    half = T_95[n - 2] * stdev(values) / n**0.5 if n > 1 else math.nan
    return Estimate(mean(values), half, n)


def summaries(rows: Iterable[Finetuned], key: Callable[[Finetuned], Hashable]) -> dict[Any, Summary]:
    """Means of the rows that have a key in common, in the order of their first rows."""
    groups: dict[Any, list[Finetuned]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {which: _summary(own) for which, own in groups.items()}


def _summary(rows: list[Finetuned]) -> Summary:
    tests = [row.test for row in rows if row.test is not None]
    test = estimate(tests) if tests else Estimate(math.nan, math.nan, 0)
    return Summary(rows[0].metric, estimate([row.validation for row in rows]), test)


def finetuned(rows: Iterable[Row]) -> list[Finetuned]:
    """The fine-tuning runs, each once."""
    return [*{row.digest: row for row in rows if isinstance(row, Finetuned)}.values()]


# ---- the paper's parts


def table5(rows: Iterable[Row]) -> dict[tuple[str, str], Summary]:
    """Table 5, by task and variant."""
    return summaries((row for row in finetuned(rows) if row.variant), lambda row: (row.task, str(row.variant)))


def layers(rows: Iterable[Row]) -> dict[str, dict[int, Summary]]:
    """Figure 2, left: by task and blocks transferred, of the tasks where some of the blocks were left out."""
    own = [row for row in finetuned(rows) if _usual(row) and row.n_examples == row.n_train]
    tasks = {row.task: None for row in own if row.n_transfer not in (-1, row.n_layer)}
    return {task: _sorted(own, task, lambda row: row.n_transfer) for task in tasks}


def examples(rows: Iterable[Row]) -> dict[str, dict[bool, dict[int, Summary]]]:
    """Learning with n examples: by task, pre-trained or not, and n, of the tasks that were cut short."""
    own = [row for row in finetuned(rows) if _usual(row) and row.n_transfer in (-1, row.n_layer)]
    tasks = {row.task: None for row in own if row.n_examples != row.n_train}
    return {
        task: {
            start: _sorted([row for row in own if row.pretrained == start], task, lambda row: row.n_examples)
            for start in (True, False)
        }
        for task in tasks
    }


def zero_shot(rows: Iterable[Row]) -> dict[str, dict[str, list[ZeroShot]]]:
    """Figure 2, right: by task and model, in the order of the tokens read."""
    found: dict[str, dict[str, list[ZeroShot]]] = {}
    for row in sorted((row for row in rows if isinstance(row, ZeroShot)), key=lambda row: row.tokens):
        found.setdefault(row.task, {}).setdefault(row.model, []).append(row)
    return found


def bits(rows: Iterable[Row]) -> dict[str, list[Bits]]:
    """Bits a character over pre-training: by model, in the order of the tokens read."""
    found: dict[str, list[Bits]] = {}
    for row in sorted((row for row in rows if isinstance(row, Bits)), key=lambda row: row.tokens):
        found.setdefault(row.model, []).append(row)
    return found


def _usual(row: Finetuned) -> bool:
    return row.model == "transformer" and row.lm_coef > 0


def _sorted(rows: list[Finetuned], task: str, key: Callable[[Finetuned], int]) -> dict[int, Summary]:
    own = sorted((row for row in rows if row.task == task), key=key)
    return summaries(own, key)
