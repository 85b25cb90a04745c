"""BERT-style splitting against Hugging Face's own tokenizer, and the comparison with ours."""

from itertools import pairwise

import pytest

import gpt1viz
from gpt1viz.other_splitter import compare, other_pieces

TEXTS = [
    "it isn't so.",
    "The café's “naïve” Don't-know\nline two\n\n\nline three...",
    "从前有一只 fox 🦊 !!! ??",
    "a-b/c & <b>bold</b> U.S.A. 3.14% e.g. I'm",
    "&amp; &lt; ﬁne ﬂour … — ´",
    "",
    "   ",
    "x" * 300,
]


@pytest.fixture(scope="module")
def tokenizer():
    return gpt1viz.load("storybook").tokenizer


@pytest.mark.parametrize("text", TEXTS)
def test_the_ids_are_hugging_faces(text, tokenizer):
    from transformers.models.openai.tokenization_openai import OpenAIGPTTokenizer

    theirs = OpenAIGPTTokenizer(vocab=tokenizer.vocab, merges=list(tokenizer.merges))
    assert [piece.id for piece in other_pieces(tokenizer, text)] == theirs(text)["input_ids"]


def test_the_negation_is_torn(tokenizer):
    assert [piece.entry for piece in tokenizer.tokenize("isn't")] == ["is</w>", "n't</w>"]
    assert [piece.entry for piece in other_pieces(tokenizer, "isn't")] == ["is", "n</w>", "'</w>", "t</w>"]
    assert [stretch.same for stretch in compare(tokenizer, "isn't")] == [False, False]  # "is" inside a word is another


@pytest.mark.parametrize("text", TEXTS)
def test_a_comparison_leaves_nothing_out(text, tokenizer):
    stretches = compare(tokenizer, text)
    assert [p for s in stretches for p in s.ours] == tokenizer.tokenize(text)
    assert [p for s in stretches for p in s.theirs] == other_pieces(tokenizer, text)
    for before, after in pairwise(stretches):
        pieces = [*before.ours, *before.theirs], [*after.ours, *after.theirs]
        assert max(p.end for p in pieces[0]) <= min(p.start for p in pieces[1])


def test_where_both_agree_is_told_from_where_they_differ(tokenizer):
    stretches = compare(tokenizer, "the fox isn't\nhere")
    kinds = ["".join(p.text for p in s.ours) for s in stretches if not s.same]
    assert kinds == ["is", "n't", "\n"] and all(len(s.ours) == len(s.theirs) for s in stretches if s.same)
