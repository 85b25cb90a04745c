"""`load_task`: labelled tasks from files, from the sets of the paper, and built in."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from ..errors import GPT1VizError
from ..inputs import check_kind
from . import papers_tasks, toys
from .rows import Column, build_task, kind_of_columns, read_raw
from .tables import KINDS, read_table
from .task import Task

METRICS = ("accuracy", "f1", "matthews", "pearson", "spearman")
_SPLIT_OF = {"train": "train", "validation": "validation", "valid": "validation", "dev": "validation", "test": "test"}


def load_task(
    source: str | Path | Mapping[str, str | Path],
    *,
    columns: Mapping[str, Column] | None = None,
    kind: str | None = None,
    labels: Sequence[str] = (),
    metric: str | None = None,
    folder: str | Path | None = None,
) -> Task:
    """Load a labelled task.

    Args:
        source: a built-in task ("toy/mood"); a set of the paper by name ("glue/sst2", see `papers_tasks`); a .csv, .tsv
            or .jsonl file, of which a tenth each is held out for validation and test; a folder with such files named
            train, validation (or dev, valid) and test; or {"train": path, ...}. Where only validation is missing, a
            tenth of the training rows is held out for it.
        columns: where the file keeps what (`rows.COLUMNS`), if its columns have other names, e.g. {"text": "sentence"}.
            Numbers count columns from 0 in a file without a header. "answers" is a list of columns, or one that holds
            a list; by default answer_1, answer_2 and so on.
        kind: one of `inputs.KINDS`; by default told from the columns.
        labels: classes in order; by default those of the training rows, sorted. A choice is labelled with the number
            of the right answer counted from 0, or its letter (A, B, ...).
        metric: one of METRICS; by default "f1" for "token" and "accuracy" else. For "pearson" and "spearman" labels are
            scores from 0 to 5, or to the last of `labels`.
        folder: where the files of a set of the paper lie, instead of downloading them.

    Raises:
        GPT1VizError: nothing by that name, or bad data (a missing column, an unknown label, an empty text, one class
            only, binary data, text that is not UTF-8); it names file and line.
    """
    if isinstance(source, str) and source in toys.TOYS:
        return toys.toy(source)
    if isinstance(source, str) and source in papers_tasks.NAMES:
        return papers_tasks.load(source, folder)
    files = _files(source)
    columns = dict(columns or {})
    header = not any(isinstance(column, int) for column in _flat(columns.values()))
    kind = kind or _kind(files["train"], columns, header)
    check_kind(kind)
    metric = metric or ("f1" if kind == "token" else "accuracy")
    allowed = METRICS[:3] if kind in ("choice", "token") else METRICS
    if metric not in allowed:
        raise GPT1VizError("config_choice", field="metric", value=metric, allowed=", ".join(allowed))
    raws = {split: read_raw(read_table(path, header), kind, columns, path) for split, path in files.items()}
    name = files["train"] if isinstance(source, Mapping) else Path(source)
    splits = {split: (rows, files[split]) for split, rows in raws.items()}
    return build_task(name.name.partition(".")[0], kind, metric, splits, tuple(map(str, labels)))


def _files(source: str | Path | Mapping[str, str | Path]) -> dict[str, Path]:
    if isinstance(source, Mapping):
        return {split: Path(path) for split, path in source.items()}
    path = Path(source)
    if path.is_file():
        return {"train": path}
    found = {}
    for file in sorted(path.iterdir()) if path.is_dir() else []:
        split, _, kind = file.name.removesuffix(".gz").partition(".")
        if f".{kind}" in KINDS and split in _SPLIT_OF:
            found.setdefault(_SPLIT_OF[split], file)
    if "train" not in found:
        known = ", ".join([*toys.TOYS, *papers_tasks.NAMES])
        raise GPT1VizError("task_missing", name=source, kinds=", ".join(KINDS), known=known)
    return found


def _kind(path: Path, columns: Mapping[str, Column], header: bool) -> str:
    """The kind of task that the first row's columns, or those named, belong to."""
    for _, row in islice(read_table(path, header), 1):
        unmapped = set(row) - set(_flat(columns.values()))
        return kind_of_columns([*unmapped, *columns], path)
    raise GPT1VizError("task_no_rows", path=path)


def _flat(columns) -> list[str | int]:
    return [name for column in columns for name in ([column] if isinstance(column, str | int) else column)]
