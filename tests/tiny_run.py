"""A training run of a second: a model, a text of a few words, settings. Started as a program it trains, to be killed.

python tests/tiny_run.py DIRECTORY STEPS      prints each step; goes on where the directory's run stands
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from stores import tokenizer

from gpt1viz.config import GPT1Config
from gpt1viz.training.pretrain import PretrainSettings, pretrain

CONFIG = GPT1Config(n_vocab=29, n_ctx=11, n_embd=12, n_layer=2, n_head=3)


@dataclass
class TinyText:
    """Words that follow each other by a rule that a model can learn, in documents of 700 tokens."""

    seed: int = 0
    n: int = 2100
    n_characters: int = 6000
    digest: str = "tiny"
    ids: np.ndarray = field(init=False)
    starts: np.ndarray = field(init=False)

    def __post_init__(self):
        draws = np.random.default_rng(self.seed)
        ids = [5]
        while len(ids) < self.n:
            ids.append((3 * ids[-1] + int(draws.integers(2))) % 29)
        self.ids, self.starts = np.array(ids, np.uint16), np.arange(0, self.n + 1, 700)


def settings(**changes) -> PretrainSettings:
    usual = {"batch_size": 4, "steps": 30, "lr": 1e-2, "warmup": 3, "prompts": ("the fox",), "sample_tokens": 4}
    return PretrainSettings(**{**usual, "device": "cpu", **changes})


def train(
    path: Path, *, config: GPT1Config = CONFIG, callbacks=(), resume=False, text=None, validation=None, **changes
):
    return pretrain(
        config,
        text or TinyText(),
        tokenizer(),
        path,
        settings=settings(**changes),
        callbacks=callbacks,
        resume=resume,
        validation=validation,
        watch_stdin=False,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, n_steps, *more = sys.argv[1:]
    print("begins", flush=True)
    outcome = pretrain(
        CONFIG,
        TinyText(),
        tokenizer(),
        folder,
        settings=settings(steps=int(n_steps), save_minutes=0.0),
        callbacks=[lambda row, model: print(row["step"], flush=True)],
        resume=True,
        watch_stdin="--watch-stdin" in more,
    )
    print(outcome.state, outcome.reason, flush=True)
