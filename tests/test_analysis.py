"""What analysis/ says of a pass, against what the model recorded and what it does when changed."""

import numpy as np
import pytest
import torch
from tiny import random_ids, tiny_model

from gpt1viz.analysis.cell import cell
from gpt1viz.analysis.head_output import head_output
from gpt1viz.errors import GPT1VizError
from gpt1viz.trace import Trace

SWITCHES = [{}, {"scale_attn": False}, {"causal": False}, {"norm": "pre", "positions": "none"}, {"n_head": 1}]


def traced(**switches):
    """(model, ids (T,), trace of one pass)."""
    model, ids = tiny_model(**switches), random_ids(1, 7)
    trace = Trace()
    with torch.inference_mode():
        model(ids, trace=trace)
    return model, ids[0], trace


def numpy(tensor) -> np.ndarray:
    return tensor[0].numpy()


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_every_cell_is_the_recorded_weight(switches):
    model, ids, trace = traced(**switches)
    config = model.config
    scale = config.d_head**-0.5 if config.scale_attn else 1.0
    for layer in (0, config.n_layer - 1):
        block = trace.blocks[layer]
        q, k = numpy(block.q), numpy(block.k)
        for head in range(config.n_head):
            found = [
                [cell(q[head], k[head], i, j, scale=scale, causal=config.causal) for j in range(len(ids))]
                for i in range(len(ids))
            ]
            weights = np.array([[one.weight for one in row] for row in found])
            scores = np.array([[one.score for one in row] for row in found])
            masked = np.array([[one.masked for one in row] for row in found])
            np.testing.assert_allclose(weights, numpy(block.weights)[head], atol=1e-6)
            np.testing.assert_allclose(scores, numpy(block.scores)[head], atol=1e-5)
            assert (masked == np.triu(np.ones_like(masked), 1) * config.causal).all()
            assert (weights[masked] == 0).all()


def test_a_cell_is_its_own_arithmetic():
    q, k = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32)
    one = cell(q, k, 3, 1, scale=6**-0.5)
    assert one.products == pytest.approx(q[3].astype(float) * k[1]) and one.total == pytest.approx(one.products.sum())
    assert one.score == pytest.approx(one.total / 6**0.5) and one.exp == pytest.approx(np.exp(one.score))
    assert one.row_sum == pytest.approx(sum(cell(q, k, 3, j, scale=6**-0.5).exp for j in range(4)))
    assert one.weight == pytest.approx(one.exp / one.row_sum) and one.shift == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_scores_beyond_the_range_of_exp_keep_their_weights(sign):
    q = np.full((3, 1), 40, np.float32)
    k = sign * np.array([[100], [100.05], [99]], np.float32)
    scores = 40 * k[:, 0].astype(np.float64)
    weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    for j in range(3):
        one = cell(q, k, 2, j, scale=1.0)
        assert one.weight == pytest.approx(weights[j], rel=1e-4) and one.shift == pytest.approx(scores.max())
        assert one.exp == pytest.approx(np.exp(one.score - one.shift))


@pytest.mark.parametrize("query, key", [(5, 0), (0, 5), (-1, 0), (0, -1)])
def test_there_is_no_cell_outside_of_the_text(query, key):
    q = np.ones((5, 2), np.float32)
    with pytest.raises(GPT1VizError) as caught:
        cell(q, q, query, key, scale=1.0)
    assert caught.value.code == "no_such_cell"


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_what_heads_add_and_the_bias_are_the_attention_output(switches):
    model, ids, trace = traced(**switches)
    for layer in range(model.config.n_layer):
        block = trace.blocks[layer]
        for position in (0, 4, len(ids) - 1):
            heads = [
                head_output(model, numpy(block.weights)[:, position], numpy(block.v), layer, head)
                for head in range(model.config.n_head)
            ]
            bias = model.h[layer].attn.c_proj.bias.numpy()
            wanted = numpy(block.attn_out)[position]
            np.testing.assert_allclose(sum(head.vector for head in heads) + bias, wanted, atol=1e-5)
            for head in heads:
                assert head.norm == pytest.approx(np.linalg.norm(head.vector))
                assert head.layer_norm == pytest.approx(np.linalg.norm(wanted), rel=1e-5)


def test_the_tokens_a_head_points_to():
    model, _, trace = traced()
    block = trace.blocks[2]
    output = head_output(model, numpy(block.weights)[:, 3], numpy(block.v), 2, 1, top_k=4)
    dots, found = model.tokens_embed.weight[: model.config.n_vocab].numpy() @ output.vector, output.pushed
    assert list(found.raised) == list(np.argsort(-dots)[:4]) and list(found.lowered) == list(np.argsort(dots)[:4])
    np.testing.assert_allclose(found.raised_by, dots[found.raised], atol=1e-6)
    np.testing.assert_allclose(found.lowered_by, dots[found.lowered], atol=1e-6)
