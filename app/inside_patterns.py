"""Inside, the tab Patterns: where every head puts its weight over this text, and which heads show which pattern."""

import components
import numpy as np
import panels
import saving
import state
import streamlit as st
from state import Study

from gpt1viz.analysis.patterns import AT_LEAST, PATTERNS, chance, pattern_keys, pattern_scores, showing
from gpt1viz.figures import heatmap, numbers
from gpt1viz.text import t
from gpt1viz.views import shown_window

CODE = (pattern_keys, pattern_scores, chance, showing)


def show(study: Study, lang: str) -> None:
    plain = study.explanation
    scores = pattern_scores(plain.weights, plain.ids)  # (L, H) by name
    even = chance(plain.ids, causal=plain.causal)
    state.asked("pattern", "previous", state.one_of(PATTERNS))
    st.subheader(t("inside.patterns_title", lang), anchor=False)
    pattern = st.segmented_control(
        t("inside.pattern", lang),
        PATTERNS,
        format_func=lambda name: t(f"inside.pattern_{name}", lang),
        key="pattern",
        required=True,
        persist_state="session",
    )
    state.also_link(pattern=None if pattern == "previous" else pattern)
    st.markdown(t(f"inside.means_{pattern}", lang))
    if np.isnan(scores[pattern]).all():
        st.info(t(f"inside.none_{pattern}", lang))
        st.button(t("inside.repeat", lang), on_click=_repeat, disabled=2 * len(plain.text) >= state.MOST_CHARACTERS)
        return
    left, right = st.columns([1, 1], gap="medium")
    with left, components.careful(lang):
        _scores(scores[pattern], even[pattern], pattern, lang)
    with right, components.careful(lang):
        _strongest(study, scores[pattern], pattern, lang)
    with components.careful(lang):
        _list(showing(scores, even), even, lang)


def _repeat() -> None:
    """The text once more behind itself: now its tokens come twice."""
    st.session_state.text = f"{st.session_state.studied[1]} {st.session_state.studied[1]}"


def _scores(scores: np.ndarray, even: float, pattern: str, lang: str) -> None:
    """Every head's share of weight on the keys that fit."""
    layers, heads = ([f"{kind}{i}" for i in range(n)] for kind, n in zip("LH", scores.shape, strict=True))
    best = np.unravel_index(np.argmax(scores), scores.shape)
    title = t("inside.scores_title", lang, pattern=t(f"inside.pattern_{pattern}", lang))
    components.chart(
        heatmap,
        scores,
        layers,
        heads,
        kind="probability",
        hover=t("inside.share", lang),
        texts=[[numbers.weight(float(score)) for score in row] for row in scores],
        ring=(int(best[0]), int(best[1])),
        title=title,
        key="pattern_scores",
        data=lambda: _columns(scores),
    )
    st.caption(t("inside.scores_caption", lang, chance=numbers.weight(even)))


def _columns(scores: np.ndarray) -> saving.Columns:
    layer, head = (x.ravel() for x in np.indices(scores.shape))
    return {"layer": layer, "head": head, "score": scores.ravel()}


def _strongest(study: Study, scores: np.ndarray, pattern: str, lang: str) -> None:
    """The attention matrix of the head that shows the pattern most."""
    plain = study.explanation
    layer, head = (int(i) for i in np.unravel_index(np.argmax(scores), scores.shape))
    part = shown_window(len(plain.tokens), study.focus, None)
    weights = plain.weights[layer, head][part, part]
    title = t("inside.strongest_title", lang, layer=layer, head=head)
    components.chart(
        heatmap,
        weights,
        plain.tokens[part],
        plain.tokens[part],
        kind="probability",
        hover=t("figures.hover_weights", lang),
        digits=4,
        cell=max(3, min(28, 420 // len(weights))),
        title=title,
        key="strongest",
        data=lambda: _cells(study, weights, part),
    )
    st.caption(t("inside.strongest_caption", lang, score=numbers.weight(float(scores[layer, head]))))


def _cells(study: Study, weights: np.ndarray, part: slice) -> saving.Columns:
    query, key = (x.ravel() + part.start for x in np.indices(weights.shape))
    names = np.array([piece.text for piece in study.explanation.tokens], dtype=object)
    columns = {"query": query, "key": key, "query_token": names[query], "key_token": names[key]}
    return columns | {"weight": weights.ravel()}


def _list(found: dict, even: dict[str, float], lang: str) -> None:
    """For every pattern, the heads that show it."""
    st.subheader(t("inside.list_title", lang), anchor=False)
    st.caption(t("inside.list_caption", lang, share=f"{AT_LEAST:.0%}"))
    rows = ""
    for name, heads in found.items():
        shown = " ".join(f"L{head.layer}·H{head.head} ({numbers.weight(head.score)})" for head in heads[:8])
        more = t("inside.more_heads", lang, n=len(heads) - 8) if len(heads) > 8 else ""
        rows += f"<tr><th class='t'>{t(f'inside.pattern_{name}', lang)}</th><td>{numbers.weight(even[name])}</td>"
        shown = f"{shown or t('inside.no_head', lang)} {more}"
        rows += f"<td class='t' style='max-width:none;white-space:normal'>{shown}</td></tr>"
    head = f"<tr><th></th><th>{t('inside.by_chance', lang)}</th><th class='t'>{t('inside.heads', lang)}</th></tr>"

    def columns() -> saving.Columns:
        every = [(name, *head) for name, heads in found.items() for head in heads]
        return {key: [row[i] for row in every] for i, key in enumerate(("pattern", "layer", "head", "score"))}

    with saving.drawing("pattern_heads", t("inside.list_title", lang), columns, ()):
        st.html(panels.page(f"<table>{head}{rows}</table>", components.dark()))
