"""Attribution and contrast against direct computations: gradients of a pass through Edits, sums that are complete."""

import copy

import numpy as np
import pytest
import torch
from test_patching import SWITCHES, TARGETS, logits, number
from tiny import random_ids, tiny_model

from gpt1viz.analysis.attribution import baseline_vector, gradient_x_input, integrated_gradients
from gpt1viz.analysis.contrast import contrast
from gpt1viz.analysis.target import Target
from gpt1viz.errors import GPT1VizError
from gpt1viz.trace import Edits, Trace

T = 7
IDS = random_ids(T, seed=1, high=29).numpy()
BASELINES = ["zero", "mean", 3]


def rows_and_positions(model):
    tokens, positions = model.embedding_matrices()
    return tokens[torch.from_numpy(IDS)], positions[:T]


def with_tokens(model, rows):
    """The next token's logits with these token vectors (T, C), through the model's own forward and its edits."""
    positions = rows_and_positions(model)[1]
    edits = Edits(residual={(0, t): rows[t] + positions[t] for t in range(T)})
    return model(torch.from_numpy(IDS)[None], edits=edits).logits[0, -1, : model.config.n_vocab]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_gradient_times_input_is_that_of_a_pass_with_the_tokens_put_in(switches, target):
    model = tiny_model(**switches)
    rows = rows_and_positions(model)[0].requires_grad_()
    value = with_tokens(model, rows)
    value = value[target.token] - value.logsumexp(0) if target.kind == "log_probability" else target.of(value)
    [gradient] = torch.autograd.grad(value, rows)
    for baseline in BASELINES:
        start = baseline_vector(model, baseline)
        found = gradient_x_input(model, IDS, target, baseline)
        wanted = (gradient * (rows - start)).sum(-1).detach().numpy()
        np.testing.assert_allclose(found.scores, wanted, atol=1e-5 * np.abs(wanted).max())
        assert found.value == pytest.approx(number(target, logits(model, IDS)), abs=1e-5)
        at_start = with_tokens(model, start.expand(T, -1))
        assert found.baseline == pytest.approx(number(target, at_start), abs=1e-5)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_integrated_gradients_are_complete(switches, target, baseline):
    model = tiny_model(**switches)
    found = integrated_gradients(model, IDS, target, baseline)
    assert found.scores.shape == (T,)
    assert abs(found.scores.sum() - (found.value - found.baseline)) <= 0.01 * abs(found.value - found.baseline)
    assert found.error == pytest.approx(found.total - found.difference)
    assert found.value == pytest.approx(number(target, logits(model, IDS)), abs=1e-5)
    at_start = with_tokens(model, baseline_vector(model, baseline).expand(T, -1))
    assert found.baseline == pytest.approx(number(target, at_start), abs=1e-5)


def test_integrated_gradients_are_the_mean_gradient_along_the_way():
    model, target, n = tiny_model(), TARGETS[2], 200
    rows, start = rows_and_positions(model)[0], baseline_vector(model, "mean")
    total = torch.zeros(T, dtype=torch.float64)
    for i in range(n):  # the midpoint rule, point by point
        point = (start + (i + 0.5) / n * (rows - start)).requires_grad_()
        [gradient] = torch.autograd.grad(target.of(with_tokens(model, point)), point)
        total += (gradient * (rows - start)).sum(-1).double() / n
    found = integrated_gradients(model, IDS, target, "mean", tolerance=1e-3)
    np.testing.assert_allclose(found.scores, total, atol=2e-3 * total.abs().max())


def test_a_token_that_is_its_own_baseline_gets_nothing():
    found = integrated_gradients(tiny_model(), IDS, TARGETS[0], int(IDS[2]))
    assert (found.scores[IDS[2] == IDS] == 0).all() and np.abs(found.scores).max() > 1e-3


def test_a_text_that_is_its_baseline_differs_by_nothing():
    found = integrated_gradients(tiny_model(), np.full(T, 3), TARGETS[0], 3)
    assert (found.scores == 0).all() and found.difference == pytest.approx(0, abs=1e-6)


def test_progress_rises_and_may_end_the_work():
    told = []
    found = integrated_gradients(tiny_model(), IDS, TARGETS[0], tolerance=1e-3, progress=told.append)
    assert told and all(0 < share <= 1 for share in told) and found.n_points >= 3 * len(told)

    def enough(share):
        raise InterruptedError(share)

    with pytest.raises(InterruptedError):
        integrated_gradients(tiny_model(), IDS, TARGETS[0], progress=enough)


