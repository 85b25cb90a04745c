"""The LSTM that is held against the transformer: its size, what it sees, its training, its files, its fine-tuning."""

from dataclasses import replace

import pytest
import torch
from stores import tokenizer
from test_finetune import settings as task_settings
from test_finetune import task
from tiny import close, random_ids
from tiny_run import CONFIG, TinyText, losses, one_thread, same, settings  # noqa: F401 (a fixture)

from gpt1viz import checkpoints, load
from gpt1viz.checkpoints import Info, Loaded
from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError
from gpt1viz.reproduce.lstm import FORMAT, LSTM, load_lstm
from gpt1viz.reproduce.results import finetuned, stored
from gpt1viz.reproduce.run import weights_digest
from gpt1viz.training.evaluate import glance
from gpt1viz.training.finetune import finetune, transferred
from gpt1viz.training.loop import Outcome
from gpt1viz.training.predict import evaluate_task
from gpt1viz.training.pretrain import pretrain

SHAPE = replace(CONFIG, n_ctx=16)


def model(seed: int = 0) -> LSTM:
    torch.manual_seed(seed)
    return LSTM(SHAPE).eval().requires_grad_(False)


def start() -> Loaded:
    return Loaded(model(), tokenizer(), Info("lstm", "lstm", "", FORMAT, "float32", SHAPE, SHAPE.n_params))


def train(path, steps: int = 30, **changes) -> Outcome:
    own = settings(steps=steps, prompts=(), lr=1e-1, **changes)
    torch.manual_seed(0)
    fresh = LSTM(SHAPE)
    return pretrain(fresh, TinyText(), tokenizer(), path, settings=own, resume=True)


@pytest.mark.parametrize("n_special", [0, 3])
def test_it_has_as_many_parameters_as_the_transformer(n_special):
    config = replace(GPT1Config.preset("storybook"), n_special=n_special)
    found = sum(p.numel() for p in LSTM(config).parameters())
    assert abs(found - config.n_params) < 0.01 * config.n_params


def test_no_position_sees_later_tokens_and_all_see_earlier_ones():
    ids = random_ids(2, 9, high=29)
    before = model()(ids).logits
    ids[:, 5] = (ids[:, 5] + 1) % 29
    after = model()(ids).logits
    assert torch.equal(before[:, :5], after[:, :5])
    assert ((before[:, 5:] - after[:, 5:]).abs().amax((0, 2)) > 0).all()


def test_logits_are_those_of_the_equations():
    """One step at a time, gate by gate: i, f, g, o in the order of torch."""
    lm, ids = model(), random_ids(2, 7, high=29)
    cell, rows = lm.h[0].lstm, lm.tokens_embed.weight
    n = cell.hidden_size
    h = c = torch.zeros(2, n)
    for t in range(7):
        gates = rows[ids[:, t]] @ cell.weight_ih_l0.T + cell.bias_ih_l0 + h @ cell.weight_hh_l0.T + cell.bias_hh_l0
        i, f, g, o = gates.split(n, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        assert close(lm(ids).logits[:, t], (h @ lm.h[0].c_proj.weight.T + lm.h[0].c_proj.bias) @ rows.T)


def test_the_same_loop_trains_it_and_a_stopped_run_goes_on_as_if_never_stopped(tmp_path):
    text, steady = TinyText(seed=1), {"schedule": "warmup_constant", "warmup": 0}
    before = glance(model(), text)["loss"]
    whole = train(tmp_path / "whole")
    assert glance(whole.module, text)["loss"] < 0.7 * before
    train(tmp_path / "halves", steps=5, **steady)
    one, two = (train(tmp_path / name, steps=9, **steady) for name in ("halves", "through"))
    assert same(one.module.state_dict(), two.module.state_dict())
    assert losses(tmp_path / "halves") == losses(tmp_path / "through")


def test_what_is_saved_loads_with_the_same_logits_and_not_as_a_transformer(tmp_path):
    outcome = train(tmp_path / "run", steps=4)
    ids = random_ids(2, 9, high=29)
    assert torch.equal(load_lstm(tmp_path / "run").model(ids).logits, outcome.module(ids).logits)
    at_start = load_lstm(f"{tmp_path}/run@0").model
    torch.manual_seed(0)
    assert torch.equal(at_start(ids).logits, LSTM(SHAPE).eval()(ids).logits)
    with pytest.raises(GPT1VizError) as refused:
        load(tmp_path / "run")
    assert refused.value.code == "checkpoint_foreign"
    checkpoints.save(load("storybook"), tmp_path / "other")
    with pytest.raises(GPT1VizError) as refused:
        load_lstm(tmp_path / "other")
    assert refused.value.code == "checkpoint_foreign"


def test_the_bundled_one():
    """It is as large as the bundled transformer, reads its vocabulary, and is what the stored results started from."""
    lstm, other = load_lstm(), load("storybook")
    assert abs(lstm.info.n_params - other.info.n_params) < 0.01 * other.info.n_params
    assert lstm.tokenizer.to_json() == other.tokenizer.to_json()
    [*rows] = (row for row in finetuned(stored()) if row.model == "lstm")
    assert {row.weights for row in rows} <= {weights_digest(lstm.model)}
    ids = torch.tensor([lstm.tokenizer.encode("Once upon a time there was a little girl who lived in the")])
    probable = lstm.model(ids).logits[0, -1].topk(20).indices.tolist()
    assert lstm.tokenizer.encode("forest")[0] in probable


@pytest.mark.parametrize("kind", ["classification", "similarity", "token"])
def test_finetuning_takes_it(tmp_path, kind):
    about = task(kind)
    outcome = finetune(start(), about, tmp_path / "run", settings=task_settings(epochs=6, lr=3e-2))
    tuned = Loaded(outcome.module.model, tokenizer(), start().info, outcome.module.head)
    rows = losses(tmp_path / "run")
    first, last = (dict(rows[n])["clf_loss"] for n in (1, -2))
    assert last < first
    assert isinstance(tuned.model, LSTM)
    assert evaluate_task(tuned, about, "test").numbers(about)[about.metric] >= 0.5


def test_what_fine_tuning_transfers():
    own, config = model(), replace(SHAPE, n_special=3)
    every, embeddings, nothing = (transferred(own, config, n) for n in (None, 0, -1))
    weight = own.h[0].lstm.weight_hh_l0
    assert torch.equal(every.tokens_embed.weight[:29], own.tokens_embed.weight)
    assert torch.equal(every.h[0].lstm.weight_hh_l0, weight)
    assert torch.equal(embeddings.tokens_embed.weight[:29], own.tokens_embed.weight)
    assert not torch.equal(embeddings.h[0].lstm.weight_hh_l0, weight)
    assert not torch.equal(nothing.tokens_embed.weight[:29], own.tokens_embed.weight)
