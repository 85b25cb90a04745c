"""Inside, the tabs Attribution and A not B: what tokens, and what components, add to the next token."""

import cause_panels
import components
import computing
import inside_target
import numpy as np
import panels
import plotly.graph_objects as go
import saving
import state
import streamlit as st
from inside_target import Choice
from state import Study

from gpt1viz.analysis.attribution import Attribution, baseline_vector, gradient_x_input, integrated_gradients
from gpt1viz.analysis.contrast import Contrast, before_norm, contrast
from gpt1viz.figures import bars, heatmap, numbers
from gpt1viz.text import t

CODE = (integrated_gradients, gradient_x_input, baseline_vector)
CONTRAST_CODE = (contrast, before_norm)
METHODS = ("integrated", "gradient")
BASELINES = ("zero", "mean", "token")
LARGEST = 14  # bars
UPRIGHT = 9  # columns whose names fit side by side on a narrow page
READS = 8  # heads and the tokens they read
TOLERANCE = 0.01  # share of the difference that the scores may miss; half of it takes twice as long
POINTS = 40  # gradients that integrated gradients take, about


def show(study: Study, lang: str) -> None:
    position = inside_target.place(study)
    st.header(t("causes.attribution_title", lang), anchor=False)
    choice = inside_target.choose(study, lang, position)
    method, baseline, named = _settings(study, lang)
    here = state.token_at(study, position)
    st.caption(state.plain(t("causes.attribution_about", lang, name=choice.name, token=here)))
    if choice.a == choice.b:
        st.info(t("causes.same_tokens", lang))
        return
    found = _attributed(study, choice, method, baseline, lang)
    if found is None:
        return
    _scores(study, choice, found, lang)
    _adds_up(choice, found, method, named, lang)


def _settings(study: Study, lang: str) -> tuple[str, str | int, str]:
    """Method, baseline, and how the baseline is called."""
    state.asked("method", METHODS[0], state.one_of(METHODS))
    state.asked("baseline", BASELINES[0], state.one_of(BASELINES))
    tokenizer = study.loaded.tokenizer
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name, values, width in (("method", METHODS, 240), ("baseline", BASELINES, 220)):
            st.selectbox(
                t(f"causes.{name}", lang),
                values,
                format_func=lambda value, name=name: t(f"causes.{name}_{value}", lang),
                key=name,
                persist_state="session",
                width=width,
            )
            value = st.session_state[name]
            state.also_link(**{name: None if value == values[0] else value})
        method, baseline = st.session_state.method, st.session_state.baseline
        if baseline != "token":
            state.also_link(baseline_token=None)
            return method, baseline, t(f"causes.baseline_{baseline}", lang)
        usual = next((entry for entry in (",</w>", ".</w>", "the</w>") if entry in tokenizer.vocab), None)
        usual = usual or tokenizer.pieces([0])[0].entry
        if state.asked("baseline_token", usual, state.one_of(tokenizer.vocab)) not in tokenizer.vocab:
            st.session_state.baseline_token = usual
        options = list(dict.fromkeys([st.session_state.baseline_token, usual, *_read(study)]))
        entry = st.selectbox(
            t("causes.baseline_word", lang),
            options,
            format_func=lambda entry: state.entries(tokenizer, [tokenizer.vocab[entry]])[0],
            key="baseline_token",
            persist_state="session",
            width=126,
        )
        state.also_link(baseline_token=entry)
    token = tokenizer.vocab[entry]
    return method, token, f"“{state.entries(tokenizer, [token])[0]}”"


def _read(study: Study) -> list[str]:
    """Entries of the text's own tokens."""
    return list(dict.fromkeys(piece.entry for piece in study.explanation.tokens if not piece.unknown))


def _attributed(study: Study, choice: Choice, method: str, baseline: str | int, lang: str) -> Attribution | None:
    model, ids = study.loaded.model, study.explanation.ids[: inside_target.place(study) + 1]
    points = POINTS if method == "integrated" else 1
    operations = 3.0 * points * model.config.n_layer * computing.passes(model.config, len(ids))

    def compute(progress: computing.Progress) -> Attribution:
        if method == "gradient":
            return gradient_x_input(model, ids, choice.target, baseline)
        return integrated_gradients(model, ids, choice.target, baseline, tolerance=TOLERANCE, progress=progress)

    key = (study.model_id, study.stamp, tuple(ids.tolist()), choice.target, method, baseline)
    ask = t("causes.attribution_ask", lang) if operations > inside_target.LONG else ""
    return computing.computed("attribution", key, compute, operations, lang, ask=ask)


