"""Writing a run directory: one writer, and whatever moment it dies at, what it leaves can be read and gone on from.

    runs/NAME/  config.json  tokenizer.json  settings.json  metrics.jsonl  samples.jsonl  status.json  STOP
                task.json predictions.jsonl (fine-tuning)
                checkpoints/step-N/  config.json model.safetensors tokenizer.json  state.json  optimizer.safetensors

Only the newest checkpoint has an optimiser: the older ones are there to look at.
"""

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError
from torch import nn
from torch.optim import Optimizer

from ..checkpoints import run_steps
from ..errors import GPT1VizError
from ..reading import expanded
from ..tokenizer import Tokenizer
from . import files
from .optim import save_optimizer
from .runs import LOCK, METRICS, SAMPLES, STOP, has_begun

STATUS_EVERY = 1.0  # seconds


class RunWriter:
    """The one writer of a run directory. As a context manager it holds the lock and notes how the run ended.

    Raises:
        GPT1VizError: another trainer is at work there; there is a run already and `resume` is False; the disk is full
            or refuses.
    """

    def __init__(self, path: str | Path, resume: bool = False):
        self.path, self.resume = expanded(path).absolute(), resume
        self._status: dict = {"state": "running", "step": 0, "progress": 0.0, "message": None}
        self._begun, self._written = False, float("-inf")
        self._rows: dict[str, Path] = {"metrics": self.path / METRICS, "samples": self.path / SAMPLES}

    def __enter__(self) -> "RunWriter":
        with self._faults():
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.path / LOCK)
            try:
                self._lock.acquire(timeout=1)  # a reader that looks whether it is held lets go at once
            except Timeout:
                pid = files.read_json(self.path / "status.json").get("pid")
                raise GPT1VizError("training_locked", path=self.path, pid=pid) from None
            if not self.resume and has_begun(self.path):
                self._lock.release()
                raise GPT1VizError("training_run_exists", path=self.path)
        return self

    def __exit__(self, kind, fault, trace) -> None:
        try:
            if isinstance(fault, KeyboardInterrupt):
                self._write_status("stopped", {"code": "training.interrupted", "params": {"path": str(self.path)}})
            elif fault is not None and (self._begun or not (self.path / "status.json").exists()):
                known = isinstance(fault, GPT1VizError)
                code, params = (fault.code, fault.params) if known else ("training_crashed", {"fault": repr(fault)})
                params = {name: v if isinstance(v, int | float | str) else str(v) for name, v in params.items()}
                self._write_status("failed", {"code": f"errors.{code}", "params": params})
        except GPT1VizError:
            pass  # the disk is full: the fault on its way says so
        finally:
            self._lock.release()

    def begin(self, step: int) -> None:
        """Training starts after `step` updates: what came later is forgotten, as it is going to be done again.

        Until here a refusal leaves an earlier run as it was.
        """
        self._begun = True
        self._status["step"] = max(step, 0)
        with self._faults():
            folder = self.path / "checkpoints"
            folder.mkdir(exist_ok=True)
            for half in folder.glob(".*"):
                shutil.rmtree(half)
            for other, later in run_steps(self.path).items():
                if other > step:
                    shutil.rmtree(later)
            for path in self._rows.values():
                rows, _ = files.read_rows(path)
                files.write_rows(path, (row for row in rows if row.get("step", 0) <= step))
        self.status("running", step, 0.0)

    # ---- small files

    def write(self, name: str, values: dict) -> None:
        """A JSON file, e.g. "settings.json"."""
        with self._faults():
            files.write_json(self.path / name, values)

    def write_rows(self, name: str, rows: Iterable[dict]) -> None:
        """A file of JSON rows, in place of the one before."""
        with self._faults():
            files.write_rows(self.path / name, rows)

    def write_tokenizer(self, tokenizer: Tokenizer) -> None:
        """tokenizer.json."""
        with self._faults():
            tokenizer.save(self.path / "tokenizer.json")

    def row(self, kind: str, row: dict) -> None:
        """Append to "metrics" or "samples"."""
        with self._faults(), self._rows[kind].open("a", encoding="utf-8", newline="\n") as file:
            file.write(files.line(row))

    def status(self, state: str, step: int, progress: float, message: dict | None = None) -> None:
        """Where the run stands; while it is running, at most one file a second."""
        self._status |= {"step": step, "progress": round(progress, 6)}
        if state != "running" or time.monotonic() - self._written >= STATUS_EVERY:
            self._write_status(state, message)

    def _write_status(self, state: str, message: dict | None = None) -> None:
        self._status |= {"state": state, "message": message, "heartbeat": time.time(), "pid": os.getpid()}
        self.write("status.json", self._status)
        self._written = time.monotonic()

    def stop_requested(self) -> bool:
        """Whether someone has put the file STOP there."""
        return (self.path / STOP).exists()

    def clear_stop(self) -> None:
        """Take the file STOP away, so that the run can go on."""
        with self._faults():
            (self.path / STOP).unlink(missing_ok=True)

    # ---- checkpoints

    def save(self, step: int, save: Callable[[Path], object], module: nn.Module, optimizer: Optimizer, state: dict):
        """A checkpoint: written beside, renamed whole, and only then are older ones thinned out.

        Args:
            step: updates done.
            save: writes the model into the folder it is given.
            module, optimizer: the optimiser's state goes by the module's parameter names.
            state: what else is needed to go on.
        """
        folder = self.path / "checkpoints" / f"step-{step}"
        beside = folder.with_name(f".{folder.name}.new")
        if _whole(folder):
            return
        with self._faults():
            shutil.rmtree(beside, ignore_errors=True)
            try:
                save(beside)
                save_optimizer(optimizer, module, beside / "optimizer.safetensors")
                files.write_json(beside / "state.json", {"step": step} | state)
                files.sync(beside)
                shutil.rmtree(folder, ignore_errors=True)
                beside.rename(folder)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise
            for other, older in run_steps(self.path).items():
                if other < step and not kept(other):
                    _drop(older)
                elif other < step:
                    (older / "optimizer.safetensors").unlink(missing_ok=True)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """A full disk, and a disk that refuses, in words."""
        try:
            yield
        except (OSError, SafetensorError, GPT1VizError) as fault:
            cause = fault.__cause__ if isinstance(fault, GPT1VizError) else fault
            if isinstance(fault, GPT1VizError) and fault.code != "save_failed":
                raise
            step = max(run_steps(self.path), default=0)
            code = "training_disk_full" if _errno(cause) in FULL else "training_unwritable"
            raise GPT1VizError(code, path=self.path, step=step, fault=getattr(cause, "strerror", cause)) from fault


