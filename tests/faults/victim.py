"""A process whose children do what they are told and are killed, or run out of disk, wherever it was asked for.

The parent loads what is slow to load once; each job is done by a fork of it. Jobs come as lines of JSON on standard
input (see `Job`), the outcomes go as lines of JSON to standard output (see `Outcome`).
"""

import ctypes
import errno
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "subprocess.Popen"}
NOBODY = 65534


@dataclass
class Job:
    """What a child does, and what befalls it.

    Attributes:
        do: a function of `deeds.py`, or "cli" for a command.
        arguments: its arguments by name; of a command its "words".
        folder: only what is written below it counts; None counts everything.
        at: the write before which it happens, from 1 on: a file opened for writing, renamed, removed, a folder made.
        fault: what happens there: "kill", or the name of the system's fault, such as "ENOSPC", for this write and all
            that follow.
        bytes: of a file, from which on writing kills (fault "kill") or fails as too large.
        seconds: after which it is killed, whatever it does.
        nobody: it has no rights but those of everybody, where it could have more.
        environment: variables.
        cwd: its working folder.
        out: a file for its standard output, instead of `Outcome.printed`.
    """

    do: str
    arguments: dict = field(default_factory=dict)
    folder: str | None = None
    at: int = 0
    fault: str = "kill"
    bytes: int = 0
    seconds: float = 0.0
    nobody: bool = False
    environment: dict = field(default_factory=dict)
    cwd: str | None = None
    out: str | None = None


@dataclass
class Outcome:
    """How a child ended.

    Attributes:
        killed: by a signal.
        code: its exit code: a command's own, else 0 done, 2 refused with a GPT1VizError, 1 any other exception.
        writes: how many writes there were, or would have been; 0 of one that was killed.
        said: the refusal or the traceback.
        printed: on standard output and standard error.
    """

    killed: bool
    code: int
    writes: int = 0
    said: str = ""
    printed: str = ""


def is_write(event: str, arguments: Sequence, folder: str | None) -> bool:
    """Whether an event of the interpreter (sys.addaudithook) changes something below the folder."""
    if event == "open":
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return False
    elif event not in WRITES:
        return False
    within = ""
    if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:  # relative to a folder that is open
        within = os.readlink(f"/proc/self/fd/{arguments[1]}")
    named = [os.fsdecode(p) for p in arguments[:2] if isinstance(p, str | bytes | os.PathLike)]
    paths = [os.path.abspath(os.path.join(within, name)) for name in named]
    inside = folder is None or any(path.startswith(folder) for path in paths) or event == "subprocess.Popen"
    return inside and not any(path.startswith("/dev/") for path in paths)


def befall(job: Job) -> list[int]:
    """Set the trap; the list counts the writes."""
    count = [0]

    def hook(event, arguments):
        if is_write(event, arguments, job.folder):
            count[0] += 1
            if job.at and count[0] >= job.at:
                if job.fault == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                number = getattr(errno, job.fault)
                raise OSError(number, os.strerror(number), str(arguments[0]))

    sys.addaudithook(hook)
    if job.bytes:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if job.fault == "kill" else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.bytes, job.bytes))
    if job.seconds:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, job.seconds)
    return count


def child(job: Job, report: int, printed: int) -> int:
    """Do it; says on the pipe `report` what came of it."""
    import deeds

    from gpt1viz.errors import GPT1VizError

    os.environ.update(job.environment)
    out = os.open(job.out, os.O_WRONLY) if job.out else printed
    os.dup2(out, 1)
    os.dup2(printed, 2)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
    if job.cwd:
        os.chdir(job.cwd)
    if job.nobody and os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    count, said, code = befall(job), "", 0
    try:
        code = getattr(deeds, job.do)(**job.arguments) or 0
    except GPT1VizError as fault:
        code, said = 2, f"{fault.code}: {fault.message('en')} / {fault.message('zh')}"
    except BaseException:
        code, said = 1, traceback.format_exc(limit=-6)
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(report, json.dumps({"writes": count[0], "said": said[-20_000:]}).encode())
    return int(code)


def done(job: Job) -> Outcome:
    """Fork, wait, tell."""
    (reader, writer), (output, printed) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # dies with its parent
        os._exit(child(job, writer, printed))
    os.close(writer)
    os.close(printed)
    with os.fdopen(output, "rb") as pipe:
        text = pipe.read().decode("utf-8", errors="replace")
    with os.fdopen(reader, "rb") as pipe:
        told = json.loads(pipe.read() or b"{}")
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return Outcome(True, -os.WTERMSIG(status), printed=text)
    return Outcome(False, os.WEXITSTATUS(status), printed=text, **told)


def main() -> None:
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    import deeds

    deeds.load_all()
    for line in sys.stdin:
        print(json.dumps(asdict(done(Job(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    main()
