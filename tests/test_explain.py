"""explain(): its arrays against direct computation from the model's logits and trace."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import N_CTX, H, L, tiny_model

import gpt1viz
from gpt1viz.errors import GPT1VizError
from gpt1viz.explain import explain
from gpt1viz.model import GPT1
from gpt1viz.tokenizer import Tokenizer
from gpt1viz.trace import BLOCK_FIELDS, MODEL_FIELDS, Edits, Trace

VOCABULARY = Path(gpt1viz.__file__).parent / "assets" / "storybook" / "tokenizer.json"
TEXT = "The fox and the rabbit said"
T = 6


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_json(VOCABULARY)


@pytest.fixture(scope="module")
def model(tokenizer) -> GPT1:
    return tiny_model(n_vocab=tokenizer.n_vocab)


@pytest.fixture(scope="module")
def log_p(model, tokenizer):
    """Log probabilities (T, V) in float64, special rows left out."""
    logits = model(torch.tensor([tokenizer.encode(TEXT)])).logits[0, :, : tokenizer.n_vocab]
    return logits.double().log_softmax(-1).numpy()


def test_tokens_are_those_of_the_text(model, tokenizer):
    seen = explain(model, tokenizer, TEXT)
    assert seen.ids.tolist() == tokenizer.encode(TEXT) == [piece.id for piece in seen.tokens]
    assert [TEXT[piece.start : piece.end] for piece in seen.tokens] == TEXT.split(" ")
    assert (seen.text, seen.n_typed) == (TEXT, T)
    assert seen.ids.dtype == np.int64


def test_numbers_describe_the_prediction_of_each_token(model, tokenizer, log_p):
    seen = explain(model, tokenizer, TEXT)
    for t in range(1, T):
        own, before = seen.ids[t], log_p[t - 1]
        assert seen.probability[t] == pytest.approx(np.exp(before[own]), rel=1e-4)
        assert seen.surprisal[t] == pytest.approx(-before[own] / np.log(2), rel=1e-5)
        assert seen.entropy[t] == pytest.approx(-(np.exp(before) * before).sum() / np.log(2), rel=1e-5)
        assert seen.rank[t] == (before > before[own]).sum() + 1
    for array in (seen.probability, seen.surprisal, seen.entropy):
        assert np.isnan(array[0])
        assert array.shape == (T,) and array.dtype == np.float32
    assert seen.rank[0] == 0
    assert seen.rank.dtype == np.int64


def test_the_most_probable_token_has_rank_1(model, tokenizer):
    first = explain(model, tokenizer, "the fox")
    word = tokenizer.entry(int(first.next_ids[-1, 0]))
    text = tokenizer.decode([*first.ids, first.next_ids[-1, 0]])
    seen = explain(model, tokenizer, text)
    assert seen.tokens[-1].entry == word, "choose a text whose next token is a word"
    assert seen.rank[-1] == 1
    assert seen.probability[-1] == pytest.approx(first.next_probability[-1, 0], rel=1e-4)


def test_next_tokens_follow_each_position(model, tokenizer, log_p):
    seen = explain(model, tokenizer, TEXT, top_k=7)
    assert seen.next_ids.shape == seen.next_probability.shape == (T, 7)
    order = np.argsort(-log_p, axis=-1)[:, :7]
    assert np.array_equal(seen.next_ids, order)
    assert np.allclose(seen.next_probability, np.exp(np.take_along_axis(log_p, order, -1)), rtol=1e-4)
    assert explain(model, tokenizer, TEXT, top_k=10**6).next_ids.shape == (T, tokenizer.n_vocab)


def test_special_rows_are_left_out(tokenizer):
    loud = tiny_model(n_vocab=tokenizer.n_vocab)
    loud.tokens_embed.weight[tokenizer.n_vocab :] *= 1000
    seen = explain(loud, tokenizer, TEXT)
    assert seen.logits.shape == (tokenizer.n_vocab,)
    assert seen.next_ids.max() < tokenizer.n_vocab
    logits = loud(torch.tensor([seen.ids.tolist()])).logits[0, -1, : tokenizer.n_vocab]
    assert np.allclose(seen.logits, logits, atol=1e-5)
    assert seen.next_probability[-1, 0] == pytest.approx(float(logits.softmax(-1).max()), rel=1e-4)


def test_the_trace_is_the_models_without_the_batch(model, tokenizer):
    everything = [*MODEL_FIELDS, *BLOCK_FIELDS]
    seen, trace = explain(model, tokenizer, TEXT, record=everything), Trace()
    model(torch.tensor([seen.ids.tolist()]), trace=trace)
    sizes = {"T": T, "S": T, "H": H, "D": 4, "C": 12, "F": 48, "V": tokenizer.n_vocab + 2}
    assert seen.trace.keys() == set(everything)
    for name, dims in (MODEL_FIELDS | BLOCK_FIELDS).items():
        shape = tuple(sizes[dim] for dim in dims.split() if dim != "B")
        wanted = getattr(trace, name) if name in MODEL_FIELDS else torch.stack([getattr(b, name) for b in trace.blocks])
        assert seen.field(name).shape == (shape if name in MODEL_FIELDS else (L, *shape)), name
        assert np.allclose(seen.field(name), wanted.reshape(seen.field(name).shape), atol=1e-5), name


def test_scores_can_be_derived(tokenizer):
    for scale_attn in (True, False):
        model = tiny_model(n_vocab=tokenizer.n_vocab, scale_attn=scale_attn)
        seen = explain(model, tokenizer, TEXT, record=["q", "k", "scores", "weights", "mask"])
        assert seen.scale == (0.5 if scale_attn else 1.0)
        for layer, head in ((0, 0), (3, 2), (5, 1)):
            assert np.allclose(seen.scores(layer, head), seen.field("scores")[layer, head], atol=1e-5)
            assert np.allclose(seen.products(layer, head) * seen.scale, seen.scores(layer, head), atol=1e-6)
        assert np.array_equal(seen.weights, seen.field("weights"))


def test_what_was_not_recorded_raises(model, tokenizer):
    seen = explain(model, tokenizer, TEXT, record=["mask"])
    for ask in (lambda: seen.weights, lambda: seen.field("heads"), lambda: seen.scores(0, 0)):
        with pytest.raises(GPT1VizError, match="was not recorded"):
            ask()
    with pytest.raises(GPT1VizError, match="no field 'attention'"):
        explain(model, tokenizer, TEXT, record=["attention"])


@pytest.mark.parametrize("record", [["weights", "mask"], ["weights"], []])
def test_causal_is_told_whatever_was_recorded(model, tokenizer, record):
    assert explain(model, tokenizer, TEXT, record=record).causal
    assert not explain(model, tokenizer, TEXT, record=record, edits=Edits(causal=False)).causal


def test_a_long_text_is_cut_and_says_how_long_it_was(model, tokenizer):
    long = " ".join([TEXT] * 4)
    seen = explain(model, tokenizer, long)
    assert seen.n_typed == 4 * T
    assert len(seen.tokens) == len(seen.ids) == len(seen.surprisal) == N_CTX
    assert seen.weights.shape == (L, H, N_CTX, N_CTX)
    assert seen.text == long
    short = explain(model, tokenizer, TEXT)
    assert np.allclose(seen.surprisal[1:T], short.surprisal[1:], rtol=1e-4)


def test_one_token(model, tokenizer):
    seen = explain(model, tokenizer, "fox")
    assert seen.weights.shape == (L, H, 1, 1)
    assert (seen.weights == 1).all()
    assert seen.surprisal.shape == (1,) and np.isnan(seen.surprisal).all()
    assert seen.next_ids.shape == (1, 10)
    assert seen.next_probability[0, 0] == pytest.approx(float(np.exp(seen.logits - logsumexp(seen.logits)).max()))


def logsumexp(x):
    return np.log(np.exp(x - x.max()).sum()) + x.max()


@pytest.mark.parametrize("text", ["", " \n "])
def test_nothing_typed_raises(model, tokenizer, text):
    with pytest.raises(GPT1VizError, match="Type a word"):
        explain(model, tokenizer, text)


def test_edits_change_the_pass(model, tokenizer):
    plain = explain(model, tokenizer, TEXT)
    edits = Edits(heads={(2, 1): 0.0})
    edited = explain(model, tokenizer, TEXT, edits=edits)
    wanted = model(torch.tensor([plain.ids.tolist()]), edits=edits).logits[0, -1, : tokenizer.n_vocab]
    assert np.allclose(edited.logits, wanted, atol=1e-5)
    assert not np.allclose(edited.logits, plain.logits, atol=1e-3)
    assert np.allclose(edited.weights[:3], plain.weights[:3], atol=1e-6)  # up to the layer itself nothing changes
    leaking = explain(model, tokenizer, TEXT, edits=Edits(causal=False))
    assert not leaking.causal
    assert (leaking.weights > 0).all()
    with pytest.raises(GPT1VizError, match="no L9"):
        explain(model, tokenizer, TEXT, edits=Edits(heads={(9, 0): 0.0}))


def test_arrays_are_the_explanations_own(model, tokenizer):
    """Writing into them changes neither the model nor the next explanation."""
    seen = explain(model, tokenizer, TEXT, record=["tokens", "positions", "weights"])
    again = explain(model, tokenizer, TEXT, record=["tokens", "positions", "weights"])
    seen.field("positions")[:] = 9.0
    seen.weights[:] = 9.0
    third = explain(model, tokenizer, TEXT, record=["tokens", "positions", "weights"])
    for name in ("positions", "weights"):
        assert np.array_equal(third.field(name), again.field(name))
