"""Pre-training: predict the next token of a large text (paper sections 3.1 and 4.1)."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import checkpoints, formats
from ..config import GPT1Config
from ..errors import GPT1VizError
from ..generate import generate
from ..model import GPT1
from .batches import Windows
from .distributed import World
from .evaluate import Text, glance
from .loop import Callback, Job, Outcome
from .losses import token_loss
from .schedules import SCHEDULES, warmup_share
from .settings import TrainSettings
from .trainer import train

if TYPE_CHECKING:
    from ..tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(TrainSettings):
    """Settings of pre-training, the paper's where nothing else is said.

    Args:
        schedule: of the learning rate: "pretraining", or one of 2018's fine-tuning.
        warmup: updates until the peak rate, at most a tenth of the run.
        prompts: what samples go on from.
        sample_tokens, temperature: of the samples.
    """

    schedule: str = "pretraining"
    warmup: int = 2000
    prompts: tuple[str, ...] = ("once upon a time",)
    sample_tokens: int = 60
    temperature: float = 0.8

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "prompts", tuple(self.prompts))  # JSON has lists only
        self._choice("schedule", tuple(SCHEDULES))
        self._number("warmup", 0)


def pretrain(
    model: GPT1 | GPT1Config,
    corpus: Text,
    tokenizer: "Tokenizer",
    run_dir: str | Path,
    *,
    settings: PretrainSettings,
    validation: Text | None = None,
    evaluations: Iterable[Callable[[GPT1], dict[str, float]]] = (),
    callbacks: Iterable[Callback] = (),
    resume: bool = False,
    watch_stdin: bool = False,
    source: dict | None = None,
) -> Outcome:
    """Train a language model; everything it does can be read in `run_dir` while it works.

    Under torchrun all processes call it alike. Ctrl-C, SIGTERM and a STOP file end it after the step it is in.

    Args:
        model: a shape to start from random weights, or a model whose copy is trained further.
        corpus: the text to learn.
        tokenizer: the text was encoded with; it goes into every checkpoint.
        run_dir: new, or with `resume` one to go on in.
        settings: see PretrainSettings.
        validation: another text; its loss, perplexity and bits a character become "eval" rows.
        evaluations: more numbers for those rows, from the model in eval mode.
        callbacks: called with each row of metrics and the model.
        resume: go on from the newest checkpoint, if there is one, as if never stopped.
        watch_stdin: the end of standard input asks for a stop too.
        source: where the corpus came from, to be noted in settings.json.

    Returns:
        Outcome(state, step, module, reason), `module` being the model; `gpt1viz.load(run_dir)` gives it too.

    Raises:
        GPT1VizError: settings or texts that do not fit; another trainer or another run in the directory; a loss that
            is not finite; a full disk. The last checkpoint is intact in each case.
    """
    text = {"digest": corpus.digest, "n_tokens": len(corpus.ids), "n_characters": corpus.n_characters}
    return train(
        lambda world: _job(world, model, corpus, tokenizer, settings, validation, tuple(evaluations)),
        run_dir,
        settings=settings,
        tokenizer=tokenizer,
        notes={"kind": "pretrain", "text": text, "source": source or {}},
        callbacks=callbacks,
        resume=resume,
        watch_stdin=watch_stdin,
    )


def _job(
    world: World,
    start: GPT1 | GPT1Config,
    corpus: Text,
    tokenizer: "Tokenizer",
    settings: PretrainSettings,
    validation: Text | None,
    evaluations: tuple,
) -> Job:
    torch.manual_seed(settings.seed)
    model = GPT1(start) if isinstance(start, GPT1Config) else copy.deepcopy(start).requires_grad_(True)
    model.to(world.device)
    config, n_parts = model.config, settings.n_parts(world.size)
    if tokenizer.n_vocab != config.n_vocab:
        raise GPT1VizError("save_vocab", found=tokenizer.n_vocab, wanted=config.n_vocab)
    windows = Windows(corpus.ids, config.n_ctx, settings.batch_size, settings.seed)
    schedule = SCHEDULES[settings.schedule]

    def batch(step: int, part: int) -> torch.Tensor:
        rows = windows.batch(step, part * world.size + world.rank, n_parts)  # (B, T + 1)
        return rows.to(world.device, non_blocking=True)

    def evaluate() -> dict[str, float]:
        numbers = glance(model, validation) if validation else {}
        for evaluation in evaluations:
            numbers |= evaluation(model)
        return numbers

    def sample() -> Iterable[dict]:
        draw = {"temperature": settings.temperature, "seed": settings.seed}
        for prompt in settings.prompts:
            *_, last = generate(model, tokenizer, prompt, settings.sample_tokens, **draw)
            yield {"prompt": prompt, "text": last.text}

    return Job(
        module=model,
        config=config,
        batch=batch,
        losses=lambda rows: {"loss": token_loss(model, rows)},
        factor=lambda step, x: schedule(x, warmup_share(settings.warmup, step, x)),
        save=lambda folder: checkpoints.save(model, folder, tokenizer),
        restore=lambda folder: formats.restore(folder, model),
        tokens_a_step=settings.batch_size * config.n_ctx,
        evaluate=evaluate if validation or evaluations else None,
        sample=sample if settings.prompts else None,
    )
