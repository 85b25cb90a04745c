"""The notebooks as test_notebooks*.py see them: their cells, their exercises' solutions, a copy that runs both."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "notebooks"
ENGLISH = sorted(FOLDER.glob("*.ipynb"))
CHINESE = sorted(FOLDER.glob("zh/*.ipynb"))
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


def label(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def solutions(path: Path) -> list[str]:
    """The code of the exercises' solutions."""
    return [code for cell in cells(path, "markdown") for code in SOLUTION.findall(source(cell))]


def with_solutions(path: Path, folder: Path) -> Path:
    """A copy of a notebook in `folder` that runs its solutions, too, after everything else."""
    notebook = read(path)
    for number, code in enumerate(solutions(path)):
        cell = {"cell_type": "code", "execution_count": None, "id": f"run-solution-{number}", "metadata": {}}
        notebook["cells"].append(cell | {"outputs": [], "source": code})
    copy = folder / f"{label(path).replace('/', '_')}.ipynb"
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    return copy
