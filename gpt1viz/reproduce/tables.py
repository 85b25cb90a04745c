"""The results as tables: markdown for documents, and one CSV file.

python -m gpt1viz.reproduce.tables docs/reproduce.md     fills in the tables from the results that come with the package

A document names a table in a comment, `<!-- results: layers -->`, and ends it with `<!-- end -->`.
"""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..text import t
from ..training import files
from . import results
from .compare import PAPER, effects, in_words
from .results import MODELS, VARIANTS, Bits, Estimate, Row, Summary, ZeroShot

BLOCK = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PAPER_TASKS = ("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE")
PAPER_TABLE = {  # Matthews correlation, accuracy, F1, Pearson correlation, F1, accuracy, accuracy, accuracy
    "full": (45.4, 91.3, 82.3, 82.0, 70.3, 81.8, 88.1, 56.0),
    "no_aux": (47.9, 92.0, 84.9, 83.2, 69.8, 81.1, 86.9, 54.4),
    "no_pretraining": (18.9, 84.0, 79.4, 30.9, 65.5, 75.7, 71.2, 53.8),
    "lstm": (30.3, 90.5, 83.2, 71.8, 68.1, 73.7, 81.1, 54.6),
}
CSV_HEAD = ("part", "task", "metric", "row", "split", "runs", "mean", "half_interval")


def table5(rows: Sequence[Row], split: str, lang: str = "en") -> str:
    """Table 5: a line a row of it, a column a task, and the mean of all tasks."""
    found = results.table5(rows)
    tasks = {task: summary.metric for (task, _), summary in found.items()}
    means = effects(rows, split)
    lines = []
    for variant in VARIANTS:
        own = [_cell(found[task, variant], split) if (task, variant) in found else "–" for task in tasks]
        if set(own) != {"–"}:
            lines.append([_row(variant, lang), in_words(means[variant].score) if variant in means else "–", *own])
    return markdown(["", t("paper.mean", lang), *(f"{task} ({tasks[task]})" for task in tasks)], lines)


def differences(rows: Sequence[Row], lang: str = "en") -> str:
    """The mean of all tasks beside the paper's, and what each row differs by from the full model."""
    splits = {split: effects(rows, split) for split in results.SPLITS}
    lines = []
    for variant in VARIANTS:
        own = [splits[split].get(variant) for split in results.SPLITS]
        here = [effect and in_words(effect.difference, signed=True) for effect in own]
        away = _signed(PAPER[variant] - PAPER["full"])
        cells = ["", "", ""] if variant == "full" else [*(cell or "–" for cell in here), away]
        lines.append([_row(variant, lang), *cells, f"{PAPER[variant]:.1f}"])
    head = [t(f"paper.split_{split}", lang) for split in results.SPLITS]
    return markdown(["", *head, t("reproduce.paper_difference", lang), t("reproduce.paper", lang)], lines)


def paper(rows: Sequence[Row] = (), lang: str = "en") -> str:
    """The paper's own table 5."""
    lines = [
        [_row(variant, lang), f"{PAPER[variant]:.1f}", *(f"{score:.1f}" for score in own)]
        for variant, own in PAPER_TABLE.items()
    ]
    return markdown(["", t("paper.mean", lang), *PAPER_TASKS], lines)


def tokens(rows: Sequence[Row], lang: str = "en") -> str:
    """The LSTM beside a transformer that has read as many tokens, and the full model, which has read more."""
    found = results.table5(rows)
    tasks = {task: summary.metric for (task, variant), summary in found.items() if variant == "early"}
    lines = [
        [t(f"paper.split_{split}", lang), name, *own]
        for split in results.SPLITS
        for variant, name in (
            ("lstm", _row("lstm", lang)),
            ("early", t("reproduce.early", lang)),
            ("full", _row("full", lang)),
        )
        for own in [[_cell(found[task, variant], split) if (task, variant) in found else "–" for task in tasks]]
        if tasks
    ]
    return markdown(["", "", *(f"{task} ({metric})" for task, metric in tasks.items())], lines)


def layers(rows: Sequence[Row], lang: str = "en") -> str:
    """Blocks transferred: a line a task and split, a column a number of blocks."""
    found = results.layers(rows)
    places = sorted({n for own in found.values() for n in own})
    lines = [
        [task, t(f"paper.split_{split}", lang), *(_cell(own[n], split) if n in own else "–" for n in places)]
        for task, own in found.items()
        for split in results.SPLITS
    ]
    names = [t("reproduce.nothing", lang) if n == -1 else str(n) for n in places]
    return markdown([t("reproduce.task", lang), "", *names], lines)


