"""Schedules, settings, batches, evaluation, devices: the parts of training, each against what it should be by hand."""

import math
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import N_CTX, tiny_model
from tiny_run import TinyText, settings, train

from gpt1viz.errors import GPT1VizError
from gpt1viz.training import loop
from gpt1viz.training.batches import Windows
from gpt1viz.training.devices import autocast, pick_device
from gpt1viz.training.evaluate import glance, score
from gpt1viz.training.optim import make_optimizer, parameter_groups
from gpt1viz.training.runs import read_run
from gpt1viz.training.schedules import SCHEDULES, pretraining, warmup_linear, warmup_share

# ---- schedules


@pytest.mark.parametrize(
    ("name", "at_half_warmup", "at_peak", "late"),
    [
        ("warmup_linear", 0.5 * 0.9, 0.8, 0.25),
        ("warmup_cosine", 0.5, 0.5 * (1 + math.cos(0.2 * math.pi)), 0.5 * (1 + math.cos(0.75 * math.pi))),
        ("warmup_constant", 0.5, 1.0, 1.0),
        ("pretraining", 0.5, 1.0, 0.5 * (1 + math.cos(math.pi * 0.55 / 0.8))),
    ],
)
def test_schedules(name, at_half_warmup, at_peak, late):
    found = [SCHEDULES[name](x, 0.2) for x in (0.1, 0.2, 0.75)]
    assert found == pytest.approx([at_half_warmup, at_peak, late])


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_without_warmup_and_at_the_end(name):
    assert SCHEDULES[name](0.0, 0.0) == 1
    assert SCHEDULES[name](1.0, 0.1) == pytest.approx(1.0 if name == "warmup_constant" else 0.0, abs=1e-12)


def test_the_papers_schedule():
    """2,000 updates of linear warm-up; then half a cosine down to 0 (section 4.1)."""
    total = 100_000
    rates = [2.5e-4 * pretraining(t / total, warmup_share(2000, t, t / total)) for t in range(1, total + 1)]
    assert rates[0] == pytest.approx(2.5e-4 / 2000)
    assert rates[999] == pytest.approx(1.25e-4)
    assert max(rates) == pytest.approx(2.5e-4)
    assert rates.index(max(rates)) == 1999
    assert rates[2000 + 49_000 - 1] == pytest.approx(1.25e-4)
    assert rates[-1] == pytest.approx(0)


def test_the_warmup_of_a_short_run_is_a_tenth():
    assert [warmup_share(2000, t, t / 50) for t in (1, 25, 50)] == [0.1, 0.1, 0.1]


def test_2018_fine_tuning_defaults():
    assert warmup_linear(0.001) == pytest.approx(0.5 * 0.999)


# ---- settings


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("training_no_budget", {"steps": None}),
        ("training_setting", {"steps": 0}),
        ("training_setting", {"batch_size": 2.5}),
        ("training_setting", {"lr": -1.0}),
        ("training_setting", {"lr": "high"}),
        ("training_setting", {"clip": 0}),
        ("config_choice", {"optimizer": "sgd"}),
        ("config_choice", {"precision": "half"}),
        ("config_choice", {"schedule": "steps"}),
    ],
)
def test_settings_that_make_no_sense(code, changes):
    with pytest.raises(GPT1VizError) as refusal:
        settings(**changes)
    assert refusal.value.code == code


def test_settings_survive_json():
    ours = settings(betas=(0.9, 0.98), prompts=("a", "b"))
    values = {name: list(x) if isinstance(x, tuple) else x for name, x in ours.to_dict().items()}
    assert type(ours).from_dict(values) == ours


def test_budgets():
    assert settings(steps=10, tokens=50).n_steps(tokens_a_step=8) == 7
    assert settings(steps=None, minutes=2.0).n_steps(8) is None
    assert settings(steps=None, minutes=2.0).used(5, seconds=30.0, tokens_a_step=8) == 0.25
    assert settings(steps=10, minutes=2.0).used(5, seconds=30.0, tokens_a_step=8) == 0.5
    assert settings(steps=10).used(11, 0.0, 8) == 1.0


def test_a_budget_of_tokens(tmp_path):
    assert train(tmp_path / "run", steps=None, tokens=4 * 11 * 5).step == 5


def test_a_budget_of_time(tmp_path, monkeypatch):
    """The rate follows the clock, which here goes on by a second whenever it is looked at."""
    clock = SimpleNamespace(monotonic=count(0.0).__next__, perf_counter=count(0.0).__next__)
    monkeypatch.setattr(loop, "time", clock)
    outcome = train(tmp_path / "run", steps=None, minutes=2.0)
    rows = read_run(tmp_path / "run").metrics()
    assert outcome.state == "finished"
    assert 10 < outcome.step == len(rows) < 120
    assert rows[-1]["time"] >= 118
    rates = [row["lr"] for row in rows]
    assert rates[-1] < 0.05 * max(rates) <= 0.05 * 1e-2


# ---- batches


