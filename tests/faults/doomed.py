"""Starts `victim.py` and hands it jobs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import victim
from victim import Job, Outcome


class Victim:
    """The process; `victim(do, ...)` has one child do one thing, see `victim.Job`."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def __call__(self, do: str, at: int = 0, fault: str = "kill", **job) -> Outcome:
        names = {name: job.pop(name) for name in Job.__dataclass_fields__ if name in job and name != "folder"}
        below = job.pop("below", None)
        asked = Job(do, job, folder=below and str(below), at=at, fault=fault, **names)
        self.process.stdin.write(json.dumps(asdict(asked), default=str) + "\n")
        self.process.stdin.flush()
        return Outcome(**json.loads(self.process.stdout.readline()))


@contextmanager
def victims(folder: Path) -> Iterator[Victim]:
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, victim.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            yield Victim(process)
            process.stdin.close()
