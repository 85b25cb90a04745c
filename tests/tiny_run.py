"""A training run of a second: a model, a text of a few words, settings. Started as a program it trains, to be killed.

python tests/tiny_run.py DIRECTORY STEPS      prints each step; goes on where the directory's run stands
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from stores import tokenizer

from gpt1viz import formats
from gpt1viz.config import GPT1Config
from gpt1viz.training.pretrain import PretrainSettings, pretrain
from gpt1viz.training.runs import read_run

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
        self.ids, self.starts = np.array(ids, np.uint16), np.array([*range(0, self.n, 700), self.n])


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


def main(folder: str, n_steps: int, options: list[str]) -> None:
    together = "--together" in options
    outcome = pretrain(
        no_dropout() if together else CONFIG,
        TinyText(),
        tokenizer(),
        folder,
        settings=settings(steps=n_steps, save_minutes=0.0, accumulate=1 + together),
        callbacks=[lambda row, model: print(row["step"], flush=True)],
        resume=True,
        watch_stdin="--watch-stdin" in options,
    )
    print(outcome.state, outcome.reason, flush=True)
    if together:
        name = f"{os.environ['RANK']}-of-{os.environ['WORLD_SIZE']}.safetensors"
        save_file(outcome.module.state_dict(), f"{folder}/{name}")
        threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
        assert not any("gloo" in name for name in threads), "threads that outlive the group may abort the process"


def no_dropout():
    values = CONFIG.to_dict() | dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0)
    return GPT1Config.from_dict(values)


def losses(path: Path) -> list[tuple]:
    timeless = {"tokens_per_second", "time"}
    return [tuple((k, v) for k, v in row.items() if k not in timeless) for row in read_run(path).metrics()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return formats.read(read_run(path).checkpoints()[-1][1]).tensors


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As in the processes started here: sums are the same to the bit for the same number of threads only."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
