"""A tiny checkpoint in each of the three formats, written by hand, not by the code under test; and `refusal`."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import tiny_model

from gpt1viz import load
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import GPT1
from gpt1viz.tokenizer import Tokenizer

TEXT = "the fox and the hen ran to the den . the cat sat on the mat . the hat on the rat .\n"
BLOCK = ("attn.c_attn", "attn.c_proj", "ln_1", "mlp.c_fc", "mlp.c_proj", "ln_2")


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.train([TEXT], 29)


@cache
def model() -> GPT1:
    """12 heads, because the 2018 files do not say how many there are."""
    return tiny_model(n_special=0, n_embd=24, n_head=12, n_layer=2)


def port(model: GPT1) -> dict[str, torch.Tensor]:
    """Tensors as Hugging Face stores them: matrices (in, out)."""
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    return {n: (p.t() if n.endswith(turned) else p).contiguous() for n, p in model.state_dict().items()}


def port_config(model: GPT1) -> dict:
    c = model.config
    shape = {
        "vocab_size": c.n_rows,
        "n_positions": c.n_ctx,
        "n_embd": c.n_embd,
        "n_layer": c.n_layer,
        "n_head": c.n_head,
    }
    return {"model_type": "openai-gpt", "afn": "gelu", "layer_norm_epsilon": 1e-5, **shape}


def huggingface(folder: Path, prefix: str = "", extra: dict | None = None, tensors: dict | None = None) -> Path:
    folder.mkdir()
    named = {prefix + name: tensor for name, tensor in (tensors or port(model())).items()} | (extra or {})
    save_file(named, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(port_config(model())))
    tokenizer().save(folder / "tokenizer.json")
    return folder


def ours(folder: Path, extra: dict | None = None, **changes) -> Path:
    folder.mkdir()
    save_file(dict(model().state_dict()) | (extra or {}), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"format": "gpt1viz", **model().config.to_dict(), **changes}))
    tokenizer().save(folder / "tokenizer.json")
    return folder


def release(folder: Path) -> Path:
    """Ten arrays of nearly equal length, cut without regard to tensors, as in 2018."""
    folder.mkdir()
    stored = port(model())
    blocks = [f"h.{layer}.{part}.{kind}" for layer in range(2) for part in BLOCK for kind in ("weight", "bias")]
    ordered = [stored[name] for name in ("positions_embed.weight", "tokens_embed.weight", *blocks)]
    shapes = [[1, *x.shape] if x.ndim == 2 and at > 1 else [*x.shape] for at, x in enumerate(ordered)]
    (folder / "params_shapes.json").write_text(json.dumps(shapes))
    numbers = np.concatenate([x.numpy().ravel() for x in ordered])
    for at, part in enumerate(np.array_split(numbers, 10)):
        np.save(folder / f"params_{at}.npy", part)
    (folder / "encoder_bpe_40000.json").write_text(json.dumps(tokenizer().vocab))
    merges = "\n".join(" ".join(pair) for pair in tokenizer().merges)
    (folder / "vocab_40000.bpe").write_text(f"#version: 0.2\n{merges}\n")
    return folder


FORMATS = {"huggingface": huggingface, "gpt1viz": ours, "openai-2018": release}


def refusal(folder, **options) -> GPT1VizError:
    """The refusal of a load: one sentence or two in each language, no traceback text."""
    with pytest.raises(GPT1VizError) as caught:
        load(folder, **options)
    for lang in ("en", "zh"):
        assert "\n" not in caught.value.message(lang).strip()
    return caught.value
