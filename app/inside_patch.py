"""Inside, the tab Patch: vectors of the residual stream taken from a second text, position by layer."""

import cause_panels
import components
import computing
import inside_target
import models
import numpy as np
import second_text
import state
import streamlit as st
from inside_target import Choice
from state import Study

from gpt1viz.analysis.patching import Patched, patch, patched_probabilities
from gpt1viz.analysis.target import Target, next_logits
from gpt1viz.errors import GPT1VizError
from gpt1viz.explain import Explanation
from gpt1viz.figures import numbers
from gpt1viz.figures.causes import patch_map
from gpt1viz.text import t
from gpt1viz.trace import Edits
from gpt1viz.views import shown_window

CODE = (patch, next_logits, Target.of, Edits.stream, patched_probabilities)
SHOWN = 6  # tokens of the table; changed words named below the map
NAMED = 40  # columns of the map up to which each is named there


def show(study: Study, lang: str) -> None:
    plain, n = study.explanation, len(study.explanation.tokens)
    st.header(t("causes.patch_title", lang), anchor=False)
    st.caption(t("causes.patch_about", lang))
    other = _second(study, second_text.box(study, lang), lang)
    choice = inside_target.choose(study, lang, n - 1)
    if other is None:
        return
    if choice.a == choice.b:
        st.info(t("causes.same_tokens", lang))
        return
    if (other.ids == plain.ids).all():
        st.info(t("causes.same_text", lang))
        return
    part = shown_window(n, study.focus, None)
    found = _patched(study, other, choice, part, lang)
    if found is None:
        return
    layer, position = _chosen(study, other, choice, found)
    _map(study, other, choice, found, layer, position, lang)
    if n > len(found.positions):
        st.caption(t("causes.window", lang, first=part.start, last=part.stop - 1, n=n))
    _says(study, choice, found, lang)
    _one(study, other, choice, found, layer, position, lang)


def _largest(found: Patched) -> tuple[int, int]:
    """Layer and position of the largest change."""
    row, column = np.unravel_index(np.abs(found.effects).argmax(), found.effects.shape)
    return int(row), int(found.positions[column])


def _chosen(study: Study, other: Explanation, choice: Choice, found: Patched) -> tuple[int, int]:
    """The cell to look at: that of the link, then the largest change of every new map, or where the reader goes."""
    row, position = _largest(found)
    new = (study.model_id, study.stamp, study.explanation.text, other.text, choice.target)
    if st.session_state.setdefault("patch_for", new) != new:
        st.session_state.update(patch_for=new, patch_layer=row, patch_pos=position)
    layer = state.index("patch_layer", len(found.values), row)
    at = state.index("patch_pos", len(study.explanation.tokens), position)
    usual = (layer, at) == (row, position)
    state.also_link(patch_layer=None if usual else str(layer), patch_pos=None if usual else str(at))
    return layer, at


def _second(study: Study, second: str, lang: str) -> Explanation | None:
    """What the model makes of the second text; None, with a sentence, if it does not fit."""
    plain = study.explanation
    try:
        other = models.explained(study.model_id, study.stamp, second)
    except GPT1VizError as error:
        no_text = error.code == "no_tokens"
        st.info(t("app.no_tokens_in_text", lang) if no_text else state.plain(error.message(lang)))
        return None
    if len(other.tokens) != len(plain.tokens):
        fault = GPT1VizError("patch_lengths", n=len(plain.tokens), other=len(other.tokens))
        st.info(state.plain(fault.message(lang)))
        rows = [(t("causes.split_this", lang), plain.tokens), (t("causes.split_second", lang), other.tokens)]
        st.html(cause_panels.split(rows, components.dark()))
        return None
    return other


def _patched(study: Study, other: Explanation, choice: Choice, part: slice, lang: str) -> Patched | None:
    model, plain = study.loaded.model, study.explanation
    positions = range(len(plain.tokens))[part]
    differ = np.flatnonzero(plain.ids != other.ids)
    first = max(part.start, int(differ[0]) if model.config.causal else 0)
    n_layer, moved = model.config.n_layer, max(0, part.stop - first)
    operations = moved * n_layer * (n_layer + 1) / 2 * computing.passes(model.config, len(plain.tokens) - first)
    key = (study.model_id, study.stamp, plain.text, other.text, choice.target, part.start, part.stop)
    return computing.computed(
        "patch",
        key,
        lambda progress: patch(model, plain.ids, other.ids, choice.target, positions=positions, progress=progress),
        operations,
        lang,
        ask=t("causes.patch_ask", lang, n=moved * (n_layer + 1)) if operations > inside_target.LONG else "",
    )


def place_name(layer: int, n_layer: int, lang: str) -> str:
    """Where a vector is replaced, as people read it."""
    return t("causes.into" if layer < n_layer else "causes.out_of", lang, layer=min(layer, n_layer - 1))