def test_small_batches_give_the_same(monkeypatch):
    whole = integrated_gradients(tiny_model(), IDS, TARGETS[2])
    monkeypatch.setattr("gpt1viz.analysis.attribution.ROWS", 1)
    found = integrated_gradients(tiny_model(), IDS, TARGETS[2])
    assert np.abs(found.scores - whole.scores).max() <= 0.02 * np.abs(whole.scores).max()
    assert abs(found.error) <= 0.01 * abs(found.difference)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_model_is_left_as_it_is_and_without_gradients(frozen):
    model = tiny_model().requires_grad_(not frozen)
    before = copy.deepcopy(model.state_dict())
    with torch.inference_mode():
        gradient_x_input(model, IDS, TARGETS[0])
        integrated_gradients(model, IDS, TARGETS[0], "mean")
    contrast(model, IDS, 4, 9)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad is not frozen for p in model.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "ids, baseline, code",
    [
        (IDS, "nothing", "attribution_baseline"),
        (IDS, 29, "tokenizer_id"),
        (IDS[:0], "zero", "no_tokens"),
        (np.zeros(12, int), "zero", "too_long"),
    ],
)
@pytest.mark.parametrize("method", [gradient_x_input, integrated_gradients])
def test_what_does_not_fit_is_refused(method, ids, baseline, code):
    with pytest.raises(GPT1VizError) as caught:
        method(tiny_model(), ids, TARGETS[0], baseline)
    assert caught.value.code == code


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_contributions_add_up_to_the_difference(switches):
    model = tiny_model(**switches)
    found = contrast(model, IDS, 4, 9)
    assert found.difference == pytest.approx(number(TARGETS[2], logits(model, IDS)), abs=1e-5)
    assert found.total == pytest.approx(found.difference, abs=2e-5)
    np.testing.assert_allclose(found.sources.sum(-1), found.heads)
    assert np.abs(found.heads).max() > 1e-3 and np.abs(found.mlps).max() > 1e-3
    assert (found.norms == 0).all() == (model.config.norm == "pre") == (found.final != 0)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_each_contribution_is_its_part_sent_through_frozen_layer_norms(switches):
    """Forward instead of backward: one component alone goes through every LayerNorm with this pass's deviation."""
    model, trace = tiny_model(**switches), Trace()
    with torch.inference_mode():
        model(torch.from_numpy(IDS)[None], trace=trace)
    post, d_head = model.config.norm == "post", model.config.d_head
    rows = model.tokens_embed.weight.double()

    def frozen(norm, y, part):
        s = (y[0, -1].double().var(correction=0) + 1e-5).sqrt()
        return norm.weight.double() * (part - part.mean()) / s

    def onward(part, layer, after_attention):
        """What a part of the stream of block `layer` becomes at the output."""
        for at in range(layer, model.config.n_layer):
            block, recorded = model.h[at], trace.blocks[at]
            if post and (at > layer or after_attention):
                part = frozen(block.ln_1, recorded.resid_mid, part)
            if post:
                part = frozen(block.ln_2, recorded.resid_out, part)
        part = part if post else frozen(model.ln_f, trace.blocks[-1].resid_out, part)
        return float(part @ (rows[4] - rows[9]))

    found = contrast(model, IDS, 4, 9)
    near = {"abs": 1e-5, "rel": 1e-5}
    assert found.token == pytest.approx(onward(trace.tokens[0, -1].double(), 0, True), **near)
    assert found.position == pytest.approx(onward(trace.positions[-1].double(), 0, True), **near)
    for layer, (block, recorded) in enumerate(zip(model.h, trace.blocks, strict=True)):
        for head in range(model.config.n_head):
            of_head = slice(head * d_head, (head + 1) * d_head)
            projection = block.attn.c_proj.weight[:, of_head].double()
            part = projection @ recorded.heads[0, head, -1].double()
            assert found.heads[layer, head] == pytest.approx(onward(part, layer, True), **near)
            part = projection @ (recorded.weights[0, head, -1, 2] * recorded.v[0, head, 2]).double()
            assert found.sources[layer, head, 2] == pytest.approx(onward(part, layer, True), **near)
        bias = block.mlp.c_proj.bias.double()
        part = recorded.mlp_out[0, -1].double() - bias
        assert found.mlps[layer] == pytest.approx(onward(part, layer, False), **near)
        assert found.biases[layer, 1] == pytest.approx(onward(bias, layer, False), **near)
        assert found.biases[layer, 0] == pytest.approx(onward(block.attn.c_proj.bias.double(), layer, True), **near)
        if post:
            shift = block.ln_1.bias.double()
            assert found.norms[layer, 0] == pytest.approx(onward(shift, layer, False), **near)


def test_turned_around_the_contributions_change_their_sign():
    there, back = contrast(tiny_model(), IDS, 4, 9), contrast(tiny_model(), IDS, 9, 4)
    np.testing.assert_allclose(there.heads, -back.heads)
    assert there.total == pytest.approx(-back.total)


def test_tokens_that_are_not_there_cannot_be_contrasted():
    with pytest.raises(GPT1VizError) as caught:
        contrast(tiny_model(), IDS, 4, 29)
    assert caught.value.code == "tokenizer_id"
    assert Target("difference", 4, 28).check(29) is None
