"""Every recorded field has the shape it says, and the fields fit together as the equations do."""

from itertools import pairwise

import pytest
import torch
from tiny import CONFIG, L, T, close, random_ids, tiny_model

from gpt1viz.errors import GPT1VizError
from gpt1viz.generate import Cache
from gpt1viz.model import GPT1, causal_mask
from gpt1viz.trace import BLOCK_FIELDS, MASKED, MODEL_FIELDS, Trace

SIZES = {"B": 2, "T": 5, "S": 5, "H": 3, "D": 4, "C": 12, "F": 48, "V": 31}


def traced(model: GPT1, ids=None, **options) -> Trace:
    trace = Trace(**options)
    model(random_ids() if ids is None else ids, trace=trace)
    return trace


def shapes(sizes: dict[str, int], fields: dict[str, str]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(sizes[dim] for dim in dims.split()) for name, dims in fields.items()}


def found(record, fields) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(record, name).shape) for name in fields}


def test_what_a_reader_of_the_paper_asks_for_is_there():
    assert {"tokens", "positions", "embed", "mask", "hidden", "logits"} == MODEL_FIELDS.keys()
    asked = "q k v scores weights heads attn_out resid_mid resid_out ln_1 ln_2 mlp_pre mlp_hidden mlp_out out"
    assert set(asked.split()) <= BLOCK_FIELDS.keys()


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_every_field_has_the_shape_that_its_metadata_says(norm):
    trace = traced(tiny_model(norm=norm))
    assert found(trace, MODEL_FIELDS) == shapes(SIZES, MODEL_FIELDS)
    assert len(trace.blocks) == L
    for block in trace.blocks:
        assert found(block, BLOCK_FIELDS) == shapes(SIZES, BLOCK_FIELDS)


def test_shapes_with_a_cache_tell_queries_from_keys():
    model, trace, cache = tiny_model(), Trace(), Cache(CONFIG, batch=2)
    model(random_ids(2, 3), cache=cache)
    model(random_ids(), trace=trace, cache=cache)
    sizes = SIZES | {"S": 8}
    assert found(trace, MODEL_FIELDS) == shapes(sizes, MODEL_FIELDS)
    for block in trace.blocks:
        assert found(block, BLOCK_FIELDS) == shapes(sizes, BLOCK_FIELDS)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_the_residual_stream_adds_up(norm):
    model = tiny_model(norm=norm)
    trace = traced(model)
    assert torch.equal(trace.embed, trace.tokens + trace.positions)
    assert torch.equal(trace.blocks[0].resid_in, trace.embed)
    for before, block in pairwise(trace.blocks):
        assert torch.equal(block.resid_in, before.out)
    for module, block in zip(model.h, trace.blocks, strict=True):
        assert torch.equal(block.resid_mid, block.resid_in + block.attn_out)
        post = norm == "post"
        assert torch.equal(block.resid_out, (block.ln_1 if post else block.resid_mid) + block.mlp_out)
        assert torch.equal(block.out, block.ln_2 if post else block.resid_out)
        assert close(block.ln_1, normalised(block.resid_mid if post else block.resid_in, module.ln_1))
        assert close(block.ln_2, normalised(block.resid_out if post else block.resid_mid, module.ln_2))
    last = trace.blocks[-1].out
    assert close(trace.hidden, last if norm == "post" else normalised(last, model.ln_f))
    assert close(trace.logits, trace.hidden @ model.tokens_embed.weight.T)


def normalised(x, gain_and_bias):
    """LayerNorm from its definition: each position's channels to mean 0 and variance 1, then gain and bias."""
    apart = x - x.mean(-1, keepdim=True)
    variance = apart.square().mean(-1, keepdim=True)
    return apart / (variance + 1e-5).sqrt() * gain_and_bias.weight + gain_and_bias.bias


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_attention_follows_its_equations(norm):
    model = tiny_model(norm=norm)
    trace = traced(model)
    above = torch.ones(T, T, dtype=torch.bool).triu(1)
    assert torch.equal(trace.mask, ~above)
    for layer, (module, block) in enumerate(zip(model.h, trace.blocks, strict=True)):
        read = block.resid_in if norm == "post" else block.ln_1
        joined = torch.cat([part.transpose(1, 2).flatten(2) for part in (block.q, block.k, block.v)], dim=-1)
        assert close(joined, read @ module.attn.c_attn.weight.T + module.attn.c_attn.bias)
        assert close(block.scores, block.q @ block.k.transpose(2, 3) / 2.0)  # sqrt(D) = 2
        assert close(block.weights, trace.masked_scores(layer).softmax(-1))
        assert (block.weights.sum(-1) - 1).abs().max() < 1e-6
        assert (block.weights[..., above] == 0).all()
        assert (block.weights[..., ~above] > 0).all()
        assert close(block.heads, block.weights @ block.v)
        # head h adds heads_h times its own D columns of the projection
        weight, bias = module.attn.c_proj.weight, module.attn.c_proj.bias
        added = sum(block.heads[:, h] @ weight[:, 4 * h : 4 * h + 4].T for h in range(3))
        assert close(block.attn_out, added + bias)


