"""Jupyter: the canvas views as widgets, wired so that what you click changes what is drawn.

from gpt1viz.widgets import explore
explore(explain(model, tokenizer, "the rabbit said to the fox"), lang="en")
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets

from .explain import Explanation
from .text import t
from .views import attention_grid_payload, shown_window, source, token_strip_payload
from .views.payload import KINDS, WINDOW

__all__ = ["AttentionGrid", "TokenStrip", "attention_grid", "explore", "slider_figure", "token_strip"]


class AttentionGrid(anywidget.AnyWidget):
    """All heads as tiles and one head large; a click on a tile shows that head, a click on a cell locks it.

    Attributes:
        payload: the bytes that the view draws.
        picked: the last click: {layer, head}, with {query, key} for a cell (None when unlocked); `click` counts.
        head: (layer, head) that is shown large; may be set.
        cell: (query, key) that is locked, or None; may be set.
        window: first position of the 128 tokens shown large in longer texts, or None: around the cell.
    """

    _esm = source("attention_grid", "anywidget")
    payload = traitlets.Bytes().tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)
    head = traitlets.Tuple(traitlets.Int(), traitlets.Int())
    cell = traitlets.Tuple(traitlets.Int(), traitlets.Int(), allow_none=True, default_value=None)
    window = traitlets.Int(allow_none=True, default_value=None)

    def __init__(self, explanation: Explanation, layer: int = 0, head: int = 0, lang: str = "en"):
        super().__init__(head=(layer, head))
        self._explanation, self._lang = explanation, lang
        self._refresh()
        self.observe(self._refresh, ["head", "cell", "window"])
        self.observe(self._on_pick, "picked")

    def _refresh(self, _change=None):
        x = self._explanation
        self.payload = attention_grid_payload(
            x.weights,
            x.tokens,
            focus=self.head,
            cell=self.cell,
            **_scores(x, *self.head),
            causal=x.causal,
            lang=self._lang,
            window=self.window,
        )

    def _on_pick(self, change):
        pick = change["new"]
        if not pick:
            return
        with self.hold_trait_notifications():
            self.head = (pick["layer"], pick["head"])
            if "query" in pick:
                self.cell = None if pick["query"] is None else (pick["query"], pick["key"])
            if "window" in pick:
                self.window = pick["window"]


class TokenStrip(anywidget.AnyWidget):
    """The tokens as chips coloured by `by`; hovering shows where a token looks, a click sets the focus.

    Attributes:
        payload: the bytes that the view draws.
        picked: the last click: {focus}; `click` counts.
        by: "probability", "surprisal", "entropy", "rank" or "attention" (from the focus); may be set.
        position: the token in focus; may be set.
        head: (layer, head) whose attention is shown; may be set.
        window: first position of the 128 tokens in brackets, or None: no brackets; may be set.
    """

    _esm = source("token_strip", "anywidget")
    payload = traitlets.Bytes().tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)
    by = traitlets.Enum(KINDS, "surprisal")
    position = traitlets.Int()
    head = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, 0))
    window = traitlets.Int(allow_none=True, default_value=None)

    def __init__(self, explanation: Explanation, by: str = "surprisal", lang: str = "en"):
        super().__init__(by=by, position=len(explanation.tokens) - 1)
        self._explanation, self._lang = explanation, lang
        self._refresh()
        self.observe(self._refresh, ["by", "position", "head", "window"])
        self.observe(self._on_pick, "picked")

    def _refresh(self, _change=None):
        x = self._explanation
        attention = x.weights[self.head]  # T S
        shown = None if self.window is None else shown_window(len(x.tokens), self.position, self.window)
        self.payload = token_strip_payload(
            x.tokens,
            attention[self.position] if self.by == "attention" else np.asarray(getattr(x, self.by)),
            kind=self.by,
            focus=self.position,
            attention=attention,
            lang=self._lang,
            n_typed=x.n_typed,
            window=None if shown is None else (shown.start, shown.stop),
        )

    def _on_pick(self, change):
        if change["new"]:
            self.position = change["new"]["focus"]


def attention_grid(explanation: Explanation, layer: int = 0, head: int = 0, lang: str = "en") -> AttentionGrid:
    """All heads of an explanation; head (layer, head) is shown large."""
    return AttentionGrid(explanation, layer, head, lang)


def token_strip(explanation: Explanation, by: str = "surprisal", lang: str = "en") -> TokenStrip:
    """The tokens of an explanation, coloured by `by`: probability, surprisal, entropy, rank or attention."""
    return TokenStrip(explanation, by, lang)


def explore(explanation: Explanation, lang: str = "en") -> ipywidgets.VBox:
    """Strip and grid, linked: the strip shows the attention of the head that the grid shows large."""
    strip = token_strip(explanation, lang=lang)
    grid = attention_grid(explanation, lang=lang)
    options = [(t(f"views.strip_kind_{kind}", lang), kind) for kind in KINDS]
    by = ipywidgets.Dropdown(options=options, value=strip.by, description=t("views.widget_by", lang))
    ipywidgets.link((by, "value"), (strip, "by"))
    traitlets.dlink((grid, "head"), (strip, "head"))
    n = len(explanation.tokens)
    if n > WINDOW:
        traitlets.dlink((strip, "position"), (grid, "window"), lambda position: shown_window(n, position).start)
        traitlets.dlink((grid, "window"), (strip, "window"))
    return ipywidgets.VBox([by, strip, grid])


def slider_figure(draw: Callable[[Any], Any], values: Sequence, value: Any = None, label: str = "") -> ipywidgets.VBox:
    """A slider over some values, and below it what `draw` makes of the one chosen.

    slider_figure(lambda temperature: figures.next_tokens(...), [0.5, 1.0, 2.0], value=1.0, label="temperature")

    Args:
        draw: a value in; a plotly figure or a widget out.
        values: what the slider offers, in its order: numbers, strings, ...
        value: where it stands at first; by default on the first.
        label: stands before the slider.
    """
    options = [(str(value), value) for value in values]
    slider = ipywidgets.SelectionSlider(
        options=options,
        value=values[0] if value is None else value,
        description=label,
        style={"description_width": "auto"},
    )
    slider.layout.width = "min(100%, 520px)"
    box = ipywidgets.VBox()

    def redraw(_change=None):
        drawing = draw(slider.value)
        if not isinstance(drawing, ipywidgets.Widget):
            drawing = _refilled(box.children[1] if box.children else ipywidgets.Output(), drawing)
        box.children = (slider, drawing)

    redraw()
    slider.observe(redraw, "value")
    return box


def _refilled(output: ipywidgets.Output, figure: Any) -> ipywidgets.Output:
    """`output` with nothing but `figure` in it, set at once so that the page below does not jump."""
    data = {"application/vnd.plotly.v1+json": json.loads(figure.to_json())}
    output.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
    return output


def _scores(x: Explanation, layer: int, head: int) -> dict[str, Any]:
    """The head's scores before the mask, where queries and keys were recorded."""
    if not {"q", "k"} <= x.trace.keys():
        return {}
    return {"scores": x.scores(layer, head), "raw_scores": x.products(layer, head)}
