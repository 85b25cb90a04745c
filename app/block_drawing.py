"""A block as an SVG drawing: the residual stream on its way past attention, MLP and the two LayerNorms."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

import saving
import streamlit as st

from gpt1viz import palette
from gpt1viz.text import t

WIDTH, HEIGHT, LINE, BOX = 640, 138, 40, 78  # the picture; where the stream runs, where the sub-layers' boxes begin
Lengths = Mapping[str, float]

# Streamlit's own HTML takes no SVG. Nothing from outside comes in.
_svg = st.components.v2.component(
    "block_drawing",
    html="<div class='root'></div>",
    css="svg { display: block; width: 100%; max-width: 760px; height: auto }",
    js="""
export default function ({ data, parentElement }) {
  parentElement.querySelector(".root").innerHTML = data;
}
""",
)


def show(norm: str, lengths: Lengths, dark: bool, lang: str) -> None:
    """Draws the block with its LayerNorms after ("post") or before ("pre") the sub-layers.

    Args:
        lengths: of what has a place in the drawing, by its name in the trace; none leaves the numbers out.
    """
    key = f"block_{norm}_{len(lengths)}"
    with saving.drawing(key, t(f"block.drawn_{norm}", lang), (lambda: columns(lengths)) if lengths else None):
        _svg(data=drawing(norm, lengths, dark, lang), key=key)


def columns(lengths: Lengths) -> saving.Columns:
    return {"place": [*lengths], "length": [*lengths.values()]}


def drawing(norm: str, lengths: Lengths, dark: bool, lang: str) -> str:
    """The SVG."""
    body = (_post if norm == "post" else _pre)(lengths, dark, lang)
    label = escape(t(f"block.drawn_{norm}", lang), quote=True)
    return (
        f"<svg class='g1-drawing' xmlns='http://www.w3.org/2000/svg' role='img' aria-label='{label}' "
        f"viewBox='0 0 {WIDTH} {HEIGHT}' font-family='{escape(palette.SANS, quote=True)}'>{body}</svg>"
    )


def _post(lengths: Lengths, dark: bool, lang: str) -> str:
    body = _stream([(8, 246), (318, 526), (598, 634)], dark)
    body += _branch(70, [(86, 120, "attention")], 226, dark, lang) + _branch(350, [(366, 120, "mlp")], 506, dark, lang)
    body += _norm(246, LINE - 15, dark, lang) + _norm(526, LINE - 15, dark, lang)
    above = {"resid_in": 36, "resid_mid": 226, "ln_1": 340, "resid_out": 506, "ln_2": 618}
    return body + _numbers(above, {"attn_out": 146, "mlp_out": 426}, lengths, dark)


def _pre(lengths: Lengths, dark: bool, lang: str) -> str:
    body = _stream([(8, 632)], dark)
    body += _branch(60, [(76, 72, "norm"), (160, 112, "attention")], 290, dark, lang)
    body += _branch(356, [(372, 72, "norm"), (456, 112, "mlp")], 586, dark, lang)
    above = {"resid_in": 30, "resid_mid": 324, "resid_out": 616}
    return body + _numbers(above, {"ln_1": 112, "attn_out": 216, "ln_2": 408, "mlp_out": 512}, lengths, dark)


def _stream(parts: list[tuple[int, int]], dark: bool) -> str:
    """The residual stream; an arrow's head at its end."""
    ink, end = palette.RESIDUAL[dark], parts[-1][1]
    head = f"M{end - 9} {LINE - 6}L{end} {LINE}L{end - 9} {LINE + 6}"
    return "".join(_path(f"M{x} {LINE}H{to}", ink, 3) for x, to in parts) + _path(head, ink, 3)


def _branch(start: int, boxes: list[tuple[int, int, str]], end: int, dark: bool, lang: str) -> str:
    """Down from the stream, through boxes (x, width, what), and back up into a plus."""
    *_, (x, width, role) = boxes
    ink, middle = getattr(palette, role.upper())[dark], BOX + 15
    way = f"M{start} {LINE}V{middle}H{boxes[0][0]}M{x + width} {middle}H{end}V{LINE + 11}"
    for (x, width, _), (following, *_) in pairwise(boxes):
        way += f"M{x + width} {middle}H{following}"
    body = _path(way, ink, 2)
    for x, width, what in boxes:
        body += (
            _norm(x, BOX, dark, lang) if what == "norm" else _box(x, BOX, width, t(f"block.{what}", lang), ink, dark)
        )
    paper, stream = palette.PAPER[dark], palette.RESIDUAL[dark]
    body += f"<circle cx='{end}' cy='{LINE}' r='10' fill='{paper}' stroke='{stream}' stroke-width='2'/>"
    return body + _path(f"M{end - 5} {LINE}H{end + 5}M{end} {LINE - 5}V{LINE + 5}", stream, 2)


def _path(way: str, ink: str, width: int) -> str:
    return f"<path d='{way}' fill='none' stroke='{ink}' stroke-width='{width}'/>"


def _norm(x: int, y: int, dark: bool, lang: str) -> str:
    return _box(x, y, 72, t("block.norm", lang), palette.INK[dark], dark, 12)


def _box(x: int, y: int, width: int, name: str, ink: str, dark: bool, size: int = 14) -> str:
    place = f"x='{x}' y='{y}' width='{width}' height='30'"
    body = f"<rect {place} rx='4' fill='{palette.PAPER[dark]}' stroke='{ink}' stroke-width='1.5'/>"
    return body + _text(x + width / 2, y + 20, name, ink, size)


def _numbers(above: Mapping[str, int], below: Mapping[str, int], lengths: Lengths, dark: bool) -> str:
    """Lengths above the stream and below the boxes."""
    ink, body = palette.INK[dark], ""
    for places, y in ((above, LINE - 20), (below, BOX + 48)):
        for name, x in places.items():
            if name in lengths:
                body += _text(x, y, f"{lengths[name]:.2f}", ink, 13, palette.MONO)
    return body


def _text(x: float, y: float, words: str, ink: str, size: int, font: str = "") -> str:
    family = f" font-family='{escape(font, quote=True)}'" if font else ""
    return f"<text x='{x}' y='{y}' text-anchor='middle' fill='{ink}' font-size='{size}'{family}>{escape(words)}</text>"
