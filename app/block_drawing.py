"""A block as a drawing: the residual stream on its way past attention, MLP and the two LayerNorms. SVG, as HTML."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

from gpt1viz import palette
from gpt1viz.text import t

WIDTH, HEIGHT, LINE, BOX = 640, 138, 40, 78  # the picture; where the stream runs, where the sub-layers' boxes begin
STYLE = "<style>.bd svg { display: block; width: 100%; max-width: 760px; height: auto }</style>"
Lengths = Mapping[str, float]


def drawing(norm: str, lengths: Lengths, dark: bool, lang: str) -> str:
    """The block with its LayerNorms after ("post") or before ("pre") the sub-layers, and lengths at their places.

    Args:
        lengths: of "resid_in", "attn_out", "resid_mid", "ln_1", "mlp_out", "resid_out", "ln_2"; none leaves them out.
    """
    body = (_post if norm == "post" else _pre)(lengths, dark, lang)
    label = escape(t(f"block.drawn_{norm}", lang), quote=True)
    font = f"font-family='{escape(palette.SANS, quote=True)}' font-size='13'"
    return (
        f"{STYLE}<div class='bd'><svg class='g1-drawing' role='img' aria-label=\"{label}\" {font} "
        f"viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'>{body}</svg></div>"
    )


def _post(lengths: Lengths, dark: bool, lang: str) -> str:
    body = _stream([(8, 246), (310, 526), (590, 632)], dark)
    body += _branch(70, [(86, 120, "attention")], 226, dark, lang) + _branch(350, [(366, 120, "mlp")], 506, dark, lang)
    body += _norm(246, LINE - 15, dark, lang) + _norm(526, LINE - 15, dark, lang)
    above = {"resid_in": 36, "resid_mid": 226, "ln_1": 330, "resid_out": 506, "ln_2": 614}
    return body + _numbers(above, {"attn_out": 146, "mlp_out": 426}, lengths, dark)


def _pre(lengths: Lengths, dark: bool, lang: str) -> str:
    body = _stream([(8, 632)], dark)
    body += _branch(60, [(76, 64, "norm"), (152, 112, "attention")], 284, dark, lang)
    body += _branch(356, [(372, 64, "norm"), (448, 112, "mlp")], 580, dark, lang)
    above = {"resid_in": 30, "resid_mid": 320, "resid_out": 612}
    return body + _numbers(above, {"ln_1": 108, "attn_out": 208, "ln_2": 404, "mlp_out": 504}, lengths, dark)


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
    return _box(x, y, 64, t("block.norm", lang), palette.INK[dark], dark, 11)


def _box(x: int, y: int, width: int, name: str, ink: str, dark: bool, size: int = 13) -> str:
    place = f"x='{x}' y='{y}' width='{width}' height='30'"
    body = f"<rect {place} rx='4' fill='{palette.PAPER[dark]}' stroke='{ink}' stroke-width='1.5'/>"
    return body + _text(x + width / 2, y + 20, name, ink, size)


def _numbers(above: Mapping[str, int], below: Mapping[str, int], lengths: Lengths, dark: bool) -> str:
    """Lengths above the stream and below the boxes."""
    ink, body = palette.INK[dark], ""
    for places, y in ((above, LINE - 20), (below, BOX + 48)):
        for name, x in places.items():
            if name in lengths:
                body += _text(x, y, f"{lengths[name]:.2f}", ink, 12, palette.MONO)
    return body


def _text(x: float, y: float, words: str, ink: str, size: int, font: str = "") -> str:
    family = f" font-family='{escape(font, quote=True)}'" if font else ""
    return f"<text x='{x}' y='{y}' text-anchor='middle' fill='{ink}' font-size='{size}'{family}>{escape(words)}</text>"
