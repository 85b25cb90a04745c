"""Inside, the tab Patterns: where every head puts its weight over this text, and which heads show which pattern."""

import components
import inside_edits
import models
import numpy as np
import panels
import saving
import side_by_side
import state
import streamlit as st
from state import Study

from gpt1viz.analysis.patterns import AT_LEAST, PATTERNS, chance, pattern_keys, pattern_scores, showing
from gpt1viz.config import GPT1Config
from gpt1viz.figures import numbers
from gpt1viz.figures.inside import head_map, weights_map
from gpt1viz.text import t
from gpt1viz.views import shown_window

CODE = (pattern_keys, pattern_scores, chance, showing)


def show(study: Study, lang: str) -> None:
    plain = study.explanation
    scores = _all_scores(study.model_id, study.stamp, plain.text)
    even = chance(plain.ids, causal=plain.causal)
    st.header(t("inside.patterns_title", lang), anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        pattern = state.choice(
            "pattern",
            t("inside.pattern", lang),
            PATTERNS,
            lambda name: t(f"inside.pattern_{name}", lang),
            on_change=lambda: st.session_state.update(pick=None),
        )
        full = 2 * len(plain.tokens) > study.loaded.model.config.n_ctx
        st.button(t("inside.repeat", lang), on_click=_repeat, disabled=full)
    st.markdown(t(f"inside.means_{pattern}", lang))
    if np.isnan(scores[pattern]).all():
        st.info(t(f"inside.none_{pattern}", lang))
        return
    place = _picked(scores[pattern], study.loaded.model.config)
    left, right = side_by_side.two("inside_patterns")
    with left, components.careful(lang):
        _scores(scores[pattern], even[pattern], pattern, place, lang)
    with right, components.careful(lang):
        _matrix(study, place, float(scores[pattern][place]), lang)
    with components.careful(lang):
        _list(showing(scores, even), even, lang)


@st.cache_data(max_entries=64, show_spinner=False)
def _all_scores(model_id: str, stamp: float, text: str) -> dict[str, np.ndarray]:
    """(L, H) scores by name of pattern."""
    plain = models.explained(model_id, stamp, text)
    return pattern_scores(plain.weights, plain.ids)


def _repeat() -> None:
    """The text once more behind itself: now its tokens come twice."""
    st.session_state.text = f"{st.session_state.studied[1]} {st.session_state.studied[1]}"


def _scores(scores: np.ndarray, even: float, pattern: str, place: tuple[int, int], lang: str) -> None:
    """Every head's share of weight on the keys that fit; a click picks a head."""
    title = t("inside.scores_title", lang, pattern=t(f"inside.pattern_{pattern}", lang))
    st.markdown(f"**{title}**")
    n_head = scores.shape[1]
    components.chart(
        head_map,
        scores,
        kind="probability",
        hover=t("inside.share", lang),
        ring=place,
        title=title,
        key="pattern_scores",
        data=lambda: _columns(scores),
        on_pick=lambda n: st.session_state.update(pick=inside_edits.name_of(n // n_head, n % n_head)),
    )
    st.caption(t("inside.scores_caption", lang, chance=numbers.weight(even)))


def _columns(scores: np.ndarray) -> saving.Columns:
    layer, head = (x.ravel() for x in np.indices(scores.shape))
    return {"layer": layer, "head": head, "score": scores.ravel()}


def _picked(scores: np.ndarray, config: GPT1Config) -> tuple[int, int]:
    """The head that was clicked, or that the link names; without one the highest score."""
    layer, head = (int(i) for i in np.unravel_index(np.argmax(scores), scores.shape))
    strongest = inside_edits.name_of(layer, head)
    every = [inside_edits.name_of(i, k) for i, k in np.ndindex(*scores.shape)]
    picked = state.asked("pick", None, lambda name: every[every.index(name)]) or strongest
    if picked not in every:  # of another model
        picked = strongest
    state.also_link(pick=None if picked == strongest else picked)
    return divmod(every.index(picked), config.n_head)


def _matrix(study: Study, place: tuple[int, int], score: float, lang: str) -> None:
    """The attention matrix of one head."""
    plain, (layer, head) = study.explanation, place
    part = shown_window(len(plain.tokens), study.focus, None)
    weights = plain.weights[layer, head][part, part]
    title = t("inside.matrix_title", lang, layer=layer, head=head)
    st.markdown(f"**{title}**")
    components.chart(
        weights_map,
        weights,
        plain.tokens[part],
        causal=plain.causal,
        title=title,
        key="pattern_matrix",
        data=lambda: saving.matrix(plain.tokens, weights, part.start),
    )
    hatched = t("inside.matrix_hatched", lang) if plain.causal else ""
    st.caption(t("inside.matrix_caption", lang, score=numbers.weight(score), hatched=hatched))
    inside_edits.switch(inside_edits.name_of(layer, head), lang, "switch_pattern")


def _list(found: dict, even: dict[str, float], lang: str) -> None:
    """For every pattern, the heads that show it."""
    st.header(t("inside.list_title", lang), anchor=False)
    st.caption(t("inside.list_caption", lang, share=numbers.weight(AT_LEAST)))
    rows = ""
    for name, heads in found.items():
        shown = " ".join(f"L{head.layer}·H{head.head} ({numbers.weight(head.score)})" for head in heads[:8])
        more = t("inside.more_heads", lang, n=len(heads) - 8) if len(heads) > 8 else ""
        rows += f"<tr><th class='t'>{t(f'inside.pattern_{name}', lang)}</th><td>{numbers.weight(even[name])}</td>"
        shown = f"{shown or t('inside.no_head', lang)} {more}"
        rows += f"<td class='t' style='max-width:none;white-space:normal'>{shown}</td></tr>"
    head = f"<tr><td></td><th>{t('inside.by_chance', lang)}</th><th class='t'>{t('inside.heads', lang)}</th></tr>"

    def columns() -> saving.Columns:
        every = [(name, *head) for name, heads in found.items() for head in heads]
        return {key: [row[i] for row in every] for i, key in enumerate(("pattern", "layer", "head", "score"))}

    with saving.drawing("pattern_heads", t("inside.list_title", lang), columns, ()):
        st.html(panels.page(f"<table>{head}{rows}</table>", components.dark()))