def _map(
    study: Study, other: Explanation, choice: Choice, found: Patched, layer: int, position: int, lang: str
) -> None:
    n_layer, first = len(found.values) - 1, int(found.positions[0])
    places = [*(f"→L{at}" for at in range(n_layer)), f"L{n_layer - 1}→"]
    mine = state.entries(study.loaded.tokenizer, study.explanation.ids[found.positions])
    theirs = state.entries(study.loaded.tokenizer, other.ids[found.positions])
    columns = [a if a == b else f"{a}→{b}" for a, b in zip(mine, theirs, strict=True)]
    says = [
        [
            f"{place} · {name} ({at})\n{numbers.score(float(effect), 4)} {choice.unit}"
            for name, at, effect in zip(columns, found.positions, line, strict=True)
        ]
        for place, line in zip(places, found.effects, strict=True)
    ]
    st.markdown(f"**{t('causes.patch_map', lang)}**")
    components.chart(
        patch_map,
        found.effects,
        places,
        columns,
        says,
        ring=(layer, position - first) if position in found.positions else None,
        on_pick=lambda n: _go(n // len(columns), first + n % len(columns)),
        key="patch",
        title=t("causes.patch_map", lang),
        data=lambda: {
            "place": np.repeat(places, len(columns)).tolist(),
            "position": np.tile(found.positions, len(places)),
            "token": mine * len(places),
            "second_token": theirs * len(places),
            "value": found.values.ravel(),
            "effect": found.effects.ravel(),
            "share": found.shares.ravel(),
        },
    )
    st.caption(state.plain(t("causes.patch_caption", lang, name=choice.name, last=n_layer - 1)))
    changed = [f"{b} ({at})" for a, b, at in zip(mine, columns, found.positions, strict=True) if a != b]
    if len(columns) > NAMED and changed:
        more = " …" if len(changed) > SHOWN else ""
        st.caption(state.plain(t("causes.changed", lang, words=", ".join(changed[:SHOWN]) + more)))


def _says(study: Study, choice: Choice, found: Patched, lang: str) -> None:
    """The sentence on the largest change."""
    row, position = _largest(found)
    column = position - int(found.positions[0])
    way = abs(found.other - found.this)
    digits = 2 if way >= 0.5 else 3 if way >= 0.05 else 4  # so that the share can be checked
    parts = {
        "name": choice.name,
        "this": numbers.score(found.this, digits),
        "other": numbers.score(found.other, digits),
        "place": place_name(row, len(found.values) - 1, lang),
        "token": state.token_at(study, position),
        "change": numbers.score(float(found.effects[row, column]), digits),
    }
    share = float(found.shares[row, column])
    if parts["this"] == parts["other"]:
        st.markdown(state.plain(t("causes.patch_says_equal", lang, **parts)))
    else:
        st.markdown(state.plain(t("causes.patch_says", lang, share=f"{share:.0%}".replace("-", "−"), **parts)))


def _go(layer: int, position: int) -> None:
    st.session_state.update(patch_layer=layer, patch_pos=position)


def _one(
    study: Study, other: Explanation, choice: Choice, found: Patched, layer: int, position: int, lang: str
) -> None:
    """The next token's probabilities with one vector replaced."""
    n_layer = study.loaded.model.config.n_layer
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            t("causes.patch_layer", lang),
            range(n_layer + 1),
            format_func=lambda at: place_name(at, n_layer, lang),
            key="patch_layer",
            persist_state="session",
            width=184,
        )
        state.index_box("patch_pos", t("causes.patch_pos", lang), len(study.explanation.tokens))
        st.button(t("causes.patch_go", lang), on_click=_go, args=_largest(found))
    place = {"place": place_name(layer, n_layer, lang), "token": state.token_at(study, position)}
    st.markdown(f"**{state.plain(t('causes.patch_one', lang, **place))}**")
    rows = _probabilities(study.model_id, study.stamp, study.explanation.text, other.text, layer, position)
    chosen = [id for id in (choice.target.token, choice.target.other) if id is not None]
    tops = [int(id) for row in rows for id in np.argsort(-row, kind="stable")[:3]]
    ids = list(dict.fromkeys([*chosen, *tops]))[:SHOWN]
    st.html(cause_panels.three(state.entries(study.loaded.tokenizer, ids), rows[:, ids], lang, components.dark()))


@st.cache_data(max_entries=64, show_spinner=False)
def _probabilities(model_id: str, stamp: float, text: str, second: str, layer: int, position: int) -> np.ndarray:
    ids, other_ids = (models.explained(model_id, stamp, one).ids for one in (text, second))
    return patched_probabilities(models.load(model_id, stamp).model, ids, other_ids, layer, position)
