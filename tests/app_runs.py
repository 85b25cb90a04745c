"""What the tests of the pages Train and Runs share: a folder of runs, waiting, finished tiny runs to look at."""

import sys
import time
from pathlib import Path

import pytest
from tiny_run import train

sys.path.insert(0, str(Path(__file__).parents[1] / "app"))  # as Streamlit does for the app
import jobs
import live
import models
import pair_results
import pairs
import sources
import speed

__all__ = [
    "empty_folder",
    "finished_runs",
    "jobs",
    "live",
    "models",
    "pair_results",
    "pairs",
    "sources",
    "speed",
    "until",
]

MOST = 120  # seconds that a loaded machine may take


def until(reached, each=0.05):
    for _ in range(int(MOST / each)):
        if reached():
            return
        time.sleep(each)
    logs = [path.read_text() for path in jobs.runs_folder().glob("*/log.txt")]
    assert reached(), logs


@pytest.fixture(name="folder")
def empty_folder(tmp_path, monkeypatch):
    """An empty folder of runs; what a test has started ends with it."""
    monkeypatch.setenv("GPT1VIZ_RUNS", str(tmp_path / "runs"))
    jobs._jobs.clear()
    yield tmp_path / "runs"
    trial = speed.trials().process
    for process in [trial, *(found.process for found in jobs._jobs().by_run.values())]:
        if process:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe and not pipe.closed:
                    pipe.close()
            process.wait(30)
    speed.trials.clear()
    jobs._jobs.clear()


@pytest.fixture(name="two_runs")
def finished_runs(folder):
    """Two finished runs, "one" the older, that differ in their rate; in "two" a name is markup."""
    train(folder / "one", steps=12, sample_every=4)
    train(folder / "two", steps=9, lr=2e-3, prompts=("the <b>fox</b>",))
    return folder
