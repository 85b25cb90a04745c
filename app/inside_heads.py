"""Inside, the tab Heads off: the next token with some heads switched off, and what each head's removal does."""

import components
import computing
import inside_edits
import models
import numpy as np
import side_by_side
import state
import streamlit as st
from state import Study

from gpt1viz.analysis.ablation import HeadEffects, head_effects, heads_off, next_probabilities
from gpt1viz.figures import bars, numbers
from gpt1viz.figures.inside import before_after, head_map
from gpt1viz.text import t
from gpt1viz.trace import Edits

CODE = (heads_off, next_probabilities, head_effects, Edits.scaled)
MEASURES = ("change", "divergence")
CANDIDATES = 6  # the most probable before, and those after
RANKED = 12


def show(study: Study, lang: str) -> None:
    config = study.loaded.model.config
    layer = state.index("layer", config.n_layer, config.n_layer - 1)
    head = state.index("head", config.n_head, 0)
    _switches(config, lang, layer, head)
    off = inside_edits.heads(st.session_state.edits, config)
    left, right = side_by_side.two("inside_heads")
    with left, components.careful(lang):
        _effect(study, lang, off)
    with right, components.careful(lang):
        _ranking(study, lang, layer, head, left)


def _switches(config, lang: str, layer: int, head: int) -> None:
    """The head to look at, and what to do with it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        state.index_box("layer", t("app.layer", lang), config.n_layer)
        state.index_box("head", t("app.head", lang), config.n_head)
        inside_edits.switch(inside_edits.name_of(layer, head), lang, "switch_head")
        inside_edits.switch(inside_edits.name_of(layer), lang, "switch_layer")
        inside_edits.buttons(lang, "tab")


@st.cache_data(max_entries=64, show_spinner=False)
def _next(model_id: str, stamp: float, text: str, position: int, off: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Probabilities (V,) of the token after a position with these heads off."""
    ids = models.explained(model_id, stamp, text).ids
    return next_probabilities(models.load(model_id, stamp).model, ids, position, heads_off(off))


def _effect(study: Study, lang: str, off: tuple[tuple[int, int], ...]) -> None:
    """The most probable next tokens before and after."""
    text, here = study.explanation.text, state.plain(state.token_at(study, study.focus))
    before = _next(study.model_id, study.stamp, text, study.focus, ())
    after = _next(study.model_id, study.stamp, text, study.focus, off)
    k = min(CANDIDATES, len(before))
    ids = list(dict.fromkeys([*np.argsort(-before, kind="stable")[:k], *np.argsort(-after, kind="stable")[:k]]))
    tokens = state.entries(study.loaded.tokenizer, ids)
    st.header(t("inside.effect_title", lang), anchor=False)
    st.caption(t("inside.effect_caption", lang, token=here))
    components.chart(
        before_after,
        tokens,
        before[ids],
        after[ids],
        chosen=0,
        key="effect",
        title=t("inside.effect_title", lang),
        data=lambda: {"token": tokens, "id": ids, "before": before[ids], "after": after[ids]},
    )
    if not off:
        st.caption(t("inside.effect_none", lang))
        return
    moved = float(np.abs(after - before).sum()) / 2
    words = {"token": state.plain(tokens[0]), "n": len(off), "moved": numbers.percent(moved)}
    words |= {"before": numbers.percent(float(before[ids[0]])), "after": numbers.percent(float(after[ids[0]]))}
    st.markdown(t("inside.effect_one" if len(off) == 1 else "inside.effect_many", lang, **words))


def _effects(study: Study, lang: str) -> HeadEffects | None:
    """What each head's removal does to the token after the focus."""
    plain, model = study.explanation, study.loaded.model
    config = model.config
    n = study.focus + 1 if config.causal else len(plain.tokens)
    blocks = config.n_head * config.n_layer * (config.n_layer + 1) / 2
    return computing.computed(
        "effects",
        (study.model_id, study.stamp, tuple(plain.ids[:n].tolist()), study.focus),
        lambda progress: head_effects(model, plain.ids, study.focus, progress=progress),
        blocks * computing.passes(config, n),
        lang,
        ask=t("inside.rank_ask", lang, n=config.n_layer * config.n_head),
    )


def _ranking(study: Study, lang: str, layer: int, head: int, left) -> None:
    """All heads, by what the next token loses or gains without each; the map of all goes to the left column."""
    config = study.loaded.model.config
    st.header(t("inside.rank_title", lang), anchor=False)
    found = _effects(study, lang)
    if found is None:
        return
    measure = state.choice(
        "rank_by", t("inside.measure", lang), MEASURES, lambda name: t(f"inside.measure_{name}", lang)
    )
    target = state.plain(state.entries(study.loaded.tokenizer, [found.target])[0])
    if measure == "change":
        st.caption(t("inside.rank_caption", lang, token=target, p=numbers.percent(found.before)))
    else:
        st.caption(t("inside.rank_caption_kl", lang))
    effects, places = getattr(found, measure), found.ranked(measure)[:RANKED]
    names = [f"L{layer}·H{head}" for layer, head in places]
    values = np.array([effects[place] for place in places])
    components.chart(
        bars,
        names,
        values,
        texts=[_said(float(value), 2 if abs(values[0]) >= 1 else 3, measure) for value in values],
        chosen=places.index((layer, head)) if (layer, head) in places else None,
        value_title=t(f"inside.axis_{measure}", lang, **({"token": target} if measure == "change" else {})),
        key="ranking",
        title=t("inside.rank_title", lang),
        data=lambda: _columns(found),
    )
    with left:
        st.markdown(f"**{t('inside.rank_map', lang)}**")
        components.chart(
            head_map,
            effects,
            kind="signed" if measure == "change" else "amount",
            hover=t(f"inside.hover_{measure}", lang),
            ring=(layer, head),
            key="effects",
            title=t("inside.rank_map", lang),
            data=lambda: _columns(found),
            on_pick=lambda n: st.session_state.update(layer=n // config.n_head, head=n % config.n_head),
        )
        st.caption(t(f"inside.map_caption_{measure}", lang))


def _said(value: float, digits: int, measure: str) -> str:
    return numbers.score(value, digits) if measure == "change" else f"{value:.{digits}f}"


def _columns(found: HeadEffects) -> dict:
    layer, head = (x.ravel() for x in np.indices(found.change.shape))
    columns = {"layer": layer, "head": head, "change_bits": found.change.ravel()}
    return columns | {"divergence_bits": found.divergence.ravel()}
