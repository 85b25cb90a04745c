"""The draw in plotly: tokens share the unit interval, and u falls into one slice."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from gpt1viz import palette
from gpt1viz.text import t

from . import theme
from .numbers import percent

NARROW = 560  # px that the bar has on a narrow page; a slice is named if its name fits there


def unit_bar(
    tokens: Sequence, edges: np.ndarray, u: float | None = None, *, lang: str = "en", dark: bool = False
) -> go.Figure:
    """The draw: tokens share the interval from 0 to 1, and the one whose slice contains u is written.

    Args:
        tokens: the first K tokens, most probable first.
        edges: (V,), where each token's slice ends, the last at 1: token i owns [edges[i-1], edges[i]). Those behind
            the K-th are drawn as one slice, "others".
        u: the uniform draw, 0 <= u < 1; None draws no marker.

    Raises:
        ValueError: fewer edges than tokens, or edges that fall or do not end at 1.
    """
    edges, n = np.asarray(edges, np.float64), len(tokens)  # (V,)
    if not 0 < n <= len(edges) or (np.diff(edges, prepend=0) < 0).any() or abs(edges[-1] - 1) > 1e-6:
        raise ValueError("edges must be at least one a token, rise, and end at 1")
    names = theme.labels(tokens)
    widths = np.diff(edges[:n], prepend=0)  # (K,)
    fills = [theme.sqrt_colour(min(1.0, width), dark) for width in widths]
    n_others = int(np.count_nonzero(np.diff(edges[n - 1 :])))
    if n_others:
        names, fills = [*names, t("figures.others", lang, n=f"{n_others:,}")], [*fills, theme.CLEAR]
        widths = np.append(widths, 1 - edges[n - 1])
    starts = np.cumsum(widths) - widths
    hit = None if u is None else _hit(widths, u)
    ink, border = palette.INK[dark], palette.BORDER[dark]
    fig = go.Figure(
        go.Bar(
            x=widths,
            base=starts,
            y=np.zeros(len(widths)),
            width=1,
            orientation="h",
            name="slices",
            marker={"color": fills, "line": {"color": border, "width": 0.5}},
            text=[_name(name, width) for name, width in zip(names, widths, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={
                "family": palette.MONO,
                "size": 13,
                "color": [ink if fill == theme.CLEAR else theme.text_on(fill) for fill in fills],
            },
            customdata=[(theme.markup(name), percent(width)) for name, width in zip(names, widths, strict=True)],
            hovertemplate="%{customdata[0]} %{customdata[1]}<extra></extra>",
        )
    )
    title = None
    if u is not None and hit is not None:
        slot = {"x0": starts[hit], "x1": starts[hit] + widths[hit], "y0": -0.5, "y1": 0.5}
        fig.add_shape(type="rect", **slot, line={"color": ink, "width": 2})
        _mark(fig, u, t("figures.draw", lang, u=f"{u:.4f}"), ink)
        falls = "figures.draw_others" if hit == n else "figures.draw_falls"
        title = t(falls, lang, u=f"{u:.3f}", n=f"{n_others:,}", token=theme.markup(names[hit]))
    fig.update_xaxes(range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1], ticktext=["0", "0.25", "0.5", "0.75", "1"])
    fig.update_yaxes(visible=False, range=[-0.55, 1])
    return theme.dress(fig, height=130, dark=dark, title=title)


def _hit(widths: np.ndarray, u: float) -> int:
    """Index of the slice that contains u; rounding may leave u behind the last one that has a width."""
    return min(int(np.searchsorted(np.cumsum(widths), u, side="right")), int(np.flatnonzero(widths)[-1]))


def _name(name: str, width: float) -> str:
    return theme.markup(name, 12) if width * NARROW > 8 * min(len(name), 12) + 6 else ""


def _mark(fig: go.Figure, u: float, hover: str, ink: str) -> None:
    """A triangle at u, and strokes above and below the slice's name."""
    marker = {"symbol": "triangle-down", "size": 14, "color": ink}
    hovertemplate = f"{hover}<extra></extra>"
    fig.add_scatter(x=[u], y=[0.72], mode="markers", name="draw", marker=marker, hovertemplate=hovertemplate)
    for y0, y1 in ((-0.5, -0.25), (0.25, 0.6)):
        fig.add_shape(type="line", x0=u, x1=u, y0=y0, y1=y1, line={"color": ink, "width": 2})
