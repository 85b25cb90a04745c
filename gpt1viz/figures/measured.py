"""What several runs measured, with intervals: dots row by row, and small curves side by side."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpt1viz import palette

from . import theme
from .plain import DASHES, DEFAULT_ROLES, ROLES

SYMBOLS = ("circle", "square", "circle-open", "diamond", "cross", "x")
ROW, DOT = 18, 15  # pixels: what a row takes besides its dots, and a dot
PANEL = 190  # pixels, the height of a small curve
LEGEND = {"orientation": "h", "x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top"}


class Curve(NamedTuple):
    """A line of a panel.

    Attributes:
        x, y: (N,).
        ends: (N, 2), the ends of each y's interval; None where there is a single measurement.
    """

    x: Sequence[float]
    y: Sequence[float]
    ends: np.ndarray | None = None


def dots(
    rows: Sequence[str],
    series: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    roles: Sequence[str] = DEFAULT_ROLES,
    limits: tuple[float, float] | None = None,
    value_title: str = "",
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """For each row a dot of every series, one below the other, with its interval; the first row on top.

    Args:
        rows: R words.
        series: name -> values (R,) and the ends of their intervals (R, 2); NaN is left out.
        roles: of figures.plain.ROLES, for the series' colours.
        limits: where the axis ends at the latest; intervals are cut off there.

    Raises:
        ValueError: shapes that do not fit, or more series than symbols.
    """
    shapes = {(np.shape(values), np.shape(ends)) for values, ends in series.values()}
    if shapes - {((len(rows),), (len(rows), 2))} or len(series) > len(SYMBOLS):
        raise ValueError(f"{len(series)} series of shapes {shapes} for {len(rows)} rows")
    n, fig = len(series), go.Figure()
    step = DOT / (ROW + DOT * n)  # of a row's height
    words = [theme.markup(row, 40) for row in rows]
    for place, (name, (values, ends)) in enumerate(series.items()):
        x, colour, shown = np.asarray(values, np.float64), ROLES[roles[place]][dark], theme.markup(name, 40)
        fig.add_scatter(
            x=x,
            y=np.arange(len(rows)) + (place - (n - 1) / 2) * step,
            mode="markers",
            name=shown,
            marker=_marker(place, colour, 9),
            error_x=_whiskers(x, np.asarray(ends), colour),
            customdata=[f"{row}<br>{shown} {_said(a, b, c)}" for row, a, (b, c) in zip(words, x, ends, strict=True)],
            hovertemplate="%{customdata}<extra></extra>",
        )
    for place in range(1, len(rows)):
        fig.add_hline(y=place - 0.5, line={"color": palette.BORDER[dark], "width": 0.5})
    down = {"tickmode": "array", "tickvals": [*range(len(rows))], "ticktext": words, "range": [len(rows) - 0.5, -0.5]}
    across = {"title": {"text": value_title}, "nticks": 8, "range": _range([*series.values()], limits)}
    fig = theme.dress(fig, height=90 + (ROW + DOT * n) * len(rows), dark=dark, top=36, x=across, y=down)
    return fig.update_layout(showlegend=True, legend=LEGEND)


def trends(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    levels: Mapping[str, float] | None = None,
    ticks: Mapping[float, str] | None = None,
    columns: int = 3,
    limits: tuple[float, float] | None = None,
    log: bool = False,
    x_title: str = "",
    y_title: str = "",
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Small curves side by side on the same axes, a panel each, with the same lines in every panel.

    Args:
        panels: title -> name of a line -> what was measured.
        levels: title -> a value to compare with, dotted across its panel.
        ticks: places on the x axis and what stands there.
        columns: most panels side by side.
        limits: where the y axis ends at the latest; intervals are cut off there.
        log: a logarithmic x axis.

    Raises:
        ValueError: no panel, or more lines than symbols.
    """
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    if not panels or len(names) > len(SYMBOLS):
        raise ValueError(f"{len(panels)} panels, lines {names}")
    n_columns = min(columns, len(panels))
    n_rows = -(-len(panels) // n_columns)
    fig = make_subplots(
        n_rows,
        n_columns,
        specs=[[{} if n_columns * i + j < len(panels) else None for j in range(n_columns)] for i in range(n_rows)],
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.3 / n_rows,
        subplot_titles=[theme.markup(title, 40) for title in panels],
        x_title=x_title,
    )
    left = set(names)  # not yet in the legend
    for place, (title, lines) in enumerate(panels.items()):
        row, column = place // n_columns + 1, place % n_columns + 1
        for name, curve in lines.items():
            shown = theme.markup(name, 40)
            first = name in left
            left.discard(name)
            _draw(fig, names.index(name), shown, curve, dark, x_title, {"showlegend": first, "row": row, "col": column})
        if levels and title in levels:
            dotted = {"color": palette.INK[dark], "width": 1, "dash": "dot"}
            fig.add_hline(y=levels[title], line=dotted, row=row, col=column)  # pyright: ignore[reportArgumentType]
    across = {"matches": "x", "tickangle": 0} | ({"type": "log"} if log else {})
    across |= {"tickmode": "array", "tickvals": [*ticks], "ticktext": [*ticks.values()]} if ticks else {}
    fig.update_xaxes(across)
    drawn = [(curve.y, _ends(curve)) for lines in panels.values() for curve in lines.values()]
    drawn += [([level], [[level, level]]) for level in (levels or {}).values()]
    fig.update_yaxes(matches="y", range=_range(drawn, limits)).update_yaxes(title=y_title, col=1)
    top = 64 if len(names) > 1 else 32  # room for a legend
    fig = theme.dress(fig, height=top + (PANEL + 50) * n_rows, dark=dark, top=top)
    return fig.update_layout(showlegend=len(names) > 1, legend=LEGEND, margin={"b": 56})


def _draw(fig, place: int, shown: str, curve: Curve, dark: bool, x_title: str, options: dict) -> None:
    x, y = np.asarray(curve.x, np.float64), np.asarray(curve.y, np.float64)
    ends = _ends(curve)
    colour = ROLES[DEFAULT_ROLES[place]][dark]
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name=shown,
        legendgroup=shown,
        line={"color": colour, "width": 2, "dash": DASHES[place % len(DASHES)]},
        marker=_marker(place, colour, 6),
        error_y=None if curve.ends is None else _whiskers(y, ends, colour),
        customdata=[f"{shown} {_said(a, b, c)}" for a, (b, c) in zip(y, ends, strict=True)],
        hovertemplate=f"%{{customdata}}<br>{x_title} %{{x:,.6~g}}<extra></extra>",
        **options,
    )


