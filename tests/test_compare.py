"""Two readings side by side, against what can be worked out by hand."""

import numpy as np

import gpt1viz
from gpt1viz.analysis.compare import (
    bits_a_character,
    common_stretch,
    counterparts,
    shared,
    surprisal_difference,
    weights_difference,
)
from gpt1viz.explain import explain
from gpt1viz.tokenizer import Tokenizer


def test_shared_tokens_are_found_around_what_differs():
    a, b = ["the", "old", "fox", "ran"], ["the", "fox", "ran", "and", "ran"]
    pairs = shared(a, b)
    assert pairs.tolist() == [[0, 0], [2, 1], [3, 2]]
    assert counterparts(pairs, 4, 5).tolist() == [0, 0, 1, 4]  # "old" by "the"; the last by the last
    assert shared(a, ["hen"]).shape == (0, 2) and counterparts(shared(a, ["hen"]), 4, 1).tolist() == [0] * 4
    same = shared(a, a)
    assert same.tolist() == [[i, i] for i in range(4)] and counterparts(same, 4, 4).tolist() == [0, 1, 2, 3]


def test_differences_are_b_minus_a():
    pairs = np.array([[0, 0], [2, 1]])
    a, b = np.array([np.nan, 3.0, 5.0]), np.array([np.nan, 1.5])
    assert np.array_equal(surprisal_difference(a, b, pairs), [np.nan, -3.5], equal_nan=True)
    weights_a, weights_b = np.arange(9.0).reshape(3, 3), np.full((2, 2), 10.0)
    assert weights_difference(weights_a, weights_b, pairs).tolist() == [[10, 8], [4, 2]]


def test_two_vocabularies_are_compared_on_the_characters_both_cut_out():
    """Two models of the same text: the bits of a stretch do not depend on how many tokens it is cut into."""
    ends_a, ends_b = [4, 8, 12], [2, 4, 6, 8, 12, 15]
    assert common_stretch(ends_a, ends_b) == (4, 12)
    assert common_stretch([3], [3, 5]) is None and common_stretch([3, 4], [5]) is None
    bits = np.array([np.nan, 2.0, 6.0])
    assert bits_a_character(ends_a, bits, 4, 12) == 1.0
    assert bits_a_character(ends_b, np.array([np.nan, 9, 1, 1, 6, 7]), 4, 12) == 1.0


def test_a_uniform_guess_costs_the_logarithm_of_the_vocabulary():
    text = "the fox and the hen ran to the den"
    tokenizer = Tokenizer.train([text], 29)
    model = gpt1viz.GPT1(gpt1viz.GPT1Config(n_vocab=tokenizer.n_vocab, n_ctx=32, n_embd=12, n_layer=1, n_head=1))
    model.tokens_embed.weight.data.zero_()  # every logit is 0
    found = explain(model.eval().requires_grad_(False), tokenizer, text)
    ends = [piece.end for piece in found.tokens]
    start, end = common_stretch(ends, ends)
    n_bits = (len(ends) - 1) * np.log2(tokenizer.n_vocab)
    assert np.isclose(bits_a_character(ends, found.surprisal, start, end), n_bits / (len(text) - ends[0]), rtol=1e-5)
