"""What all figures share: colour scales, fonts, token axes, a transparent layout that follows light and dark."""

import html
import re
from collections.abc import Sequence
from unicodedata import east_asian_width

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from gpt1viz import palette
from gpt1viz.text.tokens import label, visible

CLEAR = "rgba(0,0,0,0)"
PROBABILITY_TICKS = (0, 0.01, 0.1, 0.25, 0.5, 1)
SURPRISAL_LIMIT = 15  # bits, where the amber scale ends
LONGEST_LABEL = 16  # characters on an axis
MANY = 12  # labels that stand upright below an axis
TAG = re.compile(r"<[^>]*>")


def labels(tokens: Sequence) -> list[str]:
    """What people see of each token: ↵ for a newline, · for a blank, U+200B for an invisible character.

    Args:
        tokens: tokenizer.Piece objects, or strings; between words blanks stay blanks.

    Returns:
        Plain text, not HTML. Every figure takes either these or the tokens themselves.
    """
    return [_words(token) if isinstance(token, str) else label(token) for token in tokens]


def _words(text: str) -> str:
    return " ".join(map(visible, text.split(" "))) if " " in text.strip() else visible(text)


def markup(text: str, longest: int = LONGEST_LABEL) -> str:
    """A label for plotly, which reads text as HTML and dollar signs as TeX: escaped, and cut when too long."""
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;")):
        text = text.replace(char, entity)
    return text


def token_axis(tokens: Sequence, room: int) -> dict:
    """Axis settings for tokens at positions 0, 1, ...; at most `room` of them are printed, hovering names each.

    Positions are the coordinates, so a token that occurs twice keeps two places.
    """
    names = {str(i): markup(text) for i, text in enumerate(labels(tokens))}
    step = max(1, -(-len(names) // room))
    return {
        "tickmode": "linear",
        "tick0": 0,
        "dtick": step,
        "labelalias": names,
        "range": [-0.5, len(names) - 0.5],
        "tickfont": {"family": palette.MONO, "size": 12},
    }


def sqrt_scale(dark: bool, stops: int = 32) -> list[tuple[float, str]]:
    """Violet at sqrt(w) for w from 0 to 1: small weights show."""
    roots = np.linspace(0, 1, stops + 1)
    return [(float(root * root), colour_at(palette.VIOLET[dark], root)) for root in roots]


def sqrt_colour(w: float, dark: bool) -> str:
    """The colour of `sqrt_scale` at w."""
    return colour_at(palette.VIOLET[dark], w**0.5)


def even_scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    """Colours at even distances, for values drawn linearly."""
    return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]


def colour_at(colours: Sequence[str], x: float) -> str:
    """The colour at x, 0 to 1, of a scale given by colours at even distances."""
    rgb = np.array([hex_to_rgb(colour) for colour in colours])  # (n, 3)
    place = np.linspace(0, 1, len(colours))
    mixed = [round(float(np.interp(x, place, rgb[:, i]))) for i in range(3)]
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def text_on(fill: str) -> str:
    """Black or white, whichever contrasts more with the fill (WCAG 2)."""
    parts = [c / 255 for c in hex_to_rgb(fill)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#FFFFFF"


def dress(
    fig: go.Figure,
    *,
    height: int,
    dark: bool,
    title: str | None = None,
    top: int | None = None,
    x: dict | None = None,
    y: dict | None = None,
) -> go.Figure:
    """Give a figure the common look; its width stays open, to fill the page.

    All is set at once: plotly checks what it is given, and ten updates one by one take it ten milliseconds.

    Args:
        height: pixels.
        title: markup; tokens in it must have passed `markup`.
        top: pixels above the drawing; by default just enough for the title.
        x, y: settings of the first axes.
    """
    ink, border = palette.INK[dark], palette.BORDER[dark]
    look = {
        "template": "none",
        "height": height,
        "autosize": True,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": palette.SANS, "size": 13, "color": ink},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": palette.PANEL[dark],
            "bordercolor": border,
            "font": {"family": palette.MONO, "size": 13, "color": ink},
            "align": "left",
        },
        "modebar": {"bgcolor": CLEAR, "color": border, "activecolor": ink},
        "showlegend": False,
    }
    if title is not None:
        look["title"] = {"text": title, "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 14}}
    layout = _merged(fig.layout.to_plotly_json(), {"xaxis": x or {}, "yaxis": y or {}})
    above = (44 if title else 12) if top is None else top
    left, right, below = _room_left(layout["yaxis"]), _room_right(fig), _room_below(layout["xaxis"])
    look["margin"] = {"l": left, "r": right, "t": above, "b": below}
    axis = {"automargin": True, "showgrid": False, "zeroline": False, "tickcolor": border}
    axis["title"] = {"font": {"size": 13}, "standoff": 8}
    look |= {name: axis for name in layout if name.startswith(("xaxis", "yaxis"))}
    for note in layout.get("annotations", ()):
        note["font"] = note.get("font", {}) | {"size": 14, "color": ink}
    fig.layout = _merged(layout, look)
    return fig


def _room_left(axis: dict) -> int:
    """About how many pixels the labels beside a vertical axis take.

    What they lack plotly gives them, but by drawing the whole figure a second time.
    """
    return 17 + _longest(axis, usual=30) + _title_room(axis)


def _room_right(fig: go.Figure) -> int:
    """Of a heatmap's colour bar."""
    maps = [trace for trace in fig.data if isinstance(trace, go.Heatmap)]
    return 96 if any(trace["showscale"] is not False for trace in maps) else 16


def _room_below(axis: dict) -> int:
    """The same below a horizontal axis, where many labels, or those that are told to, stand upright."""
    if axis.get("side") == "top" or axis.get("showticklabels") is False:
        return 8
    upright = axis.get("tickangle", 90 if len(_names(axis)) > MANY else 0)
    return 8 + (_longest(axis, usual=16) if upright else 16) + _title_room(axis)


def _title_room(axis: dict) -> int:
    return 30 if axis.get("title") else 0


def _names(axis: dict) -> Sequence[str]:
    return axis["ticktext"] if axis.get("ticktext") is not None else [*axis.get("labelalias", {}).values()]


def _longest(axis: dict, usual: int) -> int:
    """Pixels of the longest label; `usual` of numbers."""
    if axis.get("showticklabels") is False:
        return 0
    if not len(_names(axis)):
        return usual
    texts = [html.unescape(TAG.sub("", str(name))) for name in _names(axis)]
    ems = max(sum(1.0 if east_asian_width(c) in "WF" else 0.6 for c in text) for text in texts)
    return round(ems * axis.get("tickfont", {}).get("size", 13)) + 4


def _merged(settings: dict, more: dict) -> dict:
    """Both together, `more` on top."""
    both = dict(settings)
    for name, value in more.items():
        own = both.get(name)
        both[name] = _merged(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return both
