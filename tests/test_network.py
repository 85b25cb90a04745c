"""The real 117M weights, from OpenAI's repository and from the Hugging Face hub. Left out unless GPT1VIZ_NETWORK=1."""

import pytest
import torch

from gpt1viz import download, generate, load

PROMPT = [481, 4735, 544]  # "the president is"
CONTINUATION = [246, 963, 870, 762, 239, 244, 40477, 244, 249, 719, 881, 487, 544, 240, 244, 603, 481]


@pytest.mark.network
@pytest.mark.parametrize("what", ["openai-gpt", "hf:openai-community/openai-gpt"])
def test_the_released_weights_go_on_as_published(what):
    """The greedy continuation that Hugging Face's own tests pin for these weights."""
    model, tokenizer, info, _ = load(what)
    assert info.n_params == 116_534_784 and model.tokens_embed.weight.isfinite().all()
    assert tokenizer.encode("the president is") == PROMPT
    *_, last = generate(model, tokenizer, "the president is", n_tokens=len(CONTINUATION), greedy=True)
    assert list(last.ids) == PROMPT + CONTINUATION


@pytest.mark.network
def test_both_sources_hold_the_same_weights():
    ours, theirs = load("openai-gpt"), load("hf:openai-community/openai-gpt")
    assert ours.info.commit == download.COMMIT and theirs.info.commit
    for (name, mine), other in zip(ours.model.named_parameters(), theirs.model.parameters(), strict=True):
        assert torch.equal(mine, other), name
    assert ours.tokenizer.vocab == theirs.tokenizer.vocab and ours.tokenizer.merges == theirs.tokenizer.merges
