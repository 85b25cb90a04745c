"""The wheel in an environment of its own, away from the checkout: the commands, and the app in a browser."""

import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from app_page import becomes, drawn
from app_server import wait
from house import ROOT
from wheel_file import PIP, build

from gpt1viz.text import LANGUAGES, t

pytestmark = pytest.mark.long
SMALL = ["n_layer=1", "n_head=2", "n_embd=16", "n_ctx=16", "batch_size=2", "vocabulary=300"]


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Path:
    """A folder of commands: the wheel is installed there, and finds its dependencies in this environment.

    Their folder is a line of a .pth file. Python does not read the .pth files in it, so that a checkout which is
    installed there for editing is not seen.
    """
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    paths = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    home = Path(sysconfig.get_path("purelib", "venv", paths))
    (home / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    bin = Path(sysconfig.get_path("scripts", "venv", paths))
    install = ["install", "--no-deps", "--no-index", "--ignore-installed", build(folder)]
    subprocess.run([*PIP, "--python", bin / "python", *install], check=True)
    return bin


@pytest.fixture
def run(commands, tmp_path):
    """run(command, ...) -> what a command prints in an empty folder."""

    def run(name, *arguments):
        done = subprocess.run(
            [commands / name, *arguments], cwd=tmp_path, env=alone(), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def alone() -> dict[str, str]:
    """The environment without what leads Python to other files."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.fixture
def app(commands, tmp_path):
    """The address of `gpt1viz app`, started in an empty folder, which stays empty."""
    folder = tmp_path / "empty"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.with_suffix(".log")
    with log.open("w") as out:
        process = subprocess.Popen(
            [commands / "gpt1viz", "app", "--port", str(port)],
            cwd=folder,
            env=alone() | {"STREAMLIT_SERVER_HEADLESS": "true"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://localhost:{port}"
        wait(process, url, log)
        yield url
    finally:
        process.terminate()
        process.wait(30)
    assert list(folder.iterdir()) == []


def test_the_package_is_the_wheel_s(run, commands):
    found = Path(run("python", "-c", "import gpt1viz, streamlit; print(gpt1viz.__file__)").strip())
    assert found.is_relative_to(commands.parent) and not found.is_relative_to(ROOT)


def test_it_explains_trains_and_writes(run, commands, tmp_path):
    assert "fox" in run("gpt1viz", "explain", "the fox and the rabbit")
    (tmp_path / "text.txt").write_text("the fox saw the rabbit and the rabbit saw the fox.\n" * 40)
    settings = [word for setting in SMALL for word in ("--set", setting)]
    run("gpt1viz", "train", "text.txt", "--run", "runs/small", "--steps", "4", *settings)
    assert "finished" in run("gpt1viz", "runs", "list")
    written = run("gpt1viz", "generate", "the fox", "--model", "runs/small", "-n", "4", "--seed", "1")
    assert written.startswith("the fox")
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python", "--"]
    train = ["train", "text.txt", "--run", "runs/pair", "--steps", "4", *settings]
    run("python", *together, commands / "gpt1viz", *train)
    assert run("gpt1viz", "runs", "list").count("finished") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "runs"}


@pytest.mark.browser
def test_the_app_shows_the_tour(app, visit):
    for lang in LANGUAGES:
        page = visit(f"{app}/?lang={lang}")
        drawn(page)
        page.get_by_role("heading", name=t("app.tour", lang)).wait_for()
        page.get_by_role("textbox", name=t("app.text", lang), exact=True).fill("the golden fox")
        drawings = page.locator("svg.g1-drawing")
        becomes(page, lambda all=drawings: all.count() == 6 and ">golden<" in all.nth(1).inner_html(), True)
        becomes(page, page.locator(".js-plotly-plot").count, 1)
        page.get_by_role("button", name=t("app.write_one", lang)).click()
        assert page.locator("p > b[style*='border-bottom']").inner_text().strip()  # waits for what was written
        page.get_by_role("link", name=t("app.attention", lang), exact=True).click()
        page.locator(".g1v[data-head]").wait_for()
