"""What a bare clone is installed from: the versions, conda's file, the Makefile, the wheel, what an import costs."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile

import pytest
import wheel_file
import yaml
from house import ROOT, imports, label, sources
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from gpt1viz import palette

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
LIBRARIES = [requirement for requirement in REQUIREMENTS if requirement.name != "gpt1viz"]
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
HEAVY = {"torch", "numpy", "streamlit", "plotly", "spacy", "ftfy", "tokenizers", "huggingface_hub", "safetensors"}
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="no make")


# versions


def test_constraints_are_plain_sorted_pins_for_every_platform():
    names = [pin.partition("==")[0] for pin in PINS]
    assert names == sorted(set(names)) == [canonicalize_name(name) for name in names]
    for pin in PINS:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin), pin  # no +cpu, no path, no address, no marker
        assert not pin.startswith(("nvidia-", "cuda-", "triton")), pin
    assert "torch==2.13.0" in PINS


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_every_dependency_is_pinned_above_its_floor(library):
    pins = dict(pin.split("==") for pin in PINS)
    assert library.specifier, "no floor"
    assert library.specifier.contains(pins[canonicalize_name(library.name)])


@pytest.mark.parametrize("path", sources("gpt1viz", "app"), ids=label)
def test_every_library_imported_is_a_dependency(path):
    declared = {canonicalize_name(library.name) for library in LIBRARIES}
    ours = {"gpt1viz"} | {module.stem for module in (ROOT / "app").glob("*.py")}
    for name, line, _ in imports(path):
        top = name.split(".")[0]
        known = top in sys.stdlib_module_names or top in ours or canonicalize_name(top) in declared
        assert known, f"{label(path)}:{line} imports {top}, which pyproject.toml does not name"


def test_all_is_every_extra():
    (everything,) = (requirement for requirement in REQUIREMENTS if requirement.name == "gpt1viz")
    assert everything.extras == EXTRAS.keys() - {"all"}


def test_conda_installs_the_same():
    *packages, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python, version = packages[0].split("=")
    assert python == "python" and SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert pip == {"pip": ["-c constraints.txt", "-e .[all]"]}


# what is committed


def committed() -> dict[str, str]:
    """Every text file that git tracks, by its path."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).rstrip("\0").split("\0")
    contents = {name: (ROOT / name).read_bytes() for name in names if (ROOT / name).is_file()}
    return {name: data.decode("utf-8", "replace") for name, data in contents.items() if b"\0" not in data}


@pytest.mark.parametrize(
    "pattern",
    [
        r"(pypi|pythonhosted|anaconda|conda|crates|debian|ubuntu)\.(org|io|com)/",
        r"(pypi|test\.pypi|files\.pythonhosted|deb\.debian|download\.pytorch|static\.crates)\.(org|io)",
        r"registry\.(npmjs|yarnpkg)\.\w+|proxy\.golang\.org",
    ],
    ids=["index", "host", "other languages"],
)
def test_no_file_names_a_package_registry(pattern):
    assert [name for name, text in committed().items() if re.search(pattern, text)] == []


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.~/)}$-])/(home|root|work|Users|opt|mnt)/|[A-Z]:\\{1,2}Users\b")
    assert {name: found[0] for name, text in committed().items() if (found := pattern.search(text))} == {}


def test_the_licence_is_mit():
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


# make


