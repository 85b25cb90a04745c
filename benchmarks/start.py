"""From starting the app to its first drawing in the browser, against a Streamlit app that does nothing."""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .page import ARGS, CHROMIUM, served
from .report import Row
from .timing import ratios

TITLE = "The app's start to its first drawing"
NOTE = (
    "The wall's clock from starting `streamlit run` to the first drawing of the page Tour in headless Chromium, which "
    "is open already: torch is imported, the bundled model loaded and run. The limit is a Streamlit app of one title. "
    "Files in the system's cache."
)
EMPTY = "import streamlit\n\nstreamlit.title('nothing')\n"


def measure(repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY)
        contenders = {"ours": ("app/main.py", "svg.g1-drawing"), "empty": (empty, "h1")}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        seconds = {name: [] for name in contenders}
        for _ in range(repeats // 2 + 2):
            for name, (script, drawing) in contenders.items():
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                start = time.perf_counter()
                with served(script) as url:
                    page.goto(url)
                    page.locator(drawing).first.wait_for(timeout=120_000)
                    seconds[name].append(time.perf_counter() - start)
                page.close()
        browser.close()
    seconds = {name: times[1:] for name, times in seconds.items()}  # the first reads files from the disk
    ratio, spread = ratios(seconds["ours"], seconds["empty"])
    both = (f"{median(times):.1f} s" for times in seconds.values())
    return [Row("an empty Streamlit app", *both, f"{ratio:.2f} times the time", spread)]
