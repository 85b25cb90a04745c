"""What a fine-tuned model confuses, and what its extract token looks at before and after: plotly."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpt1viz import palette
from gpt1viz.text import t

from . import theme
from .numbers import percent, weight

LONGEST = 20  # characters of a class's name


def confusion(counts: np.ndarray, labels: Sequence[str], *, lang: str = "en", dark: bool = False) -> go.Figure:
    """How often each class was taken for each: row the true class, column the prediction.

    Colour is the share of the row, so that rare classes show as well as frequent ones; the number is the count.

    Args:
        counts: (K, K) whole numbers.
        labels: the K classes.

    Raises:
        ValueError: shapes that do not fit.
    """
    counts = np.asarray(counts, np.int64)  # (K, K)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"counts {counts.shape} do not fit {len(labels)} classes")
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [theme.markup(label, LONGEST) for label in labels]
    places = np.arange(len(labels))
    cells = go.Heatmap(
        z=shares,
        name="confusion",
        customdata=np.dstack([counts, np.vectorize(percent, otypes=[object])(shares)]),
        colorscale=theme.sqrt_scale(dark),
        zmin=0,
        zmax=1,
        xgap=1,
        ygap=1,
        showscale=False,
        hovertemplate=t("figures.confusion_hover", lang, true="%{y}", prediction="%{x}")
        + "<br>%{customdata[0]} (%{customdata[1]})<extra></extra>",
    )
    fig = go.Figure(cells)
    axis = {"tickmode": "array", "tickvals": places, "ticktext": names, "tickfont": {"family": palette.MONO}}
    fig.update_xaxes(**axis, title=t("figures.confusion_prediction", lang), side="top", range=[-0.5, len(labels) - 0.5])
    fig.update_yaxes(**axis, title=t("figures.confusion_true", lang), range=[len(labels) - 0.5, -0.5])
    theme.dress(fig, height=110 + 48 * len(labels), dark=dark, top=56)
    notes = []  # set at once: plotly checks all of them again with each that is added
    for (row, column), count in np.ndenumerate(counts):
        fill = theme.sqrt_colour(float(shares[row, column]), dark)
        font = {"family": palette.MONO, "size": 14, "color": theme.text_on(fill)}
        notes.append({"x": column, "y": row, "text": f"{count:,}", "showarrow": False, "font": font})
    return fig.update_layout(annotations=notes)


def attention_moved(
    before: np.ndarray, after: np.ndarray, *, query: str, key: str, lang: str = "en", dark: bool = False
) -> go.Figure:
    """The weight of one query on one key in every layer and head, before and after fine-tuning.

    Args:
        before, after: (L, H), 0 to 1.
        query, key: the two tokens, for the hover text.

    Raises:
        ValueError: shapes that do not fit.
    """
    before, after = np.asarray(before, np.float32), np.asarray(after, np.float32)  # (L, H)
    if before.shape != after.shape or before.ndim != 2:
        raise ValueError(f"{before.shape} and {after.shape} do not fit")
    titles = [t("figures.before", lang), t("figures.after", lang)]
    fig = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.1)
    where = f"{theme.markup(query)} → {theme.markup(key)}"
    for column, values in enumerate((before, after), 1):
        cells = go.Heatmap(
            z=values,
            name=("before", "after")[column - 1],
            text=np.vectorize(lambda w: weight(float(w), 4), otypes=[object])(values),
            colorscale=theme.sqrt_scale(dark),
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            showscale=False,
            hovertemplate=f"L%{{y}}·H%{{x}}<br>{where}<br>%{{text}}<extra></extra>",
        )
        fig.add_trace(cells, row=1, col=column)
        fig.update_xaxes(title=t("figures.head", lang), dtick=1, row=1, col=column)
        fig.update_yaxes(title=t("figures.layer", lang), dtick=1, autorange="reversed", row=1, col=column)
    return theme.dress(fig, height=120 + 26 * len(before), dark=dark, top=36)
