"""Running the jobs of the paper in small, in processes of one thread each; what is done already is not done again."""

import errno
import hashlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import nn
from tqdm.auto import tqdm

from .. import checkpoints
from ..checkpoints import Loaded
from ..data.task import Task
from ..data.tasks import load_task
from ..errors import GPT1VizError
from ..training import files
from ..training.finetune import FinetuneSettings, finetune
from ..training.predict import predict
from ..training.task_losses import TaskLosses, Tuned
from . import plan
from .plan import Job
from .results import Finetuned, Row, read, to_dict

RESULTS, LOCK, BESIDE = "results.jsonl", ".lock", ".job-"
STOPPED = 130  # exit code of a process that was asked to stop


@dataclass(frozen=True)
class Planned:
    """A job with what is known of its row before it has run.

    Attributes:
        place: where the checkpoint it starts from is.
        settings: what it is trained with.
        row: `validation`, `test` and `seconds` are still empty.
    """

    job: Job
    place: str
    settings: FinetuneSettings
    row: Finetuned


def planned(jobs: Iterable[Job], places: Mapping[str, str], tasks: Mapping[str, Task], precision: str) -> list[Planned]:
    """The jobs with their digests.

    Args:
        places: checkpoints by the names of `results.MODELS`.
        tasks: by the names that the jobs call them.
        precision: "float32" or "bfloat16".

    Raises:
        GPT1VizError: a checkpoint that cannot be loaded.
    """
    weights = {model: weights_digest(_start(model, place).model) for model, place in places.items()}
    data = {name: plan.data_digest(task) for name, task in tasks.items()}
    found = []
    for job in jobs:
        start, task = _start(job.model, places[job.model]), tasks[job.task]
        n_layer, n_train = start.model.config.n_layer, len(task.splits["train"])
        row = Finetuned(
            task=task.name,
            metric=task.metric,
            model=job.model,
            start=start.info.id,
            n_layer=n_layer,
            n_transfer=n_layer if job.n_transfer is None else job.n_transfer,
            lm_coef=job.lm_coef,
            n_train=n_train,
            n_examples=job.n_examples or n_train,
            seed=job.seed,
            precision=precision,
            validation=0.0,
            test=None,
            seconds=0.0,
            weights=weights[job.model],
            data=data[job.task],
            digest="",
        )
        settings = plan.settings(job, start.model.config, n_train, precision)
        digest = plan.digest(job, settings, row.weights, row.data)
        found.append(Planned(job, places[job.model], settings, replace(row, digest=digest)))
    return found


def run(
    wanted: Sequence[Planned], folder: Path, workers: int = 1, tell: Callable[[Finetuned, int], object] = print
) -> None:
    """Run what is not in the folder's results yet; each job that ends appends its line there.

    It can be stopped at any moment, also by `kill -9`, and be called again. Ctrl-C and SIGTERM raise KeyboardInterrupt
    once the processes have ended.

    Args:
        wanted: in the order in which they start.
        folder: for results.jsonl; made where it is not there.
        workers: processes.
        tell: called with each new row, and how many are left.

    Raises:
        GPT1VizError: another command is at work in the folder; its results are of another checkpoint, precision or
            data; it cannot be written; a process died; a job failed.
    """
    with alone(folder):
        left = missing(wanted, folder)
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin)
        try:
            running = {pool.submit(one, each, folder) for each in left}
            for n, future in enumerate(as_completed(running), 1):
                row = future.result()
                append(folder / RESULTS, row)
                tell(row, len(left) - n)
        except BrokenProcessPool:
            raise GPT1VizError("reproduce_died") from None
        except BaseException:
            for child in active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def missing(wanted: Sequence[Planned], folder: Path) -> list[Planned]:
    """Those that the folder's results lack.

    Raises:
        GPT1VizError: these are of another checkpoint, precision or data, so that means would mix both; or they
            cannot be read.
    """
    try:
        there = [row for row in read(folder / RESULTS) if isinstance(row, Finetuned)]
    except OSError as fault:
        raise _unwritable(folder, fault) from fault
    for name, of in (("weights", "model"), ("precision", "model"), ("data", "task")):
        before = {getattr(row, of): getattr(row, name) for row in there}
        for each in wanted:
            which = getattr(each.row, of)
            if before.get(which, getattr(each.row, name)) != getattr(each.row, name):
                raise GPT1VizError("reproduce_other", path=folder, what=which, field=name)
    done = {row.digest for row in there}
    return [each for each in wanted if each.row.digest not in done]