FULL = (errno.ENOSPC, errno.EDQUOT, *([112] if os.name == "nt" else []))  # 112: Windows' number for a full disk


def _errno(fault: BaseException | None) -> int | None:
    """The system's number for a fault; safetensors writes it into its sentence."""
    in_words = re.search(r"os error (\d+)", str(fault))
    return int(in_words[1]) if in_words else getattr(fault, "errno", None)


def _drop(checkpoint: Path) -> None:
    """Remove a checkpoint: hidden first, so that nobody finds half of one, then deleted.

    On Windows one that somebody reads at this moment stays until the next time.
    """
    hidden = checkpoint.with_name(f".{checkpoint.name}.old")
    try:
        checkpoint.rename(hidden)
    except PermissionError:
        return
    shutil.rmtree(hidden, ignore_errors=True)


def kept(step: int) -> bool:
    """Whether a checkpoint stays when newer ones are there: those of the steps 0, 1, 2, 4, 8, ..."""
    return step & (step - 1) == 0


def newest(path: Path) -> Path | None:
    """The checkpoint of a run directory to go on from."""
    return next((folder for folder in reversed(run_steps(path).values()) if _whole(folder)), None)


def _whole(folder: Path) -> bool:
    return (folder / "optimizer.safetensors").exists() and (folder / "state.json").exists()
