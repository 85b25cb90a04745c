"""Training as processes of their own: start, stop, resume, delete. The pages read what these write into run folders.

A process hangs on the server by its standard input only: closing a tab does not touch it, and when the server ends,
however it ends, the process ends its step, saves and can be resumed.

The server's owner sets GPT1VIZ_RUNS (the folder of runs, else `runs` where the server was started), GPT1VIZ_MAX_RUNS
(how many train at once, else 1) and GPT1VIZ_READ_ONLY=1 (nobody starts, stops or deletes anything).
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import streamlit as st

from gpt1viz.checkpoints import run_steps
from gpt1viz.errors import GPT1VizError
from gpt1viz.reading import expanded
from gpt1viz.training import runs
from gpt1viz.training.runs import Run

# The command `gpt1viz`, wherever the package lies, behind everything else on the machine.
COMMAND = "import os, sys; hasattr(os, 'nice') and os.nice(10); from gpt1viz.cli import main; sys.exit(main())"
LOG, TEXT = "log.txt", "text"  # in the run's folder: what the process says, and the text given to it
NAME = re.compile(r"\w(?:[\w .-]{0,38}[\w-])?")  # no separators, no "@", no dot or blank at the ends


@dataclass
class Job:
    """A process that the server has started.

    Attributes:
        name: of its run.
        kind: what it does: "pretrain" or "finetune".
        process: itself; None once it has ended.
        began: when it was started, in seconds since 1970.
        fault: the last thing it said, where it ended before its run began.
    """

    name: str
    kind: str
    process: subprocess.Popen | None
    began: float
    fault: str | None = None


class Jobs:
    """The server's processes by run, and the lock under which they are started."""

    def __init__(self):
        self.lock = Lock()
        self.by_run: dict[str, Job] = {}


@st.cache_resource(max_entries=1, show_spinner=False)
def _jobs() -> Jobs:
    return Jobs()


# ---- what the owner has set


def runs_folder() -> Path:
    return expanded(os.environ.get("GPT1VIZ_RUNS") or "runs").absolute()


def read_only() -> bool:
    return os.environ.get("GPT1VIZ_READ_ONLY", "") not in ("", "0")


def max_runs() -> int:
    asked = os.environ.get("GPT1VIZ_MAX_RUNS", "")
    return int(asked) if asked.isdecimal() else 1


