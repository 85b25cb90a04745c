"""Tables of the page Paper: the rows of table 5, the paper's beside ours, the columns of the CSV files."""

from collections.abc import Mapping, Sequence

from gpt1viz.figures import numbers
from gpt1viz.reproduce.compare import Effect, direction, in_words
from gpt1viz.reproduce.drawings import NOTHING
from gpt1viz.reproduce.results import SPLITS, VARIANTS, Estimate, Summary
from gpt1viz.text import t

MARKS = {1: " ▲", -1: " ▼", 0: "\u00a0\u00a0"}  # as wide as a mark, so that numbers stand below each other


def tasks_of(found: Mapping[tuple[str, str], Summary]) -> list[str]:
    return list(dict.fromkeys(task for task, _ in found))


def task_name(task: str, metric: str, lang: str) -> str:
    """A task, with its measure where that is not accuracy."""
    return task if metric == "accuracy" else f"{task} ({t(f'finetune.metric_{metric}', lang)})"


def rows_of(
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


def same_tokens(found: Mapping[tuple[str, str], Summary], split: str) -> list[list[str]]:
    """Of each task: the LSTM, a Transformer that has read as many tokens, and the full model, which has read more."""
    tasks = [task for task, variant in found if variant == "early"]
    every = [[found.get((task, variant)) for variant in ("lstm", "early", "full")] for task in tasks]
    return [
        [task, *(in_words(getattr(summary, split)) if summary else "–" for summary in own)]
        for task, own in zip(tasks, every, strict=True)
    ]


def points(difference: float) -> str:
    """A difference in percentage points, with its sign."""
    return numbers.score(100 * difference, 1)


def columns_of(cells: Sequence[tuple[dict, Summary]]) -> dict[str, list]:
    """Columns of a CSV file from (where a score stands, the score) pairs; scores from 0 to 1."""
    columns: dict[str, list] = {}
    for where, summary in cells:
        row = {**where, "metric": summary.metric, "runs": summary.validation.n}
        for split in SPLITS:
            estimate = getattr(summary, split)
            row |= {split: estimate.mean, f"{split}_half_interval": estimate.half}
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns
