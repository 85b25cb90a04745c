"""The stages of the tour as small SVG drawings of live numbers. Every text from outside is escaped here."""

import base64
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from functools import cache
from html import escape

import numpy as np
import streamlit as st
from plotly.colors import hex_to_rgb

from gpt1viz import palette
from gpt1viz.figures import numbers
from gpt1viz.figures.theme import colour_at
from gpt1viz.text import t
from gpt1viz.text.tokens import label, visible

WIDTH, HEIGHT = 300, 128
ROWS, DIMS = 7, 24  # of the embeddings, drawn cell by cell
TILE = 16  # cells a side of a head's tile; larger matrices are pooled
BINS = 44
MONO = 'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace"'


# Streamlit's own HTML takes no SVG. What comes in is escaped by the functions here.
_stage = st.components.v2.component(
    "stage",
    html="<div class='root'></div>",
    css=f""".root {{ container-type: inline-size }}
        header {{ display: flex; gap: 8px; align-items: baseline; flex-wrap: wrap }}
        header b {{ font-size: 16px }} header i {{ font-style: normal; opacity: .8 }}
        header code {{ margin-left: auto; font: 12px {palette.MONO} }}
        section {{ display: flex; flex-direction: column; gap: 10px; margin-top: 10px }}
        section > svg {{ flex: none }}
        p {{ margin: 0; font-size: 14px; line-height: 1.5; min-height: 63px }}
        section > p:only-child {{ min-height: 0 }}
        @container (min-width: 480px) {{ section {{ flex-direction: row; gap: 24px }}
          section > svg {{ width: 300px !important }} }}""",
    js="""
export default function ({ data, parentElement }) {
  parentElement.querySelector(".root").innerHTML = data;
}
""",
)


def show(number: str, title: str, shape: str, drawing: str, sentence: str, dark: bool, key: str) -> None:
    """A stage: number, title and shape, its drawing if it has one, and what happens in it."""
    picture_ = picture(drawing, f"{title}, {shape}") if drawing else ""
    ink, pale = palette.INK[dark], palette.SECONDARY[dark]
    _stage(
        data=f"<header style='color:{ink}'><i>{number}</i><b>{escape(title)}</b>"
        f"<code style='color:{pale}'>{escape(shape)}</code></header>"
        f"<section style='color:{ink}'>{picture_}<p>{escape(sentence)}</p></section>",
        key=f"stage_{key}",
    )


def picture(body: str, label: str) -> str:
    """An SVG drawing that is as wide as its card, up to its own width."""
    return (
        f'<svg class="g1-drawing" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="width:100%;max-width:{WIDTH}px;display:block" role="img" aria-label="{escape(label)}">{body}</svg>'
    )


def _text(x: float, y: float, text: str, fill: str, size: int = 13, anchor: str = "start", hover: str = "") -> str:
    title = f"<title>{escape(hover)}</title>" if hover else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" font-size="{size}" text-anchor="{anchor}" '
        f'xml:space="preserve" {MONO}>{escape(text)}{title}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, fill: str, hover: str = "", **more) -> str:
    title = f"<title>{escape(hover)}</title>" if hover else ""
    rest = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"{rest}>{title}</rect>'


