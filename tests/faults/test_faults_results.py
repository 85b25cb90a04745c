"""`gpt1viz reproduce` where its results cannot be written, or its process is killed: rows are whole, and it goes on."""

import errno
import os
import random
import shutil

import pytest
import stores
from cases import times
from test_reproduce import ROW

from gpt1viz.reproduce.results import read
from gpt1viz.reproduce.run import append

pytestmark = pytest.mark.area("results of the paper in small")
SEEDS = [*range(6)]


def test_rows_killed_in_the_middle(victim, case, tmp_path):
    path = tmp_path / "results.jsonl"
    assert victim("note", path=path, seeds=SEEDS).code == 0
    whole = path.stat().st_size
    draws = random.Random(0)
    for limit in [1, whole - 1, *(draws.randrange(1, whole) for _ in range(times(4, 100)))]:
        path.unlink()
        with case(f"{limit} of {whole} bytes"):
            assert victim("note", path=path, seeds=SEEDS, bytes=limit).killed
            kept = [row.seed for row in read(path)]
            assert kept == SEEDS[: len(kept)] and path.stat().st_size == limit
            append(path, ROW)
            ended = [len(kept)] * (len(read(path)) - len(kept) - 1)  # a row that lacked its line's end only
            assert [row.seed for row in read(path)] == [*kept, *ended, ROW.seed] and len(ended) <= 1


@pytest.mark.parametrize("fault", ["ENOSPC", "EROFS", "EACCES"])
def test_a_folder_that_refuses(fault, victim, case, tmp_path):
    stores.ours(tmp_path / "base")
    words = ["reproduce", "--model", "base", "--tasks", "toy/mood", "--parts", "table5", "--seeds", "1", "--out", "out"]
    for at in (1, 2):  # the folder, the lock; the workers have the disk to themselves
        with case(f"{fault} at write {at}"):
            job = {"cwd": tmp_path, "below": tmp_path / "out", "at": at, "fault": fault}
            done = victim("command", words=words, **job)
            last = done.printed.strip().splitlines()[-1]
            assert done.code == 2 and "Traceback" not in done.printed, done
            assert os.strerror(getattr(errno, fault)) in last, done
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
