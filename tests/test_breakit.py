"""Break it: recipes differ from their twin's in exactly their switch; a pair is trained; what is measured of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import N_CTX, C, H, L, V, random_ids, tiny_model
from tiny_run import one_thread  # noqa: F401 (a fixture)

from gpt1viz import cli, load
from gpt1viz.analysis.broken import attention, end_losses, measure, shuffled, token_losses, windows
from gpt1viz.data.toys.stories import split, stories
from gpt1viz.model import GPT1, lm_loss
from gpt1viz.trace import Edits, Trace
from gpt1viz.training.breakit import STEPS, VARIANTS, digest, digest_of, options, plan, recipe, wanted
from gpt1viz.training.runs import read_run

BROKEN = [name for name, variant in VARIANTS.items() if variant.twin]


@pytest.mark.parametrize("name", BROKEN)
def test_a_recipe_differs_from_its_twins_in_exactly_its_switch(name):
    variant = VARIANTS[name]
    mine, twins = ([*map(lambda part: part.to_dict(), recipe(n))] for n in (name, variant.twin))
    differing = {field: mine[i][field] for i in (0, 1) for field in mine[i] if mine[i][field] != twins[i][field]}
    assert differing == variant.changes and len(differing) == 1


def test_the_intact_one_is_gpt_1_and_small():
    config, settings = recipe("gpt1")
    assert (config.norm, config.afn, config.positions) == ("post", "gelu", "learned")
    assert config.causal and config.scale_attn and config.n_params < 1_000_000
    assert settings.schedule == "pretraining" and settings.warmup == settings.steps / 10 == STEPS / 10
    assert recipe("gpt1-paper-rate")[1].lr == 2.5e-4 and recipe("no-warmup-high-rate")[1].lr == 8e-3
    n_switches = {name for variant in VARIANTS.values() for name in variant.changes}
    assert {"causal", "scale_attn", "positions", "warmup", "afn", "norm"} <= n_switches


def test_the_digest_follows_what_decides_a_run_and_nothing_else():
    texts, whole = (b"one", b"two"), plan("gpt1")
    first = digest(whole, texts)
    assert digest(plan("gpt1"), texts) == first == digest(whole.changed({"eval_every": 7, "device": "auto"}), texts)
    others = [whole.changed(change) for change in ({"causal": False}, {"seed": 1}, {"lr": 1e-3}, {"steps": 5})]
    others.append(replace(whole, vocabulary=300))
    found = {digest(other, texts) for other in others} | {digest(whole, (b"onet", b"wo")), digest(whole, texts[:1])}
    assert len(found) == 7 and first not in found
    assert len({wanted(name) for name in VARIANTS}) == len(VARIANTS) and wanted("gpt1") != wanted("gpt1", 5)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """GPT-1 and the model without a mask as the app trains them, but for a few updates only."""
    folder = tmp_path_factory.mktemp("pair")
    some = "".join(stories().splitlines(keepends=True)[:800])
    for name, text in zip(("learn", "validate"), split(some), strict=True):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    for name in ("gpt1", "no-mask"):
        given = ["train", f"{folder}/learn.txt", "--validation", f"{folder}/validate.txt", "--run", f"{folder}/{name}"]
        few = [*options(name, 12), "--set", "batch_size=4", "--set", "prompts=[]"]
        assert cli.main([*given, *few]) == 0
    return folder


def test_a_pair_is_trained_on_the_same_and_compared(pair):
    runs = {name: read_run(pair / name) for name in ("gpt1", "no-mask")}
    assert {run.state for run in runs.values()} == {"finished"} and {run.step for run in runs.values()} == {12}
    both = [run.settings for run in runs.values()]
    assert both[0] == both[1] and runs["gpt1"].config == replace(runs["no-mask"].config, causal=True)
    model, tokenizer, *_ = load(pair / "no-mask")
    found = measure(model, tokenizer.encode(split(stories())[1][:4000]), n_windows=9)
    assert found.own.shape == found.end.shape == (9,) and np.isfinite(found.shuffled).all()
    assert abs(found.own.mean() - found.left_to_right.mean()) > 1e-6  # it does read what is to come


def test_a_run_says_whether_it_is_what_the_recipe_gives(pair, tmp_path):
    run = read_run(pair / "gpt1")
    few = plan("gpt1", 12).changed({"batch_size": 4, "prompts": []})
    texts = [(pair / f"{name}.txt").read_bytes() for name in ("learn", "validate")]
    assert digest_of(run) == digest(few, texts) != wanted("gpt1", 12)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in pair.glob("gpt1/*.json"):
        (moved / path.name).write_bytes(path.read_bytes())
    (moved / "text").mkdir()
    for name, text in zip(("learn", "validate"), texts, strict=True):
        (moved / "text" / f"{name}.txt").write_bytes(text if name == "learn" else b"another")
    assert digest_of(read_run(moved)) not in (None, digest_of(run))
    settings = json.loads((moved / "settings.json").read_text())
    gone = settings["source"] | {"text": ["/nowhere/gone.txt"]}
    (moved / "settings.json").write_text(json.dumps(settings | {"source": gone}))
    assert digest_of(read_run(moved)) is None
    for odd in ({"source": {"vocabulary": 512}}, {"lr": "fast"}):
        (moved / "settings.json").write_text(json.dumps(settings | odd))
        assert digest_of(read_run(moved)) is None
    (moved / "settings.json").write_text(json.dumps({"kind": "finetune"}))
    assert digest_of(read_run(moved)) is None


# ---- what is measured, against direct computations


def rows(n=7):
    return random_ids(n, N_CTX + 1, high=V - 2).numpy()


@pytest.mark.parametrize("causal", [True, False])
def test_losses_are_the_models_own(causal):
    model, ids = tiny_model(causal=causal), rows()
    found = token_losses(model, ids)
    wanted = lm_loss(model(torch.from_numpy(ids[:, :-1])).logits, torch.from_numpy(ids[:, :-1]))
    assert np.allclose(found[:, :-1].mean(1), wanted.numpy(), rtol=1e-5)
    assert np.allclose(end_losses(model, ids), found[:, -1], rtol=1e-4)  # at the end nothing is to come
    masked = token_losses(model, ids, Edits(causal=True))
    assert np.allclose(masked, token_losses(_with_mask(model), ids), rtol=1e-5)
    assert np.allclose(masked, found, rtol=1e-4) == causal


def _with_mask(model):
    other = GPT1(replace(model.config, causal=True)).eval()
    other.load_state_dict(model.state_dict())
    return other


def test_order_is_nothing_to_a_model_without_mask_and_positions():
    ids = rows()
    mixed = shuffled(ids)
    assert (mixed[:, -2:] == ids[:, -2:]).all() and (np.sort(mixed, 1) == np.sort(ids, 1)).all()
    assert (mixed[:, :-2] != ids[:, :-2]).any(1).all()
    blind = tiny_model(positions="none", causal=False)
    assert np.allclose(end_losses(blind, ids), end_losses(blind, mixed), rtol=1e-4)
    for model in (tiny_model(), tiny_model(positions="none")):  # the mask alone tells the order: a query sees more
        assert not np.allclose(end_losses(model, ids), end_losses(model, mixed), rtol=1e-2)


def test_windows_are_stretches_of_the_text():
    found = windows(range(100), 11, 5)
    assert found.shape == (5, 12) and (np.diff(found, axis=1) == 1).all() and (found[0, 0], found[-1, -1]) == (0, 99)
    assert len(windows(range(14), 11, 50)) == 3


def test_what_the_heads_look_at():
    model, ids = tiny_model(causal=False), random_ids(2, N_CTX - 1)
    spread, ahead = attention(model, ids.numpy())
    trace = Trace(fields=("weights",))
    model(ids, trace=trace)
    weights = torch.stack([block.weights for block in trace.blocks]).double()  # (L, B, H, T, T)
    entropy = -(weights * weights.log2()).sum(-1)
    assert spread.shape == ahead.shape == (L, H) and np.allclose(spread, (2**entropy).mean((1, 3)).numpy())
    each = [weights[..., t, t + 1] for t in range(N_CTX - 2)]
    assert np.allclose(ahead, torch.stack(each).mean((0, 2)).numpy())
    assert not attention(tiny_model(), ids.numpy())[1].any()  # the mask hides it
    for block in model.h:
        block.attn.c_attn.weight[: 2 * C] = 0  # no query asks for anything
        block.attn.c_attn.bias[: 2 * C] = 0
    assert np.allclose(attention(model, ids.numpy())[0], N_CTX - 1)
