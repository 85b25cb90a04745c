"""Checkpoints to damage, one of each format, and what comes of loading them."""

import random
from collections.abc import Iterator
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


# ---- bytes and values


def changed(good: bytes, draws: random.Random) -> bytes:
    """A few bytes written over, put in, taken out, or doubled; near the beginning more often, where headers are."""
    data = bytearray(good)
    for _ in range(draws.choice((1, 1, 2, 8))):
        at = draws.randrange(len(data) + 1) if draws.random() < 0.5 else draws.randrange(min(len(data) + 1, 300))
        n = draws.choice((1, 1, 2, 4, 16))
        new = bytes(draws.randrange(256) for _ in range(n)) if draws.random() < 0.7 else b"\xff" * n
        kind = draws.choice(("over", "over", "in", "out", "double"))
        if kind == "over":
            data[at : at + n] = new
        elif kind == "in":
            data[at:at] = new
        elif kind == "out":
            del data[at : at + n]
        else:
            data[at:at] = data[at : at + 100 * n]
    return bytes(data)


ABSURD = (
    None, True, False, 0, -1, 1, 2, 3, 23, 10**9, -(10**9), 12 * 10**9, 10**18, 10**40, 10**4000, 0.5, -0.0, 24.0,
    1e308, float("nan"), float("inf"), "", "24", "gelu", "../../etc/passwd", "\ud800", "a\0b", "{0}", "%s",
    "x" * 100_000, [], [1], ["gelu"], [[]], {}, {"a": 1},
)  # fmt: skip


def places(values, at=()) -> Iterator[tuple]:
    """The path of keys to every value of a JSON document; of long lists and tables the first few."""
    yield at
    inner = list(values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ())
    for key, value in inner[:6] + inner[-2:]:
        yield from places(value, (*at, key))


def with_value(values, at: tuple, new):
    """A copy with one value in another's place."""
    if not at:
        return new
    copy = values.copy()
    copy[at[0]] = with_value(copy[at[0]], at[1:], new)
    return copy


def without(values, at: tuple):
    """A copy that lacks a value."""
    copy = values.copy()
    if len(at) == 1:
        del copy[at[0]]
    else:
        copy[at[0]] = without(copy[at[0]], at[1:])
    return copy
