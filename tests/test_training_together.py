"""Two processes under torchrun train the model that one process trains with the same global batch."""

import subprocess
import sys

import pytest
import tiny_run
import torch
from safetensors.torch import load_file
from tiny_run import losses, no_dropout, one_thread, train, weights  # noqa: F401 (a fixture)

from gpt1viz.errors import GPT1VizError
from gpt1viz.training.runs import read_run

STEPS = 12


def torchrun(path, steps):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", tiny_run.__file__]
    return subprocess.run([*command, str(path), str(steps), "--together"], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two processes, two parts each, stopped at step 5 and resumed."""
    path = tmp_path_factory.mktemp("runs") / "pair"
    for steps in (5, STEPS):
        done = torchrun(path, steps)
        assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "single"
    for steps in (5, STEPS):
        train(path, config=no_dropout(), steps=steps, resume=True)
    return path


def test_the_processes_agree(pair):
    """Their names say WORLD_SIZE: two trainings side by side that know nothing of each other would be "of-1"."""
    assert {path.name for path in pair.glob("*.safetensors")} == {"0-of-2.safetensors", "1-of-2.safetensors"}
    first, second = (load_file(pair / f"{rank}-of-2.safetensors") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_they_give_one_process_s_losses(pair, single):
    ours, theirs = (torch.tensor([dict(row)["loss"] for row in losses(path)]) for path in (pair, single))
    assert len(ours) == STEPS
    assert (ours - theirs).abs().max() < 1e-5
    assert ours[-1] < ours[0] - 0.1


def test_they_give_one_process_s_weights(pair, single):
    first, written = load_file(pair / "0-of-2.safetensors"), weights(pair)
    for name, wanted in weights(single).items():
        assert torch.equal(written[name], first[name])
        assert (written[name] - wanted).abs().max() < 1e-4


def test_only_one_writes(pair):
    run = read_run(pair)
    assert [row["step"] for row in run.metrics()] == list(range(1, STEPS + 1))
    assert (run.state, run.step) == ("finished", STEPS)


def test_a_batch_that_cannot_be_shared(tmp_path):
    with pytest.raises(GPT1VizError) as refusal:
        train(tmp_path / "run", batch_size=4, accumulate=3)
    assert refusal.value.code == "training_parts"
