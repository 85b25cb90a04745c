"""Task inputs in plotly: the rows that the model reads, special tokens as pills, texts as chips, positions below."""

from collections.abc import Sequence

import plotly.graph_objects as go

from gpt1viz import palette
from gpt1viz.text import t

from . import theme

SPECIAL = {"start": palette.START, "delim": palette.DELIMITER, "extract": palette.EXTRACT}
LINE = 100  # characters, after which a row goes on below
ROOM = 2.2  # characters that a chip takes besides its text


def layouts(
    rows: Sequence,
    tokens: Sequence[Sequence],
    names: Sequence[str] = (),
    *,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """The rows of one example under each other, each token with its position.

    Args:
        rows: inputs.Row, as `inputs.layout` made them.
        tokens: of each row its tokens, as `inputs.pieces` gives them.
        names: what stands above each row.

    Raises:
        ValueError: rows and tokens that do not fit each other.
    """
    if [len(row.ids) for row in rows] != [len(some) for some in tokens]:
        raise ValueError(f"rows of {[len(row.ids) for row in rows]} and {[len(some) for some in tokens]} tokens")
    top, boxes, notes = 0.0, [], []
    for number, (row, some) in enumerate(zip(rows, tokens, strict=True)):
        if names:
            name = theme.markup(names[number], 80)
            notes.append(_note(0, top + 0.4, name, palette.SECONDARY[dark], anchor="left"))
            top += 0.8
        top = _row(boxes, notes, row, some, top, lang, dark) + 0.6
    across, down = {"range": [-0.5, LINE], "visible": False}, {"range": [top, 0], "visible": False}
    fig = theme.dress(go.Figure(), height=round(30 * top) + 20, dark=dark, x=across, y=down)
    return fig.update_layout(shapes=boxes, annotations=notes)  # at once: one by one, each would copy those before


def _row(boxes: list, notes: list, row, tokens: Sequence, top: float, lang: str, dark: bool) -> float:
    """Add what one row shows; how far down it goes."""
    x, labels = 0.0, theme.labels(tokens)
    for span in row.spans:
        name = t(f"inputs.span_{span.name}", lang) if span.name not in SPECIAL else ""
        for place in range(span.start, span.end):
            width = len(labels[place]) + ROOM
            if x + width > LINE:
                x, top = 0.0, top + 2.6
            fill = SPECIAL[span.name][dark] if span.name in SPECIAL else palette.PANEL[dark]
            ink = theme.text_on(fill) if span.name in SPECIAL else palette.INK[dark]
            edges = {"x0": x, "x1": x + width, "y0": top + 0.7, "y1": top + 1.6}
            boxes.append(
                {"type": "rect", "fillcolor": fill, "line": {"color": palette.BORDER[dark], "width": 1}} | edges
            )
            if place == span.start and name:
                notes.append(_note(x, top + 0.3, name, palette.SECONDARY[dark], anchor="left"))
            notes.append(_note(x + width / 2, top + 1.15, theme.markup(labels[place]), ink))
            notes.append(_note(x + width / 2, top + 1.95, str(place), palette.SECONDARY[dark]))
            x += width + 0.3
    return top + 2.3


def _note(x: float, y: float, text: str, colour: str, anchor: str = "center") -> dict:
    font = {"family": palette.MONO, "size": 12, "color": colour}
    return {"x": x, "y": y, "text": text, "showarrow": False, "xanchor": anchor, "yanchor": "middle", "font": font}
