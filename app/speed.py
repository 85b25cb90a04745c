"""What a run would cost: memory by arithmetic, time by a short trial in a process of its own, one at a time."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections import OrderedDict
from threading import Lock

import jobs
import streamlit as st

from gpt1viz.config import GPT1Config
from gpt1viz.training.cost import BYTES_A_PARAMETER, Cost
from gpt1viz.training.pretrain import PretrainSettings

SCRIPT = """
import dataclasses, json, os, sys
hasattr(os, "nice") and os.nice(10)
from gpt1viz.config import GPT1Config
from gpt1viz.training.cost import probe
from gpt1viz.training.pretrain import PretrainSettings
shape, settings = json.load(sys.stdin)
print(json.dumps(dataclasses.asdict(probe(GPT1Config.from_dict(shape), PretrainSettings.from_dict(settings)))))
"""
KEPT, KEPT_WITH_DROPOUT = 17, 26  # numbers a token, layer and channel that wait for the backward pass, as measured
MOST_MEMORY = 4_000_000_000  # bytes; larger runs are not tried out
PATIENCE = 40  # seconds
MOST_FOUND = 64


def memory(config: GPT1Config, settings: PretrainSettings) -> int:
    """Bytes of training, about: weights, gradients, Adam's averages, and what waits for the backward pass."""
    dropout = max(config.embd_pdrop, config.attn_pdrop, config.resid_pdrop) > 0
    numbers = (KEPT_WITH_DROPOUT if dropout else KEPT) * config.n_layer * config.n_embd
    tokens = settings.batch_size // settings.accumulate * config.n_ctx
    return BYTES_A_PARAMETER * config.n_params + 4 * numbers * tokens


class Trials:
    """What has been measured, and the one trial that may be running."""

    def __init__(self):
        self.found: OrderedDict[str, Cost | None] = OrderedDict()
        self.lock = Lock()
        self.process: subprocess.Popen | None = None
        self.key, self.began = "", 0.0

    def ask(self, config: GPT1Config, settings: PretrainSettings) -> tuple[bool, Cost | None]:
        """(whether it is known, what is known): None for a trial that failed or took too long. Begins one if it can."""
        key = json.dumps([config.to_dict(), settings.to_dict()])
        with self.lock:
            self._look()
            if key in self.found:
                return True, self.found[key]
            if memory(config, settings) > MOST_MEMORY:
                return True, None
            if self.process is None:
                self._begin(key)
            return False, None

    def _begin(self, key: str) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(jobs.threads()))
        quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=os.environ | threads, text=True, **quiet)
        self.process.stdin.write(key)
        self.process.stdin.close()
        self.key, self.began = key, time.monotonic()

    def _look(self) -> None:
        """Take in a trial that has ended, and end one that takes too long."""
        if self.process is None or (self.process.poll() is None and time.monotonic() - self.began < PATIENCE):
            return
        self.process.kill()
        with self.process:
            words = self.process.stdout.read()
        self.found[self.key] = Cost(**json.loads(words)) if self.process.returncode == 0 else None
        self.process = None
        while len(self.found) > MOST_FOUND:
            self.found.popitem(last=False)


@st.cache_resource(max_entries=1, show_spinner=False)
def trials() -> Trials:
    return Trials()


def as_budget(settings: PretrainSettings, n_ctx: int, cost: Cost) -> tuple[float, int]:
    """(minutes, updates) that a budget comes to."""
    steps = settings.n_steps(settings.batch_size * n_ctx)
    if settings.minutes:
        in_time = max(1, round(settings.minutes * 60 / cost.seconds_a_step))
        steps = in_time if steps is None else min(steps, in_time)
    return steps * cost.seconds_a_step / 60, steps


def without_budget(settings: PretrainSettings) -> PretrainSettings:
    """The same settings for a trial: the speed does not depend on the budget, the rate or the reports."""
    usual = {"steps": 1, "tokens": None, "minutes": None, "lr": 1e-3, "warmup": 0, "seed": 0, "prompts": ()}
    return dataclasses.replace(settings, **usual, eval_every=0, sample_every=0)
