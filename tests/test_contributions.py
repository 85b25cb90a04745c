"""What a block adds, what drives a unit of its MLP, and both norms at the start, against direct computations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import CONFIG, C, L, T, random_ids, tiny_model

from gpt1viz.analysis import units
from gpt1viz.analysis.contributions import STEPS, at_start, contributions, stream_lengths, walk
from gpt1viz.analysis.units import active_units, drivers, driving_entries, pushed_tokens
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import GPT1, lm_loss
from gpt1viz.trace import Trace

NORMS = pytest.mark.parametrize("norm", ["post", "pre"])
SWITCHES = [{}, {"norm": "pre"}, {"causal": False}, {"scale_attn": False, "positions": "none"}, {"afn": "relu"}]
WIDTH = 4 * C
IDS = random_ids(T, high=29).numpy()


def traced(model):
    trace = Trace()
    with torch.inference_mode():
        model(torch.from_numpy(IDS[None]), trace=trace)
    return trace


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("layer", [0, L - 1])
def test_a_walk_is_what_the_block_records(switches, layer):
    model = tiny_model(**switches)
    found, block = walk(model, IDS, layer), traced(model).blocks[layer]
    for name in (*STEPS, "weights", "v"):
        np.testing.assert_allclose(getattr(found, name), getattr(block, name)[0], atol=1e-5)
    np.testing.assert_allclose(found.resid_in + found.attn_out, found.resid_mid, atol=1e-6)
    before = found.ln_1 if model.config.norm == "post" else found.resid_mid
    np.testing.assert_allclose(before + found.mlp_out, found.resid_out, atol=1e-6)
    np.testing.assert_array_equal(found.out, found.ln_2 if model.config.norm == "post" else found.resid_out)


@NORMS
def test_contributions_are_lengths_of_what_is_added(norm):
    model = tiny_model(norm=norm)
    found, trace = contributions(model, IDS), traced(model)
    between = "ln_1" if norm == "post" else "resid_mid"
    names = {"before_attention": "resid_in", "attention": "attn_out", "before_mlp": between, "mlp": "mlp_out"}
    for name, field in (names | {"after": "out"}).items():
        lengths = getattr(found, name)
        assert lengths.shape == (L, T)
        for layer in (0, 3, L - 1):
            wanted = np.linalg.norm(getattr(trace.blocks[layer], field)[0].numpy(), axis=-1)
            np.testing.assert_allclose(lengths[layer], wanted, rtol=1e-5)
    stream = stream_lengths(model, IDS)
    assert stream.shape == (L + 1,)
    np.testing.assert_allclose(stream[:-1], found.before_attention.mean(1), rtol=1e-6)
    assert stream[-1] == pytest.approx(np.linalg.norm(trace.blocks[-1].out[0].numpy(), axis=-1).mean(), rel=1e-5)


@NORMS
def test_gradients_at_the_start_are_those_of_a_backward_pass(norm):
    config = replace(CONFIG, norm="pre" if norm == "post" else "post")
    found = at_start(config, IDS, norm, seed=3)
    model, draws = GPT1(replace(config, norm=norm)).eval(), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=draws))
    ids = torch.from_numpy(IDS[None])
    loss = lm_loss(model(ids).logits, ids).mean()
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    for layer in range(L):
        whole = torch.cat([p.grad.flatten() for p in model.h[layer].parameters()])
        assert found.gradients[layer] == pytest.approx(whole.norm().item(), rel=1e-4)
    np.testing.assert_allclose(found.stream, stream_lengths(model, IDS), rtol=1e-5)
    assert at_start(config, IDS, norm, seed=3).loss == found.loss != at_start(config, IDS, norm, seed=4).loss


def test_both_norms_start_from_the_same_weights():
    post, pre = (at_start(CONFIG, IDS, norm) for norm in ("post", "pre"))
    assert post.stream[0] == pre.stream[0] and (post.stream[1:] > pre.stream[1:]).all()
    np.testing.assert_allclose(post.stream[1:], C**0.5, rtol=1e-2)  # a LayerNorm with gain 1 gives this length


def test_one_token_has_no_loss():
    with pytest.raises(GPT1VizError) as caught:
        at_start(CONFIG, IDS[:1], "post")
    assert caught.value.code == "start_too_short" and "1" in caught.value.message("zh")


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("layer", [0, 4])
def test_what_drives_a_unit_adds_up_to_its_pre_activation(switches, layer):
    model = tiny_model(**switches)
    found = walk(model, IDS, layer)
    for unit, position in ((0, 0), (17, 3), (WIDTH - 1, T - 1)):
        sum_of = drivers(model, found, layer, unit, position)
        assert sum_of.sources.shape == (CONFIG.n_head, T)
        assert sum_of.total == pytest.approx(found.mlp_pre[position, unit], abs=1e-5)
        assert sum_of.own + sum_of.sources.sum() + sum_of.bias == pytest.approx(sum_of.total)
        if model.config.causal:
            assert (sum_of.sources[:, position + 1 :] == 0).all()


@NORMS
def test_each_driver_is_its_part_through_the_measured_layer_norm(norm):
    model, layer, unit, position = tiny_model(norm=norm), 2, 11, 3
    block, found = model.h[layer], walk(model, IDS, layer)
    sum_of = drivers(model, found, layer, unit, position)
    ln = block.ln_1 if norm == "post" else block.ln_2
    row, gain = block.mlp.c_fc.weight[unit].numpy(), ln.weight.numpy()
    std = np.sqrt(found.resid_mid[position].var() + 1e-5)

    def through(part):
        return row @ (gain * (part - part.mean()) / std)

    assert sum_of.own == pytest.approx(through(found.resid_in[position]), abs=1e-5)
    for head in range(CONFIG.n_head):
        columns = block.attn.c_proj.weight[:, head * 4 : head * 4 + 4].numpy()
        for source in range(T):
            part = columns @ (found.weights[head, position, source] * found.v[head, source])
            assert sum_of.sources[head, source] == pytest.approx(through(part), abs=1e-5)
    biases = through(block.attn.c_proj.bias.numpy()) + row @ ln.bias.numpy() + block.mlp.c_fc.bias[unit].item()
    assert sum_of.bias == pytest.approx(biases, abs=1e-5)


def test_active_units_are_those_that_add_most():
    model, layer, position = tiny_model(), 3, 2
    found = walk(model, IDS, layer)
    columns = model.h[layer].mlp.c_proj.weight.numpy()  # (C, F)
    added = np.linalg.norm(columns * found.mlp_hidden[position], axis=0)
    top = active_units(model, found, layer, position, 6)
    assert list(top.units) == list(np.argsort(-added)[:6])
    np.testing.assert_allclose(top.lengths, added[top.units], rtol=1e-5)
    np.testing.assert_array_equal(top.activations, found.mlp_hidden[position, top.units])
    bias = model.h[layer].mlp.c_proj.bias.numpy()
    every = active_units(model, found, layer, position, 10_000)
    whole = columns[:, every.units] @ every.activations + bias
    np.testing.assert_allclose(whole, found.mlp_out[position], atol=1e-5)


def test_a_unit_pushes_the_tokens_along_its_output_row():
    model = tiny_model()
    dots = (model.tokens_embed.weight[:29] @ model.h[1].mlp.c_proj.weight[:, 30]).numpy()
    found = pushed_tokens(model, 1, 30, 4)
    assert list(found.raised) == list(np.argsort(-dots)[:4]) and list(found.lowered) == list(np.argsort(dots)[:4])
    np.testing.assert_allclose(found.raised_by, dots[found.raised], rtol=1e-5)
    np.testing.assert_allclose(found.lowered_by, dots[found.lowered], rtol=1e-5)


@NORMS
@pytest.mark.parametrize("layer", [0, L - 1])
def test_entries_that_drive_a_unit_are_measured_one_by_one(norm, layer, monkeypatch):
    monkeypatch.setattr(units, "CHUNK", 8)  # so that the last chunk is smaller than top_k
    model, shares = tiny_model(norm=norm), []
    found = driving_entries(model, layer, 6, shares.append)
    alone = []
    for id in range(29):
        trace = Trace(fields=["mlp_hidden"])
        with torch.inference_mode():
            model(torch.tensor([[id]]), trace=trace)
        alone.append(trace.blocks[layer].mlp_hidden[0, 0].numpy())
    alone = np.stack(alone)  # (V, F)
    assert found.ids.shape == found.activations.shape == (WIDTH, 6)
    for unit in (0, 20, WIDTH - 1):
        wanted = np.sort(alone[:, unit])[::-1][:6]
        np.testing.assert_allclose(found.activations[unit], wanted, atol=1e-5)
        np.testing.assert_allclose(alone[found.ids[unit], unit], wanted, atol=1e-5)
    assert shares == pytest.approx([8 / 29, 16 / 29, 24 / 29, 1])


def test_what_progress_raises_ends_the_work():
    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driving_entries(tiny_model(), 0, 3, stop)


def test_the_activation_is_the_tanh_gelu():
    found = walk(tiny_model(), IDS, 1)
    wanted = F.gelu(torch.from_numpy(found.mlp_pre), approximate="tanh").numpy()
    np.testing.assert_allclose(found.mlp_hidden, wanted, atol=1e-6)
