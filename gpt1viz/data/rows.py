"""From the rows of a file to labelled examples: columns, texts, labels, and what can be wrong with them."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import GPT1VizError
from ..inputs import KINDS
from .tables import Row
from .task import SPLITS, Task, TextExample

Column = str | int | Sequence[str | int]
COLUMNS: dict[str, tuple[str, ...]] = {  # what a row holds, by kind of task; the label comes last
    "classification": ("text", "label"),
    "entailment": ("premise", "hypothesis", "label"),
    "similarity": ("a", "b", "label"),
    "choice": ("context", "question", "answers", "label"),
    "token": ("text", "labels"),
}
OPTIONAL = ("context", "question")  # of which a choice needs one
LETTERS = "ABCDEFGHIJ"
MOST_CLASSES = 1000  # of a file; one that has more mistakes another column for the label
LONGEST_NUMBER = 18  # digits
SCORE_CLASSES = ("0", "1", "2", "3", "4", "5")  # of STS-B


@dataclass(frozen=True)
class Raw:
    """A row's texts and its label as written (for "token" one a word), with its line."""

    line: int
    texts: tuple[str, ...]
    label: str | tuple[str, ...]


def kind_of_columns(names: Iterable[str | int], path: Path) -> str:
    """The kind of task that these columns belong to.

    Raises:
        GPT1VizError: `task_columns`, none or several.
    """
    names = set(names)
    if "answer_1" in names:
        names |= {"answers"}
    fitting = [kind for kind in KINDS if names >= set(COLUMNS[kind]) - set(OPTIONAL)]
    if len(fitting) != 1:
        raise GPT1VizError("task_columns", path=path, found=_join(names), kinds=", ".join(KINDS))
    return fitting[0]


def read_raw(rows: Iterable[tuple[int, Row]], kind: str, columns: Mapping[str, Column], path: Path) -> list[Raw]:
    """The texts and labels of a file's rows.

    Raises:
        GPT1VizError: a column that is missing, an empty text or label, no rows, another number of answers or labels.
    """
    raws: list[Raw] = []
    for line, row in rows:
        cells = _Cells(row, columns, path, line)
        *names, label = COLUMNS[kind]
        if kind == "choice":
            answers = cells.many("answers")
            context, question = (cells.text(name, empty=True) for name in OPTIONAL)
            if not context + question:
                raise cells.fault("task_empty", column=cells.name("question"))
            if raws and len(answers) + 2 != len(raws[0].texts):
                raise cells.fault("task_answers", found=len(answers), wanted=len(raws[0].texts) - 2)
            raws.append(Raw(line, (context, question, *answers), cells.text(label)))
        elif kind == "token":
            words, labels = cells.words("text"), cells.words("labels")
            if len(words) != len(labels):
                raise cells.fault("task_words", found=len(labels), wanted=len(words))
            raws.append(Raw(line, (" ".join(words),), labels))
        else:
            raws.append(Raw(line, tuple(map(cells.text, names)), cells.text(label)))
    if not raws:
        raise GPT1VizError("task_no_rows", path=path)
    return raws


def class_names(raws: Iterable[Raw]) -> tuple[str, ...]:
    """The labels that occur, numbers in their order, words in the alphabet's."""
    found = {label for raw in raws for label in (raw.label if isinstance(raw.label, tuple) else [raw.label])}
    numbers = all(_is_whole(label.removeprefix("-")) for label in found)
    return tuple(sorted(found, key=int if numbers else str))


def _is_whole(label: str) -> bool:
    return label.isdecimal() and len(label) <= LONGEST_NUMBER


def to_examples(raws: Iterable[Raw], labels: Sequence[str], scores: bool, path: Path) -> list[TextExample]:
    """Labels as numbers.

    Args:
        labels: names of the classes; () for choices.
        scores: labels are numbers from 0 to len(labels) - 1.

    Raises:
        GPT1VizError: an unknown label, a choice that is not there, a score that is none.
    """
    index = {label: number for number, label in enumerate(labels)}

    def number(label: str, line: int) -> int:
        if label not in index:
            raise GPT1VizError("task_label", path=path, line=line, label=label, known=_join(labels))
        return index[label]

    examples = []
    for raw in raws:
        if isinstance(raw.label, tuple):
            label = tuple(number(name, raw.line) for name in raw.label)
        elif scores:
            label = _score(raw, len(labels) - 1, path)
        elif labels:
            label = number(raw.label, raw.line)
        else:
            label = _choice(raw, path)
        examples.append(TextExample(raw.texts, label))
    return examples


def _score(raw: Raw, highest: int, path: Path) -> float:
    try:
        score = float(str(raw.label))
    except ValueError:
        score = -1.0
    if not 0 <= score <= highest:
        raise GPT1VizError("task_score", path=path, line=raw.line, label=raw.label, highest=highest)
    return score


