"""What the page Paper shows of the stored results: the tables' rows, the curves, the columns of the CSV files."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from gpt1viz.figures import Curve, numbers
from gpt1viz.reproduce.compare import Effect, direction, in_words
from gpt1viz.reproduce.results import MODELS, VARIANTS, Estimate, Summary, ZeroShot
from gpt1viz.text import t

MARKS = {1: " ▲", -1: " ▼", 0: "\u00a0\u00a0"}  # as wide as a mark, so that numbers stand below each other
NOTHING = Estimate(np.nan, np.nan, 0)


def tasks_of(found: Mapping[tuple[str, str], Summary]) -> list[str]:
    return list(dict.fromkeys(task for task, _ in found))


def task_name(task: str, metric: str, lang: str) -> str:
    """A task, with its measure where that is not accuracy."""
    return task if metric == "accuracy" else f"{task} ({t(f'finetune.metric_{metric}', lang)})"


def table_rows(
    found: Mapping[tuple[str, str], Summary],
    effects: Mapping[str, Effect],
    differences: Mapping[tuple[str, str], Estimate],
    split: str,
    lang: str,
) -> list[list[str]]:
    """Table 5: the mean of all tasks, then each; marked where a score lies clearly above or below the full model's."""

    def cell(variant: str, score: Estimate, difference: Estimate) -> str:
        return in_words(score) + (MARKS[direction(difference)] if variant != "full" else "")

    means = [cell(v, effects[v].score, effects[v].difference) if v in effects else "–" for v in VARIANTS]
    rows = [[t("paper.mean", lang), *means]]
    for task in tasks_of(found):
        metric = next(summary.metric for (name, _), summary in found.items() if name == task)
        cells = [
            cell(v, getattr(found[task, v], split), differences.get((task, v), NOTHING)) if (task, v) in found else "–"
            for v in VARIANTS
        ]
        rows.append([task_name(task, metric, lang), *cells])
    return rows


def beside_the_paper(effects: Mapping[str, Effect], lang: str) -> list[list[str]]:
    """A row of table 5 a line: the mean here and in the paper, and the differences from the full model."""
    rows = []
    for variant, effect in effects.items():
        full = variant == "full"
        rows.append(
            [
                t(f"paper.row_{variant}", lang),
                in_words(effect.score),
                "" if full else in_words(effect.difference, signed=True),
                f"{100 * effect.paper:.1f}",
                "" if full else points(effect.paper_difference),
                "" if full else t(f"paper.verdict_{effect.verdict}", lang),
            ]
        )
    return rows


def points(difference: float) -> str:
    """A difference in percentage points, with its sign."""
    return numbers.score(100 * difference, 1)


def dot_series(
    found: Mapping[tuple[str, str], Summary], effects: Mapping[str, Effect], split: str, lang: str
) -> tuple[list[str], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Rows and series of the drawing of table 5, in per cent."""
    tasks, series = tasks_of(found), {}
    for variant in VARIANTS:
        own = [effects[variant].score if variant in effects else NOTHING]
        own += [getattr(found[task, variant], split) if (task, variant) in found else NOTHING for task in tasks]
        if any(estimate.n for estimate in own):
            series[t(f"paper.row_{variant}", lang)] = (100 * np.array([e.mean for e in own]), ends(own))
    return [t("paper.mean", lang), *tasks], series


def ends(estimates: Sequence[Estimate]) -> np.ndarray:
    """The ends of their intervals in per cent, (N, 2)."""
    return 100 * np.array([[e.mean - e.half, e.mean + e.half] for e in estimates])


def curve(by_place: Mapping[int, Summary], split: str) -> Curve:
    """Scores by layers or examples, in per cent."""
    own = {place: getattr(summary, split) for place, summary in by_place.items()}
    own = {place: estimate for place, estimate in own.items() if estimate.n}
    return Curve([*own], [100 * estimate.mean for estimate in own.values()], ends([*own.values()]))


def layer_panels(found: Mapping[str, Mapping[int, Summary]], split: str, lang: str) -> dict[str, dict[str, Curve]]:
    return {task: {t("paper.score", lang): curve(own, split)} for task, own in found.items()}


def example_panels(
    found: Mapping[str, Mapping[bool, Mapping[int, Summary]]], split: str, lang: str
) -> dict[str, dict[str, Curve]]:
    names = {True: t("paper.pretrained", lang), False: t("paper.row_no_pretraining", lang)}
    return {task: {names[start]: curve(own[start], split) for start in names} for task, own in found.items()}


def zero_shot_panels(found: Mapping[str, Mapping[str, Sequence[ZeroShot]]], lang: str) -> dict[str, dict[str, Curve]]:
    """Scores by the tokens read, from the first checkpoint that has read any: a logarithm has no place for 0."""
    return {
        task: {
            t(f"paper.model_{model}", lang): Curve(
                [row.tokens for row in own[model] if row.tokens], [100 * row.value for row in own[model] if row.tokens]
            )
            for model in MODELS
            if model in own
        }
        for task, own in found.items()
    }


def powers(low: float, high: float, lang: str) -> dict[int, str]:
    """Ticks of a logarithmic axis: 1M, 10M, 100M."""
    places = [10**n for n in range(1, 16) if low / 3 < 10**n < 3 * high]
    return {place: re.sub(r"\.0+(?!\d)", "", numbers.short(place, lang)) for place in places}


def columns_of(rows: Sequence[tuple]) -> dict[str, list]:
    """Columns of a CSV file from (where the score stands, {split: estimate}) pairs."""
    columns: dict[str, list] = {}
    for where, estimates in rows:
        cells = dict(where)
        for split, estimate in estimates.items():
            cells |= {split: estimate.mean, f"{split}_half_interval": estimate.half, "runs": estimate.n}
        for name, value in cells.items():
            columns.setdefault(name, []).append(value)
    return columns


def splits(summary: Summary) -> dict[str, Estimate]:
    return {"validation": summary.validation, "test": summary.test}
