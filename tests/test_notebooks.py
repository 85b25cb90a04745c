"""The notebooks as committed: they run, they read on a web page, and their exercises' solutions hold."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def test_there_are_notebooks():
    assert FOLDER / "00_tour.ipynb" in NOTEBOOKS


@every_notebook
def test_committed_as_text_and_small_pictures(path):
    assert path.stat().st_size <= 400_000
    assert set(json.loads(path.read_text(encoding="utf-8"))["metadata"]) == {"kernelspec", "language_info"}
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]  # run from top to bottom
    for output in (output for cell in code for output in cell["outputs"]):
        assert output["output_type"] in ("stream", "execute_result", "display_data")
        assert output.get("name", "stdout") == "stdout"  # no warnings
        assert set(output.get("data", {})) <= {"text/plain", "image/png"}
    assert str(FOLDER.parent) not in path.read_text(encoding="utf-8")


@every_notebook
def test_cells_are_short_and_the_language_is_set_first(path):
    code = cells(path, "code")
    assert max(len(source(cell).splitlines()) for cell in code) <= 12
    assert re.search(r'^lang = "(en|zh)"', source(code[0]), re.MULTILINE)
    assert any("assert " in source(cell) for cell in code)
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"])


@every_notebook
def test_runs_and_prints_what_is_committed(path):
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", "-p", "no:cacheprovider", "-q"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, path.name], cwd=FOLDER, capture_output=True, text=True, timeout=900
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert f"{len(cells(path, 'code'))} passed" in run.stdout
    assert any("nbval-check-output" in cell["metadata"].get("tags", []) for cell in cells(path, "code"))


@every_notebook
def test_solutions_hold(path):
    solutions = [code for cell in cells(path, "markdown") for code in SOLUTION.findall(source(cell))]
    assert 2 <= len(solutions) <= 3
    names = {}
    for cell in cells(path, "code"):
        exec(source(cell), names)
    for code in solutions:
        assert "assert " in code
        exec(code, names)
