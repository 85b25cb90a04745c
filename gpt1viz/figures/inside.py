"""Drawings of what is inside: the lens over layers and positions, a number for every head, before and after."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from gpt1viz import palette
from gpt1viz.text import t

from . import matrix, theme
from .numbers import percent, score, weight
from .plain import heatmap

PRINTED = 16  # positions up to which a cell has room for its token
LETTERS = 6  # printed of a token
NAMED = 18  # tokens named along an edge of the weights
CELL = 26  # pixels of a cell that can be clicked
PRINTED_HEADS = 6  # heads up to which a cell has room for its number


def lens_map(
    tokens: Sequence,
    stages: Sequence[str],
    values: np.ndarray,
    best: Sequence[Sequence[str]],
    hover: Sequence[Sequence[str]],
    *,
    kind: str = "probability",
    limit: float | None = None,
    focus: int | None = None,
    column_title: str = "",
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """What each place of the model would predict after each token, the first place at the bottom.

    Args:
        tokens: P tokens or strings, those read.
        stages: R names of places, in the order of computation.
        values: (R, P), the colours.
        best: (R, P) the most probable token of each cell; printed while there is room.
        hover: (R, P) what a cell says, plain text; a newline starts a line.
        kind, limit: as in `heatmap`.
        focus: a column to ring.

    Raises:
        ValueError: shapes that do not fit, or an unknown kind.
    """
    shape = (len(stages), len(tokens))
    if np.shape(best) != shape or np.shape(hover) != shape:
        raise ValueError(f"best {np.shape(best)}, hover {np.shape(hover)} for {shape} cells")
    up = slice(None, None, -1)
    printed = [[_short(name) for name in theme.labels(row)] for row in best][up]
    fig = heatmap(
        np.asarray(values)[up],
        list(stages)[up],
        tokens,
        kind=kind,
        limit=limit,
        column_title=column_title,
        texts=printed if len(tokens) <= PRINTED else None,
        cell=24,
        lang=lang,
        dark=dark,
    )
    says = [["<br>".join(theme.markup(line, 80) for line in cell.split("\n")) for cell in row] for row in hover]
    fig.update_traces(customdata=says[up], hovertemplate="%{customdata}<extra></extra>")
    if focus is not None:
        edges = {"x0": focus - 0.5, "x1": focus + 0.5, "y0": -0.5, "y1": len(stages) - 0.5}
        fig.add_shape(type="rect", layer="above", line={"color": palette.INK[dark], "width": 2}, **edges)
    return fig


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"


def _plain(x: float, digits: int = 2) -> str:
    return f"{x:.{digits}f}"


def head_map(
    values: np.ndarray,
    *,
    kind: str = "signed",
    hover: str = "",
    ring: tuple[int, int] | None = None,
    title: str | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A number for every head: a row a layer, a column a head. Clicks fall on the points of the second trace.

    Args:
        values: (L, H).
        kind, title: as in `heatmap`.
        hover: what a value is called.
        ring: (layer, head) to ring.
    """
    layer, head = (x.ravel() for x in np.indices(np.shape(values)))
    rows, columns = ([f"{kind}{i}" for i in range(n)] for kind, n in zip("LH", np.shape(values), strict=True))
    show = {"probability": weight, "signed": score, "amount": _plain}[kind]
    digits = 3 if kind != "probability" and np.abs(values).max(initial=0) < 1 else 2
    printed = [[show(float(value), digits) for value in line] for line in values]
    few = len(columns) <= PRINTED_HEADS
    look = {"kind": kind, "ring": ring, "title": title, "lang": lang, "dark": dark}
    fig = heatmap(values, rows, columns, texts=printed if few else None, **look)
    fig.update_traces(showscale=not few)
    says = [f"L{i}·H{k}<br>{hover} {show(float(values[i, k]), 4)}" for i, k in zip(layer, head, strict=True)]
    return clickable(fig, head, layer, says).update_xaxes(tickangle=0)


def clickable(fig: go.Figure, x: np.ndarray, y: np.ndarray, says: Sequence[str], size: int = CELL) -> go.Figure:
    """Lays points that nobody sees over the cells of a heatmap, which itself takes no clicks.

    Args:
        x, y: (N,) their columns and rows.
        says: N hover texts, as markup.
        size: of a point in pixels.
    """
    clear = {"marker": {"opacity": 0}}
    return fig.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"size": size, "symbol": "square", "opacity": 0},
        selected=clear,
        unselected=clear,
        customdata=says,
        hovertemplate="%{customdata}<extra></extra>",
    )


def weights_map(
    weights: np.ndarray,
    tokens: Sequence,
    *,
    causal: bool = True,
    title: str | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """The attention weights of a head: a row a query, a column a key, hatched where a mask hides the key.

    Args:
        weights: (T, T), 0 to 1.
        tokens: T tokens or strings.
        causal: keys behind the query are masked.
    """
    n = len(tokens)
    hidden = ~np.tri(n, dtype=bool) if causal else np.zeros((n, n), bool)
    fig = heatmap(
        np.where(hidden, np.nan, weights),
        tokens,
        tokens,
        kind="probability",
        hover=t("figures.hover_weights", lang),
        digits=4,
        cell=max(3, min(28, 420 // n)),
        title=title,
        lang=lang,
        dark=dark,
    )
    matrix.add_hatching(fig, {}, hidden, t("figures.hidden_weights", lang), dark)
    step = -(-n // NAMED)
    return fig.update_xaxes(dtick=step).update_yaxes(dtick=step)


def before_after(
    tokens: Sequence,
    before: np.ndarray,
    after: np.ndarray,
    *,
    chosen: int | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Probabilities before an edit as hollow bars, after it as filled ones, the first token on top.

    Args:
        tokens: N candidates for the next token.
        before, after: (N,), 0 to 1.
        chosen: a bar to ring.

    Raises:
        ValueError: shapes that do not fit.
    """
    p, q = np.asarray(before, np.float64), np.asarray(after, np.float64)  # (N,)
    if not p.shape == q.shape == (len(tokens),):
        raise ValueError(f"{len(tokens)} tokens, before {p.shape}, after {q.shape}")
    names, ink = [theme.markup(name, 40) for name in theme.labels(tokens)], palette.INK[dark]
    texts = [f"{percent(a)} → {percent(b)}" for a, b in zip(p, q, strict=True)]
    hollow = {"color": theme.CLEAR, "line": {"color": palette.SECONDARY[dark], "width": 1}}
    rings = [2 if i == chosen else 0 for i in range(len(names))]
    filled = {"color": palette.VIOLET[dark][4], "line": {"color": ink, "width": rings}}
    fig = go.Figure()
    for name, values, width, marker in (("after", q, 0.44, filled), ("before", p, 0.8, hollow)):
        fig.add_bar(
            x=values,
            y=np.arange(len(names)),
            width=width,
            orientation="h",
            name=t(f"figures.{name}", lang),
            marker=marker,
            customdata=[f"{token}<br>{text}" for token, text in zip(names, texts, strict=True)],
            hovertemplate="%{customdata}<extra></extra>",
        )
    notes = [
        {"x": float(end), "y": place, "text": text, "showarrow": False, "xanchor": "left", "xshift": 6}
        | {"font": {"family": palette.MONO, "size": 12, "color": ink}}
        for place, (text, end) in enumerate(zip(texts, np.maximum(p, q), strict=True))
    ]
    most = float(max(p.max(initial=0), q.max(initial=0)))
    across = {"range": [0, 1.45 * most or 1], "tickformat": ".3~%", "nticks": 6}
    down = theme.token_axis(tokens, len(names)) | {"range": [len(names) - 0.5, -0.5]}
    fig = theme.dress(fig, height=84 + 30 * len(names), dark=dark, top=44, x=across, y=down)
    legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 13}, "traceorder": "reversed"}
    return fig.update_layout(barmode="overlay", showlegend=True, legend=legend, annotations=notes)