def make(*arguments, cwd=ROOT) -> subprocess.CompletedProcess:
    """Runs make apart from a make that may have started these tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@needs_make
@pytest.mark.parametrize(
    ("target", "extra", "command"),
    [
        ("app", "app", "streamlit run app/main.py"),
        ("notebooks", "notebooks", "jupyter lab notebooks/00_tour.ipynb"),
        ("notebooks-refresh", "all", "python notebooks/refresh.py"),
        ("html", "notebooks", "python notebooks/pages.py"),
        ("docs", "all", "python docs/reference.py"),
        ("pictures", "all", "python docs/pictures.py"),
        ("test", "all", "-m pytest -n auto --maxprocesses 4 --dist loadfile -k one"),
        ("test-all", "all", "GPT1VIZ_ALL=1 .venv/bin/python -m pytest -n auto"),
        ("faults", "all", "GPT1VIZ_FAULTS=1 .venv/bin/python -m pytest tests/faults -k one"),
        ("lint", "all", "pyright"),
        ("wheel", "all", "pip wheel --no-deps --no-build-isolation --wheel-dir dist ."),
        ("bench", "all", "python -m benchmarks"),
    ],
)
def test_make_installs_what_a_target_needs_then_runs_it(target, extra, command):
    run = make("-n", "-B", target, "PIP_ARGS=--pre", "PYTEST_ARGS=-k one")
    assert run.returncode == 0, run.stderr
    assert f"pip install -e '.[{extra}]' -c constraints.txt --pre" in run.stdout
    assert command in run.stdout.splitlines()[-1]
    assert "apt" not in run.stdout.replace("apt install python3-venv", "")


@needs_make
def test_make_help_says_what_every_target_does():
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = make("help").stdout.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines] == targets.split()
    assert all(len(line.partition(": ")[2].split()) > 1 for line in lines)


@needs_make
@pytest.mark.parametrize(("fails", "says"), [("version_info", "Python 3.9.2"), ("ensurepip", "python3-venv")])
def test_make_says_in_one_sentence_what_python_lacks(tmp_path, fails, says):
    for name in ("Makefile", "pyproject.toml", "setup.py", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *{fails}*) exit 1;; --version) echo Python 3.9.2;; esac\n')
    python.chmod(0o755)
    run = make("app", f"PYTHON={python}", cwd=tmp_path)
    assert run.returncode != 0
    assert len(run.stdout.splitlines()) == 1 and says in run.stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_ci_is_a_script_that_calls_make_test():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    assert "make test" in script.read_text()


# what is installed


def test_the_wheel_carries_the_package_and_the_app(tmp_path):
    wheel, source = wheel_file.build(tmp_path), tmp_path / "source"
    wanted = {path.relative_to(source).as_posix() for path in source.glob("gpt1viz/**/*") if path.is_file()}
    app = {path.relative_to(source / "app").as_posix() for path in source.glob("app/**/*") if path.is_file()}
    assert {"gpt1viz/text/en/errors.toml", "gpt1viz/views/token_strip.js"} < wanted and "main.py" in app
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == wanted | {f"gpt1viz/_app/{name}" for name in app}


@pytest.mark.parametrize(
    "code",
    ["import gpt1viz", "from gpt1viz.cli import main; sys.argv = ['gpt1viz', '--help']; main()"],
    ids=["import", "--help"],
)
def test_starting_is_cheap(code):
    script = f"import sys\ntry:\n    {code}\nfinally:\n    print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "gpt1viz" in loaded
    assert loaded & HEAVY == set()


def test_the_app_wears_the_palette():
    theme = tomllib.loads((ROOT / "app/.streamlit/config.toml").read_text(encoding="utf-8"))["theme"]
    assert (theme["font"], theme["codeFont"]) == (palette.SANS, palette.MONO)
    for i, mode in enumerate(("light", "dark")):
        assert theme[mode] == {
            "primaryColor": palette.PRIMARY[i],
            "backgroundColor": palette.PAPER[i],
            "secondaryBackgroundColor": palette.PANEL[i],
            "textColor": palette.INK[i],
            "codeTextColor": palette.INK[i],
            "codeBackgroundColor": palette.PANEL[i],
            "linkColor": palette.LINK[i],
            "borderColor": palette.BORDER[i],
        }


# the tests themselves


@pytest.mark.skipif(os.environ.get("GPT1VIZ_NETWORK") == "1", reason="the network was asked for")
def test_tests_have_no_network():
    with pytest.raises(OSError, match="tests have no network"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(OSError, match="tests have no network"):
        socket.getaddrinfo("example.org", 80)
