"""From Enter to redrawn on the app's Attention page, in a real browser."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import torch

from gpt1viz.checkpoints import load
from gpt1viz.views.payload import link

from .report import Row

TITLE = "Enter to redrawn on the Attention page, 64 tokens"
NOTE = (
    "The bundled model, headless Chromium, 1,280 x 900. The clock is the browser's: from the key's event to the frame "
    "in which all heads and the large one have been painted with the new text. Every text is new to the app."
)
ROOT = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
AIM, N_TOKENS = 300, 64
GRID = ".g1v[data-link]"
NAMES = ["bird", "boy", "cat", "dog", "king", "queen", "girl", "mother", "wolf", "lion", "tree", "sun", "wind", "sea"]
STORY = "the fox and the rabbit went to the river and the bear said that he was in the house of the old man "

# Resolves to milliseconds between the next Enter and the first frame after the grid says that it shows `wanted`.
CLOCK = """(grid, wanted) => {
  let start;
  document.addEventListener("keydown", () => (start = performance.now()), { capture: true, once: true });
  window.redrawn = new Promise((done, fail) => {
    setTimeout(() => fail(new Error("not redrawn within two minutes")), 120_000);
    const watch = new MutationObserver(() => {
      if (grid.dataset.link !== wanted) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    });
    watch.observe(grid, { attributes: true, attributeFilter: ["data-link"] });
  });
}"""


def measure(repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    _, tokenizer, *_ = load("storybook")
    texts = [text_of(tokenizer, f"the {name} and ") for name in NAMES]
    times = []
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/attention")
        grid = page.locator(GRID)
        box = page.get_by_role("textbox").first
        for text in texts[: 2 * repeats + 2]:
            grid.wait_for(timeout=60_000)
            page.wait_for_timeout(700)  # what the last text set going has settled
            grid.evaluate(CLOCK, str(link(tokenizer.tokenize(text))))
            box.fill(text)
            box.press("Enter")
            times.append(page.evaluate("redrawn"))
        browser.close()
    times = times[2:]  # the first two load what is loaded once
    return [row("Enter to redrawn", times, AIM)]


def row(what: str, times: list[float], aim: int) -> Row:
    """The median of some times in milliseconds against an aim."""
    found, spread = median(times), f"{min(times):.0f} to {max(times):.0f} ms"
    return Row(what, f"{found:.0f} ms", f"aim {aim} ms", f"{found / aim:.2f} of it", spread, "1", found <= aim)


def text_of(tokenizer, beginning: str) -> str:
    """A text of exactly 64 tokens that begins so."""
    words = (beginning + STORY * 5).split()
    while len(tokenizer.encode(" ".join(words))) > N_TOKENS:
        words.pop()
    assert len(tokenizer.encode(" ".join(words))) == N_TOKENS
    return " ".join(words)


@contextlib.contextmanager
def served(script: str | Path = "app/main.py") -> Iterator[str]:
    """The app, or another script of Streamlit's, on a free port; gives its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options]
    threads = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=ROOT, env=threads, **quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(1200):
            with contextlib.suppress(OSError), urlopen(f"{url}/_stcore/health", timeout=1):
                break
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(60)