def append(path: Path, row: Row) -> None:
    """Add a line in one write, behind what a killed writer may have left of another."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            cut = file.read(1) != b"\n"
        else:
            cut = False
        file.write(b"\n" * cut + files.line(to_dict(row)).encode())
        file.flush()
        os.fsync(file.fileno())


def one(each: Planned, folder: Path) -> Finetuned:
    """Fine-tune once and measure, in a process of its own: it ends where the training was asked to stop."""
    start, task = _start(each.job.model, each.place), _task(each.job.task)
    part = cut(task, each.job.n_examples, each.job.seed)
    with tempfile.TemporaryDirectory(prefix=BESIDE, dir=folder) as path:
        outcome = finetune(start, part, Path(path) / "run", settings=each.settings)
        if outcome.state != "finished":
            os._exit(STOPPED)  # and takes no further job
        last = [row for row in files.read_rows(Path(path) / "run" / "metrics.jsonl")[0] if row["kind"] == "eval"][-1]
    test = None
    if "test" in task.splits:
        tuned = outcome.module
        assert isinstance(tuned, Tuned), "finetune trains a model and its head"
        examples = task.lay_out("test", start.tokenizer, tuned.model.config, each.settings.truncation)
        test = predict(tuned, examples, TaskLosses(lm_coef=0.0), task, "test").numbers(task)[task.metric]
    return replace(each.row, validation=last[task.metric], test=test, seconds=round(last["time"], 1))


def cut(task: Task, n_examples: int | None, seed: int) -> Task:
    """The task with so many training examples, drawn anew for each seed; fewer are the first of more."""
    every = task.splits["train"]
    if n_examples is None:
        return task
    chosen = np.random.default_rng(seed).permutation(len(every))[:n_examples]
    return replace(task, splits={**task.splits, "train": tuple(every[k] for k in chosen)})


def weights_digest(model: nn.Module) -> str:
    """Names a model's weights: 16 hexadecimal digits."""
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        whole.update(name.encode())
        whole.update(tensor.cpu().contiguous().numpy())
    return whole.hexdigest()[:16]


@lru_cache(maxsize=2)
def _start(model: str, place: str) -> Loaded:
    if model == "lstm":
        from .lstm import load_lstm

        return load_lstm(place)
    return checkpoints.load(place)


@lru_cache(maxsize=4)
def _task(name: str) -> Task:
    return load_task(name)


def _begin() -> None:
    """In a new process: one thread; Ctrl-C is for the parent and for `finetune`, which stops by it; no orphans."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a process that is stopped would leave behind
    parent = parent_process()
    assert parent is not None, "this process was started by another one"

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within it no other command works in the folder, SIGTERM is Ctrl-C, and nothing half-done is left behind."""
    lock = FileLock(folder / LOCK)
    before = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise GPT1VizError("reproduce_busy", path=folder) from None
    except OSError as fault:
        raise _unwritable(folder, fault) from fault
    try:
        if main:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        _sweep(folder)  # what a killed one left
        yield
    except OSError as fault:
        raise _unwritable(folder, fault) from fault
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
        _sweep(folder)
        lock.release()


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{BESIDE}*"):
        shutil.rmtree(path, ignore_errors=True)


def _unwritable(folder: Path, fault: OSError) -> GPT1VizError:
    return GPT1VizError("reproduce_unwritable", path=folder, fault=os.strerror(fault.errno or errno.EIO))
