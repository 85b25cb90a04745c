"""Query-by-key matrices in a subplot: cells, hatching where masked, a colour bar, token axes, rings."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from gpt1viz import palette
from gpt1viz.text import t

from . import theme
from .numbers import score

HEADER = 66  # px above a matrix, for its name and colour bar


def add_cells(
    fig: go.Figure,
    where: dict,
    values: np.ndarray,
    *,
    name: str,
    limit: float | None,
    hover: str,
    lang: str,
    dark: bool,
) -> None:
    """Colour values (T, S), NaN nowhere but where masked, and put their colour bar on top.

    Args:
        where: {"row": ..., "col": ...} of the subplot.
        limit: colours run from -limit to limit; None is for weights, violet at sqrt(w) from 0 to 1.
        hover: what a value is called.
    """
    x, y = next(fig.select_xaxes(**where)), next(fig.select_yaxes(**where))
    bar = {
        "orientation": "h",
        "x": x.domain[0],
        "xanchor": "left",
        "xpad": 0,
        "y": y.domain[1],
        "yanchor": "bottom",
        "ypad": 8,
        "len": 220,
        "lenmode": "pixels",
        "thickness": 10,
        "outlinecolor": palette.BORDER[dark],
        "outlinewidth": 1,
        "tickfont": {"family": palette.MONO, "size": 12},
    }
    if limit is None:
        colours = {"colorscale": theme.sqrt_scale(dark), "zmin": 0, "zmax": 1, "showscale": False}
        _root_bar(fig, where, bar, dark)
    else:
        ends = (-limit, -limit / 2, 0, limit / 2, limit)
        digits = max(0, 1 - int(np.floor(np.log10(limit))))
        bar |= {"tickvals": ends, "ticktext": [score(end, digits) for end in ends]}
        scale = theme.even_scale(palette.signed(dark))
        colours = {"colorscale": scale, "zmin": -limit, "zmax": limit, "colorbar": bar}
    query, key = t("figures.hover_query", lang), t("figures.hover_key", lang)
    gap = 1 if values.shape[1] <= 64 else 0
    cells = go.Heatmap(
        z=values,
        name=name,
        xgap=gap,
        ygap=gap,
        hoverongaps=False,
        hovertemplate=f"{query} %{{y}}<br>{key} %{{x}}<br>{hover} %{{z}}<extra></extra>",
        zhoverformat=".4f" if limit is None else "+.2f",
        **colours,
    )
    fig.add_trace(cells, **where)


def _root_bar(fig: go.Figure, where: dict, bar: dict, dark: bool) -> None:
    """A colour bar whose length is sqrt(w): an invisible trace carries it, for the cells' own would be linear."""
    ticks = theme.PROBABILITY_TICKS
    bar |= {"tickvals": [tick**0.5 for tick in ticks], "ticktext": [f"{tick:g}".lstrip("0") or "0" for tick in ticks]}
    marker = {"color": [0], "cmin": 0, "cmax": 1, "colorscale": theme.even_scale(palette.VIOLET[dark]), "colorbar": bar}
    fig.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=marker, name="bar", hoverinfo="skip"), **where)


def add_hatching(fig: go.Figure, where: dict, hidden: np.ndarray, hover: str, dark: bool) -> None:
    """Hatch the cells where hidden (T, S) is True, each run of a row as one rectangle."""
    runs = []  # of every row: (row, first column, behind the last column)
    for row, line in enumerate(hidden):
        edges = np.flatnonzero(np.diff(line, prepend=False, append=False))
        runs += [(row, first, behind) for first, behind in edges.reshape(-1, 2)]
    if not runs:
        return
    row, first, behind = np.array(runs, np.float32).T - 0.5  # (runs,)
    gap = np.full_like(row, np.nan)
    x = np.stack([first, behind, behind, first, first, gap], axis=1).ravel()
    y = np.stack([row, row, row + 1, row + 1, row, gap], axis=1).ravel()
    pattern = {"shape": "/", "fgcolor": palette.HATCH[dark], "bgcolor": theme.CLEAR, "size": 7, "solidity": 0.2}
    hatch = go.Scatter(
        x=x,
        y=y,
        name="masked",
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillpattern=pattern,
        hoveron="fills",
        text=hover,
        hoverinfo="text",
    )
    fig.add_trace(hatch, **where)


def set_axes(fig: go.Figure, where: dict, tokens: Sequence, n_query: int, *, room: int, dark: bool) -> None:
    """Tokens along both axes, square cells, row 0 on top; the queries are the last of the tokens."""
    x = next(fig.select_xaxes(**where))
    frame = {"showline": True, "mirror": True, "linecolor": palette.BORDER[dark], "constrain": "domain"}
    keys = theme.token_axis(tokens, room)
    queries = theme.token_axis(tokens[len(tokens) - n_query :], room)
    fig.update_xaxes(**keys, **frame, constraintoward="left", tickangle=90, **where)
    queries |= {"range": [n_query - 0.5, -0.5], "scaleanchor": x.plotly_name.replace("axis", ""), "scaleratio": 1}
    fig.update_yaxes(**queries, **frame, constraintoward="top", **where)


def add_header(fig: go.Figure, where: dict, text: str) -> None:
    """The name of a subplot, above its colour bar."""
    x, y = next(fig.select_xaxes(**where)), next(fig.select_yaxes(**where))
    at = {"x": x.domain[0], "y": y.domain[1], "xref": "paper", "yref": "paper"}
    fig.add_annotation(text=text, showarrow=False, xanchor="left", yanchor="bottom", yshift=HEADER - 22, **at)


def add_rings(fig: go.Figure, where: dict, cell: tuple[int, int], shape: tuple[int, int], dark: bool) -> None:
    """Ring the cell's row in query colour and its column in key colour."""
    (row, column), (n_query, n_key) = cell, shape
    ring = {"type": "rect", "layer": "above", "fillcolor": theme.CLEAR}
    rows = {"x0": -0.5, "x1": n_key - 0.5, "y0": row - 0.5, "y1": row + 0.5}
    columns = {"x0": column - 0.5, "x1": column + 0.5, "y0": -0.5, "y1": n_query - 0.5}
    fig.add_shape(**ring, **columns, line={"color": palette.KEY[dark], "width": 2}, **where)
    fig.add_shape(**ring, **rows, line={"color": palette.QUERY[dark], "width": 2}, **where)


def name_axes(fig: go.Figure, where: dict, *, lang: str, dark: bool, left: bool = True, bottom: bool = True) -> None:
    """Say what rows and columns are, in the colours of query and key; inner subplots leave tokens and names out."""
    query = {"text": t("figures.query", lang), "font": {"color": palette.QUERY[dark]}}
    key = {"text": t("figures.key", lang), "font": {"color": palette.KEY[dark]}}
    fig.update_xaxes(title=key if bottom else None, showticklabels=bottom, **where)
    fig.update_yaxes(title=query if left else None, showticklabels=left, **where)


def height(tokens: Sequence, n_query: int, side: int) -> int:
    """Pixels for a figure of side x side matrices with its token labels below."""
    below = 36 + 8 * min(theme.LONGEST_LABEL, max(map(len, theme.labels(tokens))))
    cells = min(max(26 * n_query, 110), 440) if side == 1 else min(max(20 * n_query, 110), 260)
    return side * (cells + HEADER) + below
