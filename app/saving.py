"""Save: every drawing of a page as PNG or SVG, made in the browser, and its numbers as CSV, made when asked for."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import streamlit as st

from gpt1viz import palette
from gpt1viz.text import t

PICTURES = ("png", "svg")
_FORMULA = re.compile(r"[=+@＝＋－＠\t\r\n-].")  # how text begins that a spreadsheet computes; "=" alone it does not
Columns = Mapping[str, Sequence | np.ndarray]  # of equal length, by the name in the first line


class Drawing(NamedTuple):
    title: str
    pictures: tuple[str, ...]
    data: Callable[[], Columns] | None


# A drawing is what stands in its container: plotly's layers, SVG of ours, canvases, the chips of tokens.
_pictures = st.components.v2.component(
    "pictures",
    html="<div class='root'></div>",
    css=""".root { display: flex; gap: 8px }
        button { font: inherit; font-size: 14px; color: var(--st-link-color); background: none; cursor: pointer;
        border: 1px solid var(--st-border-color); border-radius: 4px; padding: 4px 12px; min-height: 32px }
        button:focus-visible { outline: 2px solid var(--st-text-color); outline-offset: 1px }""",
    js="""
const SVG = "http://www.w3.org/2000/svg";

function node(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function chip(element, at) {
  const style = getComputedStyle(element);
  const group = node("g", {});
  const middle = { x: at.x + at.width / 2, y: at.y + at.height / 2, "text-anchor": "middle" };
  const font = { "font-family": style.fontFamily, "font-size": style.fontSize, fill: style.color };
  group.append(node("rect", { ...at, rx: 4, fill: style.backgroundColor, stroke: style.borderTopColor }));
  group.append(node("text", { ...middle, ...font, "dominant-baseline": "central" }, element.textContent));
  return group;
}

function draw(element, at) {
  if (element.matches(".g1v-chip, .g1r .t")) return chip(element, at);
  if (element.matches("canvas")) return node("image", { ...at, href: element.toDataURL() });
  const copy = element.cloneNode(true);
  for (const layer of copy.querySelectorAll(".hoverlayer")) layer.remove();
  for (const [key, value] of Object.entries(at)) copy.setAttribute(key, value);
  return copy;
}

function picture(place, paper) {
  const inside = [...place.querySelectorAll("*")].flatMap((e) => (e.shadowRoot ? [e.shadowRoot] : []));
  const kinds = ".js-plotly-plot .main-svg, svg.g1-drawing, .g1v canvas, .g1v-chip, .g1r .t";
  const found = [place, ...inside].flatMap((root) => [...root.querySelectorAll(kinds)]);
  const boxes = found.map((element) => element.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left));
  const top = Math.min(...boxes.map((box) => box.top));
  const size = {
    width: Math.ceil(Math.max(...boxes.map((box) => box.right)) - left) + 16,
    height: Math.ceil(Math.max(...boxes.map((box) => box.bottom)) - top) + 16,
  };
  const whole = node("svg", { xmlns: SVG, ...size, viewBox: `0 0 ${size.width} ${size.height}` });
  whole.append(node("rect", { ...size, fill: paper }));
  found.forEach((element, i) => {
    const { x, y, width, height } = boxes[i];
    whole.append(draw(element, { x: x - left + 8, y: y - top + 8, width, height }));
  });
  return { text: new XMLSerializer().serializeToString(whole), ...size };
}

async function png({ text, width, height }) {
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done));
}

export default function ({ data, parentElement }) {
  const make = (kind) => {
    const button = document.createElement("button");
    button.textContent = kind.toUpperCase();
    button.ariaLabel = `${data.title}: ${button.textContent}`;
    button.onclick = async () => {
      const drawn = picture(document.querySelector(`.st-key-drawing_${data.name}`), data.paper);
      const blob = kind === "png" ? await png(drawn) : new Blob([drawn.text], { type: "image/svg+xml" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `gpt1viz-${data.name}.${kind}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    };
    return button;
  };
  parentElement.querySelector(".root").replaceChildren(...data.pictures.map(make));
}
""",
)


def begin() -> None:
    """A new page: nothing to save yet."""
    st.session_state.drawings = {}


@contextmanager
def drawing(
    name: str, title: str, data: Callable[[], Columns] | None = None, pictures: tuple[str, ...] = PICTURES
) -> Iterator[None]:
    """What is drawn inside can be saved at the page's end.

    Args:
        name: letters, digits and _, one of its kind on the page; the files are called so.
        title: what the reader calls it.
        data: makes the columns of the CSV file, once the reader asks for them; None offers pictures only.
        pictures: of PICTURES; a canvas has no SVG.
    """
    st.session_state.setdefault("drawings", {})[name] = Drawing(title, pictures, data)
    with st.container(key=f"drawing_{name}"):
        yield


def panel(lang: str, dark: bool) -> None:
    """A line for each drawing of the page with its buttons, behind a click; nothing is made before it."""
    drawings: dict[str, Drawing] = st.session_state.drawings
    if not drawings:
        return
    chosen = st.expander(t("saving.save", lang), key="saving", on_change="rerun")
    if not chosen.open:
        return
    with chosen:
        for name, (title, pictures, data) in drawings.items():
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.text(title, width=260)
                paper = palette.PAPER[dark]
                about = {"name": name, "title": title, "pictures": list(pictures), "paper": paper}
                if pictures:
                    _pictures(data=about, key=f"save_{name}", width="content")
                if data is not None:
                    st.download_button(
                        "CSV",
                        lambda name=name: csv_bytes(drawings[name].data()),  # a fragment may have drawn anew since
                        f"gpt1viz-{name}.csv",
                        "text/csv",
                        key=f"csv_{name}",
                        on_click="ignore",
                    )


def matrix(tokens: Sequence, weights: np.ndarray, first: int = 0) -> Columns:
    """Columns of attention weights (T, S): a line a cell.

    Args:
        tokens: Pieces, those of the whole text.
        first: position of the first query and the first key.
    """
    query, key = (x.ravel() + first for x in np.indices(weights.shape))
    names = np.array([piece.text for piece in tokens], dtype=object)
    columns = {"query": query, "key": key, "query_token": names[query], "key_token": names[key]}
    return columns | {"weight": weights.ravel()}


def csv_bytes(columns: Columns) -> bytes:
    """A CSV file, in UTF-8 with the mark by which spreadsheets know it; text that they would compute begins with '."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(map(_cell, columns))
    values = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns.values()]
    writer.writerows(map(_cell, row) for row in zip(*values, strict=True))
    return file.getvalue().encode("utf-8-sig")


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