def test_the_mlp_follows_its_equations():
    model = tiny_model()
    for module, block in zip(model.h, traced(model).blocks, strict=True):
        x = block.mlp_pre
        assert close(x, block.ln_1 @ module.mlp.c_fc.weight.T + module.mlp.c_fc.bias)
        gelu = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
        assert close(block.mlp_hidden, gelu)
        assert close(block.mlp_out, gelu @ module.mlp.c_proj.weight.T + module.mlp.c_proj.bias)


def test_masked_scores_are_what_the_softmax_receives():
    trace = traced(tiny_model(), fields=["scores", "mask"])
    masked = trace.masked_scores(1)
    assert (masked[..., ~causal_mask(T, T)] == MASKED).all()
    assert torch.equal(masked.tril(), trace.blocks[1].scores.tril())


def test_masked_scores_ask_for_what_they_need():
    with pytest.raises(GPT1VizError, match="scores of layer 1"):
        traced(tiny_model(), fields=["mask"]).masked_scores(1)
    with pytest.raises(GPT1VizError, match="mask of layer 1"):
        traced(tiny_model(), fields=["scores"]).masked_scores(1)


def test_masked_scores_without_a_mask_are_the_scores():
    trace = traced(tiny_model(causal=False))
    assert trace.mask is None
    assert torch.equal(trace.masked_scores(0), trace.blocks[0].scores)


def test_a_trace_records_only_what_it_is_asked_for():
    trace = traced(tiny_model(), fields=["weights", "embed"], layers=[1, 4])
    assert {name for name in MODEL_FIELDS if getattr(trace, name) is not None} == {"embed"}
    for layer, block in enumerate(trace.blocks):
        kept = {name for name in BLOCK_FIELDS if getattr(block, name) is not None}
        assert kept == ({"weights"} if layer in (1, 4) else set())


def test_recording_part_gives_what_recording_all_gives():
    model = tiny_model()
    everything = traced(model)
    for name in BLOCK_FIELDS:
        part = traced(model, fields=[name], layers=[2])
        assert close(getattr(part.blocks[2], name), getattr(everything.blocks[2], name))


@pytest.mark.parametrize("fields", [["attention"], "weights"])
def test_an_unknown_field_raises(fields):
    with pytest.raises(GPT1VizError, match="A trace has no field"):
        Trace(fields=fields)


@pytest.mark.parametrize("layer", [-1, L])
def test_an_unknown_layer_raises(layer):
    with pytest.raises(GPT1VizError, match="layer"):
        traced(tiny_model(), layers=[0, layer])


def test_a_trace_holds_one_pass_only():
    """A second pass with the same trace must not leave the first one's numbers where the second's are read."""
    model, trace = tiny_model(), Trace()
    model(random_ids(seed=1), trace=trace)
    with pytest.raises(GPT1VizError, match="one pass"):
        model(random_ids(seed=2), trace=trace)


def test_what_was_recorded_stays_as_the_cache_grows():
    model, trace, cache = tiny_model(), Trace(), Cache(CONFIG, batch=2)
    model(random_ids(seed=1), trace=trace, cache=cache)
    kept = [block.k.clone() for block in trace.blocks]
    model(random_ids(seed=2), cache=cache)
    assert all(torch.equal(block.k, k) for block, k in zip(trace.blocks, kept, strict=True))


def test_what_is_recorded_is_not_the_models_own_memory():
    model = tiny_model()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    trace = traced(model)
    recorded = [getattr(trace, name) for name in MODEL_FIELDS]
    recorded += [getattr(block, name) for block in trace.blocks for name in BLOCK_FIELDS]
    assert weights.isdisjoint(tensor.untyped_storage().data_ptr() for tensor in recorded)
