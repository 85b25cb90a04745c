"""The runs of Break it: which of its models are there, and those that are asked for, trained one after the other.

The server's owner may set GPT1VIZ_BREAKIT_STEPS, the updates of each model, to suit slower or faster machines.
"""

import os
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import jobs
import sources
import streamlit as st

from gpt1viz.errors import GPT1VizError
from gpt1viz.text import t
from gpt1viz.training import breakit
from gpt1viz.training.runs import Run, read_run

PREFIX = "breakit-"
LOOKS_EVERY = 0.5  # seconds between two looks whether the next one can start
DIVERGED = "errors.training_not_finite"


def steps() -> int:
    """Updates of each model."""
    asked = os.environ.get("GPT1VIZ_BREAKIT_STEPS", "")
    return int(asked) if asked.isdecimal() and int(asked) else breakit.STEPS


# ---- what is there


def run_of(variant: str) -> Run | None:
    """The run that is what the recipe gives, finished if there is such a one, else the furthest."""
    wanted = breakit.wanted(variant, steps())
    found = [run for run in _named_so(variant) if _digest(run.path, _stamp(run.path)) == wanted]
    return max(found, key=lambda run: (is_done(run), run.state == "running", run.step), default=None)


def _named_so(variant: str) -> list[Run]:
    """Runs called breakit-VARIANT, or so with a number behind."""
    pattern = re.compile(rf"{PREFIX}{re.escape(variant)}(-\d+)?")
    paths = (path.parent for path in jobs.runs_folder().glob(f"{PREFIX}*/status.json"))
    runs = (jobs.find(path.name) for path in paths if pattern.fullmatch(path.name))
    return [run for run in runs if run is not None]


def _stamp(path: Path) -> int:
    try:
        return (path / "settings.json").stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _digest(path: Path, stamp: int) -> str | None:
    """Of the run as its settings are at that stamp."""
    return breakit.digest_of(read_run(path))


def is_done(run: Run) -> bool:
    """Whether it has ended for good: finished, or its numbers have run away, which training on would repeat."""
    return run.state == "finished" or (run.state == "failed" and (run.message or {}).get("code") == DIVERGED)


def state(variant: str) -> str:
    """ "done", "running", "preparing", "waiting", "stopped", "failed" or "missing"."""
    run = run_of(variant)
    if run and is_done(run):
        return "done"
    if run and run.state == "running":
        return "running"
    name = queue().begun.get(variant)
    if name and (found := jobs.job(name)) and found.process and (run is None or jobs.preparing(name)):
        return "preparing"
    if variant in queue().waiting:
        return "waiting"
    if run:
        return run.state
    return "missing"


# ---- training what is missing


class Queue:
    """Models that are to be trained. A thread starts the next one whenever the server has room; pages only look."""

    def __init__(self):
        self.waiting: list[str] = []
        self.begun: dict[str, str] = {}  # run by variant, of those started by this server
        self.faults: dict[str, GPT1VizError] = {}
        self._source, self._lang = sources.source("sample"), "en"
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def ask(self, variants: Sequence[str], lang: str) -> None:
        """Train these, in this order, after those that are waiting; what is there or under way is left out.

        Raises:
            GPT1VizError: the server is read-only.
        """
        jobs.may_change()
        with self._lock:
            self._lang = lang
            for variant in variants:
                self.faults.pop(variant, None)
                if state(variant) in ("missing", "stopped", "failed"):
                    self.waiting.append(variant)
            self._start_next()
            if self.waiting and not (self._thread and self._thread.is_alive()):
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def stop(self, variants: Sequence[str]) -> None:
        """These do not wait any more, and what is being trained of them saves and ends.

        Raises:
            GPT1VizError: the server is read-only.
        """
        jobs.may_change()
        with self._lock:
            self.waiting = [variant for variant in self.waiting if variant not in variants]
        for variant in variants:
            if state(variant) == "running":
                jobs.stop(run_of(variant).name)
            elif state(variant) == "preparing":
                jobs.stop(self.begun[variant])

    def _work(self) -> None:
        while True:
            time.sleep(LOOKS_EVERY)
            with self._lock:
                self._start_next()
                if not self.waiting:
                    self._thread = None
                    return

    def _start_next(self) -> None:
        """Start the first that waits, if there is room; one that cannot be started says why and waits no more."""
        if not self.waiting or len(jobs.going_on()) >= jobs.max_runs():
            return
        variant = self.waiting[0]
        try:
            self._begin(variant)
        except GPT1VizError as fault:
            if fault.code == "app_runs_full":
                return
            self.faults[variant] = fault
        except OSError as fault:
            self.faults[variant] = GPT1VizError("app_runs_unwritable", path=jobs.runs_folder(), fault=fault.strerror)
        self.waiting.remove(variant)

    def _begin(self, variant: str) -> None:
        run = run_of(variant)
        if run is not None:
            if not is_done(run):
                jobs.resume(run.name, self._lang)
                self.begun[variant] = run.name
            return
        name = jobs.free_name(f"{PREFIX}{variant}")
        words = ["train", *self._source.arguments, *breakit.options(variant, steps())]
        jobs.start(name, "pretrain", words, self._lang, self._source.files)
        self.begun[variant] = name


@st.cache_resource(max_entries=1, show_spinner=False)
def queue() -> Queue:
    """The server's."""
    return Queue()


def fault(variant: str, lang: str) -> str | None:
    """Why a model could not be trained, in words."""
    if variant in queue().faults:
        return queue().faults[variant].message(lang)
    found = jobs.job(name) if (name := queue().begun.get(variant)) else None
    return found.fault if found else None


def broke_off(run: Run, lang: str) -> str | None:
    """What ended a run that failed, in words and without the server's paths."""
    if run.state != "failed" or not run.message:
        return None
    return t(run.message["code"], lang, **run.message["params"]).replace(str(run.path), run.name)


def seconds() -> float:
    """About how long one model takes here: as long as the last one took, else as on a laptop."""
    for variant in breakit.VARIANTS:
        if (run := run_of(variant)) and run.state == "finished":
            with suppress(IndexError, KeyError):
                return float(run.metrics("train")[-1]["time"])
    return 40.0 * steps() / breakit.STEPS
