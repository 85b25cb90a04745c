"""From opening a page to all heads drawn, ours and BertViz's, in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread

from gpt1viz.views import source

from .page import ARGS, CHROMIUM
from .payload import attention, bertviz, grid
from .report import Row
from .timing import ratios

TITLE = "Opened to drawn: the attention of 12 x 12 heads"
NOTE = (
    "The same attention as in payload, pages from a local server, headless Chromium, 1,280 x 900. The clock is the "
    "browser's: from the beginning of the navigation to the first frame after all is drawn. Ours draws every head, "
    "pooled and quantised, and one head exactly. BertViz's model_view draws a line for every weight of every head, its "
    "head_view those of one layer. BertViz's page would load require.js, d3 and jQuery from the network; here d3 5 "
    "(from mpld3) and jQuery 3.6 (from sphinxcontrib-jquery) stand in the page, and a line takes require.js's place."
)
N_TOKENS = 64
CODE = {"mpld3": "js/d3.v5.min.js", "sphinxcontrib.jquery": "jquery.js"}
REQUIRE = "<script>const require = { config() {} }, requirejs = (names, run) => run(jQuery, d3);</script>"
DONE = """<script>
  addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => (window.drawn = performance.now()))));
</script>"""
OURS = """<!doctype html><meta charset="utf-8"><body style="margin: 0; background: white"><div id="grid"></div>
<script type="module">
  import view from "./grid.js";
  const el = document.getElementById("grid");
  const data = { payload: new DataView(await (await fetch("grid.bin")).arrayBuffer()) };
  new MutationObserver((changes, watch) => {
    if (!el.querySelector("[data-head]")) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => (window.drawn = performance.now())));
  }).observe(el, { subtree: true, childList: true, attributes: true });
  const model = { get: (key) => data[key], set: () => {}, save_changes: () => {}, on: () => {}, off: () => {} };
  view.render({ model, el });
</script>"""
PARTS = {"ours": "#grid canvas", "model_view": "#vis line", "head_view": "#vis line"}  # what must have been drawn


def measure(repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    times = {name: [] for name in PARTS}
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        drawn = write(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        with serving(Path(folder)) as url:

            def opened(name: str) -> float:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(f"{url}/{name}.html", wait_until="commit")
                ms = page.wait_for_function("window.drawn", timeout=120_000).json_value()
                assert page.locator(PARTS[name]).count() >= drawn[name]
                page.close()
                return ms

            opened("ours")  # starts the browser's processes
            for _ in range(max(1, repeats // 2)):  # BertViz takes long
                for name in PARTS:
                    times[name].append(opened(name))
        browser.close()
    rows = []
    for name in list(PARTS)[1:]:
        ratio, spread = ratios(times[name], times["ours"])
        both = (f"{median(times[side]):.0f} ms" for side in ("ours", name))
        rows.append(Row(f"BertViz's {name}, {N_TOKENS} tokens", *both, f"{ratio:.1f} times as fast", spread))
    return rows


def write(folder: Path) -> dict[str, int]:
    """The three pages; gives how many elements each draws."""
    weights, products, words = attention(N_TOKENS)
    (folder / "ours.html").write_text(OURS, encoding="utf-8")
    (folder / "grid.js").write_text(source("attention_grid", "anywidget"), encoding="utf-8")
    (folder / "grid.bin").write_bytes(grid(weights, products, words))
    code = "".join(f"<script>{library(*file)}</script>" for file in CODE.items())
    for name in ("model_view", "head_view"):
        _, _, own = bertviz(name, weights, words).partition("</script>")  # without the first, which loads require.js
        page = f'<!doctype html><meta charset="utf-8"><body>{code}{REQUIRE}{own}{DONE}'
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {"ours": 2, "model_view": int((weights > 0).sum()), "head_view": int((weights[0] > 0).sum())}


def library(package: str, name: str) -> str:
    """A file of an installed package, which is not imported."""
    found = find_spec(package)
    assert found and found.origin
    return Path(found.origin).parent.joinpath(name).read_text(encoding="utf-8")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves a folder's files; gives the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
