"""Panels of the page Block: the walk through one block, its MLP, one unit, and lengths by layer."""

import components
import computing
import numpy as np
import panels
import parts
import plotly.graph_objects as go
import state
import streamlit as st
import torch

from gpt1viz.analysis.contributions import STEPS, Walk
from gpt1viz.analysis.units import Units, drivers, driving_entries, pushed_tokens
from gpt1viz.figures import activation, bars, heatmap, lines, numbers, strips
from gpt1viz.model import ACTIVATIONS
from gpt1viz.text import t
from gpt1viz.views import shown_window

SOURCES = 8  # positions named in what drives a unit
ENTRIES = 8  # vocabulary entries named for a unit
NAMED = 18  # tokens named below a map in half the page's width
ORDER = {
    "post": ("resid_in", "attn_out", "resid_mid", "ln_1", "mlp_out", "resid_out", "ln_2"),
    "pre": ("resid_in", "ln_1", "attn_out", "resid_mid", "ln_2", "mlp_out", "resid_out"),
}
ROLES = {"attn_out": "attention", "mlp_out": "mlp", "ln_1": "ink", "ln_2": "ink"}


def stream(study: state.Study, walked: Walk, layer: int) -> None:
    """The vectors of the focus token on their way through the block, with their lengths."""
    lang, focus, norm = study.lang, study.focus, study.loaded.model.config.norm
    vectors = {name: getattr(walked, name)[focus] for name in ORDER[norm]}
    rows = {f"{t(f'block.row_{name}', lang)}  {np.linalg.norm(x):.2f}": x for name, x in vectors.items()}
    limit = numbers.nice_limit(float(np.quantile(np.abs(np.stack([*rows.values()])), 0.98)))
    components.chart(
        strips,
        rows,
        limit=limit,
        roles={label: ROLES.get(name, "residual") for label, name in zip(rows, vectors, strict=True)},
        key="block_walk",
        title=t("block.drawn_walk", lang, layer=layer),
        data=lambda: {"channel": np.arange(walked.out.shape[1])} | vectors,
    )
    here = state.plain(state.token_at(study, focus))
    said = t(f"block.walk_{norm}", lang, token=here, layer=layer, channels=walked.out.shape[1])
    st.caption(said + (" " if lang == "en" else "") + t("embeddings.sum_clipped", lang, limit=f"{limit:g}"))


def curve(study: state.Study, walked: Walk, top: Units, layer: int, unit: int) -> None:
    """The activation function, what this text put into it, and the most active units on it."""
    lang, afn, focus = study.lang, study.loaded.model.config.afn, study.focus
    pre, hidden = walked.mlp_pre[focus], walked.mlp_hidden[focus]  # (F,)
    shown = [*dict.fromkeys([*top.units.tolist(), unit])]
    low = min(-3.0, float(np.quantile(walked.mlp_pre, 0.001)), *(float(pre[i]) for i in shown))
    high = max(3.0, float(np.quantile(walked.mlp_pre, 0.999)), *(float(pre[i]) for i in shown))
    x = torch.linspace(low - 0.2, high + 0.2, 301)
    marked = {t("block.unit_n", lang, n=i): (float(pre[i]), float(hidden[i])) for i in shown}
    components.chart(
        activation,
        (x.numpy(), ACTIVATIONS[afn](x).numpy()),
        walked.mlp_pre,
        marked,
        chosen=t("block.unit_n", lang, n=unit),
        name=t(f"block.afn_{afn}", lang),
        input_title=t("block.pre", lang),
        share_title=t("block.share", lang),
        key="block_activation",
        title=t("block.drawn_activation", lang, layer=layer),
        data=lambda: {"unit": np.arange(len(pre)), "pre_activation": pre, "activation": hidden},
    )


def unit_table(walked: Walk, top: Units, focus: int, unit: int, lang: str) -> str:
    """The most active units: before and after the activation, and how much each adds."""
    names = "".join(f"<th>{t(f'block.{name}', lang)}</th>" for name in ("unit_name", "pre", "hidden", "adds"))
    rows = ""
    for i, active, length in zip(*top, strict=True):
        style = " style='font-weight:700'" if i == unit else ""
        pre = numbers.score(float(walked.mlp_pre[focus, i]), 3)
        rows += (
            f"<tr{style}><td>{i}</td><td>{pre}</td><td>{numbers.score(float(active), 3)}</td><td>{length:.2f}</td></tr>"
        )
    return f"<table><tr>{names}</tr>{rows}</table>"


def over_text(study: state.Study, walked: Walk, top: Units, layer: int, unit: int) -> None:
    """The activations of the most active units at every position."""
    lang, n = study.lang, len(study.explanation.tokens)
    shown, seen = [*dict.fromkeys([unit, *top.units.tolist()])], shown_window(n, study.focus)
    components.chart(
        heatmap,
        walked.mlp_hidden[seen][:, shown].T,
        [str(i) for i in shown],
        study.explanation.tokens[seen],
        hover=t("block.hidden", lang),
        digits=3,
        ring=(0, study.focus - seen.start),
        row_title=t("block.unit_name", lang),
        key="block_units",
        title=t("block.drawn_units", lang, layer=layer),
        data=lambda: {"position": np.arange(n)} | {f"unit_{i}": walked.mlp_hidden[:, i] for i in shown},
    )
    st.caption(t("block.units_caption", lang))
    if n > seen.stop - seen.start:
        st.caption(t("embeddings.window", lang, first=seen.start, last=seen.stop - 1, n=n))