def examples(rows: Sequence[Row], lang: str = "en") -> str:
    """Learning with n examples: a line a task, split and start, a column a number of examples."""
    found = results.examples(rows)
    sizes = sorted({n for own in found.values() for by_size in own.values() for n in by_size})
    lines = [
        [task, t(f"paper.split_{split}", lang), _row("full" if start else "no_pretraining", lang), *cells]
        for task, own in found.items()
        for split in results.SPLITS
        for start, by_size in own.items()
        for cells in [[_cell(by_size[n], split) if n in by_size else "–" for n in sizes]]
    ]
    return markdown([t("reproduce.task", lang), "", "", *map(str, sizes)], lines)


def zero_shot(rows: Sequence[Row], lang: str = "en") -> str:
    """Over pre-training: bits a character and zero-shot scores, a line a task and model, a column a number of tokens.

    Of the checkpoints before a 500th of the longest run only the first has a column.
    """
    found, bits = results.zero_shot(rows), results.bits(rows)
    every = [row.tokens for own in [bits, *found.values()] for line in own.values() for row in line]
    tokens = sorted({n for n in every if n == min(every) or n >= max(every) / 500})
    lines = [
        [t("reproduce.bits", lang), t(f"paper.model_{model}", lang), "", *_values(bits[model], tokens, 1, 2)]
        for model in MODELS
        if model in bits
    ]
    lines += [
        [
            task,
            t(f"paper.model_{model}", lang),
            f"{100 * own[model][0].chance:.0f}",
            *_values(own[model], tokens, 100, 1),
        ]
        for task, own in found.items()
        for model in MODELS
        if model in own
    ]
    names = [f"{n / 1e6:.1f}M" for n in tokens]
    return markdown([t("reproduce.task", lang), "", t("reproduce.chance", lang), *names], lines)


def _values(own: Sequence[ZeroShot | Bits], tokens: Sequence[int], factor: int, digits: int) -> list[str]:
    values = {row.tokens: f"{factor * row.value:.{digits}f}" for row in own}
    return [values.get(n, "–") for n in tokens]


BLOCKS: dict[str, Callable[..., str]] = {
    "validation": lambda rows, lang="en": table5(rows, "validation", lang),
    "test": lambda rows, lang="en": table5(rows, "test", lang),
    "differences": differences,
    "paper": paper,
    "tokens": tokens,
    "layers": layers,
    "examples": examples,
    "zero_shot": zero_shot,
}


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table, numbers to the right; a task's name may hold what markdown would read as a new column."""
    rows = [[cell.replace("|", "\\|") for cell in line] for line in (head, *lines)]
    ruler = ["---" if place == 0 else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], ruler, *rows[1:]))


def document(rows: Sequence[Row], lang: str = "en") -> str:
    """All tables that have rows, each under its title."""
    parts = []
    for name, table in BLOCKS.items():
        made = table(rows, lang)
        if made.count("\n") > 1:
            parts.append(f"## {t(f'reproduce.title_{name}', lang)}\n\n{made}\n")
    return f"# {t('reproduce.title', lang)}\n\n{t('reproduce.note', lang)}\n\n" + "\n".join(parts)


def filled(text: str, rows: Sequence[Row], lang: str = "en") -> str:
    """A document with its tables made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]](rows, lang)}\n{found[3]}", text)


def as_csv(rows: Sequence[Row]) -> str:
    """Every mean of every part, a line each; zero-shot scores are single values."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(CSV_HEAD)

    def summary(part: str, task: str, row: object, found: Summary) -> None:
        for split in results.SPLITS:
            estimate: Estimate = getattr(found, split)
            if estimate.n:
                half = f"{estimate.half:.6f}" if estimate.n > 1 else ""
                write((part, task, found.metric, row, split, estimate.n, f"{estimate.mean:.6f}", half))

    for (task, variant), found in results.table5(rows).items():
        summary("table5", task, variant, found)
    for task, own in results.layers(rows).items():
        for n, found in own.items():
            summary("layers", task, n, found)
    for task, starts in results.examples(rows).items():
        for start, own in starts.items():
            for n, found in own.items():
                summary("examples", task, f"{'full' if start else 'no_pretraining'} {n}", found)
    for task, models in results.zero_shot(rows).items():
        for model, own in models.items():
            for row in own:
                write(("zero_shot", task, row.metric, f"{model} {row.tokens}", "validation", 1, f"{row.value:.6f}", ""))
    for model, own in results.bits(rows).items():
        for row in own:
            write(("bits", "", "bits_per_character", f"{model} {row.tokens}", "validation", 1, f"{row.value:.6f}", ""))
    return out.getvalue()


def _row(variant: str, lang: str) -> str:
    return t(f"paper.row_{variant}", lang)


def _cell(summary: Summary, split: str) -> str:
    return in_words(getattr(summary, split))


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        lang = "zh" if ".zh" in path.name else "en"
        files.write_text(path, filled(path.read_text(encoding="utf-8"), results.stored(), lang))
