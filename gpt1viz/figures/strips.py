"""Vectors as strips of cells, one below the other, so that sums can be read; and an activation with its inputs."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpt1viz import palette
from gpt1viz.text import t

from . import theme
from .numbers import nice_limit
from .plain import ROLES

BINS = 60
ROW = 34  # pixels


def strips(
    rows: Mapping[str, np.ndarray],
    *,
    roles: Mapping[str, str] | None = None,
    limit: float | None = None,
    title: str | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Vectors of the same C channels, a cell a number: amber below zero, violet above.

    Hovering a channel names every row's number in it, so that rows which are the sum of others can be checked.

    Args:
        rows: name -> (C,), from above.
        roles: name -> one of figures.plain.ROLES, for the name's colour.
        limit: where the scale ends; numbers beyond it keep the last colour. By default the largest of 98 % of the
            numbers, rounded up to 1, 2 or 5, because a few channels may dwarf the others.

    Raises:
        ValueError: no rows, or rows of different lengths.
    """
    if len({np.shape(row) for row in rows.values()}) != 1:
        raise ValueError(f"rows of shapes {[np.shape(row) for row in rows.values()]}")
    z = np.stack([np.asarray(row, np.float32) for row in rows.values()])  # (R, C)
    n_rows, n_channels = z.shape
    limit = limit or nice_limit(float(np.quantile(np.abs(z), 0.98)))
    names = [theme.markup(name, 40) for name in rows]
    inks = [ROLES[(roles or {}).get(name, "ink")][dark] for name in rows]
    said = "".join(f"<br>{name} %{{customdata[{i}]:+.3f}}" for i, name in enumerate(names))
    fig = go.Figure(
        go.Heatmap(
            z=z,
            customdata=np.broadcast_to(z.T, (n_rows, n_channels, n_rows)).copy(),
            colorscale=theme.even_scale(palette.signed(dark)),
            zmin=-limit,
            zmax=limit,
            colorbar={
                "thickness": 10,
                "exponentformat": "none",
                "outlinecolor": palette.BORDER[dark],
                "tickfont": {"family": palette.MONO, "size": 12},
            },
            ygap=4,
            hovertemplate=f"{t('figures.channel', lang)} %{{x}}{said}<extra></extra>",
        )
    )
    across = {"title": {"text": t("figures.channel", lang)}, "range": [-0.5, n_channels - 0.5], "nticks": 9}
    down = {
        "tickmode": "array",
        "tickvals": np.arange(n_rows),
        "ticktext": [f"<span style='color:{ink}'>{name}</span>" for name, ink in zip(names, inks, strict=True)],
        "range": [n_rows - 0.5, -0.5],
    }
    height = ROW * n_rows + 62 + (44 if title else 12)
    return theme.dress(fig, height=height, dark=dark, title=title, x=across, y=down)


def activation(
    curve: tuple[np.ndarray, np.ndarray],
    inputs: np.ndarray,
    marked: Mapping[str, tuple[float, float]],
    *,
    chosen: str | None = None,
    name: str = "",
    input_title: str = "",
    share_title: str = "",
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """An activation function, the inputs that a text gave it as a histogram below, some of them as dots on the curve.

    Args:
        curve: (N,) inputs from low to high and (N,) outputs.
        inputs: any shape, all pre-activations.
        marked: name -> (input, output), dots on the curve.
        chosen: the name of a dot to ring.
        name: of the function.
        input_title, share_title: what the x axis and the histogram's y axis say.

    Raises:
        ValueError: a curve whose arrays differ in length.
    """
    x, y = (np.asarray(part, np.float64) for part in curve)
    if x.shape != y.shape:
        raise ValueError(f"a curve of {x.shape} inputs and {y.shape} outputs")
    edges = np.linspace(x[0], x[-1], BINS + 1)
    share = np.histogram(np.clip(inputs, x[0], x[-1]), edges)[0] / np.size(inputs)  # (BINS,)
    fig = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.62, 0.38])
    ink = palette.MLP[dark]
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        line={"color": ink, "width": 2, "simplify": False},
        hoverinfo="skip",
        row=1,
        col=1,
    )
    fig.add_scatter(
        x=[at for at, _ in marked.values()],
        y=[out for _, out in marked.values()],
        mode="markers",
        name="marked",
        marker={
            "size": 9,
            "color": palette.VIOLET[dark][4],
            "line": {"color": palette.INK[dark], "width": [2 if name == chosen else 0 for name in marked]},
        },
        customdata=[theme.markup(name, 40) for name in marked],
        hovertemplate="%{customdata}<br>%{x:+.3f} → %{y:+.3f}<extra></extra>",
        row=1,
        col=1,
    )
    fig.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=share,
        width=np.diff(edges),
        name="inputs",
        marker={"color": palette.VIOLET[dark][4], "line": {"width": 0}},
        hovertemplate="%{x:+.2f}: %{y:.2~%}<extra></extra>",
        row=2,
        col=1,
    )
    fig.add_vline(x=0, line={"color": palette.BORDER[dark], "width": 1})
    fig.update_xaxes(title=input_title or None, row=2, col=1)
    fig.update_yaxes(title=name or None, row=1, col=1)
    fig.update_yaxes(title=share_title or None, tickformat=".0~%", nticks=4, row=2, col=1)
    return theme.dress(fig, height=360, dark=dark)
