"""Files that a reader never finds half-written, and rows of JSON that may end in half a line."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write beside and rename."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    replace(beside, path)


def write_json(path: Path, values: dict) -> None:
    """Write a JSON object beside and rename."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def write_rows(path: Path, rows: Iterable[dict]) -> None:
    """Write JSON objects, one a line, beside and rename."""
    write_text(path, "".join(line(row) for row in rows))


def line(row: dict) -> str:
    """A row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def replace(beside: Path, path: Path) -> None:
    """`os.replace`; on Windows a reader that has the file open at this moment is waited for."""
    for attempt in range(50):
        try:
            os.replace(beside, path)
            return
        except PermissionError:
            if os.name != "nt" or attempt == 49:
                raise
            time.sleep(0.02)


def read_json(path: Path) -> dict:
    """A JSON object; empty when there is no such file or it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def read_rows(path: Path, start: int = 0) -> tuple[list[dict], int]:
    """The rows of a file that may still grow, from byte `start` on, and the byte to go on from.

    A last line that is not finished is left for the next time; a line that is no JSON object is left out.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return [], start
    whole = data[: data.rfind(b"\n") + 1]
    rows = []
    for text in whole.splitlines():
        try:
            row = json.loads(text)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows, start + len(whole)


def sync(folder: Path) -> None:
    """Have the files of a folder on the disk, not only on their way to it."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
