"""Probabilities in plotly: the next token's candidates, and surprisal along a text."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from gpt1viz import palette
from gpt1viz.text import t

from . import theme
from .numbers import bits, nice_limit, percent


def next_tokens(
    tokens: Sequence,
    probabilities: np.ndarray,
    *,
    kept: np.ndarray | None = None,
    chosen: int | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """Candidates for the next token as bars, the first on top.

    Args:
        tokens: K candidates, most probable first.
        probabilities: (K,), 0 to 1.
        kept: bool (K,), False for those that a filter took out: struck through and hatched. None keeps all.
        chosen: index of the candidate that was drawn, ringed.

    Raises:
        ValueError: shapes that do not fit.
    """
    p = np.asarray(probabilities, np.float64)  # (K,)
    kept = np.ones(len(p), bool) if kept is None else np.asarray(kept, bool)
    if not len(tokens) == len(p) == len(kept):
        raise ValueError(f"{len(tokens)} tokens, {len(p)} probabilities and {len(kept)} kept do not fit")
    names = [theme.markup(label) for label in theme.labels(tokens)]
    ink = palette.INK[dark]
    fig = go.Figure(
        go.Bar(
            x=p,
            y=np.arange(len(p)),
            orientation="h",
            name="probability",
            marker={
                "color": [theme.sqrt_colour(x, dark) for x in p],
                "line": {
                    "color": [ink if i == chosen else palette.BORDER[dark] for i in range(len(p))],
                    "width": [2 if i == chosen else 1 for i in range(len(p))],
                },
                "pattern": {"shape": ["" if keep else "/" for keep in kept], "fgcolor": palette.HATCH[dark], "size": 7},
            },
            text=[percent(x) for x in p],
            textposition="outside",
            textfont={"family": palette.MONO, "size": 13},
            cliponaxis=False,
            customdata=[_note(i == chosen, keep, lang) for i, keep in enumerate(kept)],
            hovertemplate="%{y} %{text}%{customdata}<extra></extra>",
        )
    )
    shown = t("figures.shown_mass", lang, n=len(p), mass=percent(min(1.0, float(p.sum()))))
    limit = nice_limit(float(p.max()))
    fig.update_xaxes(title=shown, range=[0, limit * 1.12], tickformat=".3~%", nticks=6)
    fig.update_yaxes(
        tickmode="array",
        tickvals=np.arange(len(p)),
        ticktext=[name if keep else f"<s>{name}</s>" for name, keep in zip(names, kept, strict=True)],
        tickfont={"family": palette.MONO, "size": 14},
        range=[len(p) - 0.5, -0.5],
    )
    return theme.dress(fig, height=70 + 28 * len(p), dark=dark)


def _note(chosen: bool, keep: bool, lang: str) -> str:
    if not keep:
        return f"<br>{t('figures.filtered_out', lang)}"
    return f"<br>{t('figures.drawn', lang)}" if chosen else ""


def surprisal(
    tokens: Sequence,
    surprisal: np.ndarray,
    entropy: np.ndarray | None = None,
    *,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """How surprised the model was at each token: amber bars, 0 to 15 bits; entropy as a line.

    Args:
        tokens: the T tokens.
        surprisal: (T,) bits, NaN where nothing was predicted.
        entropy: (T,) bits, the surprisal that was to be expected.

    Raises:
        ValueError: shapes that do not fit.
    """
    x = np.asarray(surprisal, np.float32)  # (T,)
    if len(x) != len(tokens) or (entropy is not None and len(entropy) != len(x)):
        raise ValueError(f"{len(tokens)} tokens and {len(x)} values do not fit")
    fig = go.Figure(
        go.Bar(
            y=x,
            name="surprisal",
            marker={
                "color": x,
                "colorscale": theme.even_scale(palette.AMBER[dark]),
                "cmin": 0,
                "cmax": theme.SURPRISAL_LIMIT,
                "line": {"color": palette.BORDER[dark], "width": 1 if len(x) <= 64 else 0},
            },
            text=[bits(value, lang) for value in x],
            textposition="none",
            hovertemplate=f"%{{x}}<br>{t('figures.hover_surprisal', lang)} %{{text}}<extra></extra>",
        )
    )
    title = t("figures.surprisal", lang)
    if entropy is not None:
        line = go.Scatter(
            y=np.asarray(entropy, np.float32),
            name="entropy",
            mode="lines+markers" if len(x) <= 64 else "lines",
            line={"color": palette.INK[dark], "width": 1.5},
            marker={"size": 7, "line": {"color": palette.PAPER[dark], "width": 1}},
            text=[bits(value, lang) for value in entropy],
            hovertemplate=f"%{{x}}<br>{t('figures.hover_entropy', lang)} %{{text}}<extra></extra>",
        )
        fig.add_trace(line)
    top = max(theme.SURPRISAL_LIMIT, float(np.nanmax(x, initial=0)) * 1.05)
    fig.update_xaxes(**theme.token_axis(tokens, 36), tickangle=90)
    fig.update_yaxes(title=title, range=[0, top], dtick=5)
    return theme.dress(
        fig, height=300, dark=dark, title=t("figures.line_entropy", lang) if entropy is not None else None
    )
