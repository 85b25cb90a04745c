"""Embeddings: the two rows of a token, its neighbours, likeness of places, a map of words, the joint matrix of 2018."""

import re

import components
import models
import numpy as np
import panels
import parts
import plotly.graph_objects as go
import state
import streamlit as st

from gpt1viz.analysis.embeddings import (
    flat_map,
    joint_mass,
    joint_parts,
    nearest_tokens,
    position_rows,
    similarity,
    single_tokens,
)
from gpt1viz.figures import bars, heatmap, lines, numbers, points, strips
from gpt1viz.model import GPT1, sinusoids
from gpt1viz.text import strings, t
from gpt1viz.views import shown_window

NEAREST, SHOWN, MOST_WORDS, LINKED_WORDS = 10, 64, 600, 300  # rows; positions along an edge; characters
GROUPS = ("animals", "people", "things")

lang, dark = st.session_state.lang, components.dark()
study = state.study()
plain, model, tokenizer = study.explanation, study.loaded.model, study.loaded.tokenizer
config, n, focus = model.config, len(plain.tokens), study.focus
source = (study.model_id, study.stamp)
here, name, id = state.token_at(study, focus), state.token_text(study, focus), int(plain.ids[focus])
has_places = config.positions != "none"


def sums() -> None:
    """The token's row, the position's row and their sum."""
    token = model.tokens_embed.weight[id].cpu().numpy()  # (C,)
    place = position_rows(model)[focus]  # (C,)
    rows = {t("embeddings.row_token", lang, token=name): token}
    said = {"token": state.plain(here), "id": f"{id:,}", "n_rows": f"{config.n_rows:,}", "channels": config.n_embd}
    said["token_length"] = f"{np.linalg.norm(token):.2f}"
    if has_places:
        rows[t("embeddings.row_position", lang, n=focus)] = place
        rows[t("embeddings.row_sum", lang)] = token + place
        said |= {"n": focus, "n_ctx": config.n_ctx, "position_length": f"{np.linalg.norm(place):.2f}"}
        said["sum_length"] = f"{np.linalg.norm(token + place):.2f}"
    every = np.stack([*rows.values()])
    limit = numbers.nice_limit(float(np.quantile(np.abs(every), 0.98)))
    components.chart(
        strips,
        rows,
        limit=limit,
        roles=dict.fromkeys(rows, "residual"),
        key="embeddings_sum",
        title=t("embeddings.drawn_sum", lang),
        data=lambda: (
            {"channel": np.arange(config.n_embd)} | dict(zip(("token", "position", "sum"), rows.values(), strict=False))
        ),
    )
    words = t("embeddings.sum_caption" if has_places else "embeddings.sum_none", lang, **said)
    if np.abs(every).max() > limit:
        words += (" " if lang == "en" else "") + t("embeddings.sum_clipped", lang, limit=f"{limit:g}")
    st.caption(words)


def near_bars(*args, **options) -> go.Figure:
    """Bars in half the page's width, with room for their numbers."""
    figure = bars(*args, **options)
    low, high = figure.layout.xaxis.range
    more = 0.15 * (high - low)
    return figure.update_xaxes(range=[low - more if low < 0 else low, high + more], nticks=5)


def neighbours() -> None:
    """The rows of the vocabulary closest to the focus token's."""
    for column, by in zip(st.columns(2, gap="medium"), ("cosine", "dot"), strict=True):
        found = parts.nearest(*source, id, NEAREST, by)
        names = state.entries(tokenizer, found.ids)
        with column:
            st.markdown(t(f"embeddings.near_{by}", lang))
            components.chart(
                near_bars,
                names,
                found.values,
                texts=[numbers.three(float(value)) for value in found.values],
                value_title=t(f"embeddings.{by}", lang),
                key=f"near_{by}",
                title=f"{t('embeddings.near_title', lang, token=name)}, {t(f'embeddings.near_{by}', lang)}",
                data=lambda found=found, names=names: {"token": names, "id": found.ids, "value": found.values},
            )