def test_windows_are_of_the_text_and_of_the_step():
    ids = np.arange(1000, 1100, dtype=np.uint16)
    windows = Windows(ids, n_ctx=7, batch_size=6, seed=3)
    batch = windows.batch(step=5)
    assert batch.shape == (6, 8)
    assert batch.dtype == torch.int64
    assert torch.equal(batch, batch[:, :1] + torch.arange(8))
    assert torch.equal(batch, Windows(ids, 7, 6, seed=3).batch(step=5))
    assert not torch.equal(batch, windows.batch(step=6))
    assert not torch.equal(batch, Windows(ids, 7, 6, seed=4).batch(step=5))


def test_parts_make_up_the_batch():
    windows = Windows(np.arange(500, dtype=np.uint16), n_ctx=5, batch_size=6)
    parts = torch.cat([windows.batch(1, part, 3) for part in range(3)])
    assert sorted(parts.tolist()) == sorted(windows.batch(1).tolist())


def test_every_window_can_come():
    ids = np.arange(12, dtype=np.uint16)
    starts = {int(start) for step in range(200) for start in Windows(ids, n_ctx=7, batch_size=4).starts(step)}
    assert starts == set(range(5))


def test_a_text_shorter_than_a_window():
    with pytest.raises(GPT1VizError) as refusal:
        Windows(np.arange(7, dtype=np.uint16), n_ctx=7, batch_size=1)
    assert refusal.value.code == "training_text_short"


# ---- evaluation


@pytest.mark.parametrize("stride", [1, 4, N_CTX, None])
def test_score_counts_every_token_once(stride):
    """By hand: each token from the window that ends there, in strides of 1 from all that precede it."""
    model, text = tiny_model(), TinyText(n=70)
    text.starts = np.array([0, 1, 40, 48, 70])
    found = score(model, text, stride=stride, batch_size=3)
    if stride == 1:
        nats = 0.0
        for begin, end in zip(text.starts[:-1], text.starts[1:], strict=True):
            ids = torch.from_numpy(text.ids[begin:end].astype(np.int64))
            nats += math.log(29)
            for at in range(1, len(ids)):
                window = ids[max(0, at - N_CTX) : at]
                nats -= model(window[None]).logits[0, -1].log_softmax(-1)[ids[at]].item()
        assert found["loss"] == pytest.approx(nats / 70, rel=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
    assert found["bits_per_character"] == pytest.approx(found["loss"] * 70 / math.log(2) / text.n_characters)


def test_more_context_is_no_other_text():
    """Strides change how much context tokens have, and nothing else: the scores differ, but little."""
    scores = [score(tiny_model(), TinyText(n=200), stride)["loss"] for stride in (1, 5, N_CTX)]
    assert len(set(scores)) == 3
    assert max(scores) - min(scores) < 0.5


def test_a_glance_is_the_mean_over_windows():
    model, text = tiny_model(), TinyText(n=100)
    every = glance(model, text, n_windows=100 - N_CTX, batch_size=7)
    rows = torch.from_numpy(np.stack([text.ids[s : s + N_CTX + 1] for s in range(100 - N_CTX)]).astype(np.int64))
    logits = model(rows[:, :-1]).logits
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
    assert every["loss"] == pytest.approx(wanted.item(), rel=1e-5)


# ---- devices, optimisers


def test_the_device_that_is_there():
    assert pick_device("cpu").type == "cpu"
    assert pick_device().type in ("cuda", "mps", "cpu")
    with pytest.raises(GPT1VizError) as refusal:
        pick_device("abacus")
    assert refusal.value.code == "device"


def test_a_cpu_computes_in_float32_unless_told():
    with autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with autocast(torch.device("cpu"), "bfloat16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_what_decays():
    """Weights but not biases or gains (section 4.1); what is frozen is in no group."""
    model = tiny_model().requires_grad_(True)
    model.positions_embed.weight.requires_grad_(False)
    matrices, vectors = parameter_groups(model, 0.01)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].split(".")[-1] for p in vectors["params"]} == {"weight", "bias"}
    assert all("ln_" in names[id(p)] or names[id(p)].endswith("bias") for p in vectors["params"])
    assert {p.ndim for p in matrices["params"]} == {2}
    assert len(matrices["params"]) + len(vectors["params"]) == len(names) - 1
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.01, 0.0)
    assert make_optimizer("adamw", model, 1e-3, (0.9, 0.98), 0.01).defaults["fused"]


@pytest.mark.gpu
def test_a_gpu_trains_in_bfloat16_and_goes_on(tmp_path):
    for steps in (10, 30):
        train(tmp_path / "gpu", device="cuda", steps=steps, resume=True)
    rows = read_run(tmp_path / "gpu").metrics("train")
    assert [row["step"] for row in rows] == list(range(1, 31))
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.3
    with autocast(torch.device("cuda")):
        product = torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")
    able = torch.cuda.get_device_capability() >= (8, 0)
    assert product.dtype == (torch.bfloat16 if able else torch.float32)
