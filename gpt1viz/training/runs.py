"""Reading run directories: what the command line, the app, the notebooks and `load` know of a run."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from ..checkpoints import run_steps
from ..config import GPT1Config
from ..errors import GPT1VizError
from ..reading import expanded
from ..text import t
from . import files

_looking = Lock()  # one thread at a time: another's look is not a trainer
LOCK, METRICS, SAMPLES, STOP = ".lock", "metrics.jsonl", "samples.jsonl", "STOP"
STATES = ("running", "stopped", "finished", "failed")


@dataclass(frozen=True)
class Run:
    """A run directory as it was when it was read.

    Attributes:
        path: the directory; its name is the run's.
        state: "running", "stopped", "finished" or "failed". A trainer that was killed leaves "running" behind and no
            lock; that reads as "stopped".
        step: updates done, as far as is known.
        progress: share of the budget, 0 to 1.
        heartbeat: when the trainer last said so, in seconds since 1970; 0 if never.
        message: {"code", "params"} for `t(code, lang, **params)`, or None.
        config: the model's shape, None where it cannot be read yet.
        settings: what training was told.
    """

    path: Path
    state: str
    step: int
    progress: float
    heartbeat: float
    message: dict | None
    config: GPT1Config | None
    settings: dict

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def kind(self) -> str:
        """What it does: "pretrain" or "finetune"."""
        return "finetune" if self.settings.get("kind") == "finetune" else "pretrain"

    def metrics(self, kind: str | None = None) -> list[dict]:
        """The rows of metrics.jsonl; those of a kind only, "train" or "eval"."""
        rows, _ = files.read_rows(self.path / METRICS)
        return [row for row in rows if kind in (None, row.get("kind"))]

    def samples(self) -> list[dict]:
        """The rows of samples.jsonl: step, prompt, text."""
        return files.read_rows(self.path / SAMPLES)[0]

    def checkpoints(self) -> list[tuple[int, Path]]:
        """Steps and folders, oldest first; `load` takes each."""
        return list(run_steps(self.path).items())


def read_run(path: str | Path) -> Run:
    """Read a run directory, at any moment.

    Raises:
        GPT1VizError: the folder is no run.
    """
    path = expanded(path).absolute()
    status = files.read_json(path / "status.json")
    if status.get("state") not in STATES:
        raise GPT1VizError("training_no_run", path=path)
    state = status["state"]
    if state == "running" and not is_locked(path):
        state = "stopped"
    try:
        config = (
            GPT1Config.from_dict(files.read_json(path / "config.json")) if (path / "config.json").exists() else None
        )
    except (GPT1VizError, TypeError):
        config = None
    return Run(
        path=path,
        state=state,
        step=int(_number(status.get("step"))),
        progress=_number(status.get("progress")),
        heartbeat=_number(status.get("heartbeat")),
        message=_message(status.get("message")),
        config=config,
        settings=files.read_json(path / "settings.json"),
    )


def _number(value: object) -> float:
    """A number that somebody may have written over: 0 where it is none."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e18 else 0.0


def _message(value: object) -> dict | None:
    """What `t` can say, else None: another version's message, or a damaged one."""
    try:
        t(value["code"], "en", **value["params"])  # pyright: ignore[reportIndexIssue]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError):
        return None
    return value  # pyright: ignore[reportReturnType]


def has_begun(path: Path) -> bool:
    """Whether a trainer got as far as to say there where it stands; what it wrote before is written anew."""
    return (path / "status.json").exists() or bool(run_steps(path))


def list_runs(folder: str | Path = "runs") -> list[Run]:
    """The runs in a folder, the latest first; what is no run is left out."""
    found = []
    for path in expanded(folder).glob("*/status.json"):
        try:
            found.append(read_run(path.parent))
        except GPT1VizError:
            continue
    return sorted(found, key=lambda run: run.heartbeat, reverse=True)


def request_stop(path: str | Path) -> None:
    """Ask a running trainer to finish its step, save and end."""
    if (run := read_run(path)).state == "running":
        (run.path / STOP).touch()


def remove_run(path: str | Path) -> None:
    """Delete a run directory.

    Raises:
        GPT1VizError: it is no run, or it is still running.
    """
    run = read_run(path)
    if run.state == "running":
        raise GPT1VizError("training_remove_running", path=run.path)
    shutil.rmtree(run.path)


def is_locked(path: Path) -> bool:
    """Whether a trainer is at work in this directory: the system frees its lock when it dies."""
    if not (path / LOCK).exists():
        return False
    with _looking:
        lock = FileLock(path / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        except OSError:
            return False  # not ours to write: nobody trains in it from here
        lock.release()
        return False