def places_map(cosines: np.ndarray, names: list[str], **options) -> go.Figure:
    """All positions with all: a square whose cells touch, some rows and columns named."""
    figure = heatmap(cosines, names, names, limit=1.0, cell=max(4, 330 // len(names)), **options)
    step = max(1, len(names) // 4)
    bar = {"orientation": "h", "y": 1, "yanchor": "bottom", "nticks": 5}
    figure.update_traces(xgap=0, ygap=0, colorbar=bar)
    figure.update_xaxes(dtick=step, tickangle=0, constrain="domain")
    return figure.update_yaxes(dtick=step, scaleanchor="x", constrain="domain", constraintoward="top")


def places() -> None:
    """Cosines of position rows: of the focus with all, and of all with all."""
    if not has_places:
        st.info(t("embeddings.places_none" if config.causal else "embeddings.places_unordered", lang))
        return
    cosines = parts.similarity(*source)  # (n_ctx, n_ctx)
    model_line, fixed_line = t("embeddings.places_model", lang), t("embeddings.places_sinusoids", lang)
    shown = {model_line: cosines[focus]}
    if config.positions == "learned":
        shown[fixed_line] = similarity(sinusoids(config.n_ctx, config.n_embd).numpy())[focus]
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(t("embeddings.places_line", lang, n=focus))
        components.chart(
            lines,
            np.arange(config.n_ctx),
            shown,
            roles={model_line: "attention", fixed_line: "residual"},
            x_title=t("embeddings.position", lang),
            y_title=t("embeddings.cosine", lang),
            marked=focus,
            height=430,
            key="places_line",
            title=t("embeddings.drawn_places", lang),
            data=lambda: (
                {"position": np.arange(config.n_ctx)} | dict(zip(("model", "sinusoids"), shown.values(), strict=False))
            ),
        )
    k = -(-config.n_ctx // SHOWN)
    some = np.arange(0, config.n_ctx, k)
    row, column = (index.ravel() for index in np.indices((len(some), len(some))))
    with right:
        every = t("embeddings.places_every", lang, k=k) if k > 1 else t("embeddings.places_all", lang)
        st.markdown(every)
        components.chart(
            places_map,
            cosines[np.ix_(some, some)],
            [str(i) for i in some],
            row_title=t("embeddings.position", lang),
            column_title=t("embeddings.position", lang),
            hover=t("embeddings.cosine", lang),
            key="places_all",
            title=t("embeddings.drawn_places_all", lang),
            data=lambda: {"position": some[row], "other": some[column], "cosine": cosines[some[row], some[column]]},
        )
    st.caption(t("embeddings.places_caption" if config.positions == "learned" else "embeddings.places_fixed", lang))


def group(*names: str) -> str:
    return "\n".join(strings("embeddings", "en")[f"words_{name}"] for name in names)


def put(*names: str) -> None:
    st.session_state.words = group(*names)


def short_enough(text: str) -> str:
    if len(text) > MOST_WORDS:
        raise ValueError(text)
    return text


def word_map() -> None:
    """Words that the reader types, on the plane in which their rows differ most."""
    usual = group(*GROUPS)
    state.asked("words", usual, short_enough)
    with st.container(horizontal=True, gap="small"):
        for names in (*((one,) for one in GROUPS), GROUPS):
            label = t(f"embeddings.map_{names[0] if len(names) == 1 else 'all'}", lang)
            st.button(label, key=f"put_{'_'.join(names)}", on_click=put, args=names)
    typed = st.text_area(
        t("embeddings.map_words", lang), key="words", max_chars=MOST_WORDS, height=104, persist_state="session"
    )
    state.also_link(words=typed if typed != usual and len(typed) <= LINKED_WORDS else None)
    words = single_tokens(tokenizer, re.split(r"[\s,;，、；]+", typed))
    for fault in ("several", "unknown"):
        if left_out := [state.plain(word.text[:40]) for word in words if word.fault == fault]:
            st.caption(t(f"embeddings.map_{fault}", lang, words=", ".join(left_out)))
    ids = [word.ids[0] for word in words if word.fault is None]
    if len(ids) < 3:
        st.info(t("embeddings.map_few", lang))
        return
    places, shares = flat_map(model.tokens_embed.weight[ids].cpu().numpy())
    names = state.entries(tokenizer, ids)
    axes = [t("embeddings.map_axis", lang, n=i + 1, share=numbers.percent(float(shares[i]))) for i in (0, 1)]
    components.chart(
        points,
        places,
        names,
        chosen=ids.index(id) if id in ids else None,
        x_title=axes[0],
        y_title=axes[1],
        key="word_map",
        title=t("embeddings.drawn_map", lang),
        data=lambda: {"token": names, "id": ids, "x": places[:, 0], "y": places[:, 1]},
    )
    kept = numbers.percent(float(shares.sum()))
    st.caption(t("embeddings.map_caption", lang, channels=config.n_embd, n=len(ids), share=kept))


def joint_table() -> str:
    """What the rows of the joint matrix are, and how long."""
    lengths = parts.row_lengths(*source)
    names = ("part", "from", "to", "n", "length")
    head = "".join(
        f"<th{' class=t' if i == 0 else ''}>{t(f'embeddings.joint_{x}', lang)}</th>" for i, x in enumerate(names)
    )
    rows = ""
    for part, span in joint_parts(config).items():
        if len(span):
            mean = f"{lengths[span.start : span.stop].mean():.2f}"
            cells = "".join(f"<td>{x}</td>" for x in (f"{span[0]:,}", f"{span[-1]:,}", f"{len(span):,}", mean))
            rows += f"<tr><th class='t'>{t(f'embeddings.joint_{part}', lang)}</th>{cells}</tr>"
    return f"<table><tr>{head}</tr>{rows}</table>"


def shares(*args, **options) -> go.Figure:
    """Lines whose values are probabilities."""
    return lines(*args, **options).update_yaxes(tickformat=".3~%", rangemode="tozero")


def told_apart(*shares: float) -> list[str]:
    """Percentages with as many digits as it takes for them to differ."""
    said = [numbers.percent(share) for share in shares]
    for digits in range(3, 7):
        if len(set(said)) == len(said):
            break
        said = [f"{100 * share:.{digits}g}%" for share in shares]
    return said


def joint() -> None:
    """The joint matrix, and the probability that falls on its position rows."""
    if not has_places:
        st.info(t("embeddings.joint_none", lang))
        return
    st.html(panels.page(joint_table(), dark))
    mass = parts.joint_mass(*source, plain.text)
    before, next_name = float(plain.next_probability[focus][0]), state.entries(tokenizer, plain.next_ids[focus][:1])[0]
    first, then = told_apart(before, before * float(mass.tokens[focus]))
    st.markdown(
        t(
            "embeddings.joint_focus",
            lang,
            token=state.plain(here),
            mass=numbers.percent(float(mass.positions[focus])),
            top=int(mass.top_position[focus]),
            top_share=numbers.percent(float(mass.top_probability[focus])),
            next=state.plain(next_name),
            before=first,
            after=then,
        )
    )
    seen = shown_window(n, focus)
    shown = {t("embeddings.joint_line", lang): mass.positions[seen]}
    if config.n_special:
        shown[t("embeddings.joint_line_special", lang)] = mass.special[seen]
    components.chart(
        shares,
        plain.tokens[seen],
        shown,
        x_title=t("inside.lens_columns", lang),
        y_title=t("embeddings.joint_mass", lang),
        marked=focus - seen.start,
        key="joint_mass",
        title=t("embeddings.drawn_joint", lang),
        data=lambda: {
            "position": np.arange(n),
            "token": [piece.text for piece in plain.tokens],
            "on_tokens": mass.tokens,
            "on_special": mass.special,
            "on_positions": mass.positions,
        },
    )
    if n > seen.stop - seen.start:
        st.caption(t("embeddings.window", lang, first=seen.start, last=seen.stop - 1, n=n))
    own = study.loaded.info.source == "bundled" or study.model_id.startswith(models.RUNS)
    st.caption(
        t("embeddings.joint_tuned" if config.n_special else f"embeddings.joint_{'trained' if own else 'unknown'}", lang)
    )


components.token_strip(plain, lang, components.chosen_colour("probability"), focus)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    components.colour_by(lang, "probability", ("probability", "surprisal", "entropy", "rank"))
    state.index_box("pos", t("app.position", lang), n)

st.header(t("embeddings.sum_title", lang), anchor=False)
with components.careful(lang):
    sums()
components.look_for("embeddings", lang)

st.header(t("embeddings.near_title", lang, token=state.plain(name)), anchor=False)
st.caption(t("embeddings.near_caption", lang))
with components.careful(lang):
    neighbours()

st.header(t("embeddings.places_title", lang), anchor=False)
with components.careful(lang):
    places()

st.header(t("embeddings.map_title", lang), anchor=False)
with components.careful(lang):
    word_map()

st.header(t("embeddings.joint_title", lang), anchor=False)
st.caption(t("embeddings.joint_caption", lang))
with components.careful(lang):
    joint()

components.show_code(lang, GPT1.embedding_matrices, nearest_tokens, similarity, sinusoids, flat_map, joint_mass)