def _chips(study: Study, scores: np.ndarray, limit: float, name: str, title: str) -> None:
    """The tokens read, coloured by a score each."""
    tokens = study.explanation.tokens[: len(scores)]
    columns = {"position": np.arange(len(scores)), "token": [piece.text for piece in tokens], "score": scores}
    with saving.drawing(name, title, lambda: columns):
        st.html(cause_panels.chips(tokens, scores, limit, components.dark(), study.focus))


def _scores(study: Study, choice: Choice, found: Attribution, lang: str) -> None:
    limit = numbers.nice_limit(float(np.abs(found.scores).max()))
    st.markdown(f"**{t('causes.scores', lang)}**")
    _chips(study, found.scores, limit, "scores", t("causes.scores", lang))
    about = {"name": choice.name, "limit": f"{limit:g}", "unit": choice.unit}
    st.caption(state.plain(t("causes.strip_caption", lang, **about)))
    n = len(found.scores)
    largest = np.sort(np.argsort(-np.abs(found.scores), kind="stable")[:LARGEST])
    if n > LARGEST:
        st.caption(t("causes.scores_largest", lang, n=LARGEST, all=n))
    components.chart(
        bars,
        [f"{state.token_text(study, int(i))} ({i})" for i in largest],
        found.scores[largest],
        texts=[numbers.score(float(x), 3) for x in found.scores[largest]],
        value_title=choice.unit,
        key="largest",
        title=t("causes.scores_largest", lang, n=len(largest), all=n),
        data=lambda: {"position": largest, "score": found.scores[largest]},
    )


def _adds_up(choice: Choice, found: Attribution, method: str, named: str, lang: str) -> None:
    """Value, baseline, their difference, the sum of the scores, and what is missed."""
    st.markdown(f"**{t('causes.adds_up', lang)}**")
    (value, baseline), difference = panels.agreeing(
        lambda a, b: a - b, [found.value, found.baseline], found.difference, numbers.score
    )
    rows = [
        (t("causes.row_text", lang, name=choice.name), value),
        (t("causes.row_baseline", lang, baseline=named), baseline),
        (t("causes.row_difference", lang), difference),
        (t("causes.row_total", lang), numbers.score(found.total, 3)),
    ]
    st.html(cause_panels.sums(rows, 2, components.dark()))
    share = abs(found.error / found.difference) if abs(found.difference) > 1e-3 else np.inf
    if method == "gradient":
        st.caption(t("causes.straight", lang))
    elif np.isinf(share):
        st.caption(t("causes.tiny_difference", lang))
    else:
        words = {"missed": numbers.percent(share), "n": found.n_points}
        st.caption(t("causes.complete" if share <= 0.01 else "causes.incomplete", lang, **words))
    st.caption(t("causes.positions_kept", lang))


def show_contrast(study: Study, lang: str) -> None:
    position = inside_target.place(study)
    choice = inside_target.choose(study, lang, position, ("difference",))
    if choice.a == choice.b:
        st.info(t("causes.same_tokens", lang))
        return
    model, ids = study.loaded.model, study.explanation.ids[: position + 1]
    target, config = choice.target, model.config
    found = computing.computed(
        "contrast",
        (study.model_id, study.stamp, tuple(ids.tolist()), target),
        lambda progress: contrast(model, ids, target.token, target.other),
        0.0,  # a single pass: nothing to stop
        lang,
    )
    dark, words = components.dark(), {"a": choice.a, "b": choice.b}
    st.header(state.plain(t("causes.contrast_title", lang, **words)), anchor=False)
    more = found.difference >= 0
    about = {"token": state.token_at(study, position), "difference": numbers.score(found.difference)}
    times = float(np.exp(min(abs(found.difference), 50)))
    ratio = panels.significant(times, 2 if times >= 1.1 else 3)
    key = "contrast_about" if more else "contrast_about_less"
    st.caption(state.plain(t(f"causes.{key}", lang, ratio=ratio, **about, **words)))
    _map(choice, found, lang)
    _largest(found, lang)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**{t('causes.adds_up', lang)}**")
        st.html(cause_panels.sums(_parts(found, lang), 6, dark))
    with right:
        st.markdown(f"**{t('causes.reads', lang)}**")
        st.html(cause_panels.sums(_reads(study, found), -1, dark))
    by_token = found.sources.sum((0, 1))  # (T,)
    limit = numbers.nice_limit(float(np.abs(by_token).max()))
    st.markdown(f"**{t('causes.sources', lang)}**")
    _chips(study, by_token, limit, "sources", t("causes.sources", lang))
    st.caption(state.plain(t("causes.sources_caption", lang, limit=f"{limit:g}", **words)))
    post = config.norm == "post"
    frozen = t("causes.frozen_post", lang, n=2 * config.n_layer) if post else t("causes.frozen_pre", lang)
    st.markdown(frozen)
    st.markdown(t("causes.direct", lang))


