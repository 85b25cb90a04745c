"""Drawings of any numbers in the common look: a heatmap, bars, lines, points. Their words come from the caller."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from gpt1viz import palette

from . import theme
from .numbers import nice_limit

ROLES = {
    "query": palette.QUERY,
    "key": palette.KEY,
    "value": palette.VALUE,
    "residual": palette.RESIDUAL,
    "attention": palette.ATTENTION,
    "mlp": palette.MLP,
    "extract": palette.EXTRACT,
    "ink": palette.INK,
}
DEFAULT_ROLES = ("attention", "key", "value", "query", "extract", "mlp", "residual", "ink")
KINDS = ("probability", "signed", "amount", "surprisal")
DASHES = ("solid", "dash", "dot")
LOG_TICKS = [digit * 10.0**power for power in range(-9, 13) for digit in (1, 2, 5)]  # plotly prints bare digits


def heatmap(
    values: np.ndarray,
    rows: Sequence,
    columns: Sequence,
    *,
    kind: str = "signed",
    limit: float | None = None,
    row_title: str = "",
    column_title: str = "",
    hover: str = "",
    digits: int = 2,
    texts: Sequence[Sequence[str]] | None = None,
    ring: tuple[int, int] | None = None,
    title: str | None = None,
    cell: int = 28,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Numbers in rows and columns as colours, the first row on top.

    Args:
        values: (R, K); NaN is left empty.
        rows, columns: R and K tokens or strings.
        kind: "probability" is violet at sqrt(p) from 0 to 1; "signed" amber to violet, zero the paper's colour;
            "amount" violet and "surprisal" amber from 0 up.
        limit: where a scale ends, other than that of probabilities; by default the largest value, up to 1, 2 or 5.
        row_title, column_title: what rows and columns are.
        hover: what a value is called.
        digits: of a value, when hovering.
        texts: (R, K) strings, printed in the cells.
        ring: a cell to ring.
        cell: height of a row in pixels.

    Raises:
        ValueError: shapes that do not fit, or an unknown kind.
    """
    z = np.asarray(values, np.float64)  # (R, K)
    if z.shape != (len(rows), len(columns)) or kind not in KINDS:
        raise ValueError(f"values {z.shape}, {len(rows)} rows, {len(columns)} columns, kind {kind!r}")
    limit = limit or nice_limit(float(np.nanmax(np.abs(z), initial=0)) or 1.0)
    scale, low, high = {
        "probability": (theme.sqrt_scale(dark), 0.0, 1.0),
        "signed": (theme.even_scale(palette.signed(dark)), -limit, limit),
        "amount": (theme.even_scale(palette.VIOLET[dark]), 0.0, limit),
        "surprisal": (theme.even_scale(palette.AMBER[dark]), 0.0, limit),
    }[kind]
    names, tops = ([theme.markup(name, 40) for name in theme.labels(x)] for x in (rows, columns))
    bar = {"thickness": 10, "outlinecolor": palette.BORDER[dark], "exponentformat": "none"}  # 0.0005, not 500µ
    bar |= {"tickfont": {"family": palette.MONO, "size": 12}}
    if kind == "probability":
        bar |= {"tickvals": [tick for tick in theme.PROBABILITY_TICKS if tick == 0 or tick >= 0.1]}
    fig = go.Figure(
        go.Heatmap(
            z=z,
            customdata=[[f"{name}<br>{top}" for top in tops] for name in names],
            colorscale=scale,
            zmin=low,
            zmax=high,
            colorbar=bar,
            xgap=1 if len(columns) <= 64 else 0,
            ygap=1 if len(rows) <= 64 else 0,
            hoverongaps=False,
            hovertemplate=f"%{{customdata}}<br>{hover} %{{z:.{digits}f}}<extra></extra>",
        )
    )
    if ring is not None:
        edges = {"x0": ring[1] - 0.5, "x1": ring[1] + 0.5, "y0": ring[0] - 0.5, "y1": ring[0] + 0.5}
        fig.add_shape(type="rect", layer="above", line={"color": palette.INK[dark], "width": 2}, **edges)
    across = theme.token_axis(columns, 40) | {"title": {"text": column_title}, "tickangle": 90}
    down = theme.token_axis(rows, 40) | {"title": {"text": row_title}, "range": [len(rows) - 0.5, -0.5]}
    below = 44 + 8 * min(theme.LONGEST_LABEL, max(map(len, theme.labels(columns)), default=0))
    height = max(60, cell * len(rows)) + below + (44 if title else 12)
    fig = theme.dress(fig, height=height, dark=dark, title=title, x=across, y=down)
    printed, notes = np.array([] if texts is None else texts, dtype=object), []
    for (i, k), value in np.ndenumerate(z) if texts is not None else ():
        if not np.isnan(value):
            fill = _fill(kind, float(np.clip((value - low) / (high - low), 0, 1)), dark)
            font = {"family": palette.MONO, "size": 12, "color": theme.text_on(fill)}
            notes.append({"x": k, "y": i, "text": theme.markup(str(printed[i, k])), "showarrow": False, "font": font})
    if notes:  # all at once: one by one, each would copy those before
        fig.update_layout(annotations=notes)
    return fig


