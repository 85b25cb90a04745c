"""The pictures of the READMEs, taken from the running app in both languages: docs/tour.png, docs/tour_zh.png, ...

python docs/pictures.py                   # all of them; needs /usr/bin/chromium
python docs/pictures.py tour attention    # these only
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from gpt1viz.text import LANGUAGES, t

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
REST = '[data-testid="stApp"][data-test-script-state="notRunning"]'
HOME = "tour"  # the page that has no name in its address
WRITTEN = "p > b[style*='border-bottom']"  # the token that was drawn
# the page's link, what must be there, pixels from above
PICTURES = {
    "tour": ({"seed": 7}, ".js-plotly-plot", 1120),
    "attention": ({"layer": 3, "head": 3, "pos": 10, "key": 9}, ".g1v[data-head]", 1020),
    "inside": ({}, ".js-plotly-plot", 1120),
}


def take(page: Page, url: str, name: str, lang: str) -> Path:
    """One picture, once the page is at rest and looks the same twice."""
    query, wanted, height = PICTURES[name]
    page.set_viewport_size({"width": 1280, "height": height})
    page.goto(f"{url}/{'' if name == HOME else name}?{urlencode(query | {'lang': lang})}")
    page.wait_for_selector(wanted)
    page.wait_for_selector(REST)
    if name == HOME:
        page.get_by_role("button", name=t("app.write_one", lang)).click()
        page.locator(WRITTEN).wait_for()
        page.wait_for_selector(REST)
        page.locator('[data-testid="stMain"]').evaluate("all => all.scrollTop = 0")
    before, seen = b"", page.screenshot()
    while before != seen:
        page.wait_for_timeout(1000)
        before, seen = seen, page.screenshot()
    path = HERE / (f"{name}.png" if lang == "en" else f"{name}_{lang}.png")
    path.write_bytes(seen)
    return path


@contextmanager
def served() -> Iterator[str]:
    """The app, with no runs and no models but the bundled one; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", HERE.parent / "app" / "main.py", "--server.headless", "true"]
    with TemporaryDirectory() as empty:
        own = {"GPT1VIZ_RUNS": empty, "GPT1VIZ_CACHE": empty, "GPT1VIZ_MODELS": ""}
        app = subprocess.Popen([*command, "--server.port", str(port)], env=os.environ | own, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://localhost:{port}/_stcore/health")
                    break
                except OSError:
                    if app.poll() is not None:
                        sys.exit("the app did not start")
                    time.sleep(0.2)
            yield f"http://localhost:{port}"
        finally:
            app.terminate()
            app.wait()


if __name__ == "__main__":
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(300_000)  # ms; a busy machine is slow
        for name in sys.argv[1:] or PICTURES:
            for lang in LANGUAGES:
                print(take(page, url, name, lang))
