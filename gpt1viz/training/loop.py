"""The training loop, the same for pre-training and fine-tuning: batch, loss, gradient, clip, update; and its diary."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..config import GPT1Config
from ..errors import GPT1VizError
from . import files
from .devices import autocast
from .distributed import World
from .optim import load_optimizer, make_optimizer
from .progress import Bar
from .rundir import RunWriter, kept
from .settings import TrainSettings
from .stopping import Stopper

Losses = dict[str, Tensor]
Callback = Callable[[dict, nn.Module], object]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained, on what, towards what.

    Attributes:
        module: holds all the parameters to train.
        config: the language model's shape.
        batch: (step, part) -> what `losses` takes, on the right device; the same whenever it is asked for.
        losses: batch -> scalars by name, each a mean over the batch; "loss" is the one that is minimised.
        factor: (step, x) -> what the peak rate is multiplied with at this update, x being the share of the run done.
        save: writes the model's own files into a new folder.
        restore: fills `module` from such a folder.
        tokens_a_step: tokens that an update reads, over all parts and processes.
        evaluate: () -> numbers for an "eval" row; the module is in eval mode.
        predictions: () -> rows for predictions.jsonl, of the evaluation just made.
        sample: () -> rows for samples.jsonl.
        finished: code of the words that a finished run ends with.
    """

    module: nn.Module
    config: GPT1Config
    batch: Callable[[int, int], Any]
    losses: Callable[[Any], Losses]
    factor: Callable[[int, float], float]
    save: Callable[[Path], object]
    restore: Callable[[Path], object]
    tokens_a_step: int
    evaluate: Callable[[], dict] | None = None
    predictions: Callable[[], Iterable[dict]] | None = None
    sample: Callable[[], Iterable[dict]] | None = None
    finished: str = "training.finished"


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: "finished" or "stopped".
        step: updates done.
        module: what was trained, in eval mode.
        reason: what asked it to stop: "SIGINT", "SIGTERM", "STOP" or "stdin".
    """

    state: str
    step: int
    module: nn.Module
    reason: str | None = None


class _Losses(nn.Module):
    """The losses as the forward pass of a module with all the parameters: what DistributedDataParallel wraps."""

    def __init__(self, job: Job):
        super().__init__()
        self.module, self.losses = job.module, job.losses

    def forward(self, batch: Any) -> Losses:
        return self.losses(batch)


class Loop:
    """Trains a Job in a run directory until its budget is used up or somebody asks it to stop.

    Args:
        job, settings, world: what, how and with whom.
        run: the directory's writer; None in all processes but the main one.
        checkpoint: where to go on from.
        callbacks: called with each row of metrics and the module, in the main process.
    """

    def __init__(
        self,
        job: Job,
        settings: TrainSettings,
        world: World,
        run: RunWriter | None,
        checkpoint: Path | None = None,
        callbacks: Iterable[Callback] = (),
        title: str = "",
    ):
        self.job, self.settings, self.world, self.run, self.callbacks = job, settings, world, run, tuple(callbacks)
        if checkpoint:
            job.restore(checkpoint)
        self.parameters = [p for p in job.module.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(
            settings.optimizer, job.module, settings.lr, settings.betas, settings.weight_decay
        )
        self.step, self.before = 0, 0.0
        if checkpoint:
            state = files.read_json(checkpoint / "state.json")
            self.step, self.before = state["step"], state["seconds"]
            load_optimizer(self.optimizer, job.module, checkpoint / "optimizer.safetensors")
        self.first = self.step if checkpoint else -1  # what was done before
        self.began = self.saved = time.monotonic()
        self.compute = world.wrap(_Losses(job))
        self.bar = Bar(title, shown=world.main)

    @property
    def seconds(self) -> float:
        """Spent on this run so far, pauses left out."""
        return self.before + time.monotonic() - self.began

    def train(self, stopper: Stopper) -> Outcome:
        """The loop.

        Raises:
            GPT1VizError: a loss or gradient that is not finite; the weights have not been touched by it.
        """
        self.job.module.train()
        if self.first < 0:
            self._look()
        self._save()
        while (x := self.world.agreed(self._next(stopper))) is not None:
            self.step += 1
            began = time.perf_counter()
            row = self.update(self.job.factor(self.step, x) * self.settings.lr)
            self._note("train", row | {"tokens_per_second": self.job.tokens_a_step / (time.perf_counter() - began)})
            self._look()
            if self.run:
                self.run.status("running", self.step, x)
                self.bar.show(x, step=str(self.step), loss=f"{row['loss']:.3f}")
                if kept(self.step) or time.monotonic() - self.saved > 60 * self.settings.save_minutes:
                    self._save()
        return self._end(stopper)

    def _next(self, stopper: Stopper) -> float | None:
        """The share of the budget that the next update completes; None when there is to be none."""
        if self.run is None:
            return None
        if stopper.reason is None and self.run.stop_requested():
            stopper.reason = "STOP"
        tokens = self.job.tokens_a_step
        if stopper.reason or self.settings.used(self.step, self.seconds, tokens) >= 1:
            return None
        return self.settings.used(self.step + 1, self.seconds, tokens)

    def update(self, lr: float) -> dict[str, float]:
        """One update of the weights: the losses before it, the rate, the gradient's norm before clipping."""
        settings, world = self.settings, self.world
        world.seed(settings.seed, self.step)
        sums: Losses = {}
        for part in range(settings.accumulate):
            batch = self.job.batch(self.step, part)
            with world.exchange(self.compute, part == settings.accumulate - 1):
                with autocast(world.device, settings.precision):
                    losses = self.compute(batch)
                (losses["loss"] / settings.accumulate).backward()
            sums = {name: sums.get(name, 0) + value.detach() / settings.accumulate for name, value in losses.items()}
        norm = nn.utils.clip_grad_norm_(self.parameters, settings.clip or math.inf)
        means = world.mean(torch.stack(list(sums.values())).float())
        *values, grad_norm = torch.cat([means, norm[None]]).tolist()
        row = dict(zip(sums, values, strict=True)) | {"lr": lr, "grad_norm": grad_norm}
        if not (math.isfinite(row["loss"]) and math.isfinite(grad_norm)):
            raise GPT1VizError("training_not_finite", step=self.step, loss=row["loss"], norm=grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return row

    # ---- the diary, in the main process

    def _note(self, kind: str, numbers: dict) -> None:
        if self.run:
            spent = {"tokens": self.step * self.job.tokens_a_step, "time": round(self.seconds, 3)}
            row = {"kind": kind, "step": self.step} | numbers | spent
            self.run.row("metrics", row)
            for callback in self.callbacks:
                callback(row, self.job.module)

    def _look(self, last: bool = False) -> None:
        """Evaluate and write samples where it is time: every so many steps, and at the end if it was not just done."""
        if self.run is None:
            return
        job, settings = self.job, self.settings
        job.module.eval()
        if job.evaluate and self._due(settings.eval_every, last):
            self._note("eval", job.evaluate())
            if job.predictions:
                self.run.write_rows("predictions.jsonl", job.predictions())
        if job.sample and self._due(settings.sample_every, last):
            for row in job.sample():
                self.run.row("samples", {"step": self.step} | row)
        job.module.train()

    def _due(self, every: int, last: bool) -> bool:
        return every > 0 and (self.step % every == 0) != last

    def _save(self) -> None:
        if self.run:
            state = {"seconds": self.seconds, "seed": self.settings.seed}
            self.run.save(self.step, self.job.save, self.job.module, self.optimizer, state)
            self.saved = time.monotonic()

    def _end(self, stopper: Stopper) -> Outcome:
        """A last look and a last checkpoint; the others hear from the main process how it ended."""
        stopped = bool(self.world.agreed(float(stopper.reason is not None)))
        if not stopped and self.step > self.first:
            self._look(last=True)
        self._save()
        self.bar.close()
        state = "stopped" if stopped else "finished"
        if self.run:
            self.run.clear_stop()
            used = self.settings.used(self.step, self.seconds, self.job.tokens_a_step)
            code = "training.stopped" if stopped else self.job.finished
            message = {"code": code, "params": {"step": self.step, "path": str(self.run.path)}}
            self.run.status(state, self.step, used, message)
        return Outcome(state, self.step, self.job.module.eval(), stopper.reason)
