"""Edits: heads off or scaled, attention and residual vectors replaced, the mask lifted, for one pass only."""

import copy

import pytest
import torch
from tiny import CONFIG, H, L, T, close, random, random_ids, tiny_model

from gpt1viz.errors import GPT1VizError
from gpt1viz.generate import Cache
from gpt1viz.trace import Edits, Trace


@pytest.mark.parametrize("factor", [0.0, 0.5, -2.0])
@pytest.mark.parametrize("record", [False, True])
def test_a_scaled_head_equals_scaled_columns_of_the_projection(factor, record):
    model, ids = tiny_model(), random_ids()
    changed = copy.deepcopy(model)
    changed.h[2].attn.c_proj.weight[:, 4:8] *= factor
    changed.h[5].attn.c_proj.weight[:, 0:4] *= factor
    edits = Edits(heads={(2, 1): factor, (5, 0): factor})
    edited = model(ids, edits=edits, trace=Trace() if record else None)
    assert close(edited.logits, changed(ids).logits)
    assert not close(edited.logits, model(ids).logits, 1e-3)


def test_a_head_that_is_off_is_recorded_as_zero():
    model, trace = tiny_model(), Trace()
    model(random_ids(), edits=Edits(heads={(2, 1): 0.0}), trace=trace)
    assert (trace.blocks[2].heads[:, 1] == 0).all()
    assert (trace.blocks[2].heads[:, [0, 2]] != 0).all()


def test_what_is_replaced_by_itself_changes_nothing():
    model, ids, trace = tiny_model(), random_ids(1, T), Trace()
    plain = model(ids, trace=trace)
    attention = {(layer, h): trace.blocks[layer].weights[0, h] for layer in (0, 4) for h in range(H)}
    residual = {(layer, t): trace.blocks[layer].resid_in[0, t] for layer in (0, 3) for t in range(T)}
    residual[(L, 2)] = trace.blocks[-1].out[0, 2]
    for edits in (Edits(attention=attention), Edits(residual=residual), Edits(heads={(1, 1): 1.0})):
        assert close(model(ids, edits=edits).logits, plain.logits)
        assert torch.equal(model(ids, edits=edits, trace=Trace()).logits, plain.logits)


@pytest.mark.parametrize("record", [False, True])
def test_a_replaced_attention_matrix_is_used(record):
    """Every query of one head looks at token 1: its output is that token's value."""
    model, ids, matrix = tiny_model(), random_ids(), torch.zeros(T, T)
    matrix[:, 1] = 1.0
    trace = Trace() if record else Trace(fields=["v", "heads"])
    model(ids, edits=Edits(attention={(3, 2): matrix}), trace=trace)
    block = trace.blocks[3]
    assert close(block.heads[:, 2], block.v[:, 2, 1:2].expand(2, T, 4))
    if record:
        assert torch.equal(block.weights[:, 2], matrix.expand(2, T, T))
        assert close(block.weights[:, 0], trace.masked_scores(3)[:, 0].softmax(-1))


def test_a_replaced_residual_vector_reaches_what_follows_it():
    model, ids, vector = tiny_model(), random_ids(), random(12)
    plain, trace = Trace(), Trace()
    model(ids, trace=plain)
    model(ids, trace=trace, edits=Edits(residual={(2, 3): vector}))
    assert torch.equal(trace.blocks[2].resid_in[:, 3], vector.expand(2, 12))
    others = [0, 1, 2, 4]
    assert torch.equal(trace.blocks[2].resid_in[:, others], plain.blocks[2].resid_in[:, others])
    difference = (trace.logits - plain.logits).abs().amax((0, 2))  # (T,)
    assert (difference[:3] == 0).all()
    assert (difference[3:] > 1e-3).all()


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_layer_l_stands_for_what_leaves_the_last_block(norm):
    model, vector = tiny_model(norm=norm), random(12)
    edited = model(random_ids(), edits=Edits(residual={(L, 4): vector}))
    leaves = vector if norm == "post" else model.ln_f(vector)
    assert close(edited.logits[0, 4], model.tokens_embed.weight @ leaves)
    assert torch.equal(edited.logits[:, :4], model(random_ids()).logits[:, :4])


def test_heads_and_mask_can_be_edited_with_a_cache():
    model, ids, cache = tiny_model(), random_ids(2, 9), Cache(CONFIG, batch=2)
    edits = Edits(heads={(0, 1): 0.0, (4, 2): 3.0})
    outputs = [model(part, cache=cache, edits=edits).logits for part in ids.split((4, 5), dim=1)]
    assert close(torch.cat(outputs, dim=1), model(ids, edits=edits).logits)


def test_edits_leave_the_weights_as_they_are():
    model, vector = tiny_model(), random(12)
    before = copy.deepcopy(model.state_dict())
    plain = model(random_ids()).logits
    edits = Edits({(0, 0): 0.0}, {(1, 1): torch.eye(T)}, {(2, 2): vector}, causal=False)
    model(random_ids(), edits=edits)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(model(random_ids()).logits, plain)
    assert torch.equal(vector, random(12))


@pytest.mark.parametrize(
    ("edits", "named"),
    [
        (Edits(heads={(L, 0): 0.0}), "no L6"),
        (Edits(heads={(0, H): 0.0}), "H3"),
        (Edits(heads={(-1, 0): 0.0}), "no L-1"),
        (Edits(attention={(0, H): torch.eye(T)}), "H3"),
        (Edits(attention={(0, 0): torch.eye(T + 1)}), r"\(6, 6\).*\(5, 5\)"),
        (Edits(attention={(0, 0): torch.ones(1, T, T)}), r"\(1, 5, 5\)"),
        (Edits(residual={(L + 1, 0): torch.zeros(12)}), "layer 7"),
        (Edits(residual={(0, T): torch.zeros(12)}), "position 5"),
        (Edits(residual={(0, -1): torch.zeros(12)}), "position -1"),
        (Edits(residual={(0, 0): torch.zeros(11)}), r"\(11,\).*\(12,\)"),
    ],
)
def test_edits_that_do_not_fit_raise(edits, named):
    with pytest.raises(GPT1VizError, match=named):
        tiny_model()(random_ids(), edits=edits)


def test_matrices_and_vectors_cannot_be_replaced_behind_a_cache():
    model, cache = tiny_model(), Cache(CONFIG, batch=2)
    model(random_ids(2, 2), cache=cache)
    for edits in (Edits(attention={(0, 0): torch.ones(T, 7)}), Edits(residual={(0, 0): torch.zeros(12)})):
        with pytest.raises(GPT1VizError, match="cache"):
            model(random_ids(), cache=cache, edits=edits)
