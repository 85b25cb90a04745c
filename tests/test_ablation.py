"""Heads switched off, against a pass of a model whose tensors were changed by hand."""

import copy

import numpy as np
import pytest
import torch
from tiny import D, H, L, V, random_ids, tiny_model

from gpt1viz.analysis.ablation import head_effects, heads_off, next_probabilities
from gpt1viz.errors import GPT1VizError
from gpt1viz.trace import Edits

SWITCHES = [{}, {"norm": "pre"}, {"causal": False}, {"n_head": 1}, {"n_layer": 1}]
N = 7


def ids() -> np.ndarray:
    return random_ids(1, N)[0].numpy()


def by_hand(model, heads, position) -> np.ndarray:
    """Probabilities after zeroing the heads' columns of the output projection in a copy of the model."""
    changed = copy.deepcopy(model)
    d = model.config.d_head
    for layer, head in heads:
        changed.h[layer].attn.c_proj.weight[:, head * d : (head + 1) * d] = 0
    with torch.inference_mode():
        logits = changed(torch.from_numpy(ids())[None]).logits[0, position, : model.config.n_vocab]
    return logits.softmax(-1).numpy()


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("which", ["none", "one", "two", "layer"])
def test_heads_off_equal_a_tensor_changed_by_hand(which, switches):
    model = tiny_model(**switches)
    last, head = model.config.n_layer - 1, model.config.n_head - 1
    layer = [(0, each) for each in range(model.config.n_head)]
    heads = {"none": [], "one": [(last, head)], "two": [(0, 0), (last, head)], "layer": layer}[which]
    for position in (0, 4, N - 1):
        found = next_probabilities(model, ids(), position, heads_off(heads))
        np.testing.assert_allclose(found, by_hand(model, heads, position), atol=1e-6)
        assert found.shape == (V - 2,) and found.sum() == pytest.approx(1, abs=1e-5)
    moved = np.abs(next_probabilities(model, ids(), edits=heads_off(heads)) - next_probabilities(model, ids())).max()
    assert moved == 0 if which == "none" else moved > 1e-3


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("position", [3, N - 1])
def test_every_effect_equals_a_tensor_changed_by_hand(position, switches):
    model = tiny_model(**switches)
    found = head_effects(model, ids(), position)
    before = by_hand(model, [], position)
    assert found.target == before.argmax() and found.before == pytest.approx(before.max(), rel=1e-5)
    assert found.change.shape == found.divergence.shape == (model.config.n_layer, model.config.n_head)
    for layer in range(model.config.n_layer):
        for head in range(model.config.n_head):
            after = by_hand(model, [(layer, head)], position)
            change = np.log2(after[found.target] / before[found.target])
            assert found.change[layer, head] == pytest.approx(change, abs=2e-5)
            divergence = (before * np.log2(before / after)).sum()
            assert found.divergence[layer, head] == pytest.approx(divergence, abs=2e-5) and divergence > 0


def test_the_ranking_is_by_size():
    found = head_effects(tiny_model(), ids())
    order = found.ranked()
    assert len(set(order)) == L * H
    sizes = [abs(found.change[layer, head]) for layer, head in order]
    assert sizes == sorted(sizes, reverse=True) and {np.sign(found.change[place]) for place in order} == {-1.0, 1.0}


def test_another_target():
    model = tiny_model()
    found = head_effects(model, ids(), target=3)
    before, after = (by_hand(model, heads, N - 1)[3] for heads in ([], [(1, 2)]))
    assert found.target == 3 and found.before == pytest.approx(float(before), rel=1e-5)
    assert found.change[1, 2] == pytest.approx(np.log2(after / before), abs=2e-5)


def test_a_head_off_and_the_mask_lifted():
    model = tiny_model()
    edits = Edits(heads={(1, 2): 0.0}, causal=False)
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids())[None], edits=edits).logits[0, 3, : model.config.n_vocab]
    np.testing.assert_allclose(next_probabilities(model, ids(), 3, edits), logits.softmax(-1).numpy(), atol=1e-6)
    seen = next_probabilities(model, ids(), 3, heads_off([(1, 2)]))
    assert not np.allclose(logits.softmax(-1).numpy(), seen, atol=1e-4)


def test_progress_is_told_and_may_end_the_work():
    shares = []
    head_effects(tiny_model(), ids(), progress=shares.append)
    assert len(shares) == L * (L + 1) / 2 and shares == sorted(shares) and shares[-1] == 1

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        head_effects(tiny_model(), ids(), progress=stop)


@pytest.mark.parametrize("position", [-1, N])
def test_there_is_no_such_position(position):
    for measure in (head_effects, next_probabilities):
        with pytest.raises(GPT1VizError, match=f"{N} tokens"):
            measure(tiny_model(), ids(), position)


def test_the_model_is_left_as_it_is():
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    head_effects(model, ids())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items()) and D == 4