def _ends(curve: Curve) -> np.ndarray:
    return np.full((len(curve.y), 2), np.nan) if curve.ends is None else np.asarray(curve.ends, np.float64)


def _range(drawn: Sequence[tuple], limits: tuple[float, float] | None) -> list[float] | None:
    """Room for all values, and for their intervals as far as the limits go."""
    values = np.concatenate([np.ravel(values) for values, _ in drawn] or [[]])
    ends = np.concatenate([np.ravel(ends) for _, ends in drawn] or [[]])
    every = np.concatenate([values, np.clip(ends, *limits)] if limits else [values, ends])
    if np.isnan(every).all():
        return None
    room = 0.04 * (np.nanmax(every) - np.nanmin(every) or 1.0)
    return [float(np.nanmin(every) - room), float(np.nanmax(every) + room)]


def _marker(place: int, colour: str, size: int) -> dict:
    return {"symbol": SYMBOLS[place], "size": size, "color": colour, "line": {"color": colour, "width": 2}}


def _whiskers(values: np.ndarray, ends: np.ndarray, colour: str) -> dict:
    reach = {"array": ends[:, 1] - values, "arrayminus": values - ends[:, 0]}
    return reach | {"color": colour, "thickness": 1.5, "width": 3}


def _said(value: float, low: float, high: float) -> str:
    """A value and its interval, one decimal: "88.9 (80.7 to 97.1)"."""
    interval = "" if np.isnan(low) else f" ({low:.1f} – {high:.1f})"
    return f"{value:.1f}{interval}".replace("-", "−")
