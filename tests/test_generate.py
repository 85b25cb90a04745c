"""Writing on: the cache, the sliding window, seeds, stops, the draw as each Step reports it."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tiny import N_CTX, close, tiny_model

import gpt1viz
from gpt1viz.errors import GPT1VizError
from gpt1viz.generate import generate
from gpt1viz.sampling import Sampling
from gpt1viz.tokenizer import Tokenizer
from gpt1viz.trace import Edits

VOCABULARY = Path(gpt1viz.__file__).parent / "assets" / "storybook" / "tokenizer.json"
PROMPT = "the fox and the rabbit"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_json(VOCABULARY)


@pytest.fixture(scope="module")
def model(tokenizer):
    return tiny_model(n_vocab=tokenizer.n_vocab)


def write(model, tokenizer, n=30, text=PROMPT, **settings):
    return list(generate(model, tokenizer, text, n, **settings))


def ids_of(steps):
    return [step.id for step in steps]


def test_cached_greedy_writing_equals_the_naive_loop(model, tokenizer):
    ids = tokenizer.encode(PROMPT)
    n = N_CTX - len(ids)
    steps = write(model, tokenizer, n, greedy=True)
    for step in steps:
        logits = model(torch.tensor([ids])).logits[0, -1, : tokenizer.n_vocab]
        assert close(step.logits, logits)
        ids.append(int(logits.argmax()))
        assert step.id == ids[-1]
        assert step.ids == tuple(ids)
        assert step.window_start == 0
        assert step.u is None
    assert len(steps) == n


@pytest.mark.parametrize("settings", [{"greedy": True}, {"seed": 5}])
def test_beyond_n_ctx_the_window_slides_and_says_so(model, tokenizer, settings):
    """Every step's logits are those of a fresh pass over the tokens that the step says it read."""
    ids = tokenizer.encode(PROMPT)
    starts = []
    for step in write(model, tokenizer, 40, **settings):
        read = step.ids[step.window_start : -1]
        assert 0 < len(read) <= N_CTX
        assert close(step.logits, model(torch.tensor([read])).logits[0, -1, : tokenizer.n_vocab])
        assert step.ids[:-1] == tuple(ids)
        ids.append(step.id)
        starts.append(step.window_start)
    assert starts[: N_CTX - 4] == [0] * (N_CTX - 4)  # 5 tokens of prompt: 6 steps fit, and the one that fills n_ctx
    assert starts == sorted(starts)
    slides = [b - a for a, b in pairwise(starts) if b > a]
    assert slides == [N_CTX // 4 + 1] * len(slides) and len(slides) > 5  # a quarter, and the one that did not fit


@pytest.mark.parametrize("n_typed", [N_CTX - 1, N_CTX, N_CTX + 1, 3 * N_CTX])
def test_of_a_long_prompt_the_end_is_read(model, tokenizer, n_typed):
    prompt = [100 + n for n in range(n_typed)]
    (step,) = generate(model, tokenizer, prompt, 1, greedy=True)
    assert step.window_start == max(0, n_typed - N_CTX)
    read = torch.tensor([prompt[step.window_start :]])
    assert close(step.logits, model(read).logits[0, -1, : tokenizer.n_vocab])


def test_text_and_its_ids_are_the_same_start(model, tokenizer):
    by_text = write(model, tokenizer, seed=1)
    by_ids = write(model, tokenizer, text=tokenizer.encode(PROMPT), seed=1)
    assert ids_of(by_text) == ids_of(by_ids)


def test_same_seed_same_text(model, tokenizer):
    assert ids_of(write(model, tokenizer, seed=7)) == ids_of(write(model, tokenizer, seed=7))
    assert ids_of(write(model, tokenizer, seed=7)) != ids_of(write(model, tokenizer, seed=8))
    assert ids_of(write(model, tokenizer)) != ids_of(write(model, tokenizer))


def test_the_seed_is_the_streams_own(model, tokenizer):
    """Neither torch's global generator nor another stream in between changes what is drawn."""
    alone = ids_of(write(model, tokenizer, 6, seed=7))
    found, other = [], generate(model, tokenizer, PROMPT, 6, seed=8)
    for step in generate(model, tokenizer, PROMPT, 6, seed=7):
        torch.manual_seed(0)
        next(other)
        found.append(step.id)
    assert found == alone


def test_a_step_tells_how_its_token_was_drawn(model, tokenizer):
    settings = {"temperature": 0.7, "top_k": 50, "top_p": 0.9}
    for step in write(model, tokenizer, 12, seed=3, **settings):
        assert step.sampling == Sampling(**settings)
        d = step.distribution()
        place = d.pick(step.u)
        assert int(d.ids[place]) == step.id
        start, end = d.slice(place)
        assert start <= step.u < end
        assert d.keep_p[place]
        assert step.logits.shape == (tokenizer.n_vocab,)
        assert step.logits.dtype == torch.float32
        assert torch.equal(d.logits, step.logits.double()[d.ids])
        other = step.distribution(Sampling(greedy=True))
        assert int(other.ids[other.pick(0.5)]) == int(step.logits.argmax())


def test_draws_follow_the_first_steps_distribution(tokenizer):
    """Chi-square of 500 streams' first tokens, at a bound that a right sampler passes in 999 of 1,000."""
    model = tiny_model(n_vocab=tokenizer.n_vocab, n_layer=1)
    n, settings = 500, {"temperature": 0.5, "top_k": 4}
    firsts = torch.tensor([next(generate(model, tokenizer, PROMPT, 1, seed=s, **settings)).id for s in range(n)])
    d = next(generate(model, tokenizer, PROMPT, 1, **settings)).distribution()
    counts = (firsts[:, None] == d.ids[:4]).sum(0)
    assert int(counts.sum()) == n
    expected = n * d.probabilities[:4]
    assert expected.min() > 5
    assert float(((counts - expected).square() / expected).sum()) < 16.27  # 3 degrees of freedom


def test_more_of_the_vocabulary_than_there_is_keeps_all(model, tokenizer):
    plain = write(model, tokenizer, 6, seed=2)
    for settings in ({"top_k": 10**6}, {"top_p": 1.0}):
        assert ids_of(write(model, tokenizer, 6, seed=2, **settings)) == ids_of(plain)


def test_top_k_1_and_a_tiny_temperature_are_greedy(model, tokenizer):
    greedy = ids_of(write(model, tokenizer, 12, greedy=True))
    for settings in ({"top_k": 1}, {"temperature": 1e-9}, {"top_p": 1e-9}):
        assert ids_of(write(model, tokenizer, 12, seed=1, **settings)) == greedy


def test_text_is_the_readable_text_so_far(model, tokenizer):
    prompt = tokenizer.encode("a well")
    assert tokenizer.decode(prompt) == "a well"
    for step in generate(model, tokenizer, prompt, 8, seed=1):
        assert step.text == tokenizer.decode(step.ids)
        assert step.text.startswith("a well")


def test_special_rows_are_never_written(model, tokenizer):
    """The rows of start and delimiter are scored by the model but are no text."""
    loud = tiny_model(n_vocab=tokenizer.n_vocab)
    loud.tokens_embed.weight[tokenizer.n_vocab :] *= 1000
    assert loud(torch.tensor([[5, 6]])).logits[0, -1].argmax() >= tokenizer.n_vocab
    for step in write(loud, tokenizer, 12, seed=1) + write(loud, tokenizer, 12, greedy=True):
        assert 0 <= step.id < tokenizer.n_vocab


def test_it_stops_after_a_stop_token(model, tokenizer):
    ids = ids_of(write(model, tokenizer, 30, seed=4))
    stop = ids[7]
    for token in (stop, tokenizer.entry(stop)):
        assert ids_of(write(model, tokenizer, 30, seed=4, stop=[token])) == ids[: ids.index(stop) + 1]


def test_a_newline_is_a_token_to_stop_at(tokenizer):
    newline = tokenizer.vocab["\n</w>"]
    model = tiny_model(n_vocab=tokenizer.n_vocab)
    hidden = model(torch.tensor([tokenizer.encode(PROMPT)])).hidden[0, -1]
    model.tokens_embed.weight[newline] = 100 * hidden  # now the most probable
    assert ids_of(write(model, tokenizer, 30, greedy=True, stop=["\n"])) == [newline]


def test_edits_act_at_every_step(model, tokenizer):
    edits = Edits(heads={(layer, 1): 0.0 for layer in range(6)})
    for step in write(model, tokenizer, 20, greedy=True, edits=edits):
        read = torch.tensor([step.ids[step.window_start : -1]])
        assert close(step.logits, model(read, edits=edits).logits[0, -1, : tokenizer.n_vocab])
        assert not close(step.logits, model(read).logits[0, -1, : tokenizer.n_vocab], 1e-3)


def test_nothing_is_computed_that_is_not_asked_for(model, tokenizer):
    assert write(model, tokenizer, 0) == []
    stream = generate(model, tokenizer, PROMPT, 1000, seed=1)
    assert len([next(stream) for _ in range(3)]) == 3
    stream.close()


def test_logits_are_free_of_gradients(tokenizer):
    model = tiny_model(n_vocab=tokenizer.n_vocab).requires_grad_(True)
    (step,) = generate(model, tokenizer, PROMPT, 1)
    assert not step.logits.requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"text": ""}, "Type a word"),
        ({"text": " \n \t "}, "Type a word"),
        ({"text": []}, "Type a word"),
        ({"temperature": 0}, "temperature"),
        ({"top_k": 0}, "top-k"),
        ({"top_p": 2}, "top-p"),
        ({"stop": ["nosuchentry"]}, "nosuchentry"),
        ({"stop": [-1]}, "-1"),
        ({"stop": [10**6]}, "1000000"),
        ({"edits": Edits(heads={(9, 0): 0.0})}, "L9"),
        ({"edits": Edits(attention={(0, 0): torch.eye(5)})}, "cache"),
        ({"edits": Edits(residual={(0, 0): torch.zeros(12)})}, "cache"),
    ],
)
def test_what_cannot_be_done_raises_at_once(model, tokenizer, wrong, named):
    """When `generate` is called, not when the first token is asked for."""
    with pytest.raises(GPT1VizError, match=named):
        generate(model, tokenizer, **({"text": PROMPT} | wrong))
