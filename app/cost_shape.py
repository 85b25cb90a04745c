"""The shape that the page Cost asks about: presets, sliders, and six numbers that a link carries."""

import state
import streamlit as st

from gpt1viz.analysis.costs import PUBLISHED
from gpt1viz.config import PRESETS, GPT1Config
from gpt1viz.text import t

SHAPES = {name: PRESETS[name] for name in ("gpt1", "storybook", "tiny")}
SHAPES |= {name: model.config for name, model in PUBLISHED.items() if name != "gpt1"}
OWN = "own"
CONTEXTS = (16, 24, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
NORMS = ("post", "pre")
BOUNDS = {"layers": (1, 96), "heads": (1, 96), "d_head": (8, 128), "vocab": (2, 300_000)}
STEP = 8  # of a head's dimensions


def numbers_of(config: GPT1Config) -> dict:
    """The six choices that make a shape."""
    shape = {"layers": config.n_layer, "heads": config.n_head, "d_head": config.d_head}
    return shape | {"ctx": config.n_ctx, "vocab": config.n_vocab, "norm": config.norm}


def config_of(chosen: dict) -> GPT1Config:
    """The inverse of `numbers_of`."""
    return GPT1Config(
        n_vocab=chosen["vocab"],
        n_ctx=chosen["ctx"],
        n_embd=chosen["heads"] * chosen["d_head"],
        n_layer=chosen["layers"],
        n_head=chosen["heads"],
        norm=chosen["norm"],
    )


def written(chosen: dict) -> str:
    """A shape as a link carries it: the preset's name, or its six parts."""
    known = (name for name, config in SHAPES.items() if numbers_of(config) == chosen)
    return next(known, "-".join(str(value) for value in chosen.values()))


def read(text: str) -> str:
    """The same, from a link; ValueError for what the sliders cannot say."""
    if text in SHAPES:
        return text
    *parts, norm = text.split("-")
    layers, heads, d_head, ctx, vocab = (int(part) for part in parts)
    chosen = {"layers": layers, "heads": heads, "d_head": d_head, "ctx": ctx, "vocab": vocab, "norm": norm}
    inside = all(low <= chosen[name] <= high for name, (low, high) in BOUNDS.items())
    if not (inside and d_head % STEP == 0 and ctx in CONTEXTS and norm in NORMS):
        raise ValueError(text)
    return written(chosen)


def choose(lang: str) -> GPT1Config:
    """The controls; the link carries what they say."""
    session = st.session_state
    state.asked("shape", "gpt1", read)
    if "shape_layers" not in session:
        _fill(session.shape)
    session.shape_preset = session.shape if session.shape in SHAPES else OWN
    kept = {"persist_state": "session", "on_change": _slid}
    first, *columns = st.columns([1.3, 1, 1, 1], gap="medium", vertical_alignment="bottom")
    with first:
        names = [*SHAPES, OWN]
        label = t("cost.preset", lang)
        st.selectbox(label, names, format_func=lambda name: called(name, lang), key="shape_preset", on_change=_picked)
    for column, (name, step) in zip(columns, (("layers", 1), ("heads", 1), ("d_head", STEP)), strict=True):
        low, high = BOUNDS[name]
        column.slider(t(f"cost.{name}", lang), low, high, step=step, key=f"shape_{name}", **kept)
    columns = st.columns([1.3, 1, 1, 1], gap="medium", vertical_alignment="bottom")
    columns[0].select_slider(t("cost.ctx", lang), CONTEXTS, key="shape_ctx", **kept)
    low, high = BOUNDS["vocab"]
    columns[1].number_input(t("cost.vocab", lang), low, high, step=1, key="shape_vocab", **kept)
    columns[2].selectbox(t("cost.norm", lang), NORMS, format_func=lambda name: f"{name}-LN", key="shape_norm", **kept)
    config = config_of(_slider_values())
    columns[3].caption(t("cost.channels", lang, c=f"{config.n_embd:,}", f=f"{4 * config.n_embd:,}"))
    state.also_link(shape=None if session.shape == "gpt1" else session.shape)
    return config


def called(name: str, lang: str) -> str:
    """A preset as people call it."""
    return PUBLISHED[name].name if name in PUBLISHED else t(f"cost.preset_{name}", lang)


def _slider_values() -> dict:
    return {name: st.session_state[f"shape_{name}"] for name in numbers_of(SHAPES["gpt1"])}


def _fill(shape: str) -> None:
    """Sets the sliders to a shape that `read` has passed."""
    if shape in SHAPES:
        chosen = numbers_of(SHAPES[shape])
    else:
        *parts, norm = shape.split("-")
        chosen = dict(zip(numbers_of(SHAPES["gpt1"]), [*map(int, parts), norm], strict=True))
    for name, value in chosen.items():
        st.session_state[f"shape_{name}"] = value


def _picked() -> None:
    session = st.session_state
    if session.shape_preset in SHAPES:
        session.shape = session.shape_preset
        _fill(session.shape)


def _slid() -> None:
    st.session_state.shape = written(_slider_values())
