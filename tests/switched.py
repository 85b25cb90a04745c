"""Checkpoints of odd shapes for tests of pages: one head, no positions, sinusoids, pre-LN, special rows; figures."""

import base64
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from app_driver import SENTENCE

import gpt1viz

SHAPES = {
    "small": {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_ctx": 16},
    "bare": {"n_layer": 2, "n_head": 3, "n_embd": 12, "n_ctx": 20, "positions": "none", "causal": False}
    | {"norm": "pre", "scale_attn": False, "afn": "relu"},
    "waves": {"n_layer": 2, "n_head": 2, "n_embd": 8, "n_ctx": 18, "positions": "sinusoidal", "norm": "pre"},
    "tuned": {"n_layer": 2, "n_head": 2, "n_embd": 8, "n_ctx": 24, "n_special": 3, "afn": "silu"},
}
every_shape = pytest.mark.parametrize("name", SHAPES)


def checkpoints(parent: Path, shapes: dict[str, dict]) -> Path:
    """`parent`, now with a folder for each of the shapes: a model, random but far from uniform."""
    tokenizer = gpt1viz.Tokenizer.train([SENTENCE * 9], 40)
    for name, shape in shapes.items():
        torch.manual_seed(0)
        model = gpt1viz.GPT1(gpt1viz.GPT1Config(n_vocab=tokenizer.n_vocab, **shape)).eval()
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        gpt1viz.save(model, parent / name, tokenizer)
    return parent


def offering(monkeypatch, parent: Path) -> None:
    """Puts the checkpoints of a folder into the app's model box."""
    monkeypatch.setenv("GPT1VIZ_MODELS", os.pathsep.join(str(path) for path in sorted(parent.iterdir())))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return checkpoints(tmp_path_factory.mktemp("models"), SHAPES)


@pytest.fixture(name="offered")
def offered_models(folders, monkeypatch):
    """They stand in the app's model box."""
    offering(monkeypatch, folders)
    return folders


def figure(app, key: str) -> dict:
    """A plotly figure of the page by the key of its drawing."""
    found = next(e.proto for e in app.get("plotly_chart") if e.proto.id.endswith(f"-{key}"))
    return json.loads(found.spec)


def array(values: list | dict) -> np.ndarray:
    """An array of a figure, which plotly may have packed."""
    if isinstance(values, list):
        return np.array(values)
    packed = np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"]))
    return packed.reshape([int(n) for n in str(values.get("shape", packed.size)).split(",")])
