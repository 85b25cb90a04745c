"""Run the notebooks and keep what a web page can show: text and small PNG pictures.

    python notebooks/refresh.py                          # all of them, in both languages
    python notebooks/refresh.py 00_tour zh/00_tour       # these; a Chinese one first takes over the English one's code

Plotly figures, canvas views and sliders stay what they are for whoever runs a notebook; the committed copy holds a
picture of each, taken in Debian's chromium. Ids of outputs, times and widget state are left out, so that two runs
differ only where the results do.
"""

import base64
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import plotly
from nbclient import NotebookClient
from PIL import Image
from playwright.sync_api import sync_playwright
from translate import translate

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
WIDTH = 760  # px, about a notebook's column
LARGEST = 400_000  # bytes a notebook
COLOURS = 128  # of a picture; drawings of one colour scale need no more
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"

# Each draws its arguments into a new element of the page.
DRAW_PLOTLY = """async ([figure]) => {
    const element = add();
    element.style.height = figure.layout.height + "px";
    await Plotly.newPlot(element, figure.data, figure.layout, {displayModeBar: false});
}"""
DRAW_VIEW = """async ([source, payload]) => {
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const model = {get: (name) => (name === "payload" ? new DataView(bytes.buffer) : {}), on() {}, off() {}};
    (await import(url)).default.render({model, el: add()});
    await new Promise((done) => setTimeout(done, 500));
}"""
DRAW_CHOICE = """async ([label, names, index]) => {
    const element = add();
    element.append(label + " ");
    if (names.length > 1) {
        const slider = document.createElement("input");
        Object.assign(slider, {type: "range", max: names.length - 1, value: index});
        element.append(slider);
    }
    element.append(" " + names[index]);
}"""
EMPTY = """<style>
    body { margin: 0; background: #fff; color: #2f2d2b; font: 14px system-ui, "Noto Sans CJK SC", sans-serif; }
    input { width: 300px; margin: 6px 12px; vertical-align: middle; accent-color: #0f6478; }
</style>
<div id="drawing"></div>
<script>const add = () => document.getElementById("drawing").appendChild(document.createElement("div"));</script>"""


def execute(path: Path):
    """The notebook at `path` with fresh outputs; plotly figures as data, widgets with their state."""
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(HERE)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", coalesce_streams=True, resources=resources).execute()
    return notebook


def paint(notebook) -> None:
    """Put a PNG in place of every plotly figure, canvas view, and slider with what it moves; no progress bar stays."""
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=1.5)
        page.set_content(EMPTY)
        page.add_script_tag(path=str(script))
        for cell, output in [(one, output) for one in notebook.cells for output in one.get("outputs", [])]:
            data = output.get("data", {})
            if PLOTLY in data:
                drawings = [(DRAW_PLOTLY, [data[PLOTLY]])]
            elif WIDGET in data:
                drawings = list(drawn(data[WIDGET]["model_id"], widgets))
            else:
                continue
            if not drawings:
                cell.outputs.remove(output)
                continue
            picture = base64.b64encode(screenshot(page, drawings)).decode()
            output["data"] = {"image/png": picture, "text/plain": "<picture>"}
        browser.close()


def drawn(model: str, widgets: dict) -> Iterator[tuple[str, list]]:
    """(script, arguments) for each part of a widget, from top to bottom."""
    state = widgets[model]["state"]
    if "_esm" in state:
        (payload,) = (buffer["data"] for buffer in widgets[model]["buffers"] if buffer["path"] == ["payload"])
        yield DRAW_VIEW, [state["_esm"], payload]
    elif "_options_labels" in state:
        yield DRAW_CHOICE, [state["description"], state["_options_labels"], state["index"]]
    elif "outputs" in state:
        yield from ((DRAW_PLOTLY, [output["data"][PLOTLY]]) for output in state["outputs"])
    else:
        for child in state.get("children", ()):
            yield from drawn(child.removeprefix("IPY_MODEL_"), widgets)


def screenshot(page, drawings: list[tuple[str, list]]) -> bytes:
    """What the scripts draw, one below the other, as a PNG of few colours."""
    page.evaluate("document.getElementById('drawing').replaceChildren()")
    for script, arguments in drawings:
        page.evaluate(script, arguments)
    picture, small = Image.open(io.BytesIO(page.locator("#drawing").screenshot())), io.BytesIO()
    picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(small, "PNG", optimize=True)
    return small.getvalue()


def normalise(notebook) -> None:
    """Leave out what changes from run to run or from machine to machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        for output in cell.get("outputs", []):
            output.pop("metadata", None)
            if "data" in output:
                output["metadata"] = {}


def main() -> None:
    everything = sorted(HERE.glob("*.ipynb")) + sorted(HERE.glob("zh/*.ipynb"))
    for name in sys.argv[1:] or [path.relative_to(HERE).with_suffix("").as_posix() for path in everything]:
        if name.startswith("zh/"):
            translate(name.removeprefix("zh/"))
        path = HERE / f"{name}.ipynb"
        notebook = execute(path)
        paint(notebook)
        normalise(notebook)
        nbformat.write(notebook, path)
        size = path.stat().st_size
        print(f"{name}: {size // 1024} kB")
        if size > LARGEST:
            print(f"{name}: more than {LARGEST // 1000} kB; fewer or lower pictures, please", file=sys.stderr)


if __name__ == "__main__":
    main()
