"""The same random weights here and in Hugging Face's port: the same attentions, hidden states and logits, both ways.

Weights are larger than at the start of training, so that attention is far from uniform and a wrong mask, transpose or
order of q, k, v shows.
"""

import json

import pytest
import stores
import torch
from tiny import tiny_model

from gpt1viz import GPT1, Trace, checkpoints, formats, load, save

transformers = pytest.importorskip("transformers")

ATTENTIONS = 1e-5  # absolute
STATES = 1e-4  # of the largest magnitude


def port(path):
    return transformers.OpenAIGPTLMHeadModel.from_pretrained(path, dtype=torch.float32).eval()


@torch.inference_mode()
def differences(ours: GPT1, theirs, n_vocab: int, n_tokens: int) -> dict[str, float]:
    """Largest differences: of attentions as they are, of hidden states and logits against their largest magnitude."""
    ids = torch.randint(n_vocab, (2, n_tokens))
    trace = Trace(fields=("embed", "weights", "out", "logits"))
    ours(ids, trace=trace)
    found = theirs(ids, output_attentions=True, output_hidden_states=True)

    def scaled(mine, other) -> float:
        return float((mine - other).abs().max() / other.abs().max())

    states = [trace.embed, *(block.out for block in trace.blocks)]
    weights = [block.weights for block in trace.blocks]
    assert max(float(w[:, :, 3:].max()) for w in weights) > 0.4  # at most 0.25 were attention uniform
    return {
        "attentions": max(float((w - a).abs().max()) for w, a in zip(weights, found.attentions, strict=True)),
        "hidden": max(scaled(s, h) for s, h in zip(states, found.hidden_states, strict=True)),
        "logits": scaled(trace.logits, found.logits),
        "fast logits": scaled(ours(ids).logits, found.logits),
    }


def agree(found: dict[str, float], attentions: float = ATTENTIONS) -> None:
    assert found.pop("attentions") <= attentions
    assert all(value <= STATES for value in found.values()), found


@pytest.mark.parametrize("afn", ["gelu", "relu", "silu"])
def test_an_exported_model_is_the_same_there_and_when_it_comes_back(afn, tmp_path):
    model = tiny_model(n_special=3, n_embd=24, afn=afn)
    save(model, tmp_path / "ours", stores.tokenizer())
    loaded = load(tmp_path / "ours")
    checkpoints.export(loaded, tmp_path / "theirs")
    theirs = port(tmp_path / "theirs")
    assert theirs.config.vocab_size == model.config.n_rows == 32
    agree(differences(model, theirs, n_vocab=32, n_tokens=7))
    back = load(tmp_path / "theirs")
    assert back.model.config == model.config
    assert all(torch.equal(p, q) for p, q in zip(back.model.parameters(), model.parameters(), strict=True))
    assert back.tokenizer.encode(stores.TEXT) == stores.tokenizer().encode(stores.TEXT)


def test_the_port_loads_the_bundled_checkpoint():
    loaded = load("storybook")
    found = differences(loaded.model, port(checkpoints.BUNDLED), n_vocab=4096, n_tokens=64)
    agree(found, attentions=1e-4)  # on noise its scores reach 160, of which float32 keeps seven digits


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_what_the_port_saves_is_the_same_here(prefix, tmp_path):
    config = transformers.OpenAIGPTConfig(**stores.port_config(stores.model()))
    theirs = transformers.OpenAIGPTLMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    (theirs if prefix else theirs.transformer).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "openai-gpt"
    stores.tokenizer().save(tmp_path / "tokenizer.json")
    agree(differences(load(tmp_path).model, theirs, n_vocab=29, n_tokens=11))


def test_at_full_size():
    """117M random weights, handed over in memory."""
    theirs = transformers.OpenAIGPTLMHeadModel(transformers.OpenAIGPTConfig()).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(3) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    assert sum(p.numel() for p in theirs.parameters()) == 116_534_784
    stored = formats.Stored(
        formats.HUGGINGFACE,
        formats.from_huggingface(theirs.config.to_dict()),
        checkpoints.BUNDLED,
        formats.renamed(dict(theirs.state_dict())),
    )
    ours, _ = formats.fill(stored)
    agree(differences(ours.eval(), theirs, n_vocab=40_478, n_tokens=16))
