"""Checkpoints to damage, one of each format, and what comes of loading them."""

from pathlib import Path

import stores
from cases import helpful

from gpt1viz import explain, generate, load, save
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import TaskHead

TEXT = "the fox and the hen"
WEIGHTS, CONFIG, TOKENIZER, TASK, ARRAY, SHAPES = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "task.json",
    "params_3.npy",
    "params_shapes.json",
)


def tuned(folder: Path) -> Path:
    head = TaskHead("classification", 24, ("sad", "glad"))
    return save(stores.model(), folder, stores.tokenizer(), head)


FORMATS = {**stores.FORMATS, "fine-tuned": tuned}


def met(folder: Path) -> str:
    """ "loaded", if the checkpoint loads and reads and writes text; else the refusal's code."""
    try:
        loaded = load(folder)
        explain(loaded.model, loaded.tokenizer, TEXT)
        assert len(list(generate(loaded.model, loaded.tokenizer, TEXT, 2, seed=0))) == 2
    except GPT1VizError as fault:
        assert str(folder) in str(fault) or fault.code == "no_tokens"
        return helpful(fault)
    return "loaded"
