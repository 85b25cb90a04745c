"""The model: one attention written in two ways, one pass taken on three paths, edits, switches, dropout, losses."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from tiny import CONFIG, N_CTX, T, close, random, random_ids, tiny_model

from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError
from gpt1viz.generate import Cache
from gpt1viz.model import GPT1, attend, causal_mask, lm_loss, sinusoids
from gpt1viz.trace import BLOCK_FIELDS, BlockTrace, Edits, Trace

# attend


@pytest.mark.parametrize(("n_queries", "n_keys"), [(5, 5), (5, 8), (1, 8), (1, 1)])
@pytest.mark.parametrize("scale", [None, 1.0])
def test_the_fused_kernel_and_the_equation_agree(n_queries, n_keys, scale):
    q, k, v = random(2, 3, n_queries, 4, seed=1), random(2, 3, n_keys, 4, seed=2), random(2, 3, n_keys, 4, seed=3)
    mask, record = causal_mask(n_queries, n_keys), BlockTrace(frozenset({"weights"}))
    written_out = attend(q, k, v, mask, scale=scale, record=record)
    hidden = torch.where(mask, 0.0, -torch.inf)
    weights = (q @ k.transpose(2, 3) * (scale or 0.5) + hidden).softmax(-1)
    assert close(record.weights, weights)
    assert close(written_out, weights @ v)
    assert close(attend(q, k, v, mask, scale=scale), written_out)
    if n_queries == n_keys:
        assert close(attend(q, k, v, mask, scale=scale, is_causal=True), written_out)


def test_attention_without_a_mask_sees_everything():
    q, k, v = (random(2, 3, 5, 4, seed=s) for s in range(3))
    record = BlockTrace(frozenset({"weights"}))
    assert close(attend(q, k, v), attend(q, k, v, record=record))
    assert (record.weights > 0).all()


def test_the_last_query_sits_at_the_last_key():
    expected = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert torch.equal(causal_mask(3, 5), torch.tensor(expected, dtype=torch.bool))


@pytest.mark.parametrize("hidden", [-1e4, -torch.inf])
def test_what_the_mask_puts_in_does_not_matter_in_float32(hidden):
    """-1e9 (2018), -1e4 (Hugging Face) and minus infinity give the same weights, bit for bit."""
    trace = Trace(fields=["scores", "mask", "weights"])
    tiny_model()(random_ids(), trace=trace)
    for block in trace.blocks:
        assert torch.equal(block.scores.masked_fill(~trace.mask, hidden).softmax(-1), block.weights)


# paths


@pytest.mark.parametrize(
    "switch", [{}, {"norm": "pre"}, {"positions": "sinusoidal"}, {"scale_attn": False}, {"causal": False}]
)
def test_fast_and_traced_paths_agree(switch):
    model, trace = tiny_model(**switch), Trace()
    fast, slow = model(random_ids()), model(random_ids(), trace=trace)
    assert close(slow.logits, fast.logits)
    assert close(slow.hidden, fast.hidden)
    assert torch.equal(trace.logits, slow.logits)
    assert torch.equal(trace.hidden, slow.hidden)


@pytest.mark.parametrize("pieces", [(1,) * 9, (4, 5), (8, 1), (2, 3, 4)])
@pytest.mark.parametrize("switch", [{}, {"norm": "pre"}, {"positions": "sinusoidal"}, {"positions": "none"}])
@pytest.mark.parametrize("record", [False, True])
def test_a_cache_gives_what_one_pass_gives(pieces, switch, record):
    model, ids, cache = tiny_model(**switch), random_ids(2, 9), Cache(CONFIG, batch=2)
    outputs = [model(part, cache=cache, trace=Trace() if record else None) for part in ids.split(pieces, dim=1)]
    assert cache.length == 9
    assert close(torch.cat([o.logits for o in outputs], dim=1), model(ids).logits)
    assert close(torch.cat([o.hidden for o in outputs], dim=1), model(ids).hidden)


def test_a_full_cache_and_a_long_text_raise():
    model, cache = tiny_model(), Cache(CONFIG, batch=2)
    model(random_ids(2, N_CTX), cache=cache)
    with pytest.raises(GPT1VizError, match="12 tokens are too many: this model reads 11"):
        model(random_ids(2, 1), cache=cache)
    with pytest.raises(GPT1VizError, match="12 tokens"):
        model(random_ids(2, N_CTX + 1))
    with pytest.raises(GPT1VizError, match="Type a word"):
        model(random_ids(2, 0))


def test_threads_that_share_a_model_get_exactly_what_one_gets():
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    texts = [random_ids(1, 3 + n % 8, seed=n) for n in range(64)]

    def trace_of(ids):
        trace = Trace()
        with torch.inference_mode():
            model(ids, trace=trace)
        blocks = [getattr(block, name) for block in trace.blocks for name in BLOCK_FIELDS]
        return [trace.embed, trace.hidden, trace.logits, *blocks]

    alone = [trace_of(ids) for ids in texts]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(trace_of, texts * 3))
    for n, tensors in enumerate(together):
        assert all(torch.equal(a, b) for a, b in zip(tensors, alone[n % 64], strict=True))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_pass_leaves_nothing_on_the_model():
    model = tiny_model()

    def state():
        return [(name, sorted(vars(module)), len(module._forward_hooks)) for name, module in model.named_modules()]

    before = state()
    model(random_ids(), trace=Trace(), edits=Edits(heads={(1, 1): 0.0}, causal=False), cache=Cache(CONFIG, batch=2))
    assert state() == before


def test_examples_of_a_batch_do_not_meet():
    model, ids = tiny_model(), random_ids()
    assert close(model(ids[1:]).logits, model(ids).logits[1:])


# what a position sees


def test_later_words_change_nothing_before_them_bit_for_bit():
    model, ids = tiny_model(), random_ids()
    changed = ids.clone()
    changed[:, 3:] = (ids[:, 3:] + 1) % CONFIG.n_rows
    for trace in (None, Trace):
        one, other = (model(x, trace=trace and trace()) for x in (ids, changed))
        assert torch.equal(one.hidden[:, :3], other.hidden[:, :3])
        assert torch.equal(one.logits[:, :3], other.logits[:, :3])
        assert ((one.logits[:, 3:] - other.logits[:, 3:]).abs().amax(-1) > 1e-3).all()


def test_without_the_mask_later_words_leak_into_earlier_predictions():
    ids = random_ids()
    changed = ids.clone()
    changed[:, -1] = (ids[:, -1] + 1) % CONFIG.n_rows
    lifted = Edits(causal=False)
    model = tiny_model()
    leak = model(ids, edits=lifted).logits - model(changed, edits=lifted).logits
    assert (leak[:, :-1].abs().amax(-1) > 1e-3).all()
    assert close(model(ids, edits=lifted).logits, tiny_model(causal=False)(ids).logits)
    assert close(tiny_model(causal=False)(ids, edits=Edits(causal=True)).logits, model(ids).logits)
    trace = Trace()
    model(ids, edits=lifted, trace=trace)
    assert trace.mask is None
    assert (trace.blocks[0].weights > 0).all()


def test_padding_on_the_right_changes_nothing():
    model, ids = tiny_model(), random_ids()
    padded = F.pad(ids, (0, 4), value=7)
    assert close(model(padded).logits[:, :T], model(ids).logits)
    mask = F.pad(torch.ones_like(ids), (0, 4))
    assert close(lm_loss(model(padded).logits, padded, mask), lm_loss(model(ids).logits, ids))


# teaching switches


@pytest.mark.parametrize(
    "switch",
    [
        {"norm": "pre"},
        {"afn": "relu"},
        {"afn": "silu"},
        {"positions": "sinusoidal"},
        {"positions": "none"},
        {"causal": False},
        {"scale_attn": False},
    ],
)
def test_each_switch_changes_the_output_and_only_by_itself(switch):
    """The same weights under another switch: what the switch adds or leaves out is all that differs."""
    model, other = tiny_model(), GPT1(GPT1Config(**(CONFIG.to_dict() | switch))).eval()
    result = other.load_state_dict(model.state_dict(), strict=False)
    assert set(result.missing_keys) <= {"ln_f.weight", "ln_f.bias"}
    assert set(result.unexpected_keys) <= {"positions_embed.weight"}
    assert not close(other(random_ids()).logits, model(random_ids()).logits, 1e-3)


@pytest.mark.parametrize(("afn", "at_minus_1"), [("gelu", -0.158808), ("relu", 0.0), ("silu", -0.268941)])
def test_activations(afn, at_minus_1):
    act = tiny_model(afn=afn).h[0].mlp.act
    assert float(act(torch.tensor(-1.0))) == pytest.approx(at_minus_1, abs=1e-6)
    assert float(act(torch.tensor(20.0))) == pytest.approx(20.0)


@pytest.mark.parametrize("n_embd", [12, 7])
def test_sinusoids_follow_the_2017_formula(n_embd):
    table = sinusoids(N_CTX, n_embd)
    assert table.shape == (N_CTX, n_embd)
    for position in range(N_CTX):
        for channel in range(n_embd):
            angle = position / 10000 ** (2 * (channel // 2) / n_embd)
            wanted = math.cos(angle) if channel % 2 else math.sin(angle)
            assert float(table[position, channel]) == pytest.approx(wanted, abs=1e-5)


def test_positions_none_reads_a_bag_of_earlier_words():
    """Without positions the last token cannot tell in which order the others came; with them it can."""
    ids, swapped = torch.tensor([[3, 8, 5]]), torch.tensor([[8, 3, 5]])
    for positions in ("none", "learned"):
        model = tiny_model(positions=positions, n_layer=1)
        same = close(model(ids).logits[:, -1], model(swapped).logits[:, -1], 1e-4)
        assert same == (positions == "none")


def test_weights_start_as_the_paper_says():
    torch.manual_seed(0)
    model = GPT1(GPT1Config(n_vocab=997, n_ctx=100, n_embd=96, n_layer=1, n_head=4))
    for name, parameter in model.requires_grad_(False).named_parameters():
        if parameter.ndim == 2:
            assert float(parameter.std()) == pytest.approx(0.02, rel=0.05), name
            assert abs(float(parameter.mean())) < 1e-3, name
        else:
            assert (parameter == (1 if name.endswith("ln_1.weight") or name.endswith("ln_2.weight") else 0)).all(), name


# dropout


def test_eval_mode_draws_nothing():
    model = tiny_model()
    assert torch.equal(model(random_ids()).logits, model(random_ids()).logits)


def only(**dropout: float) -> GPT1:
    rates = {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
    return tiny_model(**(rates | dropout)).train()


@pytest.mark.parametrize("name", ["embd_pdrop", "attn_pdrop", "resid_pdrop"])
@pytest.mark.parametrize("record", [False, True])
def test_each_dropout_acts_in_training_only(name, record):
    def run(model):
        return model(random_ids(), trace=Trace() if record else None).logits

    torch.manual_seed(0)
    model = only(**{name: 0.5})
    assert not close(run(model), run(model), 1e-3)
    assert torch.equal(run(model.eval()), run(model.eval()))
    assert close(run(only()), run(model.eval()))


def test_embedding_dropout_falls_on_the_matrix_that_input_and_head_share():
    """As in 2018: an entry that is dropped is dropped where the token is read and where it is scored."""
    torch.manual_seed(0)
    model, trace, ids = only(embd_pdrop=0.5), Trace(), torch.tensor([[4, 9, 4, 4]])
    hidden = model(ids, trace=trace).hidden[0]
    assert torch.equal(trace.tokens[0, 0], trace.tokens[0, 2])  # one mask for the matrix, not one for each place
    seen = trace.tokens[0, 0] != 0
    assert 0 < seen.sum() < 12
    assert torch.allclose(trace.tokens[0, 0][seen], 2 * model.tokens_embed.weight[4][seen])
    assert torch.allclose(trace.logits[0, :, 4], hidden @ trace.tokens[0, 0], atol=1e-5)
    assert torch.allclose(trace.logits[0, :, 9], hidden @ trace.tokens[0, 1], atol=1e-5)


def test_positions_are_dropped_with_the_joint_matrix():
    torch.manual_seed(0)
    model, trace = only(embd_pdrop=0.5), Trace()
    hidden, logits = model(random_ids(), trace=trace, joint_softmax=True).hidden, trace.logits
    seen = trace.positions != 0
    assert 0 < seen.sum() < T * 12
    assert torch.allclose(trace.positions[seen], 2 * model.positions_embed.weight[:T][seen])
    assert close(logits[..., CONFIG.n_rows : CONFIG.n_rows + T], hidden @ trace.positions.T)


def test_residual_dropout_falls_on_what_each_sub_layer_adds():
    torch.manual_seed(0)
    trace = Trace()
    only(resid_pdrop=0.5)(random_ids(), trace=trace)
    block = trace.blocks[0]
    for before, added, after in (
        (block.resid_in, block.attn_out, block.resid_mid),
        (block.ln_1, block.mlp_out, block.resid_out),
    ):
        dropped = after == before
        assert 0.3 < dropped.float().mean() < 0.7
        assert torch.allclose(after, before + torch.where(dropped, 0.0, 2 * added), atol=1e-6)


def test_attention_dropout_keeps_the_recorded_weights_whole():
    torch.manual_seed(0)
    trace = Trace()
    only(attn_pdrop=0.5)(random_ids(), trace=trace)
    assert (trace.blocks[0].weights.sum(-1) - 1).abs().max() < 1e-6
    assert not close(trace.blocks[0].heads, trace.blocks[0].weights @ trace.blocks[0].v, 1e-3)
