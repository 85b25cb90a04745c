"""The jobs of the paper in small: which runs answer table 5 and figure 2, and what each is trained with."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from ..config import GPT1Config
from ..data.task import Task
from ..training.finetune import FinetuneSettings
from .results import VARIANTS

PARTS = ("table5", "layers", "examples")
TASKS = {  # of each part, where none are named: all, or the two where pre-training brings most on the test split
    "table5": ("toy/mood", "toy/belongings", "toy/same", "toy/endings", "toy/kinds"),
    "layers": ("toy/mood", "toy/kinds"),
    "examples": ("toy/mood", "toy/kinds"),
}
SIZES = (16, 50, 160, 500)  # examples to learn from, besides all
LEAST_UPDATES = 500  # those of 2,000 examples, so that a run on few of them is not over before it has begun
LOOKS = ("device", "eval_every", "sample_every", "save_minutes")  # settings that change no weight


@dataclass(frozen=True)
class Job:
    """A fine-tuning run. Its fields are those of `results.Finetuned`; None stands for all blocks and all examples."""

    task: str
    model: str = "transformer"
    n_transfer: int | None = None
    lm_coef: float = 0.5
    n_examples: int | None = None
    seed: int = 0


CHANGES = {"full": {}, "no_aux": {"lm_coef": 0.0}, "no_pretraining": {"n_transfer": -1}, "lstm": {"model": "lstm"}}


def jobs(
    n_layer: int,
    n_train: Mapping[str, int],
    *,
    parts: Sequence[str] = PARTS,
    tasks: Sequence[str] = (),
    seeds: int = 3,
    variants: Sequence[str] = VARIANTS,
) -> list[Job]:
    """All jobs, each once though parts share some: first all of seed 0, so that a whole picture exists early.

    Args:
        n_layer: blocks of the model.
        n_train: examples of each task's training split.
        parts: of PARTS.
        tasks: for every part; by default TASKS.
        variants: rows of table 5.
    """
    listed = [
        job for seed in range(seeds) for part in parts for task in tasks or TASKS[part]
        for job in _jobs(part, task, seed, n_layer, n_train[task], variants)
    ]  # fmt: skip
    return [*dict.fromkeys(listed)]


def _jobs(part: str, task: str, seed: int, n_layer: int, n_train: int, variants: Sequence[str]) -> Iterator[Job]:
    if part == "table5":
        yield from (Job(task, seed=seed, **CHANGES[variant]) for variant in variants)
    elif part == "layers":
        yield from (Job(task, n_transfer=n, seed=seed) for n in (-1, *range(n_layer), None))
    else:
        sizes = (*(size for size in SIZES if size < n_train), None)
        yield from (Job(task, n_transfer=start, n_examples=n, seed=seed) for n in sizes for start in (None, -1))


def tasks_of(parts: Iterable[str], tasks: Sequence[str] = ()) -> list[str]:
    """The tasks that these parts need."""
    return [*dict.fromkeys(task for part in parts for task in tasks or TASKS[part])]


def settings(job: Job, config: GPT1Config, n_train: int, precision: str = "float32") -> FinetuneSettings:
    """What a job is trained with: as `gpt1viz finetune` does it, on few examples for LEAST_UPDATES at least."""
    n = job.n_examples or n_train
    usual = FinetuneSettings.suited(config)
    batch_size = min(usual.batch_size, n)
    steps = max(usual.epochs * (n // batch_size), LEAST_UPDATES)
    changes = {"n_transfer": job.n_transfer, "lm_coef": job.lm_coef, "seed": job.seed, "precision": precision}
    return FinetuneSettings.suited(config, batch_size=batch_size, steps=steps, eval_every=steps, **changes)


def digest(job: Job, settings: FinetuneSettings, weights: str, data: str) -> str:
    """Names all that decides what comes out of a job: 16 hexadecimal digits."""
    kept = {name: value for name, value in settings.to_dict().items() if name not in LOOKS}
    about = {name: value for name, value in asdict(job).items() if name != "task"}  # a path, perhaps; `data` says which
    whole = json.dumps([about, kept, weights, data], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def data_digest(task: Task) -> str:
    """Names a task's examples."""
    about = (task.kind, task.labels, task.metric, sorted(task.splits.items()))
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]
