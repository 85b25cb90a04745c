"""A page with the canvas views in a real browser, and what can be read off it."""

import json
from contextlib import contextmanager

import numpy as np
from browser import open_page, served
from view_data import attention, pieces

from gpt1viz import palette
from gpt1viz.views import attention_grid_payload, source, token_strip_payload

SENTENCE = "the rab|bit said to a fox , come in|side ¶ and sit by this ? fire"
N = 18
PAGE = """<!doctype html><meta charset="utf-8">
<style>body {{ margin: 0; background: {0}; --jp-layout-color0: {0}; --jp-ui-font-color1: {1} }}</style>
<div id="strip"></div><div id="grid"></div><button id="after">after</button>
<script type="module">
  window.picks = [];
  window.models = {{}};
  window.hovers = [];
  document.addEventListener("gpt1viz:hover", (event) => hovers.push(event.detail.position));
  window.load = async (name) => new DataView(await (await fetch(`${{name}}.bin`)).arrayBuffer());
  for (const name of {2}) {{
    const view = (await import(`./${{name}}.js`)).default;
    const data = {{ payload: await load(name) }};
    const model = models[name] = {{
      get: (key) => data[key],
      set: (key, value) => {{ data[key] = value; if (key === "picked") picks.push(value); }},
      save_changes: () => {{}},
      on: (what, call) => (model.changed = call),
      off: () => {{}},
    }};
    view.render({{ model, el: document.getElementById(name) }});
  }}
</script>"""


@contextmanager
def shown(browser, tmp_path):
    """Gives show(grid=payload, strip=payload), which opens a page with these views and waits until they are drawn."""
    pages = []
    with served(tmp_path) as url:

        def show(width=982, dark=False, scale=1, **payloads):
            paper, ink = palette.PAPER[dark], palette.INK[dark]
            for name, payload in payloads.items():
                core = {"grid": "attention_grid", "strip": "token_strip"}[name]
                (tmp_path / f"{name}.js").write_text(source(core, "anywidget"), encoding="utf-8")
                (tmp_path / f"{name}.bin").write_bytes(payload)
            (tmp_path / "index.html").write_text(PAGE.format(paper, ink, json.dumps(list(payloads))), encoding="utf-8")
            page = open_page(browser, f"{url}/index.html", width=width, dark=dark, scale=scale)
            pages.append(page)
            if "grid" in payloads:
                page.wait_for_selector("#grid .g1v[data-head]")
            if "strip" in payloads:
                page.wait_for_selector("#strip .g1v[data-kind]")
            return page

        yield show
        for page in pages:
            assert page.faults == []
            page.close()


def send(page, name, payload, folder):
    """A new payload from the host."""
    (folder / f"{name}.bin").write_bytes(payload)
    page.evaluate(f"load('{name}').then((bytes) => {{ models.{name}.set('payload', bytes); models.{name}.changed() }})")


def grid_payload(n=N, **options):
    weights, scores = attention(3, 4, n)
    tokens = pieces(SENTENCE) if n == N else pieces(" ".join(f"w{i}" for i in range(n)))
    options = {"focus": (1, 2), "scores": scores[1, 2], "raw_scores": scores[1, 2] * 8, **options}
    return weights, scores, attention_grid_payload(weights, tokens, **options)


def canvas(page, name):
    """(locator, geometry in CSS pixels) of "tiles" or "matrix"."""
    found = page.locator("#grid canvas").nth(["tiles", "matrix"].index(name))
    return found, json.loads(found.get_attribute("data-geometry"))


def cell(page, q, s):
    """Where the large head's cell of query q and key s is."""
    _, g = canvas(page, "matrix")
    return {"x": g["left"] + (s - g["s0"] + 0.5) * g["cell"], "y": g["top"] + (q - g["q0"] + 0.5) * g["cell"]}


def tile(page, layer, head, i=0, j=0):
    """Where cell (i, j) of a tile is."""
    _, g = canvas(page, "tiles")
    x, y = g["left"] + head * g["step"] + (j + 0.5) * g["cell"], g["top"] + layer * g["step"] + (i + 0.5) * g["cell"]
    return {"x": x, "y": y}


def readout(page, name="grid"):
    return page.locator(f"#{name} .g1v-readout").inner_text()


def pixel(page, name, at, scale=1):
    """Colour (R, G, B) of a canvas at a place in CSS pixels."""
    found, _ = canvas(page, name)
    x, y = int(at["x"] * scale), int(at["y"] * scale)
    return found.evaluate(f"(c) => [...c.getContext('2d').getImageData({x}, {y}, 1, 1).data].slice(0, 3)")


def rgb(hex):
    return [int(hex[i : i + 2], 16) for i in (1, 3, 5)]


def colour(stops, u):
    """The colour at u in 0..1 between stops."""
    places = np.linspace(0, 1, len(stops))
    return [np.interp(u, places, channel) for channel in np.array([rgb(stop) for stop in stops]).T]


def is_close(a, b, by=3):
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= by


def strip_payload(**options):
    weights, _ = attention(1, 1, N)
    values = np.linspace(0, 14, N, dtype=np.float32)
    values[0] = np.nan
    options = {"kind": "surprisal", "focus": 5, "attention": weights[0, 0], **options}
    return (
        weights[0, 0],
        options.get("values", values),
        token_strip_payload(pieces(SENTENCE), options.pop("values", values), **options),
    )


def fill(page, i):
    text = page.locator(f"#strip [data-i='{i}']").evaluate("(c) => getComputedStyle(c).backgroundColor")
    return [int(x) for x in text.removeprefix("rgb(").removesuffix(")").split(",")]
