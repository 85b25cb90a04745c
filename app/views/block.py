"""Block: one block walked through on the focus token, its MLP unit by unit, and both places for the LayerNorm."""

import block_drawing
import block_norms
import block_panels
import components
import panels
import parts
import state
import streamlit as st

from gpt1viz.analysis.contributions import Walk, at_start, contributions, stream_lengths
from gpt1viz.analysis.units import active_units, drivers, driving_entries, pushed_tokens
from gpt1viz.model import MLP, Block
from gpt1viz.text import t

ACTIVE = 8  # units named

lang, dark, session = st.session_state.lang, components.dark(), st.session_state
study = state.study()
plain, model, focus = study.explanation, study.loaded.model, study.focus
config = model.config
layer = state.index("layer", config.n_layer, config.n_layer // 2)


def walked_through() -> Walk:
    return parts.walk(study.model_id, study.stamp, plain.text, layer)


def walk() -> None:
    """The focus token's vectors step by step, and how much each block adds."""
    walked = walked_through()
    st.header(t("block.walk_title", lang, layer=layer), anchor=False)
    with components.careful(lang):
        block_drawing.show(config.norm, block_panels.lengths_of(walked, focus), dark, lang)
        st.caption(t("block.drawing_caption", lang, token=state.plain(state.token_at(study, focus))))
        block_panels.stream(study, walked, layer)
    st.header(t("block.lengths_title", lang), anchor=False)
    with components.careful(lang):
        block_panels.by_layer(study, layer)


def mlp() -> None:
    """The activation function with this text's units on it, and one unit: where it is active, why, what it does."""
    walked = walked_through()
    top = active_units(model, walked, layer, focus, ACTIVE)
    unit = chosen_unit(int(top.units[0]), walked.mlp_pre.shape[1])
    st.header(t("block.mlp_title", lang), anchor=False)
    left, right = st.columns([1.1, 1], gap="medium")
    with left, components.careful(lang):
        block_panels.curve(study, walked, top, layer, unit)
    with right, components.careful(lang):
        st.markdown(t("block.active", lang, token=state.plain(state.token_at(study, focus))))
        st.html(panels.page(block_panels.unit_table(walked, top, focus, unit, lang), dark))
    sizes = {"width": f"{walked.mlp_pre.shape[1]:,}", "channels": config.n_embd, "n": len(plain.tokens)}
    st.caption(t("block.mlp_caption", lang, **sizes))

    st.header(t("block.unit_title", lang, layer=layer, unit=unit), anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        state.index_box("unit", t("block.unit", lang), walked.mlp_pre.shape[1], on_change=pick)
        for i in top.units.tolist():
            st.button(str(i), key=f"unit_{i}", on_click=pick, args=(i,), type="primary" if i == unit else "secondary")
    with components.careful(lang):
        block_panels.over_text(study, walked, top, layer, unit)
    with components.careful(lang):
        st.markdown(t("block.drivers", lang))
        block_panels.driven_by(study, walked, layer, unit)
    left, right = st.columns([1, 1.4], gap="medium")
    with left, components.careful(lang):
        st.markdown(t("block.entries_title", lang))
        block_panels.alone(study, layer, unit)
    with right, components.careful(lang):
        st.markdown(t("block.pushes", lang))
        block_panels.pushes(study, layer, unit)


def chosen_unit(most_active: int, n: int) -> int:
    """The most active unit until the reader picks another; in another layer it is free again."""
    place = (study.model_id, layer)
    session.setdefault("unit_picked", "unit" in st.query_params)
    if session.setdefault("unit_of", place) != place:
        session.update(unit_of=place, unit_picked=False)
    if not session.unit_picked:
        session.unit = most_active
    unit = state.index("unit", n, most_active)
    state.also_link(unit=str(unit) if session.unit_picked else None)
    return unit


def pick(chosen: int | None = None) -> None:
    session.unit_picked = True
    if chosen is not None:
        session.unit = chosen


def norms() -> None:
    """LayerNorm after each addition, as in GPT-1, and before each sub-layer."""
    st.header(t("block.norms_title", lang), anchor=False)
    with components.careful(lang):
        block_norms.side_by_side(study)


# What shows a part, what names its "Look for", and the functions whose code it prints.
PARTS = {
    "walk": (walk, "block", (Block.forward, contributions)),
    "mlp": (mlp, "block_mlp", (MLP.forward, active_units, drivers, driving_entries, pushed_tokens)),
    "norms": (norms, "block_norms", (Block.forward, stream_lengths, at_start)),
}

hidden = {"label_visibility": "collapsed"}
part = state.choice("part", t("block.parts", lang), PARTS, lambda name: t(f"block.part_{name}", lang), **hidden)
if part != "norms":  # which reads a text of its own
    components.token_strip(plain, lang, components.chosen_colour("probability"), focus)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        components.colour_by(lang, "probability", ("probability", "surprisal", "entropy", "rank"))
        state.index_box("layer", t("app.layer", lang), config.n_layer)
        state.index_box("pos", t("app.position", lang), len(plain.tokens))
show, look, code = PARTS[part]
show()
components.look_for(look, lang)
components.show_code(lang, *code)