def driven_by(study: state.Study, walked: Walk, layer: int, unit: int) -> None:
    """The pre-activation of one unit at the focus, as a sum."""
    lang, focus = study.lang, study.focus
    found = drivers(study.loaded.model, walked, layer, unit, focus)
    sources = found.sources.sum(0)  # (S,)
    seen = np.flatnonzero(found.sources.any(0))
    order = seen[np.argsort(-np.abs(sources[seen]), kind="stable")]
    names, values = [t("block.from_own", lang)], [found.own]
    for i in order[:SOURCES]:
        names.append(t("block.from_token", lang, token=state.token_text(study, int(i)), n=int(i)))
        values.append(float(sources[i]))
    if len(order) > SOURCES:
        names.append(t("block.from_others", lang, n=len(order) - SOURCES))
        values.append(float(sources[order[SOURCES:]].sum()))
    names.append(t("block.from_bias", lang))
    values.append(found.bias)
    roles = ["residual", *["attention"] * (len(names) - 2), "ink"]
    components.chart(
        bars,
        names,
        np.array(values),
        roles=roles,
        texts=[numbers.score(value, 3) for value in values],
        key="block_drivers",
        title=t("block.drawn_drivers", lang, layer=layer, unit=unit),
        data=lambda: {"part": names, "value": values},
    )
    total = numbers.score(found.total, 3)
    here = state.plain(state.token_at(study, focus))
    st.caption(t("block.drivers_caption", lang, unit=unit, token=here, total=total))


def alone(study: state.Study, layer: int, unit: int) -> None:
    """The vocabulary entries that activate the unit most, each alone as a text."""
    lang, model, config = study.lang, study.loaded.model, study.loaded.model.config
    n = f"{config.n_vocab:,}"
    found = computing.computed(
        "entries",
        (study.model_id, study.stamp, layer),
        lambda progress: driving_entries(model, layer, ENTRIES, progress),
        config.n_vocab * (layer + 1) * computing.passes(config, 1),
        lang,
        ask=t("block.entries_ask", lang, n=n),
    )
    if found is not None:
        names = state.entries(study.loaded.tokenizer, found.ids[unit])
        st.html(
            panels.page(panels.token_list(t("block.entries", lang), names, found.activations[unit]), components.dark())
        )
    st.caption(t("block.entries_caption", lang, n=n))


def pushes(study: state.Study, layer: int, unit: int) -> None:
    """The tokens that the unit's output row points to, and away from."""
    lang, found = study.lang, pushed_tokens(study.loaded.model, layer, unit)
    sides = (("raises", found.raised, found.raised_by), ("lowers", found.lowered, found.lowered_by))
    tables = [
        panels.token_list(t(f"block.{side}", lang), state.entries(study.loaded.tokenizer, ids), by)
        for side, ids, by in sides
    ]
    st.html(panels.page("".join(tables), components.dark()))
    st.caption(t(f"block.pushes_{study.loaded.model.config.norm}", lang))


def layer_lines(x: np.ndarray, values: dict[str, np.ndarray], **options) -> go.Figure:
    """Lines over layers, which are whole numbers, be it a single one."""
    figure = lines(x, values, **options)
    return figure.update_xaxes(dtick=-(-len(x) // 12), range=[-0.3, len(x) - 0.7])


def share_map(values: np.ndarray, rows: list[str], columns: list, **options) -> go.Figure:
    """A heatmap for half the page's width."""
    return heatmap(values, rows, columns, **options).update_xaxes(dtick=-(-len(columns) // NAMED))


def by_layer(study: state.Study, layer: int) -> None:
    """Lengths of the stream and of what is added to it in every block, at the focus and at every position."""
    lang, n, focus = study.lang, len(study.explanation.tokens), study.focus
    found = parts.lengths(study.model_id, study.stamp, study.explanation.text)
    n_layer = len(found.after)
    roles = {"before_attention": "residual", "attention": "attention", "before_mlp": "ink", "mlp": "mlp"}
    shown = {t(f"block.length_{name}", lang): getattr(found, name)[:, focus] for name in roles}
    components.chart(
        layer_lines,
        np.arange(n_layer),
        shown,
        roles=dict(zip(shown, roles.values(), strict=True)),
        x_title=t("block.x_gradients", lang),
        y_title=t("block.length", lang),
        marked=layer,
        key="block_lengths",
        title=t("block.drawn_lengths", lang),
        data=lambda: {"layer": np.arange(n_layer)} | {name: getattr(found, name)[:, focus] for name in roles},
    )
    seen = shown_window(n, focus)
    shares = {"attention": found.attention / found.before_attention, "mlp": found.mlp / found.before_mlp}
    row, column = (index.ravel() for index in np.indices((n_layer, n)))
    for place, (name, share) in zip(st.columns(2, gap="medium"), shares.items(), strict=True):
        with place:
            st.markdown(t(f"block.share_{name}", lang))
            components.chart(
                share_map,
                share[:, seen],
                [f"L{i}" for i in range(n_layer)],
                study.explanation.tokens[seen],
                kind="amount",
                hover="×",
                ring=(layer, focus - seen.start),
                key=f"block_share_{name}",
                title=t(f"block.drawn_share_{name}", lang),
                data=lambda share=share: {"layer": row, "position": column, "share": share.ravel()},
            )
    if n > seen.stop - seen.start:
        st.caption(t("embeddings.window", lang, first=seen.start, last=seen.stop - 1, n=n))
    st.caption(t("block.share_caption", lang))


def lengths_of(walked: Walk, focus: int) -> dict[str, float]:
    """Lengths of the focus token's vectors by their names in the trace."""
    names = (name for name in STEPS if not name.startswith("mlp_p") and name != "mlp_hidden")
    return {name: float(np.linalg.norm(getattr(walked, name)[focus])) for name in names}
