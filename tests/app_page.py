"""Reads and works a page of the app in a browser: boxes, views, the address. Waits for states, never for a time."""

import json
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import TimeoutError

from gpt1viz.text import t

MOST = 120_000  # ms that a loaded machine may take
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def drawn(page):
    try:
        page.wait_for_selector(".g1v[data-kind]")
    except TimeoutError as late:
        raise AssertionError(f"{page.url}\n{page.locator('body').inner_text()}\n{page.faults}") from late
    page.wait_for_selector(IDLE)


def box(page, name, lang="en"):
    return page.get_by_label(t(f"app.{name}", lang), exact=True).and_(page.locator("input, textarea"))


def becomes(page, read, wanted):
    """Waits until read() gives what is wanted."""
    for _ in range(MOST // 50):
        if read() == wanted:
            return
        page.wait_for_timeout(50)
    assert (found := read()) == wanted, (found, wanted)


def says(view, *parts):
    """Waits until a view's live region says all this; gives what it says."""
    words = "".join(f"(?=.*{re.escape(part)})" for part in parts)
    region = view.locator(".g1v-readout", has_text=re.compile(words))
    region.wait_for()
    return region.inner_text()


def grid(page):
    return page.locator(".g1v[data-head]")


def strip(page):
    return page.locator(".g1v[data-kind]").first


def geometry(page, which):
    canvas = grid(page).locator("canvas").nth(["tiles", "matrix"].index(which))
    return canvas, json.loads(canvas.get_attribute("data-geometry"))


def cell(page, q, s):
    """(canvas, position) of a cell of the large head."""
    canvas, g = geometry(page, "matrix")
    return canvas, {"x": g["left"] + (s - g["s0"] + 0.5) * g["cell"], "y": g["top"] + (q - g["q0"] + 0.5) * g["cell"]}


def tile(page, layer, head, i=0, j=0):
    """(canvas, position) of a cell of a small head."""
    canvas, g = geometry(page, "tiles")
    x, y = g["left"] + head * g["step"] + (j + 0.5) * g["cell"], g["top"] + layer * g["step"] + (i + 0.5) * g["cell"]
    return canvas, {"x": x, "y": y}


def hover(target):
    canvas, position = target
    canvas.hover(position=position)


def click(target):
    canvas, position = target
    canvas.click(position=position)


def colour(target):
    """(R, G, B) of a pixel."""
    canvas, at = target
    script = f"(c) => [...c.getContext('2d').getImageData({int(at['x'])}, {int(at['y'])}, 1, 1).data].slice(0, 3)"
    return tuple(canvas.evaluate(script))


def rgb(hex):
    return tuple(int(hex[i : i + 2], 16) for i in (1, 3, 5))


def query(page):
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def linked(page, **wanted):
    """Waits until the address says this."""
    page.wait_for_function(
        "(wanted) => { const q = new URL(location.href).searchParams;"
        " return Object.entries(wanted).every(([name, value]) => q.get(name) === value) }",
        arg={name: str(value) for name, value in wanted.items()},
    )


def table(page, header):
    """Rows of the table whose header has this cell, as texts."""
    found = page.locator(".g1 table", has=page.locator("th", has_text=re.compile(f"^{re.escape(header)}$"))).first
    return [row.locator("td").all_inner_texts() for row in found.locator("tr").all()[1:]]


def where(page, layer, head, q, s, lang="en"):
    """What a view says of a cell before its value."""
    query, key = (strip(page).locator(".g1v-chip").nth(i).inner_text() for i in (q, s))
    return t("views.grid_at", lang, head=f"L{layer}·H{head}", query=query, q=q, key=key, s=s, value="")


def value(page, layer, head, q, s, lang="en"):
    """The weight that the large head says; waits until it does."""
    before = where(page, layer, head, q, s, lang)
    words = t("views.grid_value_weights", lang, value="")
    return float(says(grid(page), before + words).removeprefix(before + words))
