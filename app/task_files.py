"""Labelled data for fine-tuning: what can be chosen, and a reader's own file with its columns mapped."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import streamlit as st
from token_panels import shortened

from gpt1viz.data.rows import COLUMNS
from gpt1viz.data.tables import read_table
from gpt1viz.data.task import Task
from gpt1viz.data.tasks import load_task
from gpt1viz.errors import GPT1VizError

SUFFIXES = ("csv", "tsv", "jsonl")
NAME = "data.jsonl"  # what a run keeps of a reader's file
LONGEST = 1_000  # characters shown of a text; one of a million would stop the browser


@st.cache_data(max_entries=4, show_spinner=False)
def rows_of(name: str, content: bytes) -> list[tuple[int, dict]]:
    """(line, row) of a file.

    Raises:
        GPT1VizError: it cannot be read; the sentence names the file as the reader does.
    """
    with tempfile.TemporaryDirectory() as folder:
        suffix = name.rpartition(".")[2].lower()
        path = Path(folder) / f"data.{suffix if suffix in SUFFIXES else SUFFIXES[0]}"
        path.write_bytes(content)
        try:
            return [(line, {str(column): value for column, value in row.items()}) for line, row in read_table(path)]
        except GPT1VizError as error:
            raise renamed(error, name) from None


def renamed(error: GPT1VizError, name: str) -> GPT1VizError:
    """The same refusal with the reader's name of the file in the place of ours."""
    return GPT1VizError(error.code, **{k: name if k == "path" else v for k, v in error.params.items()})


def mapped(rows: list[tuple[int, dict]], columns: Mapping[str, str | list[str]]) -> bytes:
    """The rows under the names that tasks know, each on the line where it stood, so that faults name that line.

    Args:
        columns: role to column; a list of columns, for the answers of a choice.
    """
    lines: list[str] = []
    for line, row in rows:
        lines += [""] * (line - 1 - len(lines))
        cells = {}
        for role, column in columns.items():
            several = isinstance(column, list) and len(column) > 1
            one = column[0] if isinstance(column, list) else column
            cells[role] = [row.get(name, "") for name in column] if several else row.get(one, "")
        lines.append(json.dumps(cells, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()


@st.cache_data(max_entries=4, show_spinner=False)
def read(content: bytes, kind: str, name: str) -> Task:
    """The task in a mapped file.

    Raises:
        GPT1VizError: bad data, with the reader's name of the file and the line.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAME).write_bytes(content)
        try:
            return load_task(Path(folder) / NAME, kind=kind)
        except GPT1VizError as error:
            raise renamed(error, name) from None


def likely(kind: str, found: list[str]) -> dict[str, str | list[str] | None]:
    """A column for each role: of the same name, else the next that is left."""
    left = [column for column in found if column not in COLUMNS[kind]]
    chosen: dict[str, str | list[str] | None] = {}
    for role in COLUMNS[kind]:
        if role == "answers":
            several = [column for column in found if column.startswith("answer")]
            chosen[role] = several or left[:2]
        elif role in found:
            chosen[role] = role
        elif role in ("context", "question"):
            chosen[role] = None
        else:
            chosen[role] = left.pop(0) if left else None
    return chosen


def label_name(task_labels, label) -> str:
    """A label as people read it: a class, the number of an answer, a score, or a class a word."""
    if isinstance(label, list | tuple):
        return " ".join(label_name(task_labels, one) for one in label)
    if isinstance(label, float):
        return f"{label:.2f}"
    return task_labels[label] if task_labels else str(label + 1)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names as a sentence can hold them: the first ones, long ones cut; "–" for none."""
    shown = [shortened(name) for name in names[:most]]
    return ", ".join([*shown, "…"] if len(names) > most else shown) or "–"


def preview(task: Task, heads: tuple[str, str], most: int = 4) -> str:
    """The first training examples as a table. For `panels.page`."""
    rows = ""
    for example in task.splits["train"][:most]:
        texts = "<br>".join(escape(shortened(text, LONGEST)) for text in example.texts if text)
        label = escape(shortened(label_name(task.labels, example.label), LONGEST))
        rows += f"<tr><td class='wrap'>{texts}</td><td class='wrap'>{label}</td></tr>"
    head = "".join(f"<th class='t'>{escape(text)}</th>" for text in heads)
    return f"{WRAP}<table><tr>{head}</tr>{rows}</table>"


WRAP = """<style>
.g1 td.wrap { white-space: normal; text-align: left; overflow-wrap: anywhere; vertical-align: top; padding-bottom: 8px }
.g1 td.short { white-space: nowrap; text-align: left; vertical-align: top; max-width: 200px; overflow: hidden;
  text-overflow: ellipsis }
.g1 th.t { min-width: 4em }
</style>"""
