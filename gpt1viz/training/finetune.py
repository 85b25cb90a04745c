"""Fine-tuning: a pre-trained model learns a labelled task (paper sections 3.2, 3.3 and 4.1; train.py of 2018)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from .. import checkpoints, formats
from ..checkpoints import Loaded
from ..config import GPT1Config
from ..data.task import Task
from ..errors import GPT1VizError
from ..inputs import N_SPECIAL, TRUNCATIONS, Batch, Example, collate
from ..model import GPT1, TaskHead
from .distributed import World
from .loop import Callback, Job, Outcome
from .predict import predict
from .schedules import SCHEDULES
from .settings import TrainSettings
from .task_losses import TaskLosses, Tuned
from .trainer import train

SMALL = 20_000_000  # parameters, below which a model takes a larger rate than the paper's


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings(TrainSettings):
    """Settings of fine-tuning, the paper's where nothing else is said.

    Args:
        epochs: passes over the training split; they are the budget unless steps, tokens or minutes are given.
        lm_coef: lambda, the weight of the auxiliary language-model loss.
        n_transfer: blocks taken from the checkpoint, the others start at random; None takes all, 0 the embeddings only,
            -1 nothing at all.
        freeze: blocks from below that are not trained. Embeddings always are: the three special rows live there.
        dropout: of embeddings, attention weights and sub-layers.
        clf_pdrop: dropout of what the classifier reads.
        joint_softmax: the language model's softmax spreads over the position rows too.
        truncation: of long inputs, see `inputs.layout`.
        schedule, warmup_share: of the learning rate, and the share of the run until its peak.
        eval_every: steps between evaluations; 0 evaluates after each epoch.
    """

    batch_size: int = 32
    lr: float = 6.25e-5
    epochs: int = 3
    lm_coef: float = 0.5
    n_transfer: int | None = None
    freeze: int = 0
    dropout: float = 0.1
    clf_pdrop: float = 0.1
    joint_softmax: bool = True
    truncation: str = "2018"
    schedule: str = "warmup_linear"
    warmup_share: float = 0.002

    def __post_init__(self):
        super().__post_init__()
        self._choice("schedule", tuple(SCHEDULES))
        self._choice("truncation", TRUNCATIONS)
        self._number("epochs", 1)
        self._number("freeze", 0)
        for name in ("lm_coef", "warmup_share", "dropout", "clf_pdrop"):
            self._number(name, 0)
        if self.n_transfer is not None:
            self._number("n_transfer", -1)

    @property
    def has_budget(self) -> bool:
        """True: fine-tuning counts epochs."""
        return True

    @classmethod
    def suited(cls, config: GPT1Config, **changes) -> "FinetuneSettings":
        """The paper's settings; for models below 20 million parameters what suits them: a larger rate, no dropout."""
        small = (
            {"lr": 4e-4, "batch_size": 16, "epochs": 4, "warmup_share": 0.1, "dropout": 0.0}
            if config.n_params < SMALL
            else {}
        )
        return cls(**{**small, **changes})


def finetune(
    start: Loaded,
    task: Task,
    run_dir: str | Path,
    *,
    settings: FinetuneSettings,
    callbacks: Iterable[Callback] = (),
    resume: bool = False,
    watch_stdin: bool = False,
    source: dict | None = None,
) -> Outcome:
    """Train a checkpoint and a new head on a task; everything it does can be read in `run_dir` while it works.

    New are the head, and rows for the start, delimiter and extract tokens, all N(0, 0.02). With each evaluation
    `predictions.jsonl` says what the model makes of every example of the validation split.

    Args:
        start: as `load` gave it; its copy is trained.
        task: as `load_task` gave it.
        settings: see FinetuneSettings.
        run_dir, callbacks, resume, watch_stdin: see `pretrain`.
        source: where checkpoint and task came from, to be noted in settings.json.

    Returns:
        Outcome(state, step, module, reason); `gpt1viz.load(run_dir)` gives model and head.

    Raises:
        GPT1VizError: a model that cannot take the task; settings that do not fit; else as `pretrain`.
    """
    config = _config(start.model.config, settings)
    examples = {
        split: task.lay_out(split, start.tokenizer, config, settings.truncation)
        for split in task.splits
        if split != "test"
    }
    settings = with_budget(settings, len(examples["train"]))
    about = {"name": task.name, "kind": task.kind, "labels": list(task.labels), "metric": task.metric}
    digest = hashlib.sha256(repr((about, examples)).encode()).hexdigest()[:32]
    return train(
        lambda world: _job(world, start, task, config, settings, examples),
        run_dir,
        settings=settings,
        tokenizer=start.tokenizer,
        notes={"kind": "finetune", "text": {"digest": digest}, "source": source or {}},
        task=about,
        callbacks=callbacks,
        resume=resume,
        watch_stdin=watch_stdin,
    )


