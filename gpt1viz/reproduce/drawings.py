"""Table 5 and figure 2 as plotly figures: rows of results in, go.Figure out; per cent, with 95 % intervals."""

import html
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ..figures import Curve, dots, numbers, trends
from ..text import t
from . import results
from .compare import effects
from .results import MODELS, VARIANTS, Estimate, Row, Summary

ROLES = dict(zip(VARIANTS, ("attention", "key", "residual", "value"), strict=True))  # colours of table 5's rows
LIMITS = (0, 100)  # an interval of two runs may reach far beyond
NOTHING = Estimate(np.nan, np.nan, 0)


def table5(rows: Sequence[Row], split: str = "test", *, lang: str = "en", dark: bool = False) -> go.Figure:
    """A dot for each row of table 5, task by task below the mean of all tasks."""
    found, means = results.table5(rows), effects(rows, split)
    tasks = list(dict.fromkeys(task for task, _ in found))
    series, roles = {}, []
    for variant in VARIANTS:
        own = [means[variant].score if variant in means else NOTHING]
        own += [getattr(found[task, variant], split) if (task, variant) in found else NOTHING for task in tasks]
        if any(estimate.n for estimate in own):
            series[t(f"paper.row_{variant}", lang)] = (100 * np.array([e.mean for e in own]), _ends(own))
            roles.append(ROLES[variant])
    names = [t("paper.mean", lang), *tasks]
    title = t("paper.score", lang)
    return dots(names, series, roles=roles, limits=LIMITS, value_title=title, lang=lang, dark=dark)


def layers(rows: Sequence[Row], split: str = "test", *, lang: str = "en", dark: bool = False) -> go.Figure:
    """Score over blocks transferred, a panel a task; "–" is nothing at all, 0 the embeddings only."""
    found = results.layers(rows)
    return _panels(
        {task: {t("paper.score", lang): _curve(own, split)} for task, own in found.items()},
        ticks={n: "–" if n == -1 else str(n) for own in found.values() for n in own},
        axis="layers",
        lang=lang,
        dark=dark,
    )


def examples(rows: Sequence[Row], split: str = "test", *, lang: str = "en", dark: bool = False) -> go.Figure:
    """Score over examples to learn from, a panel a task, with and without pre-training."""
    found = results.examples(rows)
    names = {True: t("paper.pretrained", lang), False: t("paper.row_no_pretraining", lang)}
    return _panels(
        {task: {names[start]: _curve(own[start], split) for start in names} for task, own in found.items()},
        ticks={n: f"{n:,}" for own in found.values() for by_size in own.values() for n in by_size},
        log=True,
        axis="examples",
        lang=lang,
        dark=dark,
    )


def zero_shot(rows: Sequence[Row], *, lang: str = "en", dark: bool = False) -> go.Figure:
    """Score over tokens read in pre-training, a panel a task, chance dotted; a logarithm has no place for 0 tokens."""
    found = results.zero_shot(rows)
    panels = {
        task: {
            t(f"paper.model_{model}", lang): Curve(
                [row.tokens for row in own[model] if row.tokens], [100 * row.value for row in own[model] if row.tokens]
            )
            for model in MODELS
            if model in own
        }
        for task, own in found.items()
    }
    tokens = [n for lines in panels.values() for curve in lines.values() for n in curve.x]
    return _panels(
        panels,
        levels={task: 100 * next(iter(own.values()))[0].chance for task, own in found.items()},
        ticks=_powers(min(tokens), max(tokens), lang),
        columns=2,
        log=True,
        axis="tokens",
        lang=lang,
        dark=dark,
    )


def every(rows: Sequence[Row], lang: str) -> dict[str, go.Figure]:
    """Title -> figure, of the parts that have been run; on the test splits where there are any."""
    tests = any(row.test is not None for row in results.finetuned(rows))
    split = "test" if tests else "validation"
    parts: Mapping[str, tuple[Callable, Callable]] = {
        "table": (results.table5, lambda: table5(rows, split, lang=lang)),
        "layers": (results.layers, lambda: layers(rows, split, lang=lang)),
        "examples": (results.examples, lambda: examples(rows, split, lang=lang)),
        "zero_shot": (results.zero_shot, lambda: zero_shot(rows, lang=lang)),
    }
    return {t(f"paper.{part}_title", lang): draw() for part, (rows_of, draw) in parts.items() if rows_of(rows)}


def page(rows: Sequence[Row], lang: str = "en") -> str:
    """All of them as one HTML page that needs no network."""
    drawn = every(rows, lang)
    parts = [f"<!doctype html>\n<html lang='{lang}'><meta charset='utf-8'><title>{t('reproduce.title', lang)}</title>"]
    for place, (title, fig) in enumerate(drawn.items()):
        parts += [f"<h2>{html.escape(title)}</h2>", fig.to_html(full_html=False, include_plotlyjs=place == 0)]
    return "\n".join([*parts, "</html>\n"])


def _panels(panels: Mapping[str, Mapping[str, Curve]], *, axis: str, lang: str, dark: bool, **look) -> go.Figure:
    """Scores in per cent over what `axis` names, a panel a task."""
    names = {"x_title": t(f"paper.axis_{axis}", lang), "y_title": t("paper.score", lang)}
    return trends(panels, limits=LIMITS, lang=lang, dark=dark, **names, **look)


def _ends(estimates: Sequence[Estimate]) -> np.ndarray:
    """The ends of their intervals in per cent, (N, 2)."""
    return 100 * np.array([[e.mean - e.half, e.mean + e.half] for e in estimates])


def _curve(by_place: Mapping[int, Summary], split: str) -> Curve:
    """Scores by layers or examples, in per cent."""
    own = {place: estimate for place, summary in by_place.items() if (estimate := getattr(summary, split)).n}
    return Curve([*own], [100 * estimate.mean for estimate in own.values()], _ends([*own.values()]))


def _powers(low: float, high: float, lang: str) -> dict[float, str]:
    """Ticks of a logarithmic axis: 1M, 10M, 100M."""
    places = [10**n for n in range(1, 16) if low / 3 < 10**n < 3 * high]
    return {place: re.sub(r"\.0+(?!\d)", "", numbers.short(place, lang)) for place in places}
