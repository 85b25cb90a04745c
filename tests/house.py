"""The sources as test_house.py and test_setup.py see them: files, syntax trees, imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gpt1viz"


class Import(NamedTuple):
    name: str  # absolute and dotted: "gpt1viz.text.t", "torch.nn"
    line: int
    typing: bool  # under `if TYPE_CHECKING:`


def sources(*folders: str, suffix: str = ".py") -> list[Path]:
    """Every source file under these folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob(f"*{suffix}"))


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[Import]:
    """What a file imports, also inside functions."""
    typing = {
        id(inner)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [_package(path, node.level), node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(name, node.lineno, id(node) in typing)


def _package(path: Path, level: int) -> str:
    """The package that a relative import of this level starts from; "" for an absolute one."""
    return ".".join(path.relative_to(ROOT).parts[:-level]) if level else ""


def calls(path: Path, name: str) -> list[ast.Call]:
    """Calls of a function by this name, also as an attribute: "load" finds torch.load(...)."""
    found = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
    return [call for call in found if name in (getattr(call.func, "id", ""), getattr(call.func, "attr", ""))]