def threads() -> int:
    """Threads a training process computes on: half the cores, so that the pages stay quick."""
    return max(1, (os.cpu_count() or 2) // 2)


# ---- names


def is_name(name: str) -> bool:
    """Whether a run may be called so; such a name is no path."""
    return NAME.fullmatch(name) is not None


def is_run(name: str) -> bool:
    """Whether a run may be called so and is no link that leads out of the folder of runs."""
    return is_name(name) and not (runs_folder() / name).is_symlink()


def path_of(name: str) -> Path:
    """The folder of a run.

    Raises:
        GPT1VizError: no run can be called so, or it is a link to somewhere else.
    """
    if not is_run(name):
        raise GPT1VizError("app_run_link" if is_name(name) else "app_run_name", name=name[:60])
    return runs_folder() / name


def free_name(wanted: str) -> str:
    """`wanted`, or with the first number behind it that makes it new."""
    taken = {path.name for path in runs_folder().glob("*")}
    numbered = (f"{wanted}-{n}" for n in range(2, len(taken) + 3))
    return next(name for name in (wanted, *numbered) if name not in taken)


def with_checkpoints() -> list[str]:
    """Runs that can be looked at, by name."""
    found = (path for path in runs_folder().glob("*/checkpoints") if any(path.glob("step-*")))
    return sorted(path.parent.name for path in found if is_run(path.parent.name))


# ---- looking


def all_runs() -> list[Run]:
    """The runs in the folder, the latest first."""
    return [run for run in runs.list_runs(runs_folder()) if is_run(run.name)]


def find(name: str) -> Run | None:
    """A run as it stands; None while it is being prepared, or if there is none."""
    try:
        return runs.read_run(path_of(name))
    except GPT1VizError:
        return None


def job(name: str) -> Job | None:
    """The process that this server has started for a run, looked after: it leaves no zombie."""
    found = _jobs().by_run.get(name)
    process = found.process if found else None
    if process and process.poll() is not None:
        process.stdin.close()
        if not _has_begun(found) and process.returncode > 0:
            found.fault = last_words(name)
        found.process = None
    return found


def _has_begun(found: Job) -> bool:
    run = find(found.name)
    return run is not None and run.heartbeat >= found.began


def preparing(name: str) -> bool:
    """Whether a process works on a run that has not begun: it learns a vocabulary, encodes the text."""
    found = job(name)
    return bool(found and found.process) and not _has_begun(found)


def going_on() -> list[str]:
    """Runs that are being trained now, whoever started them, and those being prepared."""
    names = [name for name in [*_jobs().by_run] if (found := job(name)) and found.process]
    return [*names, *(run.name for run in all_runs() if run.state == "running" and run.name not in names)]


def last_words(name: str) -> str:
    """The last line of a process's log, without the server's paths."""
    try:
        text = (path_of(name) / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].replace(f"{path_of(name)}{os.sep}", "") if lines else ""


# ---- doing


def may_change() -> None:
    """
    Raises:
        GPT1VizError: the server is read-only.
    """
    if read_only():
        raise GPT1VizError("app_read_only")


def start(
    name: str, kind: str, arguments: Sequence[str], lang: str = "en", files: Mapping[str, bytes] | None = None
) -> None:
    """Begin a run.

    Args:
        name: of the run, new.
        kind: "pretrain" or "finetune".
        arguments: of the command `gpt1viz`, such as ["train", "TEXT", "--minutes", "1"]; --run, --watch-stdin and
            --lang are added. "{text}" in an argument stands for the folder with `files`.
        lang: in which the process reports what went wrong before the run began.
        files: the text to learn, by plain file names; it is kept with the run.

    Raises:
        GPT1VizError: the server is read-only or busy; a name that is taken or none; a folder that cannot be written.
    """
    path = path_of(name)
    with _jobs().lock:
        _may_start(name)
        if find(name) is not None or run_steps(path):
            raise GPT1VizError("app_run_taken", name=name)
        with _writing():
            shutil.rmtree(path, ignore_errors=True)  # what a run that never began has left
            (path / TEXT).mkdir(parents=True)
            for file, content in (files or {}).items():
                (path / TEXT / file).write_bytes(content)
            words = [word.replace("{text}", str(path / TEXT)) for word in arguments]
            _begin(name, kind, [*words, "--run", str(path), "--watch-stdin", "--lang", lang])


def resume(name: str, lang: str = "en") -> None:
    """Go on with a run that was stopped.

    Raises:
        GPT1VizError: the server is read-only or busy; there is no such run, or it is going on; a folder that cannot be
            written.
    """
    with _jobs().lock:
        _may_start(name)
        run = runs.read_run(path_of(name))
        command = "finetune" if run.kind == "finetune" else "train"
        with _writing():
            (run.path / runs.STOP).unlink(missing_ok=True)  # asked for when it had ended already
            _begin(name, run.kind, [command, "--resume", str(run.path), "--watch-stdin", "--lang", lang])


def stop(name: str) -> None:
    """Have a run finish its step, save and end; one that has not begun just ends.

    Raises:
        GPT1VizError: the server is read-only; a folder that cannot be written.
    """
    may_change()
    if not preparing(name):
        with _writing():
            runs.request_stop(path_of(name))
    elif hasattr(os, "killpg"):
        os.killpg(_jobs().by_run[name].process.pid, signal.SIGTERM)  # those that encode for it too
    else:
        _jobs().by_run[name].process.terminate()


def delete(name: str) -> None:
    """Delete a run with all its checkpoints.

    Raises:
        GPT1VizError: the server is read-only; there is no such run, or it is going on; a folder that cannot be written.
    """
    may_change()
    if name in going_on():
        raise GPT1VizError("app_delete_running", name=name)
    with _writing():
        runs.remove_run(path_of(name))
    _jobs().by_run.pop(name, None)


@contextmanager
def _writing() -> Iterator[None]:
    """
    Raises:
        GPT1VizError: the folder of runs cannot be written, or its disk is full.
    """
    try:
        yield
    except OSError as fault:
        raise GPT1VizError("app_runs_unwritable", path=runs_folder(), fault=fault.strerror) from fault


def _may_start(name: str) -> None:
    may_change()
    for found in _jobs().by_run.values():
        if found.process and _has_begun(found) and find(found.name).state != "running":
            with suppress(subprocess.TimeoutExpired):
                found.process.wait(20)  # it has saved and said so, and is on its way out
    busy = going_on()
    if name in busy:
        raise GPT1VizError("app_run_taken", name=name)
    if len(busy) >= max_runs():
        raise GPT1VizError("app_runs_full", n=len(busy), most=max_runs(), names=", ".join(busy))


def _begin(name: str, kind: str, words: list[str]) -> None:
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads()))
    began = time.time()
    with (path_of(name) / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | counts | {"PYTHONUNBUFFERED": "1"},
        )
    _jobs().by_run[name] = Job(name, kind, process, began)