def _fill(kind: str, share: float, dark: bool) -> str:
    """The colour that a heatmap gives to a value this far along its scale, 0 to 1."""
    if kind == "probability":
        return theme.sqrt_colour(share, dark)
    scales = {"signed": palette.signed(dark), "amount": palette.VIOLET[dark], "surprisal": palette.AMBER[dark]}
    return theme.colour_at(scales[kind], share)


def bars(
    names: Sequence,
    values: np.ndarray,
    *,
    kind: str = "signed",
    intervals: np.ndarray | None = None,
    texts: Sequence[str] | None = None,
    roles: Sequence[str] | None = None,
    chosen: int | None = None,
    value_title: str = "",
    title: str | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Horizontal bars, the first on top: violet above zero, amber below; with "surprisal" all amber.

    Args:
        names: N tokens or strings; with `roles` they are words, printed as they are.
        values: (N,).
        intervals: (N, 2), the ends of each value's interval, as whiskers.
        texts: what is printed at each bar; by default the value with three digits.
        roles: N of ROLES, for bars that are parts of a model rather than values.
        chosen: a bar to ring.
        value_title: what the values are, with their unit.

    Raises:
        ValueError: shapes that do not fit, or an unknown kind.
    """
    x = np.asarray(values, np.float64)  # (N,)
    if x.shape != (len(names),) or kind not in KINDS:
        raise ValueError(f"{len(names)} names, values {x.shape}, kind {kind!r}")
    ends = np.stack([x, x], axis=1) if intervals is None else np.asarray(intervals, np.float64)  # (N, 2)
    texts = [f"{value:.3g}".replace("-", "−") for value in x] if texts is None else list(texts)
    more, less = palette.VIOLET[dark][4], palette.AMBER[dark][4]
    fills = [less if value < 0 or kind == "surprisal" else more for value in x]
    borders = [(palette.INK[dark], 2) if i == chosen else (palette.BORDER[dark], 1) for i in range(len(x))]
    fig = go.Figure(
        go.Bar(
            x=x,
            y=np.arange(len(x)),
            orientation="h",
            marker={
                "color": fills if roles is None else [ROLES[role][dark] for role in roles],
                "line": {"color": [colour for colour, _ in borders], "width": [width for _, width in borders]},
            },
            error_x=None if intervals is None else _whiskers(x, ends, dark),
            customdata=texts,
            hovertemplate="%{y} %{customdata}<extra></extra>",
        )
    )
    notes, font = [], {"family": palette.MONO, "size": 12, "color": palette.INK[dark]}
    for place, (value, (first, last), text) in enumerate(zip(x, ends, texts, strict=True)):
        if not np.isnan(value):  # behind the bar and its whisker
            side = {"xanchor": "right", "xshift": -6} if value < 0 else {"xanchor": "left", "xshift": 6}
            end = min(value, first) if value < 0 else max(value, last)
            notes.append(
                {"x": end, "y": place, "text": theme.markup(text, 40), "showarrow": False, "font": font} | side
            )
    low, high = min(0.0, float(np.nanmin(ends, initial=0))), max(0.0, float(np.nanmax(ends, initial=0)))
    longest = max(map(len, texts), default=0)  # words need more room than tokens
    room = max(0.16, (0.028 if roles is None else 0.045) * longest) * ((high - low) or 1.0)
    across = {"title": {"text": value_title}, "range": [low - (room if low < 0 else 0), high + room], "nticks": 7}
    down = theme.token_axis(names, len(x)) | {"range": [len(x) - 0.5, -0.5]}
    if roles is not None:
        words = {str(i): theme.markup(name, 40) for i, name in enumerate(names)}
        down |= {"labelalias": words, "tickfont": {"family": palette.SANS, "size": 13}}
    if low < 0:
        fig.add_vline(x=0, line={"color": palette.BORDER[dark], "width": 1})
    height = 60 + 26 * max(2, len(x)) + (44 if title else 12)
    return theme.dress(fig, height=height, dark=dark, title=title, x=across, y=down).update_layout(annotations=notes)


def _whiskers(x: np.ndarray, ends: np.ndarray, dark: bool) -> dict:
    return {"array": ends[:, 1] - x, "arrayminus": x - ends[:, 0], "color": palette.INK[dark], "thickness": 1.5}


def lines(
    x: Sequence,
    values: Mapping[str, np.ndarray],
    *,
    roles: Mapping[str, str] | None = None,
    x_title: str = "",
    y_title: str = "",
    log: bool = False,
    marked: float | None = None,
    title: str | None = None,
    height: int = 320,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """One line for each name, the names above.

    Args:
        x: N numbers, or N tokens or strings, which stand at 0, 1, ...
        values: name -> (N,); NaN leaves a gap.
        roles: name -> one of ROLES, for its colour; by default in the order of the names.
        log: a logarithmic y axis.
        marked: a place on the x axis, drawn as an upright line.

    Raises:
        ValueError: more lines than colours, shapes that do not fit.
    """
    if len(values) > len(ROLES) or any(len(y) != len(x) for y in values.values()):
        raise ValueError(f"{len(values)} lines of {[len(y) for y in values.values()]} values over {len(x)}")
    roles = dict(zip(values, DEFAULT_ROLES, strict=False)) | dict(roles or {})
    numbers = all(isinstance(place, int | float | np.number) for place in x)
    places = np.asarray(x, np.float64) if numbers else np.arange(len(x))
    fig = go.Figure()
    for n, (name, y) in enumerate(values.items()):
        colour, shown = ROLES[roles[name]][dark], theme.markup(name, 40)
        fig.add_scatter(
            x=places,
            y=np.asarray(y, np.float64),
            name=shown,
            mode="lines+markers" if len(places) <= 40 else "lines",
            line={"color": colour, "width": 2, "dash": DASHES[n % len(DASHES)]},
            marker={"size": 6},
            hovertemplate=f"{shown} %{{y:.4~g}}<br>{x_title} %{{x}}<extra></extra>",
        )
    across = {"title": {"text": x_title}} | ({} if numbers else theme.token_axis(x, 40) | {"tickangle": 90})
    up = {"title": {"text": y_title}} | ({"type": "log", "tickvals": LOG_TICKS} if log else {})
    if marked is not None:
        fig.add_vline(x=marked, line={"color": palette.INK[dark], "width": 1, "dash": "dot"})
    fig = theme.dress(fig, height=height, dark=dark, title=title, x=across, y=up)
    if len(values) > 1:
        legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 13}}
        fig.update_layout(showlegend=True, legend=legend, margin={"t": 44 if title is None else 72})
    return fig


def points(
    places: np.ndarray,
    names: Sequence,
    *,
    chosen: int | None = None,
    x_title: str = "",
    y_title: str = "",
    title: str | None = None,
    height: int = 460,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Named points on a plane.

    Args:
        places: (N, 2).
        names: N tokens or strings, printed at their points.
        chosen: a point to ring.

    Raises:
        ValueError: shapes that do not fit.
    """
    xy = np.asarray(places, np.float64)  # (N, 2)
    if xy.shape != (len(names), 2):
        raise ValueError(f"{len(names)} names for places {xy.shape}")
    rings = [2 if i == chosen else 0 for i in range(len(xy))]
    fig = go.Figure(
        go.Scatter(
            x=xy[:, 0],
            y=xy[:, 1],
            mode="markers+text",
            marker={
                "size": 9,
                "color": palette.VIOLET[dark][4],
                "line": {"color": palette.INK[dark], "width": rings},
            },
            text=[theme.markup(name, 24) for name in theme.labels(names)],
            textposition=_sides(xy, theme.labels(names), height),
            textfont={"family": palette.MONO, "size": 12},
            cliponaxis=False,
            hovertemplate="%{text}<br>%{x:.3g}, %{y:.3g}<extra></extra>",
        )
    )
    frame = {"showline": True, "mirror": True, "linecolor": palette.BORDER[dark]}
    across, up = ({"title": {"text": title}} | frame for title in (x_title, y_title))
    return theme.dress(fig, height=height, dark=dark, title=title, x=across, y=up)


def _sides(xy: np.ndarray, names: Sequence[str], height: int) -> list[str]:
    """For each label the side of its point where it covers least of the points and of the labels before it.

    Places are reckoned in pixels of a drawing 700 wide, whose letters are 8 wide and 14 high.
    """
    reach = np.ptp(xy, axis=0) if len(xy) else np.ones(2)
    x, y = (xy / np.where(reach == 0, 1, reach) * (620, height - 100)).T  # (N,)
    boxes = np.stack([x - 6, y - 6, x + 6, y + 6], axis=1)  # (N, 4) left, bottom, right, top
    sides = []
    for i, name in enumerate(names):
        wide = 8 * min(len(name), 24)
        left, bottom = x[i] - wide / 2, y[i] - 7
        corners = {
            "top center": (left, y[i] + 7),
            "bottom center": (left, y[i] - 21),
            "middle right": (x[i] + 8, bottom),
            "middle left": (x[i] - 8 - wide, bottom),
        }
        tried = np.array([(a, b, a + wide, b + 14) for a, b in corners.values()])[:, None]  # (4, 1, 4)
        others = np.delete(boxes, i, axis=0)  # (others, 4)
        common = np.minimum(tried[..., 2:], others[:, 2:]) - np.maximum(tried[..., :2], others[:, :2])  # (4, others, 2)
        best = int(np.maximum(common, 0).prod(-1).sum(-1).argmin())
        sides.append([*corners][best])
        boxes = np.concatenate([boxes, tried[best]])
    return sides
