"""Rows of .csv, .tsv and .jsonl files, plain or gzipped, with their line numbers."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import GPT1VizError
from .sources import json_object, kind_of, numbered_lines

KINDS = (".csv", ".tsv", ".jsonl")
Row = Mapping[str | int, object]  # column -> value


def read_table(path: Path, header: bool = True, tabs: bool = False) -> Iterator[tuple[int, Row]]:
    """(line number, row) of a file.

    .csv has quotes as spreadsheets write them; .tsv has none, every line is a row.

    Args:
        header: whether the first row of .csv and .tsv names the columns; else they are counted from 0.
        tabs: whether a .csv is written as a .tsv (STS-B).

    Raises:
        GPT1VizError: another kind of file, binary data, text that is not UTF-8, a line that is no row or has more
            cells than there are columns, two columns of one name; it names file and line.
    """
    if not path.is_file():
        raise GPT1VizError("text_missing", path=path)
    if kind_of(path) not in KINDS:
        raise GPT1VizError("text_kind", path=path, kinds=", ".join(KINDS))
    rows = _objects(path) if kind_of(path) == ".jsonl" else _fields(path, tabs or kind_of(path) == ".tsv")
    if kind_of(path) == ".jsonl" or not header:
        yield from rows
        return
    names: list[str] = []
    for line, row in rows:
        cells = list(row.values())
        if not names:
            names = [str(name) for name in cells]
            if twice := [name for name, n in Counter(names).items() if name and n > 1]:
                raise GPT1VizError("table_twice", path=path, line=line, column=twice[0])
        elif any(cells[len(names) :]):
            raise GPT1VizError("table_cells", path=path, line=line, found=len(cells), wanted=len(names))
        else:
            yield line, dict(zip(names, cells, strict=False))


def _objects(path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in numbered_lines(path):
        if line.strip():
            yield number, json_object(line, number, path)


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
        what = str(fault)
        code = "table_cell" if "field limit" in what else "table_mac" if "new-line" in what else "table_row"
        raise GPT1VizError(code, path=path, line=first, fault=fault, most=csv.field_size_limit()) from None
