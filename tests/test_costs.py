"""The arithmetic of costs against models, published numbers and the memory that a pass really keeps."""

import math

import pytest
import torch
from tiny import tiny_model

from gpt1viz import GPT1, GPT1Config
from gpt1viz.analysis import costs

TINY = tiny_model().config
GPT_1 = GPT1Config()


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("positions", ["learned", "none"])
def test_parameters_by_part_are_the_models(norm, positions):
    model = tiny_model(norm=norm, positions=positions)
    found = {name: 0 for name in costs.parameters(model.config)}
    for name, p in model.named_parameters():
        part = "norms" if "ln_" in name else "attention" if ".attn." in name else "mlp" if ".mlp." in name else name
        found[part.removesuffix("_embed.weight")] += p.numel()
    assert costs.parameters(model.config) == found
    assert sum(found.values()) == model.config.n_params


@pytest.mark.parametrize("name", costs.PUBLISHED)
def test_shapes_give_the_published_totals(name):
    model = costs.PUBLISHED[name]
    said = model.said * 1e6
    tolerance = 0.5e6 if model.said < 10_000 else 50e6  # printed in whole millions, GPT-3's to four digits
    assert abs(sum(costs.parameters(model.config).values()) - said) <= tolerance


def test_flops_are_counted_as_products_are():
    """Every product of a forward pass, counted by torch, against the sum by part."""
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.zeros(1, TINY.n_ctx, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        tiny_model()(ids)
    assert counter.get_total_flops() == TINY.n_ctx * sum(costs.forward_flops(TINY).values())
    assert costs.flops_a_token(TINY) == 3 * sum(costs.forward_flops(TINY).values())
    longer = costs.forward_flops(TINY, 2 * TINY.n_ctx)
    assert longer["pairs"] == 2 * costs.forward_flops(TINY)["pairs"]


def test_the_formula_of_training_agrees_with_gpt_3s_published_compute():
    model = costs.PUBLISHED["gpt3"]
    assert model.flops is not None and math.isclose(model.flops, 3.14e23, rel_tol=0.04)  # table D.1
    assert math.isclose(3.14e23, model.petaflop_days * costs.PETAFLOP_DAY, rel_tol=0.002)


def test_what_gpt_1_cost_agrees_from_three_sides():
    """OpenAI's own count, its clock on its hardware, and the words of BooksCorpus read a hundred times."""
    said = costs.PUBLISHED["gpt1"].petaflop_days * costs.PETAFLOP_DAY
    month = costs.training_seconds(said, costs.HARDWARE["p6000"], 8, costs.UTILISATION) / 86_400
    assert 29.5 < month < 31
    tokens_a_word = said / costs.flops_a_token(GPT_1) / 100 / costs.BOOKS_WORDS
    assert 1.0 < tokens_a_word < 1.3


def test_activations_are_what_a_pass_keeps():
    shape = {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0, "n_embd": 96, "n_head": 4, "n_ctx": 64}
    config = GPT1Config.from_dict(TINY.to_dict() | shape)
    model, kept = GPT1(config).train(), {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor):
        if (storage := tensor.untyped_storage()).data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept["out"] = model(torch.zeros(2, config.n_ctx, dtype=torch.long)).hidden  # keeps all storages alive
    del kept["out"]
    wanted = 2 * config.n_ctx * costs.activations(config)
    assert sum(kept.values()) == pytest.approx(wanted, rel=0.1)


def test_activations_in_16_bits_are_the_published_formula():
    assert costs.activations(GPT_1, 2) == GPT_1.n_layer * 34 * GPT_1.n_embd  # Korthikanti et al. 2022, equation 2


def test_memory_and_cache():
    memory = costs.training_memory(GPT_1, 2)
    assert memory["weights"] + memory["gradients"] + memory["optimizer"] == costs.BYTES_A_PARAMETER * GPT_1.n_params
    assert memory["logits"] == 2 * 512 * 40478 * 4
    assert costs.kv_cache(GPT_1) == 2 * 12 * 12 * 64 * 512 * 4  # keys and values of every layer and head
    assert costs.kv_cache(GPT_1, 1, 2) * 1024 == costs.kv_cache(GPT_1)


def test_writing_waits_for_memory():
    h100, laptop = costs.HARDWARE["h100"], costs.HARDWARE["laptop"]
    seconds = costs.writing_seconds(GPT_1, 512, h100, half=True)
    assert seconds["memory"] > 100 * seconds["compute"]
    assert math.isclose(seconds["memory"], (2 * GPT_1.n_params + costs.kv_cache(GPT_1, 512, 2)) / 3350e9)
    assert costs.writing_seconds(GPT_1, 8, laptop, half=True) == costs.writing_seconds(GPT_1, 8, laptop)  # has no 16


def test_hardware_is_complete():
    for device in costs.HARDWARE.values():
        assert device.source and device.flops < (device.flops_16 or math.inf)
        assert device.bandwidth < device.flops and device.memory >= 1e9
        assert device.peak(True) == (device.flops_16 or device.flops) and device.peak(False) == device.flops