@cache
def ramp(stops: tuple[str, ...]) -> list[str]:
    """256 colours along a scale."""
    return [colour_at(stops, i / 255) for i in range(256)]


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _wide(text: str) -> int:
    """Columns that a text takes in a monospaced font."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def text(typed: str, dark: bool) -> str:
    """The end of the text as typed, on six lines."""
    lines: list[str] = []
    for line in typed[-600:].split("\n"):
        current = ""
        for word in line.split(" "):
            for part in [word[i : i + 18] for i in range(0, len(word), 18)] or [""]:
                joined = f"{current} {part}" if current else part
                if _wide(joined) > 36 and current:
                    lines.append(current)
                    joined = part
                current = joined
        lines.append(current)
    cut_off = len(lines) > 6 or len(typed) > 600
    lines = lines[-6:]
    if cut_off:
        lines[0] = "… " + lines[0][:34]
    shown = ["".join(visible(c) if c != " " else c for c in line) for line in lines]
    return "".join(_text(0, 15 + 20 * i, line, palette.INK[dark]) for i, line in enumerate(shown))


def tokens(pieces: Sequence, dark: bool) -> str:
    """The last tokens as chips with their ids below, as many as fit on three lines."""
    names = [cut(label(piece), 14) for piece in pieces]
    widths = [
        max(8 * _wide(name) + 12, 7.5 * len(str(piece.id)) + 6) for name, piece in zip(names, pieces, strict=True)
    ]
    first = len(pieces)
    while first and len(_lines(pieces[first - 1 :], widths[first - 1 :])) <= 3:
        first -= 1
    body = ""
    for row, line in enumerate(_lines(pieces[first:], widths[first:])):
        for i, x in line:
            piece, name, width, y = pieces[first + i], names[first + i], widths[first + i], 44 * row + 1
            said = f"{label(piece)} · {first + i} · id {piece.id}"
            body += _rect(x, y, width, 22, palette.PANEL[dark], said, stroke=palette.HATCH[dark], rx=4)
            body += _text(x + width / 2, y + 16, name, palette.INK[dark], 13, "middle", said)
            body += _text(x + width / 2, y + 35, str(piece.id), palette.SECONDARY[dark], 12, "middle", said)
    return body


def _lines(pieces: Sequence, widths: Sequence[float]) -> list[list[tuple[int, float]]]:
    """(index, x) of the chips of each line."""
    lines, x = [[]], 1.0
    for i, (piece, width) in enumerate(zip(pieces, widths, strict=True)):
        if x + width > WIDTH - 1 and lines[-1]:
            lines.append([])
            x = 1.0
        lines[-1].append((i, x))
        x += width + (8 if piece.word_end else 2)
    return lines


def embeddings(embed: np.ndarray, names: Sequence[str], focus: int, dark: bool) -> str:
    """The last tokens' vectors (T, C), a cell a number: amber below zero, violet above."""
    first = max(0, len(embed) - ROWS) if focus >= len(embed) - ROWS else max(0, focus - ROWS // 2)
    shown = embed[first : first + ROWS, :DIMS]  # (rows, dims)
    limit = numbers.nice_limit(float(np.abs(shown).max()))
    colours, left = ramp(palette.signed(dark)), 84
    width, height, body = (WIDTH - left) / shown.shape[1], HEIGHT / ROWS, ""
    for i, row in enumerate(shown):
        name = names[first + i]
        body += _text(left - 8, (i + 0.7) * height, cut(name, 9), palette.INK[dark], 12, "end", name)
        for j, value in enumerate(row):
            fill = colours[round(255 * (float(value) / limit + 1) / 2)]
            said = f"{name} · {j}: {numbers.score(float(value), 3)}"
            body += _rect(left + j * width, i * height, width - 0.8, height - 1.6, fill, said)
        if first + i == focus:
            ring = {"stroke": palette.INK[dark], "stroke_width": 1.5}
            body += _rect(left - 1, i * height - 0.5, WIDTH - left, height - 0.6, "none", **ring)
    return body


def pooled(weights: np.ndarray) -> tuple[np.ndarray, int]:
    """Attention weights (L, H, T, S) as maxima of k x k, at most TILE a side, and k."""
    k = -(-weights.shape[-1] // TILE)
    for axis in (2, 3):
        starts = np.arange(0, weights.shape[axis], k)
        weights = np.maximum.reduceat(weights, starts, axis=axis)
    return weights, k


def blocks(tiles: np.ndarray, last: np.ndarray, names: Sequence[str], dark: bool, lang: str) -> str:
    """Every head's weights as a tile, one row a layer; `last` (L, H, S) is where the last token looks."""
    n_layer, n_head = tiles.shape[:2]
    side = min(HEIGHT / n_layer, WIDTH / n_head, 64)
    gap = min(2.0, side / 6)
    shades = np.array([hex_to_rgb(colour) for colour in ramp(palette.VIOLET[dark])], dtype=np.uint8)  # (256, 3)
    body = ""
    for layer in range(n_layer):
        for head in range(n_head):
            level = np.rint(np.sqrt(np.clip(tiles[layer, head], 0, 1)) * 255).astype(int)
            href = _png(shades[level])
            most = int(last[layer, head].argmax())
            weight = numbers.weight(float(last[layer, head, most]))
            said = t("tour.block_hover", lang, layer=layer, head=head, token=names[most], weight=weight)
            place = f'x="{head * side:.1f}" y="{layer * side:.1f}" width="{side - gap:.1f}" height="{side - gap:.1f}"'
            body += f'<image {place} href="{href}" preserveAspectRatio="none" style="image-rendering:pixelated"/>'
            edge = {"stroke": palette.HATCH[dark], "stroke_width": 0.5}
            body += _rect(head * side, layer * side, side - gap, side - gap, "transparent", said, **edge)
    return body


def _png(rgb: np.ndarray) -> str:
    """An image (height, width, 3) of bytes as an address that carries it."""
    height, width, _ = rgb.shape
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)  # filter 0: as they are
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green, blue
    file = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        file += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"


def logits(values: np.ndarray, best: str, dark: bool, lang: str) -> str:
    """All logits (V,) as a histogram, the largest one marked."""
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=BINS, range=(low, high if high > low else low + 1))
    width, base, body = WIDTH / BINS, HEIGHT - 22, ""
    for i, n in enumerate(counts):
        if n:
            ends = (numbers.score(float(edges[i])), numbers.score(float(edges[i + 1])))
            said = t("tour.logits_hover", lang, n=f"{n:,}", low=ends[0], high=ends[1])
            tall = max(1.0, (base - 26) * n / counts.max())
            body += _rect(i * width, base - tall, width - 1, tall, palette.RESIDUAL[dark], said)
    line = {"stroke": palette.BORDER[dark], "stroke_width": 1}
    body += _rect(0, base, WIDTH, 0.5, palette.BORDER[dark], **line)
    body += _rect(WIDTH - 2, 24, 2, base - 24, palette.INK[dark])
    body += _text(WIDTH, 16, f"{cut(best, 16)} {numbers.score(high)}", palette.INK[dark], 13, "end")
    for x, value, anchor in ((0, low, "start"), (WIDTH, high, "end")):
        body += _text(x, HEIGHT - 5, numbers.score(value), palette.SECONDARY[dark], 12, anchor)
    return body


def probabilities(names: Sequence[str], p: np.ndarray, dark: bool) -> str:
    """The most probable tokens as bars."""
    height, left, room, body = HEIGHT / 5, 92, WIDTH - 92 - 62, ""
    for i, (name, share) in enumerate(zip(names, p, strict=True)):
        y, width = i * height, max(1.0, room * float(share) / max(float(p[0]), 1e-12))
        said = f"{name}: {numbers.percent(float(share))}"
        fill = ramp(palette.VIOLET[dark])[round(255 * min(1.0, float(share)) ** 0.5)]
        body += _text(left - 8, y + 16, cut(name, 10), palette.INK[dark], 13, "end", said)
        body += _rect(left, y + 3, width, height - 7, fill, said, stroke=palette.BORDER[dark], stroke_width=0.5)
        body += _text(left + width + 6, y + 16, numbers.percent(float(share)), palette.INK[dark], 13, "start", said)
    return body
