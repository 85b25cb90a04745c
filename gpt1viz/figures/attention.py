"""One attention head in plotly: its matrix at each stage, the masking matrix, and one cell's products.

Rows are queries (T), columns are keys (S); the T queries are the last T of the S tokens.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gpt1viz import palette
from gpt1viz.text import t

from . import matrix, theme
from .numbers import nice_limit, score

STAGES = ("products", "scores", "masked", "weights")


def head_stages(
    products: np.ndarray,
    scale: float,
    weights: np.ndarray,
    tokens: Sequence,
    *,
    layer: int,
    head: int,
    mask: np.ndarray | None = None,
    stage: str | None = None,
    cell: tuple[int, int] | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """One head on its way from q k^T to weights (paper section 4.1; Vaswani et al. 2017, section 3.2.1).

    Args:
        products: q k^T, (T, S).
        scale: factor on the products, 1/sqrt(D); 1 where they are not scaled.
        weights: (T, S), 0 to 1.
        tokens: the S tokens.
        layer, head: which head this is, for the title.
        mask: bool (T, S), True where a query may look; None hides nothing.
        stage: one of STAGES; None draws all four.
        cell: (query, key), ringed.

    Raises:
        ValueError: an unknown stage, or shapes that do not fit.
    """
    products, weights = np.asarray(products, np.float32), np.asarray(weights, np.float32)  # (T, S)
    nothing = np.zeros(products.shape, bool)
    hidden = nothing if mask is None else ~np.asarray(mask, bool)
    if stage not in (None, *STAGES):
        raise ValueError(f"stage must be one of {STAGES}, not {stage!r}")
    if not products.shape == weights.shape == hidden.shape or len(tokens) != products.shape[1]:
        raise ValueError(f"{products.shape}, {weights.shape}, {hidden.shape} and {len(tokens)} tokens do not fit")
    n_query, n_key = products.shape
    scores = products * np.float32(scale)
    values = {"products": products, "scores": scores, "masked": scores, "weights": weights}
    shown = STAGES if stage is None else (stage,)
    side = 1 if stage else 2  # subplots in a row
    fig = make_subplots(rows=side, cols=side, horizontal_spacing=0.06, vertical_spacing=0.15 * (side - 1))
    for i, name in enumerate(shown):
        where = {"row": i // side + 1, "col": i % side + 1}
        gone = hidden if name in ("masked", "weights") else nothing
        limit = None if name == "weights" else nice_limit(float(np.abs(values[name]).max()))
        cells = np.where(gone, np.float32(np.nan), values[name])
        hover = t(f"figures.hover_{name}", lang)
        matrix.add_cells(fig, where, cells, name=name, limit=limit, hover=hover, lang=lang, dark=dark)
        matrix.add_hatching(fig, where, gone, t(f"figures.hidden_{name}", lang) if gone.any() else "", dark)
        matrix.set_axes(fig, where, tokens, n_query, room=32 if side == 1 else 18, dark=dark)
        matrix.name_axes(fig, where, lang=lang, dark=dark, left=i % side == 0, bottom=i // side == side - 1)
        shape = f"  {n_query} × {n_key}" if side == 1 else ""
        matrix.add_header(fig, where, f"<b>L{layer}·H{head}</b>  {_stage(name, scale, lang)}{shape}")
        if cell is not None:
            matrix.add_rings(fig, where, cell, products.shape, dark)
    return theme.dress(fig, height=matrix.height(tokens, n_query, side), dark=dark, top=matrix.HEADER)


def _stage(name: str, scale: float, lang: str) -> str:
    if name == "scores" and scale == 1:
        return t("figures.stage_scores_unscaled", lang)
    return t(f"figures.stage_{name}", lang, d=round(scale**-2))


def mask(tokens: Sequence, seen: np.ndarray | None = None, *, lang: str = "en", dark: bool = False) -> go.Figure:
    """The masking matrix: 1 where a query may look, hatched where the score becomes -1e9.

    Args:
        tokens: the S tokens.
        seen: bool (T, S); None is GPT-1's lower triangle.

    Raises:
        ValueError: shapes that do not fit.
    """
    seen = np.tri(len(tokens), dtype=bool) if seen is None else np.asarray(seen, bool)
    n_query, n_key = seen.shape
    if n_key != len(tokens):
        raise ValueError(f"a mask of {seen.shape} does not fit {len(tokens)} tokens")
    where = {"row": 1, "col": 1}
    fig = make_subplots(rows=1, cols=1)
    cells = go.Heatmap(
        z=np.where(seen, np.float32(1), np.float32(np.nan)),
        name="mask",
        colorscale=theme.even_scale([palette.PANEL[dark], palette.PANEL[dark]]),
        showscale=False,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        texttemplate="%{z:d}" if n_key <= 24 else None,
        hovertemplate=f"{t('figures.hover_query', lang)} %{{y}}<br>{t('figures.hover_key', lang)} %{{x}}"
        f"<br>{t('figures.mask_hover', lang)}<extra></extra>",
    )
    fig.add_trace(cells, row=1, col=1)
    matrix.add_hatching(fig, where, ~seen, t("figures.mask_hidden", lang), dark)
    matrix.set_axes(fig, where, tokens, n_query, room=32, dark=dark)
    matrix.name_axes(fig, where, lang=lang, dark=dark)
    title = t("figures.mask_title", lang, n_query=n_query, n_key=n_key)
    return theme.dress(fig, height=matrix.height(tokens, n_query, 1), dark=dark, title=title)


def products(q: np.ndarray, k: np.ndarray, *, query: str, key: str, lang: str = "en", dark: bool = False) -> go.Figure:
    """What one cell adds up: q times k, dimension by dimension.

    Args:
        q, k: (D,), the query of the token that asks and the key of the token it looks at.
        query, key: these two tokens.

    Raises:
        ValueError: q and k of different shapes.
    """
    q, k = np.asarray(q, np.float32), np.asarray(k, np.float32)  # (D,)
    if q.shape != k.shape or q.ndim != 1:
        raise ValueError(f"q {q.shape} and k {k.shape} do not fit")
    values = q * k
    limit = nice_limit(float(np.abs(values).max()))
    bars = go.Bar(
        y=values,
        name="products",
        marker={
            "color": values,
            "colorscale": theme.even_scale(palette.signed(dark)),
            "cmin": -limit,
            "cmax": limit,
            "line": {"color": palette.BORDER[dark], "width": 1},
        },
        customdata=[(score(a), score(b), score(c)) for a, b, c in zip(q, k, values, strict=True)],
        hovertemplate="%{x}<br>"
        + t("figures.product_hover", lang, q="%{customdata[0]}", k="%{customdata[1]}", product="%{customdata[2]}")
        + "<extra></extra>",
    )
    fig = go.Figure(bars)
    names = [theme.markup(label) for label in theme.labels([query, key])]
    total = score(float(values.sum()))
    title = t("figures.product_title", lang, query=names[0], key=names[1], d=len(q), total=f"<b>{total}</b>")
    fig.update_xaxes(title=t("figures.dimension", lang), range=[-0.75, len(q) - 0.25])
    fig.update_yaxes(title=t("figures.product", lang))
    return theme.dress(fig, height=260, dark=dark, title=title)