def with_budget(settings: FinetuneSettings, n_examples: int) -> FinetuneSettings:
    """The settings with epochs counted in steps.

    Raises:
        GPT1VizError: there are fewer examples than a batch takes.
    """
    n_steps = n_examples // settings.batch_size
    if n_steps == 0:
        raise GPT1VizError("finetune_batch", n=n_examples, batch_size=settings.batch_size)
    settings = replace(settings, eval_every=settings.eval_every or n_steps)
    if settings.steps is settings.tokens is settings.minutes is None:
        settings = replace(settings, steps=settings.epochs * n_steps)
    return settings


def _config(config: GPT1Config, settings: FinetuneSettings) -> GPT1Config:
    for name in ("n_transfer", "freeze"):
        if (getattr(settings, name) or 0) > config.n_layer:
            raise GPT1VizError("finetune_layers", field=name, value=getattr(settings, name), n_layer=config.n_layer)
    dropouts = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), settings.dropout)
    return replace(config, n_special=N_SPECIAL, clf_pdrop=settings.clf_pdrop, **dropouts)


@torch.no_grad()
def transferred(start: GPT1, config: GPT1Config, n_transfer: int | None = None) -> GPT1:
    """A model of this configuration that takes the embeddings and the first `n_transfer` blocks of another.

    Args:
        start: of the same shape, perhaps without special rows.
        n_transfer: None takes all blocks, 0 the embeddings only, -1 nothing.
    """
    model = type(start)(config)
    if n_transfer == -1:
        return model
    own, n_blocks = start.state_dict(), config.n_layer if n_transfer is None else n_transfer
    left = tuple(f"h.{layer}." for layer in range(n_blocks, config.n_layer))
    for name, parameter in model.named_parameters():
        if not name.startswith(left):
            parameter[: len(own[name])] = own[name]
    return model


def _job(
    world: World, start: Loaded, task: Task, config: GPT1Config, settings: FinetuneSettings, examples: dict
) -> Job:
    torch.manual_seed(settings.seed)
    model = transferred(start.model, config, settings.n_transfer)
    head = TaskHead(task.kind, config.n_embd, task.labels, settings.clf_pdrop)
    tuned = Tuned(model, head).to(world.device)
    model.h[: settings.freeze].requires_grad_(False)
    n_parts = settings.n_parts(world.size)
    rows = [row for split in examples.values() for example in split for row in example.rows]
    losses = TaskLosses(settings.lm_coef, settings.joint_softmax, max(len(row.ids) for row in rows))
    schedule, batches = SCHEDULES[settings.schedule], Shuffled(examples["train"], settings.batch_size, settings.seed)
    latest: list[dict] = []

    def batch(step: int, part: int) -> Batch:
        return batches.batch(step, part * world.size + world.rank, n_parts).to(world.device)

    def evaluate() -> dict[str, float]:
        found = predict(tuned, examples["validation"], losses, task, "validation")
        latest[:] = found.rows(task, "validation")
        return found.numbers(task)

    n_tokens = sum(len(row.ids) for example in examples["train"] for row in example.rows)
    return Job(
        module=tuned,
        config=config,
        batch=batch,
        losses=lambda batch: losses(tuned, batch)[0],
        factor=lambda step, x: schedule(x, settings.warmup_share),
        save=lambda folder: checkpoints.save(model, folder, start.tokenizer, task=head),
        restore=lambda folder: formats.restore(folder, model, head),
        tokens_a_step=round(n_tokens / len(examples["train"]) * settings.batch_size),
        evaluate=evaluate,
        predictions=lambda: latest,
        finished="training.finished_task",
    )


@dataclass(frozen=True)
class Shuffled:
    """Batches of examples, each epoch in an order of its own; a last batch that is not full is left out, as in 2018.

    Args:
        examples: laid out.
        batch_size: examples an update, over all its parts and processes.
        seed: with the epoch it determines the order, so that a resumed run needs no state to go on.
    """

    examples: list[Example]
    batch_size: int
    seed: int = 0

    def batch(self, step: int, part: int = 0, n_parts: int = 1) -> Batch:
        """The part-th share of the examples of update `step`, counted from 1."""
        epoch, place = divmod(step - 1, len(self.examples) // self.batch_size)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.examples))
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size][part::n_parts]
        return collate([self.examples[k] for k in chosen])
