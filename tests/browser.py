"""A real browser for tests: Debian's chromium through playwright, cut off from every network but the local server.

    with chromium() as browser, served(folder) as url:
        page = open_page(browser, url + "/index.html", width=982)

Where chromium or playwright is missing the test skips and says so; under CI=true it fails.
"""

import functools
import os
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium():
    """A playwright Browser (sync API)."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    if not Path(CHROMIUM).exists():
        _missing(f"no {CHROMIUM}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, scale: float = 1):
    """A new page at `url`; requests to any other host are refused. page.faults lists errors that the page reports."""
    scheme = "dark" if dark else "light"
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=scale)
    here = urlsplit(url).netloc
    page.route("**/*", lambda route: route.continue_() if urlsplit(route.request.url).netloc == here else route.abort())
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.goto(url)
    return page


@contextmanager
def served(folder: Path):
    """Serves a folder's files; gives the address, such as http://127.0.0.1:40123."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _missing(reason: str):
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI needs the browser tests")
    pytest.skip(reason)
