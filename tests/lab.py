"""A real JupyterLab in a real browser: opens a notebook, runs every cell, reads what is drawn, moves the sliders."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from notebook_files import FOLDER

PATIENCE = 300  # seconds, for a start or for all cells of a notebook on a busy machine
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
PROMPTS = "() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map((e) => e.innerText)"
# What each code cell shows: plotly figures and canvas views that are drawn, and anything that went wrong.
SHOWN = """() => [...document.querySelectorAll(".jp-Notebook .jp-CodeCell")].map((cell) => ({
    figures: cell.querySelectorAll(".js-plotly-plot .main-svg .plot, .js-plotly-plot .main-svg .infolayer").length,
    views: cell.querySelectorAll(".g1v[data-head], .g1v[data-kind]").length,
    faults: [...cell.querySelectorAll("[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']")]
        .map((e) => e.innerText),
}))"""
# Everything below a slider as text, to see whether it changes.
BELOW = """(slider) => {
    const box = slider.closest(".widget-vbox, .jupyter-widgets.widget-box");
    const plots = [...box.querySelectorAll(".js-plotly-plot")].map((plot) => JSON.stringify([plot.data, plot.layout]));
    return [...plots, ...[...box.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()), box.innerText].join();
}"""


@contextmanager
def server(folder: Path):
    """The address of a JupyterLab on a copy of the notebooks, apart from the user's settings."""
    shutil.copytree(FOLDER, folder / "notebooks", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}), encoding="utf-8")  # cells out of sight are drawn, too
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.root_dir": folder / "notebooks",
        "ServerApp.allow_root": True,
        "ServerApp.open_browser": False,
        "IdentityProvider.token": "",
        "LabApp.expose_app_in_browser": True,
        "LabApp.workspaces_dir": folder / "workspaces",
        "LabApp.user_settings_dir": folder / "settings",
    }
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())],
            env={**os.environ, **own, "IPYTHONDIR": str(folder / "ipython")},
            stdout=log,
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _until(lambda: _answers(url + "/api/status"), "JupyterLab starts")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def open_and_run(browser, url: str, name: str):
    """A page with the notebook NAME, every cell run; page.outside lists addresses elsewhere that it asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.outside = []

    def stay(route):
        here = urlsplit(route.request.url).netloc == urlsplit(url).netloc
        if not here:
            page.outside.append(route.request.url)
        return route.continue_() if here else route.abort()

    page.route("http*://**", stay)
    page.goto(f"{url}/lab/tree/{name}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE * 1000)
    _until(lambda: page.evaluate(READY), "the kernel is ready", page)
    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    assert not _all_run(page)
    page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
    _until(lambda: _all_run(page), f"{name} has run", page)
    return page


def _all_run(page) -> bool:
    prompts = page.evaluate(PROMPTS)
    return prompts == [f"[{i}]:" for i in range(1, len(prompts) + 1)]


def move_sliders(page) -> list[bool]:
    """Moves every slider by one step with an arrow key: whether what is below it changed."""
    moved = []
    for handle in page.locator(".jp-Notebook .noUi-handle").all():
        before = handle.evaluate(BELOW)
        at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        handle.focus()
        handle.press("ArrowLeft" if at_end else "ArrowRight")
        changed = lambda handle=handle, before=before: handle.evaluate(BELOW) != before  # noqa: E731
        moved.append(_until(changed, "a slider moves what is below it", page, 20))
    return moved


def _answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def _until(true, what: str, page=None, seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        page.wait_for_timeout(200) if page else time.sleep(0.2)
    return True
