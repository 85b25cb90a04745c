"""A run that is stopped, or killed, and resumed is the run that was never stopped: to the bit, dropout included."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiny_run
import torch
from tiny_run import TinyText, losses, no_dropout, one_thread, same, train, weights  # noqa: F401 (a fixture)

from gpt1viz.errors import GPT1VizError
from gpt1viz.training import files
from gpt1viz.training.runs import LOCK, is_locked, read_run, request_stop

PROGRAM = Path(tiny_run.__file__)
OFTEN = {"eval_every": 10, "sample_every": 10, "validation": TinyText(seed=1)}


def stop_at(path: Path, *steps: int):
    """A callback that leaves the STOP file at these steps, as the app does."""
    return lambda row, model: row["step"] in steps and request_stop(path)


def test_those_who_look_at_once_take_each_other_for_no_trainer(tmp_path):
    (tmp_path / LOCK).touch()
    with ThreadPoolExecutor(6) as pool:
        assert not any(pool.map(is_locked, [tmp_path] * 1000))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "unbroken"
    assert train(path, **OFTEN).state == "finished"
    return path


@pytest.mark.parametrize("optimizer", ["adamw", "openai_adam"])
def test_a_stopped_run_goes_on_to_the_bit(tmp_path, optimizer):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(whole, optimizer=optimizer, **OFTEN)
    stop = stop_at(broken, 0, 7, 20, 21)
    for until in (0, 7, 20, 21):
        outcome = train(broken, resume=True, callbacks=[stop], optimizer=optimizer, **OFTEN)
        assert (outcome.state, outcome.step, outcome.reason) == ("stopped", until, "STOP")
        assert read_run(broken).state == "stopped"
    assert train(broken, resume=True, optimizer=optimizer, **OFTEN).state == "finished"
    assert losses(broken) == losses(whole)
    assert same(weights(broken), weights(whole))
    assert read_run(broken).samples() == read_run(whole).samples()


def test_dropout_and_learning_take_place(unbroken):
    """Else the test above would say little."""
    rows = read_run(unbroken).metrics("train")
    assert [row["step"] for row in rows] == list(range(1, 31))
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.3
    assert tiny_run.CONFIG.attn_pdrop == 0.1


def test_evaluations_do_not_change_the_run(unbroken, tmp_path):
    train(tmp_path / "quiet", prompts=())
    assert [row["loss"] for row in read_run(tmp_path / "quiet").metrics()] == [
        row["loss"] for row in read_run(unbroken).metrics("train")
    ]


def test_parts_of_a_batch_do_not_change_the_losses(tmp_path):
    for parts in (1, 2, 4):
        train(tmp_path / str(parts), accumulate=parts, steps=8, config=no_dropout())
    one, *others = (
        torch.tensor([row["loss"] for row in read_run(tmp_path / str(parts)).metrics()]) for parts in (1, 2, 4)
    )
    for other in others:
        assert (one - other).abs().max() < 1e-5


def start(path: Path, steps: int, *more: str) -> subprocess.Popen:
    command = [sys.executable, str(PROGRAM), str(path), str(steps), *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for_step(process: subprocess.Popen, step: int) -> None:
    for line in process.stdout:
        if line.strip() == str(step):
            return
    pytest.fail("the trainer ended early")


def finish(process: subprocess.Popen) -> str:
    return process.communicate(timeout=60)[0].strip().splitlines()[-1]


def test_killed_at_any_moment_it_can_be_gone_on_with(tmp_path):
    """Checkpoints are written all the time here, so that some kills fall into the middle of one."""
    steps, path = 60, tmp_path / "killed"
    train(tmp_path / "whole", steps=steps, save_minutes=0.0)
    for step in (3, 21, 40):
        process = start(path, steps)
        wait_for_step(process, step)
        process.kill()
        process.communicate()
        assert read_run(path).state == "stopped"
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 5')  # what a kill in the middle of a line leaves
    assert train(path, steps=steps, save_minutes=0.0, resume=True).state == "finished"
    assert losses(path) == losses(tmp_path / "whole")
    assert same(weights(path), weights(tmp_path / "whole"))
    assert not list((path / "checkpoints").glob(".*"))


@pytest.mark.parametrize("way", ["SIGINT", "SIGTERM", "stdin"])
def test_asked_to_stop_it_saves(tmp_path, way):
    path, steps = tmp_path / "asked", 100_000
    process = start(path, steps, *(["--watch-stdin"] if way == "stdin" else []))
    wait_for_step(process, 5)
    if way == "stdin":
        process.stdin.close()
        process.stdin = None
    else:
        process.send_signal(getattr(signal, way))
    assert finish(process) == f"stopped {way}"
    run = read_run(path)
    assert run.state == "stopped"
    assert run.step >= 5
    assert run.step == run.checkpoints()[-1][0] == run.metrics()[-1]["step"]
    assert process.returncode == 0


def test_a_second_trainer_is_refused(tmp_path):
    process = start(tmp_path / "busy", 100_000)
    wait_for_step(process, 2)
    with pytest.raises(GPT1VizError) as refusal:
        train(tmp_path / "busy", resume=True)
    assert refusal.value.code == "training_locked"
    assert refusal.value.params["pid"] == process.pid
    process.kill()
    process.communicate()
    assert train(tmp_path / "busy", steps=10, resume=True).state == "finished"  # the dead one's lock is no lock


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("training_other_setting", {"lr": 2e-2}),
        ("training_other_setting", {"seed": 1}),
        ("training_other_text", {"text": TinyText(seed=1, digest="another")}),
        ("training_other_model", {"config": no_dropout()}),
    ],
)
def test_what_goes_on_must_be_what_was_begun(unbroken, code, changes):
    before = files.read_json(unbroken / "settings.json")
    with pytest.raises(GPT1VizError) as refusal:
        train(unbroken, resume=True, **changes, **OFTEN)
    assert refusal.value.code == code
    assert files.read_json(unbroken / "settings.json") == before
    assert read_run(unbroken).state == "finished"
