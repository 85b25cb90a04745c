"""The shape of a model: presets, counts, and values that no model can have."""

import json

import pytest
import torch
from tiny import CONFIG, tiny_model

from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import GPT1


def count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_the_papers_model_has_116_534_784_parameters_part_by_part():
    with torch.device("meta"):
        model = GPT1(GPT1Config())
    parts = {name: count(part) for name, part in model.named_children()}
    assert parts == {"tokens_embed": 31_087_104, "positions_embed": 393_216, "h": 12 * 7_087_872, "ln_f": 0}
    assert count(model) == GPT1Config().n_params == 116_534_784


def test_parts_of_a_block():
    with torch.device("meta"):
        block = GPT1(GPT1Config(n_layer=1)).h[0]
    parts = {name: count(part) for name, part in block.named_children()}
    assert parts == {"attn": 2_362_368, "ln_1": 1_536, "mlp": 4_722_432, "ln_2": 1_536}
    assert block.attn.c_attn.weight.shape == (3 * 768, 768)
    assert block.mlp.c_fc.weight.shape == (4 * 768, 768)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_n_params_counts_what_the_module_has(norm, positions):
    model = tiny_model(norm=norm, positions=positions)
    assert model.config.n_params == count(model)


def test_presets():
    assert GPT1Config.preset("gpt1") == GPT1Config()
    paper = GPT1Config()
    assert (paper.n_layer, paper.n_embd, paper.n_head, paper.d_head, paper.n_ctx) == (12, 768, 12, 64, 512)
    assert (paper.norm, paper.afn, paper.positions, paper.causal, paper.scale_attn) == (
        "post",
        "gelu",
        "learned",
        True,
        True,
    )
    assert GPT1Config.preset("storybook").n_layer == 6
    assert GPT1Config.preset("tiny").d_head == 8
    with pytest.raises(GPT1VizError, match=r"'gpt2'.*gpt1, storybook, tiny"):
        GPT1Config.preset("gpt2")


def test_rows_are_the_vocabulary_and_the_special_tokens():
    assert CONFIG.n_rows == 31
    assert tiny_model().tokens_embed.weight.shape == (31, 12)


def test_to_dict_and_back_through_json():
    config = GPT1Config(n_vocab=97, n_layer=2, norm="pre", causal=False)
    values = json.loads(json.dumps(config.to_dict()))
    assert GPT1Config.from_dict(values) == config
    assert GPT1Config.from_dict({"n_layer": 3, "model_type": "openai-gpt"}) == GPT1Config(n_layer=3)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"n_layer": 0}, "n_layer"),
        ({"n_vocab": -1}, "n_vocab"),
        ({"n_special": -1}, "n_special"),
        ({"n_ctx": 2.0}, "n_ctx"),
        ({"n_head": True}, "n_head"),
        ({"n_embd": "768"}, "n_embd"),
        ({"n_embd": 10, "n_head": 3}, "multiple of n_head"),
        ({"resid_pdrop": 1.0}, "resid_pdrop"),
        ({"attn_pdrop": -0.1}, "attn_pdrop"),
        ({"embd_pdrop": float("nan")}, "embd_pdrop"),
        ({"clf_pdrop": None}, "clf_pdrop"),
        ({"afn": "tanh"}, "afn"),
        ({"norm": "Post"}, "norm"),
        ({"positions": "rotary"}, "positions"),
        ({"causal": None}, "causal"),
        ({"scale_attn": "no"}, "scale_attn"),
    ],
)
def test_values_that_no_model_can_have_name_their_field(wrong, named):
    with pytest.raises(GPT1VizError, match=named):
        GPT1Config(**wrong)


def test_a_config_cannot_be_changed_under_a_model():
    with pytest.raises(AttributeError):
        CONFIG.n_layer = 3  # pyright: ignore[reportAttributeAccessIssue]