def _upright(values: np.ndarray, rows: list[str], columns: list[str], **options) -> go.Figure:
    """A heatmap whose few columns are named without turning the head."""
    return heatmap(values, rows, columns, **options).update_xaxes(tickangle=0 if len(columns) <= UPRIGHT else 90)


def _map(choice: Choice, found: Contrast, lang: str) -> None:
    n_layer, n_head = found.heads.shape
    values = np.column_stack([found.heads, found.mlps, found.biases.sum(1)])  # (L, H + 2)
    names = [*(f"H{head}" for head in range(n_head)), "MLP", t("causes.column_biases", lang)]
    if found.norms.any():  # pre-LN: no LayerNorm of a block writes to the stream
        values = np.column_stack([values, found.norms.sum(1)])
        names.append(t("causes.column_norms", lang))
    layers = [f"L{layer}" for layer in range(n_layer)]
    st.markdown(f"**{t('causes.contrast_map', lang)}**")
    components.chart(
        _upright,
        values,
        layers,
        names,
        hover=choice.unit,
        digits=3,
        key="contrast",
        title=t("causes.contrast_map", lang),
        data=lambda: {"layer": layers} | dict(zip(names, values.T, strict=True)),
    )
    st.caption(state.plain(t("causes.contrast_caption", lang, a=choice.a, b=choice.b)))


def _largest(found: Contrast, lang: str) -> None:
    names = {t("causes.column_token", lang): found.token, t("causes.column_position", lang): found.position}
    names |= {f"L{i}·H{h}": float(x) for (i, h), x in np.ndenumerate(found.heads)}
    names |= {f"L{i}·MLP": float(x) for i, x in enumerate(found.mlps)}
    names |= {f"L{i}·{t('causes.column_biases', lang)}": float(x) for i, x in enumerate(found.biases.sum(1))}
    names |= {f"L{i}·{t('causes.column_norms', lang)}": float(x) for i, x in enumerate(found.norms.sum(1))}
    names[t("causes.column_final", lang)] = found.final
    names = {name: value for name, value in names.items() if value}  # nothing that the model does not have
    largest = sorted(names, key=lambda name: -abs(names[name]))[:LARGEST]
    st.markdown(f"**{t('causes.contrast_largest', lang)}**")
    components.chart(
        bars,
        largest,
        np.array([names[name] for name in largest]),
        texts=[numbers.score(names[name], 3) for name in largest],
        value_title=t("causes.unit_logits", lang),
        key="contrast_largest",
        title=t("causes.contrast_largest", lang),
        data=lambda: {"component": [*names], "contribution": [*names.values()]},
    )


def _reads(study: Study, found: Contrast) -> list[tuple[str, str]]:
    """The heads' largest parts by the token that each is taken from."""
    largest = np.argsort(-np.abs(found.sources), axis=None, kind="stable")[:READS]
    places = zip(*np.unravel_index(largest, found.sources.shape), strict=True)
    return [
        (f"L{i}·H{h} ← {state.token_text(study, int(s))} ({s})", numbers.score(float(found.sources[i, h, s]), 3))
        for i, h, s in places
    ]


def _parts(found: Contrast, lang: str) -> list[tuple[str, str]]:
    """What adds up to the difference, and what the model says."""
    norms = float(found.norms.sum()) + found.final
    parts = [found.token, found.position, found.heads.sum(), found.mlps.sum(), found.biases.sum(), norms]
    texts, total = panels.agreeing(lambda *xs: sum(xs), [float(x) for x in parts], found.total, numbers.score)
    names = [
        t("causes.part_token", lang),
        t("causes.part_position", lang),
        t("causes.part_heads", lang, n=found.heads.size),
        t("causes.part_mlps", lang, n=len(found.mlps)),
        t("causes.part_biases", lang),
        t("causes.part_norms", lang),
        t("causes.part_total", lang),
        t("causes.part_model", lang),
    ]
    return list(zip(names, [*texts, total, numbers.score(found.difference, 3)], strict=True))
