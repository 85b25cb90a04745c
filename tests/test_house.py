"""The house rules: who may import whom, how long a file is, the same words in both languages, no unsafe files."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
from house import PACKAGE, ROOT, calls, imports, label, sources, tree

import gpt1viz
from gpt1viz.text import LANGUAGES

# A module imports from its own layer and those before it. figures and views stand aside.
LAYERS = [
    {"text", "errors", "palette", "reading"},
    {"config"},
    {"tokenizer", "words", "linear", "trace", "other_splitter"},
    {"model"},
    {"generate", "sampling", "inputs", "checkpoints", "formats", "download", "analysis"},
    {"data", "training"},
    {"explain", "claims"},
    {"figures", "views", "reproduce"},
    {"widgets", "cli", "cli_training", "cli_finetune", "cli_reproduce"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
ALLOWED = {
    "config": {"errors"},
    "figures": {"figures", "numpy", "plotly", "text", "palette"},
    "views": {"views", "numpy", "text", "palette"},
}
AT_HOME = {  # library: the only files that import it; cli.py starts the app
    "streamlit": {"gpt1viz/cli.py"},
    "ipywidgets": {"gpt1viz/widgets.py"},
    "anywidget": {"gpt1viz/widgets.py"},
    "matplotlib": set(),
}
TEXTS = sorted({path.relative_to(folder) for folder in (PACKAGE / "text").glob("??") for path in folder.rglob("*.*")})
package_files = pytest.mark.parametrize("path", sources("gpt1viz"), ids=label)


def part(name: str) -> str | None:
    """The part of the package that an imported name belongs to: "gpt1viz.text.t" -> "text"; None for a library."""
    top, _, rest = name.partition(".")
    head = rest.split(".")[0]
    return gpt1viz._HOMES.get(head, head) if top == "gpt1viz" else None


@package_files
def test_imports_keep_to_the_layers(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in RANK, f"give {own} its place in LAYERS"
    for name, line, typing in imports(path):
        other = part(name)
        if other in RANK and not typing:
            assert RANK[other] <= RANK[own], f"{label(path)}:{line} imports {name}, which is built on it"
        if own in ALLOWED and name.split(".")[0] not in sys.stdlib_module_names:
            assert (other or name.split(".")[0]) in ALLOWED[own], f"{label(path)}:{line} may not import {name}"


@package_files
def test_libraries_are_imported_where_they_belong(path):
    for name, line, _ in imports(path):
        library = name.split(".")[0]
        assert label(path) in AT_HOME.get(library, {label(path)}), f"{label(path)}:{line} may not import {library}"
        assert library not in {"app", "main", "state", "components"} and not name.startswith("gpt1viz._app"), (
            f"{label(path)}:{line} imports the app"
        )


@pytest.mark.parametrize("path", sources("app", "tests", "benchmarks"), ids=label)
def test_matplotlib_is_for_notebooks(path):
    assert not [line for name, line, _ in imports(path) if name.split(".")[0] == "matplotlib"]


@pytest.mark.parametrize(
    "path",
    sources("gpt1viz", "app", "tests", "benchmarks") + sources("gpt1viz", "app", suffix=".js"),
    ids=label,
)
def test_files_are_short(path):
    most = 330 if path == PACKAGE / "model.py" else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("name", TEXTS, ids=str)
def test_texts_are_the_same_in_every_language(name):
    texts = {lang: PACKAGE / "text" / lang / name for lang in LANGUAGES}
    for path in texts.values():
        assert path.is_file(), f"{label(path)} is missing"
        assert path.read_text(encoding="utf-8").strip(), f"{label(path)} is empty"
    if name.suffix == ".toml":
        english, *others = (placeholders(path) for path in texts.values())
        for other in others:
            assert english == other


def placeholders(path) -> dict[str, set[str]]:
    """The {names} in each string of a file of texts."""
    strings = tomllib.loads(path.read_text(encoding="utf-8"))
    return {key: set(re.findall(r"\{(\w+)", text)) for key, text in strings.items()}


@pytest.mark.parametrize("path", sources("gpt1viz", "app"), ids=label)
def test_errors_have_words(path):
    words = placeholders(PACKAGE / "text/en/errors.toml")
    for call in calls(path, "GPT1VizError"):
        given = {keyword.arg for keyword in call.keywords}
        for code in (node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)):
            assert code in words, f"{label(path)}:{call.lineno}: errors.toml lacks {code}"
            assert None in given or words[code] <= given, f"{label(path)}:{call.lineno}: {code} needs {words[code]}"


@pytest.mark.parametrize("path", sources("gpt1viz", "app"), ids=label)
def test_nothing_is_unpickled(path):
    for name, line, _ in imports(path):
        unsafe = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
        assert name.split(".")[0] not in unsafe and name != "torch.load", f"{label(path)}:{line} imports {name}"
    assert not [call.lineno for call in calls(path, "load") if ast.unparse(call.func) == "torch.load"]
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        pickled = [k for k in call.keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"]
        assert not pickled, f"{label(path)}:{call.lineno} allows pickles"


@pytest.mark.parametrize("path", sources("tests"), ids=label)
def test_every_test_asserts(path):
    functions = {node.name: node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)}
    asserting = {name for name, node in functions.items() if any(map(asserts, ast.walk(node)))}
    for name, node in functions.items():
        if name.startswith("test_"):
            called = {getattr(call.func, "id", "") for call in ast.walk(node) if isinstance(call, ast.Call)}
            assert name in asserting or called & asserting, f"{label(path)}:{node.lineno} asserts nothing"


def asserts(node: ast.AST) -> bool:
    """assert; pytest.raises, .warns, .fail; a library's assert_close and the like; playwright's expect."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith(("pytest.raises", "pytest.warns", "pytest.fail", "expect")) or ".assert_" in name
    return isinstance(node, ast.Assert)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(command):
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
