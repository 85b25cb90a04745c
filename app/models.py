"""The models that the pages may look at: what `available()` finds, and the runs of the server's runs folder.

A run is "runs/NAME" (its newest checkpoint) or "runs/NAME@STEP". These are ids, not paths: a name is only ever looked
for in the runs folder. What is loaded is shared by all sessions and never changed; memory is bounded in bytes.
"""

import io
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any

import jobs
import streamlit as st

from gpt1viz import checkpoints
from gpt1viz.checkpoints import Loaded
from gpt1viz.errors import GPT1VizError
from gpt1viz.explain import RECORD, Explanation, explain
from gpt1viz.text import t
from gpt1viz.trace import Edits

RUNS = "runs/"
MOST_OF_MODELS, MOST_OF_EXPLANATIONS = 1_000_000_000, 400_000_000  # bytes; the newest is kept whatever its size


class Kept:
    """The latest results, up to so many bytes. Threads that ask for the same at once may both compute it."""

    def __init__(self, most: int):
        self.most, self.total = most, 0
        self._found: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key][0]
        value = make()
        with self._lock:
            if key not in self._found:
                self._found[key] = (value, size(value))
                self.total += self._found[key][1]
            while self.total > self.most and len(self._found) > 1:
                self.total -= self._found.popitem(last=False)[1][1]
        return value


@st.cache_resource(max_entries=1, show_spinner=False)
def kept() -> dict[str, Kept]:
    """The server's models and explanations."""
    return {"models": Kept(MOST_OF_MODELS), "explanations": Kept(MOST_OF_EXPLANATIONS)}


def run_id(name: str, step: int | None = None) -> str:
    """The id of a run's newest checkpoint, or of that of a step."""
    return f"{RUNS}{name}" if step is None else f"{RUNS}{name}@{step}"


def offered(wanted: str, lang: str) -> dict[str, str]:
    """Names by id: all that can be loaded here, among it `wanted` if it is a checkpoint of a run."""
    names = {entry.id: entry.name for entry in checkpoints.available()}
    names |= {run_id(name): t("runs.model", lang, run=name) for name in jobs.with_checkpoints()}
    if "@" in wanted and location(wanted) is not None:
        names[wanted] = t("runs.model_step", lang, run=wanted[len(RUNS) :].rpartition("@")[0], step=_step(wanted))
    return names


def _step(model_id: str) -> str:
    return model_id.rpartition("@")[2]


def location(model_id: str) -> Path | None:
    """Where a checkpoint is now; None if it is not here."""
    if model_id.startswith(RUNS):
        name, at, step = model_id.removeprefix(RUNS).partition("@")
        if not jobs.is_run(name) or (at and not (step.isascii() and step.isdecimal())):
            return None
        steps = checkpoints.run_steps(jobs.runs_folder() / name)
        return steps.get(int(step)) if at else next(reversed(steps.values()), None)
    return next((entry.location for entry in checkpoints.available() if entry.id == model_id), None)


def stamp(model_id: str) -> float:
    """When the checkpoint last changed, so that a new one under the same name is loaded anew."""
    place = location(model_id)
    try:
        return max(path.stat().st_mtime for path in [place, *place.iterdir()]) if place else 0.0
    except OSError:  # loading says what is wrong
        return 0.0


def load(model_id: str, when: float) -> Loaded:
    """The model as it was at that stamp.

    Raises:
        GPT1VizError: it is not here any more, or cannot be loaded.
    """

    def read() -> Loaded:
        if not model_id.startswith(RUNS):
            return checkpoints.load(model_id, download=False)
        place = location(model_id)
        if place is None:
            raise GPT1VizError("app_no_checkpoint", model=model_id)
        run, step = place.parents[1], place.name.removeprefix("step-")
        return checkpoints.load(run.with_name(f"{run.name}@{step}"), download=False)

    return kept()["models"].get((model_id, when), read, _size_of_model)


def explained(model_id: str, when: float, text: str, lifted: bool = False) -> Explanation:
    """What that model makes of a text, with its mask or without."""

    def compute() -> Explanation:
        model, tokenizer, *_ = load(model_id, when)
        edits = Edits(causal=False) if lifted else None
        return explain(model, tokenizer, text, record=(*RECORD, "embed"), edits=edits)

    return kept()["explanations"].get((model_id, when, text, lifted), compute, _size_of_explanation)


def zipped(model_id: str, kind: str) -> bytes:
    """A checkpoint as a folder in a zip file, in Hugging Face's format or this project's."""
    loaded = load(model_id, stamp(model_id))
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / model_id.removeprefix(RUNS).replace("@", "-")
        (checkpoints.export if kind == "huggingface" else checkpoints.save)(loaded, folder)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as whole:
            for path in sorted(folder.iterdir()):
                whole.write(path, f"{folder.name}/{path.name}")
    return file.getvalue()


def _size_of_model(loaded: Loaded) -> int:
    modules = [module for module in (loaded.model, loaded.task) if module is not None]
    return sum(p.numel() * p.element_size() for module in modules for p in module.parameters())


def _size_of_explanation(found: Explanation) -> int:
    return found.logits.nbytes + sum(array.nbytes for array in found.trace.values())
