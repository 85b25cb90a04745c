"""Rows of .csv, .tsv and .jsonl files, plain or gzipped, with their line numbers."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import GPT1VizError
from .sources import kind_of, numbered_lines

KINDS = (".csv", ".tsv", ".jsonl")
Row = Mapping[str | int, object]  # column -> value


def read_table(path: Path, header: bool = True, tabs: bool = False) -> Iterator[tuple[int, Row]]:
    """(line number, row) of a file.

    .csv has quotes as spreadsheets write them; .tsv has none, every line is a row.

    Args:
        header: whether the first row of .csv and .tsv names the columns; else they are counted from 0.
        tabs: whether a .csv is written as a .tsv (STS-B).

    Raises:
        GPT1VizError: another kind of file, binary data, text that is not UTF-8, a line that is no row; it names file
            and line.
    """
    if not path.is_file():
        raise GPT1VizError("text_missing", path=path)
    if kind_of(path) not in KINDS:
        raise GPT1VizError("text_kind", path=path, kinds=", ".join(KINDS))
    rows = _objects(path) if kind_of(path) == ".jsonl" else _fields(path, tabs or kind_of(path) == ".tsv")
    if kind_of(path) == ".jsonl" or not header:
        yield from rows
        return
    names: list[object] = []
    for line, row in rows:
        if not names:
            names = list(row.values())
        else:
            yield line, dict(zip(map(str, names), row.values(), strict=False))


def _objects(path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in numbered_lines(path):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise GPT1VizError("text_json", path=path, line=number)
            yield number, row


def _fields(path: Path, tabs: bool) -> Iterator[tuple[int, Row]]:
    lines = (line for _, line in numbered_lines(path))
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(lines, strict=True)
    first = 1  # line on which the row begins; quoted fields may hold line ends
    try:
        for fields in reader:
            if fields:
                yield first, dict(enumerate(fields))
            first = reader.line_num + 1
    except csv.Error as fault:
        raise GPT1VizError("table_row", path=path, line=first, fault=fault) from None
