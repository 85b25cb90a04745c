"""Attention: every head at a glance, one head at each stage, one weight as arithmetic."""

import components
import panels
import state
import streamlit as st

from gpt1viz.analysis.ablation import next_probabilities
from gpt1viz.analysis.cell import cell
from gpt1viz.analysis.head_output import head_output
from gpt1viz.explain import explain
from gpt1viz.figures import numbers
from gpt1viz.model import Attention, attend
from gpt1viz.text import t

lang = st.session_state.lang
study = state.study()

plain, model = study.explanation, study.loaded.model
config, n = model.config, len(plain.tokens)
layer = state.index("layer", config.n_layer, config.n_layer // 2)
head = state.index("head", config.n_head, config.n_head - 1)
lifted = config.causal and state.asked("lifted", False, state.one_of((True, False)))
shown = state.lifted(study) if lifted else plain
weights = shown.weights[layer, head]  # (T, S)

st.session_state.setdefault("locked", "key" in st.query_params)
strongest = int(weights[study.focus].argmax())
if not st.session_state.locked:
    st.session_state.key = strongest
key = state.index("key", n, strongest)


def lock() -> None:
    st.session_state.locked = True


components.token_strip(plain, lang, components.chosen_colour("probability"), study.focus, weights)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    components.colour_by(lang, "probability")
    state.index_box("layer", t("app.layer", lang), config.n_layer)
    state.index_box("head", t("app.head", lang), config.n_head)
    state.index_box("pos", t("app.position", lang), n)
    state.index_box("key", t("app.key", lang), n, on_change=lock)
    if config.causal:
        st.toggle(t("app.lift_mask", lang), key="lifted", persist_state="session", help=t("app.lift_mask_help", lang))

components.attention_grid(shown, lang, layer, head, (study.focus, key))

names = [state.token_text(study, i) for i in range(n)]
vocabulary = study.loaded.tokenizer
here, there = state.token_at(study, study.focus), state.token_at(study, key)
if lifted:
    st.warning(t("app.mask_off", lang))
    if study.focus == n - 1:
        st.caption(t("app.leak_last", lang))
    else:
        after = plain.ids[study.focus + 1]
        st.markdown(
            t(
                "app.leak",
                lang,
                token=state.plain(here),
                share=numbers.percent(float(weights[study.focus, study.focus + 1 :].sum())),
                next=state.plain(names[study.focus + 1]),
                before=numbers.percent(float(plain.probability[study.focus + 1])),
                after=numbers.percent(float(shown.probability[study.focus + 1])),
            )
        )

components.look_for("attention", lang)

st.header(t("app.cell_title", lang), anchor=False)
st.caption(
    t(
        "app.cell_caption" if config.d_head > 8 else "app.cell_caption_few",
        lang,
        layer=layer,
        head=head,
        query=state.plain(here),
        key=state.plain(there),
        d=config.d_head,
    )
)
if study.focus == 0 and shown.causal:
    st.caption(t("app.first_token", lang))
dark = components.dark()
with components.careful(lang):
    worked = cell(
        shown.field("q")[layer, head],
        shown.field("k")[layer, head],
        study.focus,
        key,
        scale=shown.scale,
        causal=shown.causal,
    )
    st.html(panels.page(panels.cell_table(worked, here, there, config.d_head, lang), dark))

adds, off = st.columns(2, gap="medium")
with adds, components.careful(lang):
    st.header(t("app.adds_title", lang), anchor=False)
    output = head_output(model, shown.weights[layer, :, study.focus], shown.field("v")[layer], layer, head)
    st.caption(
        t(
            "app.adds_caption",
            lang,
            token=state.plain(here),
            layer=layer,
            head=head,
            norm=f"{output.norm:.2f}",
            layer_norm=f"{output.layer_norm:.2f}",
        )
    )
    sides = (
        ("towards", output.pushed.raised, output.pushed.raised_by),
        ("away", output.pushed.lowered, output.pushed.lowered_by),
    )
    tables = [
        panels.token_list(t(f"app.adds_{side}", lang), state.entries(vocabulary, ids), by_how_much)
        for side, ids, by_how_much in sides
    ]
    st.html(panels.page("".join(tables), dark))
    if config.norm == "post":
        st.caption(t("app.adds_lens", lang))
with off, components.careful(lang):
    st.header(t("app.off_title", lang), anchor=False)
    st.caption(t("app.off_caption", lang, layer=layer, head=head))
    before = shown.next_probability[study.focus][:5]
    ids = shown.next_ids[study.focus][:5]
    without = state.next_without(study, lifted, layer, head)
    st.html(panels.page(panels.comparison(state.entries(vocabulary, ids), before, without[ids], lang), dark))

components.show_code(lang, attend, Attention.forward, explain, cell, head_output, next_probabilities)
