"""Patching against passes whose residual stream is changed by hand."""

import copy

import numpy as np
import pytest
import torch
from tiny import L, close, random_ids, tiny_model

from gpt1viz.analysis.patching import patch, patched_probabilities
from gpt1viz.analysis.target import Target, next_logits
from gpt1viz.errors import GPT1VizError
from gpt1viz.trace import Edits, Trace

SWITCHES = [
    {},
    {"norm": "pre", "positions": "sinusoidal"},
    {"causal": False, "positions": "none"},
    {"n_layer": 1, "n_head": 1},
]
TARGETS = [Target("logit", 4), Target("log_probability", 4), Target("difference", 4, 9)]
T = 7


def texts(high: int = 29):
    """(ids, other ids), the same up to position 2 and at position 5."""
    ids, other = (random_ids(T, seed=seed, high=high).numpy() for seed in (1, 2))
    other[:2], other[5] = ids[:2], ids[5]
    assert ids[2] != other[2]
    return ids, other


def logits(model, ids, edits=None):
    """The next token's logits (V,), in the plain way; special rows are no text."""
    with torch.inference_mode():
        return model(torch.from_numpy(ids)[None], edits=edits).logits[0, -1, : model.config.n_vocab]


def number(target, logits):
    """The target, written out."""
    if target.kind == "log_probability":
        return float(logits[target.token] - logits.logsumexp(0))
    return float(logits[target.token] - (logits[target.other] if target.kind == "difference" else 0))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_every_entry_is_a_pass_changed_by_hand(switches, target):
    model, (ids, other) = tiny_model(**switches), texts()
    n_layer, trace = model.config.n_layer, Trace()
    with torch.inference_mode():
        model(torch.from_numpy(other)[None], trace=trace)
    streams = [block.resid_in[0] for block in trace.blocks] + [trace.blocks[-1].out[0]]
    wanted = [
        [number(target, logits(model, ids, Edits(residual={(at, t): streams[at][t]}))) for t in range(T)]
        for at in range(n_layer + 1)
    ]
    found = patch(model, ids, other, target)
    np.testing.assert_allclose(found.values, wanted, atol=2e-5)
    assert found.this == pytest.approx(number(target, logits(model, ids)), abs=1e-5)
    assert found.other == pytest.approx(number(target, logits(model, other)), abs=1e-5)
    np.testing.assert_allclose(found.effects, found.values - found.this)
    np.testing.assert_allclose(found.shares, (found.values - found.this) / (found.other - found.this))
    assert np.abs(found.effects).max() > 1e-3


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_some_positions_only(switches):
    model, (ids, other) = tiny_model(**switches), texts()
    found = patch(model, ids, other, TARGETS[0], positions=[6, 1, 3])
    assert list(found.positions) == [6, 1, 3]
    np.testing.assert_allclose(found.values, patch(model, ids, other, TARGETS[0]).values[:, [6, 1, 3]], atol=1e-5)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_probabilities_after_one_vector_was_replaced(switches):
    model, (ids, other) = tiny_model(**switches), texts()
    target = Target("log_probability", 4)
    effects = patch(model, ids, other, target)
    for layer, position in ((0, 2), (1, 4), (model.config.n_layer, T - 1)):
        this, patched, second = patched_probabilities(model, ids, other, layer, position)
        np.testing.assert_allclose(this, logits(model, ids).softmax(0), atol=1e-6)
        np.testing.assert_allclose(second, logits(model, other).softmax(0), atol=1e-6)
        assert np.log(patched[4]) == pytest.approx(effects.values[layer, position], abs=1e-5)
        assert patched.sum() == pytest.approx(1, abs=1e-5)


def test_what_cannot_matter_does_nothing():
    model, (ids, other) = tiny_model(), texts()
    found = patch(model, ids, other, TARGETS[0])
    assert (found.effects[:, :2] == 0).all()  # the same text so far
    assert found.effects[0, 5] == 0  # the same token; later layers have seen what came before
    assert abs(found.effects[1, 5]) > 1e-5
    assert (found.effects[L, :-1] == 0).all()  # nothing reads these any more
    assert found.shares[L, -1] == pytest.approx(1, abs=1e-4)


def test_a_text_patched_with_itself():
    model, (ids, _) = tiny_model(), texts()
    found = patch(model, ids, ids, TARGETS[2])
    assert (found.effects == 0).all() and found.this == found.other and np.isnan(found.shares).all()


def test_a_long_text_is_cut_into_batches(monkeypatch):
    monkeypatch.setattr("gpt1viz.analysis.patching.ROWS", 2 * T)
    model, (ids, other), told = tiny_model(), texts(), []
    found = patch(model, ids, other, TARGETS[0], progress=told.append)
    monkeypatch.undo()
    np.testing.assert_allclose(found.values, patch(model, ids, other, TARGETS[0]).values, atol=1e-5)
    assert told == sorted(told) and told[-1] == 1 and len(told) > L + 1


def test_progress_may_end_the_work():
    def enough(share):
        raise InterruptedError(share)

    with pytest.raises(InterruptedError):
        patch(tiny_model(), *texts(), TARGETS[0], progress=enough)


def test_the_model_stays_as_it_is():
    model, (ids, other) = tiny_model(), texts()
    before = copy.deepcopy(model.state_dict())
    patch(model, ids, other, TARGETS[1])
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_a_pass_that_begins_at_any_layer(switches):
    model, trace = tiny_model(**switches), Trace()
    ids = random_ids(2, 6)
    wanted = model(ids, trace=trace).logits[:, -1, : model.config.n_vocab]
    streams = [block.resid_in for block in trace.blocks] + [trace.blocks[-1].out]
    for layer, stream in enumerate(streams):
        assert close(next_logits(model, stream, layer), wanted)


@pytest.mark.parametrize("lang, named", [("en", "7, the second one 6"), ("zh", "第二段有 6 个")])
def test_texts_of_different_lengths_are_refused(lang, named):
    ids, other = texts()
    with pytest.raises(GPT1VizError) as caught:
        patch(tiny_model(), ids, other[:-1], TARGETS[0])
    assert caught.value.code == "patch_lengths" and named in caught.value.message(lang)


@pytest.mark.parametrize("layer, position", [(L + 1, 0), (-1, 0), (0, T), (0, -1)])
def test_places_that_are_not_there_are_refused(layer, position):
    with pytest.raises(GPT1VizError) as caught:
        patched_probabilities(tiny_model(), *texts(), layer, position)
    assert caught.value.code == "edit_position"
    with pytest.raises(GPT1VizError) as caught:
        patch(tiny_model(), *texts(), TARGETS[0], positions=[T])
    assert caught.value.code == "no_such_position"


@pytest.mark.parametrize(
    "target, code",
    [
        (Target("logit", 29), "tokenizer_id"),  # a special row
        (Target("difference", 1, -1), "tokenizer_id"),
        (Target("difference", 1), "target_kind"),
        (Target("logit", 1, 2), "target_kind"),
        (Target("rank", 1), "target_kind"),
    ],
    ids=str,
)
def test_targets_that_are_not_there_are_refused(target, code):
    with pytest.raises(GPT1VizError) as caught:
        patch(tiny_model(), *texts(), target)
    assert caught.value.code == code
