"""Training curves in plotly: loss, learning rate and gradient norm of one run or several."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpt1viz import palette
from gpt1viz.text import t

from . import theme

QUANTITIES = ("loss", "lr", "grad_norm")
AXES = ("step", "tokens", "time")
LINES = (palette.ATTENTION, palette.KEY, palette.VALUE, palette.QUERY, palette.EXTRACT, palette.MLP)
MOST_POINTS = 400  # of a line
HEIGHTS = {1: 340, 2: 420, 3: 520}  # pixels, by the number of panels


class Line(NamedTuple):
    """What a run wrote down.

    Attributes:
        name: of the run.
        train: (N,) arrays by name: the axes, and the quantities before each update.
        evaluated: the same of the validation text, with "loss"; empty where there is none.
    """

    name: str
    train: Mapping[str, np.ndarray]
    evaluated: Mapping[str, np.ndarray] = {}


def curves(
    runs: Sequence[Line],
    quantities: Sequence[str] = QUANTITIES,
    *,
    over: str = "step",
    marked: float | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """A panel for each quantity, a line for each run; validation losses are dots. Long lines are means of neighbours.

    Args:
        runs: at most six.
        quantities: of QUANTITIES, from above.
        over: what the x axis counts, of AXES; time is in seconds.
        marked: a place on the x axis, drawn as an upright line.

    Raises:
        ValueError: more runs than colours, an unknown axis or quantity.
    """
    if len(runs) > len(LINES) or over not in AXES or not set(quantities) <= set(QUANTITIES):
        raise ValueError(f"at most {len(LINES)} runs; axes {AXES}, quantities {QUANTITIES}")
    n = len(quantities)
    heights = [2.0 if name == "loss" and n > 1 else 1.0 for name in quantities]
    fig = make_subplots(n, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=heights)
    for row, quantity in enumerate(quantities, 1):
        for place, run in enumerate(runs):
            _draw(fig, row, run, place if len(runs) > 1 else None, LINES[place][dark], quantity, over, lang)
        fig.update_yaxes(
            title=t(f"figures.curve_{quantity}", lang), row=row, col=1, nticks=8 if quantity == "loss" else 4
        )
        if quantity == "lr":
            fig.update_yaxes(tickformat="~e", row=row, col=1)
    fig.update_xaxes(title=t(f"figures.curve_over_{over}", lang), row=n, col=1)
    if marked is not None:
        fig.add_vline(x=marked, line={"color": palette.INK[dark], "width": 1, "dash": "dot"})
    return theme.dress(fig, height=HEIGHTS[n], dark=dark, title=_legend(runs, dark, lang))


def thinned(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray, int]:
    """Means of so many neighbours that at most `most` points are left, each at its last x; and how many neighbours."""
    together = max(1, -(-len(x) // most))
    starts = np.arange(0, len(x), together)
    if together == 1:
        return x, y, 1
    sizes = np.diff(np.append(starts, len(x)))
    return x[starts + sizes - 1], np.add.reduceat(y, starts) / sizes, together


def letter(place: int) -> str:
    """What a run is called in a drawing of several."""
    return "ABCDEF"[place]


def _draw(fig, row: int, run: Line, place: int | None, colour: str, quantity: str, over: str, lang: str) -> None:
    name = theme.markup(run.name, 40)
    if len(run.train.get(quantity, ())):
        x, y, together = thinned(np.asarray(run.train[over], float), np.asarray(run.train[quantity], float))
        mean = t("figures.curve_mean", lang, n=together) if together > 1 else ""
        hover = f"{name}<br>{t(f'figures.curve_{quantity}', lang)} %{{y:.4~g}}{mean}"
        hover += f"<br>{t(f'figures.curve_over_{over}', lang)} %{{x:,.6~g}}<extra></extra>"
        line = {"color": colour, "width": 1.8}
        fig.add_scatter(x=x, y=y, mode="lines", name=run.name, line=line, hovertemplate=hover, row=row, col=1)
        if place is not None:
            end = {"x": x[-1], "y": y[-1], "text": letter(place), "showarrow": False, "xshift": 10}
            fig.add_annotation(**end, font={"color": colour, "family": palette.MONO}, row=row, col=1)
    if quantity == "loss" and len(run.evaluated.get("loss", ())):
        hover = f"{name}<br>{t('figures.curve_validation', lang)} %{{y:.3f}}<br>"
        hover += f"{t(f'figures.curve_over_{over}', lang)} %{{x:,.6~g}}<extra></extra>"
        marker = {"color": colour, "size": 7, "symbol": "circle-open", "line": {"width": 2}}
        x, y = run.evaluated[over], run.evaluated["loss"]
        fig.add_scatter(
            x=x, y=y, mode="markers", name=f"{run.name}: validation", marker=marker, hovertemplate=hover, row=row, col=1
        )


def _legend(runs: Sequence[Line], dark: bool, lang: str) -> str | None:
    """Letters and names in their lines' colours, and what the dots are."""
    parts = []
    if len(runs) > 1:
        for place, run in enumerate(runs):
            name = theme.markup(run.name, 24)
            parts.append(f"<span style='color:{LINES[place][dark]}'>{letter(place)}</span> {name}")
    if any(len(run.evaluated.get("loss", ())) for run in runs):
        parts.append(t("figures.curve_dots", lang))
    return "&nbsp;&nbsp;&nbsp;".join(parts) or None
