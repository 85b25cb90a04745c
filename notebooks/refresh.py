"""Run the notebooks and keep what a web page can show: text and small PNG pictures.

    python notebooks/refresh.py            # all of them
    python notebooks/refresh.py 00_tour    # one

Plotly figures and canvas views stay what they are for whoever runs a notebook; the committed copy holds a picture of
each, taken in Debian's chromium. Ids of outputs, times and widget state are left out, so that two runs differ only
where the results do.
"""

import base64
import io
import os
import sys
from pathlib import Path

import nbformat
import plotly
from nbclient import NotebookClient
from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
WIDTH = 760  # px, about a notebook's column
COLOURS = 64  # of a picture; drawings of one colour scale need no more
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"

DRAW_PLOTLY = """async ([figure]) => {
    const element = document.getElementById("drawing");
    element.style.height = figure.layout.height + "px";
    await Plotly.newPlot(element, figure.data, figure.layout, {displayModeBar: false});
}"""
DRAW_WIDGET = """async ([source, payload]) => {
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const model = {get: (name) => (name === "payload" ? new DataView(bytes.buffer) : {}), on() {}, off() {}};
    (await import(url)).default.render({model, el: document.getElementById("drawing")});
    await new Promise((done) => setTimeout(done, 500));
}"""


def execute(path: Path):
    """The notebook at `path` with fresh outputs; plotly figures as data, widgets with their state."""
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(HERE)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", coalesce_streams=True, resources=resources).execute()
    return notebook


def paint(notebook) -> None:
    """Put a PNG in place of every plotly figure and every canvas view."""
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=1.5)
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            data = output.get("data", {})
            if PLOTLY in data:
                picture = screenshot(page, DRAW_PLOTLY, [data[PLOTLY]], script)
            elif WIDGET in data:
                widget = widgets[data[WIDGET]["model_id"]]
                (payload,) = (buffer["data"] for buffer in widget["buffers"] if buffer["path"] == ["payload"])
                picture = screenshot(page, DRAW_WIDGET, [widget["state"]["_esm"], payload])
            else:
                continue
            output["data"] = {"image/png": base64.b64encode(picture).decode(), "text/plain": "<picture>"}
        browser.close()


def screenshot(page, draw: str, arguments: list, script: Path | None = None) -> bytes:
    """What `draw` puts into an empty white page, as a PNG of few colours."""
    page.set_content('<body style="margin: 0; background: #fff"><div id="drawing"></div></body>')
    if script is not None:
        page.add_script_tag(path=str(script))
    page.evaluate(draw, arguments)
    picture, small = Image.open(io.BytesIO(page.locator("#drawing").screenshot())), io.BytesIO()
    picture.convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
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
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.ipynb"))
    for name in names:
        path = HERE / f"{name}.ipynb"
        notebook = execute(path)
        paint(notebook)
        normalise(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