def _choice(raw: Raw, path: Path) -> int:
    label, n_choices = str(raw.label), len(raw.texts) - 2
    number = LETTERS.index(label) if len(label) == 1 and label in LETTERS else int(label) if _is_whole(label) else -1
    if not 0 <= number < n_choices:
        known = f"0-{n_choices - 1}, A-{LETTERS[n_choices - 1]}" if n_choices <= len(LETTERS) else f"0-{n_choices - 1}"
        raise GPT1VizError("task_label", path=path, line=raw.line, label=label, known=known)
    return number


def build_task(
    name: str, kind: str, metric: str, splits: Mapping[str, tuple[list[Raw], Path]], labels: tuple[str, ...] = ()
) -> Task:
    """A task from the rows of its splits; what is missing is held out from training.

    Raises:
        GPT1VizError: an unknown label, training rows of one class only or of too many; it names file and line.
    """
    scores = metric in ("pearson", "spearman")
    rows, path = splits["train"]
    if kind != "choice" and not labels:
        labels = SCORE_CLASSES if scores else class_names(rows)
        if len(labels) > MOST_CLASSES:
            raise GPT1VizError("task_classes", path=path, n=len(labels), most=MOST_CLASSES)
    found = {split: to_examples(raws, labels, scores, path) for split, (raws, path) in splits.items()}
    if len(used := {raw.label for raw in rows}) == 1 and not isinstance(rows[0].label, tuple):
        raise GPT1VizError("task_one_class", path=path, line=rows[-1].line, label=used.pop())
    if isinstance(rows[0].label, tuple) and len(labels) == 1:
        raise GPT1VizError("task_one_class", path=path, line=rows[-1].line, label=labels[0])
    missing = ["validation"] if "validation" not in found else []
    missing += ["test"] if len(found) == 1 else []
    if len(rows) <= len(missing):
        raise GPT1VizError("task_few_rows", path=path, n=len(rows))
    for split in missing:
        found["train"], found[split] = _hold_out(found["train"], len(rows) // 10)
    return Task(name, kind, labels, metric, {s: tuple(found[s]) for s in SPLITS if s in found})


def _hold_out(examples: list[TextExample], n: int) -> tuple[list[TextExample], list[TextExample]]:
    """The examples left in their order, and n held out, the same ones each time."""
    out = set(random.Random(0).sample(range(len(examples)), max(1, n)))
    return [e for k, e in enumerate(examples) if k not in out], [examples[k] for k in sorted(out)]


class _Cells:
    """One row, looked up by what its columns mean."""

    def __init__(self, row: Row, columns: Mapping[str, Column], path: Path, line: int):
        self.row, self.columns, self.path, self.line = row, columns, path, line

    def fault(self, code: str, **params) -> GPT1VizError:
        return GPT1VizError(code, path=self.path, line=self.line, **params)

    def name(self, role: str) -> Column:
        return self.columns.get(role, role)

    def text(self, role: str, empty: bool = False) -> str:
        column = self.name(role)
        if empty and role not in self.columns and column not in self.row:
            return ""
        return self._text(self._cell(column), column, empty)

    def words(self, role: str) -> tuple[str, ...]:
        """A list of words, or words between blanks."""
        column = self.name(role)
        cell = self._cell(column)
        listed = cell if isinstance(cell, list) else self._text(cell, column).split()
        words = tuple(self._text(word, column) for word in listed)
        if not words or any(len(word.split()) != 1 for word in words):
            raise self.fault("task_empty", column=column)
        return words

    def many(self, role: str) -> tuple[str, ...]:
        """The cells of several columns, or of one that holds a list."""
        column = self.name(role)
        if column == role and role not in self.row:
            column = [f"answer_{k}" for k in range(1, len(self.row) + 1) if f"answer_{k}" in self.row]
        if isinstance(column, str | int):
            cells = self._cell(column)
            if not isinstance(cells, list) or len(cells) < 2:
                raise self.fault("task_list", column=column)
            return tuple(self._text(cell, column) for cell in cells)
        if not column:
            raise self.fault("task_column", column=role, found=_join(self.row))
        return tuple(self._text(self._cell(one), one) for one in column)

    def _cell(self, column) -> object:
        if column not in self.row:
            raise self.fault("task_column", column=column, found=_join(self.row))
        return self.row[column]

    def _text(self, cell: object, column: Column, empty: bool = False) -> str:
        if isinstance(cell, dict | list):
            raise self.fault("task_cell", column=column)
        text = "" if cell is None or cell != cell else str(cell).strip()  # NaN is no value either
        if not text and not empty:
            raise self.fault("task_empty", column=column)
        return text


def _join(names: Iterable) -> str:
    return ", ".join(map(str, sorted(names, key=str)))
