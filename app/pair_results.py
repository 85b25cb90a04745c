"""What two finished runs of Break it are compared by: losses, early gradients, attention; as numbers and a table."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import jobs
import live
import models
import numpy as np
import plotly.graph_objects as go
import streamlit as st

from gpt1viz import palette
from gpt1viz.analysis.broken import Measured, measure
from gpt1viz.figures import bars
from gpt1viz.figures.curves import Line
from gpt1viz.figures.numbers import score
from gpt1viz.text import t
from gpt1viz.training.prepare import encode

EARLY, LATE = 10, 20  # the first tenth of a run, the last twentieth
LIVE_POINTS = 200
STYLE = """<style>
.g1 table.pair th.t { max-width: none; white-space: normal }  /* a row's name is long */
.g1 table.pair :is(td, th:not(.t)) { padding-left: 16px }
</style>"""


class Side(NamedTuple):
    """One of the two.

    Attributes:
        measured: on held-out text.
        bits: bits a character that one nat a token makes, by the held-out text.
        train: mean loss of the last updates.
        early: updates that count as early.
        norm: largest norm of an early gradient.
        after: loss when these are over.
        seconds: that training took.
    """

    measured: Measured
    bits: float
    train: float
    early: int
    norm: float
    after: float
    seconds: float


@st.cache_data(max_entries=32, show_spinner=False)
def side(name: str, stamp: float) -> Side:
    """What a run comes to."""
    run = jobs.find(name)
    loaded = models.load(models.run_id(name), stamp)
    held_out = [str(path) for path in sorted((run.path / jobs.TEXT).glob("validate-*"))]
    corpus = encode(held_out, loaded.tokenizer)
    train = live.line(run).train
    loss, early = train["loss"], n_early(live.line(run))
    return Side(
        measured=measure(loaded.model, corpus.ids),
        bits=len(corpus.ids) / corpus.n_characters / float(np.log(2)),
        train=float(loss[-max(1, len(loss) // LATE) :].mean()),
        early=early,
        norm=float(train["grad_norm"][:early].max()),
        after=float(loss[early - 1 : early + max(1, early // 4)].mean()),
        seconds=float(train["time"][-1]),
    )


def n_early(line: Line) -> int:
    return max(1, len(line.train["step"]) // EARLY)


def beginning(line: Line) -> Line:
    """The first tenth of the curves."""
    n = n_early(line)
    return Line(line.name, {name: values[:n] for name, values in line.train.items()})


def order(side: Side) -> np.ndarray:
    """What shuffling the earlier tokens costs, a window each."""
    return side.measured.shuffled - side.measured.end


def in_words(intact: Side, broken: Side) -> dict[str, str]:
    """The numbers that the sentences may name: a_ of the intact model, b_ of the broken one, d_ their difference."""
    found = {}
    for name, read in NUMBERS.items():
        a, b = read(intact), read(broken)
        found |= {f"a_{name}": three(a), f"b_{name}": three(b), f"d_{name}": of_rounded(a, b)}
    layer, head = sharpest(broken)
    return found | {"early": str(intact.early), "head": f"L{layer}·H{head}"}


def of_rounded(a: float, b: float) -> str:
    """b less a as a calculator has it from the printed numbers, signed."""
    return score(round(b, 3) - round(a, 3), 3)


def three(x: float) -> str:
    """A number with three decimals and a true minus; no sign on what rounds to zero."""
    return score(x, 3).removeprefix("+")


def sharpest(side: Side) -> tuple[int, int]:
    """The layer and head that look most at the token to be guessed; those in the middle where none can."""
    ahead = side.measured.ahead
    if not ahead.any():
        return len(ahead) // 2, 0
    layer, head = np.unravel_index(int(ahead.argmax()), ahead.shape)
    return int(layer), int(head)


NUMBERS = {
    "train": lambda side: side.train,
    "own": lambda side: side.measured.own.mean(),
    "used": lambda side: side.measured.left_to_right.mean(),
    "end": lambda side: side.measured.end.mean(),
    "order": lambda side: order(side).mean(),
    "spread": lambda side: side.measured.spread.mean(),
    "ahead": lambda side: side.measured.ahead.max(),
    "norm": lambda side: side.norm,
    "after": lambda side: side.after,
}
# What of a window's numbers gives a row its margin: the two read the same windows.
BY_WINDOW = {
    "own": lambda side: side.measured.own,
    "used": lambda side: side.measured.left_to_right,
    "end": lambda side: side.measured.end,
    "order": order,
}


def table(names: Sequence[str], sides: Sequence[Side], lang: str) -> str:
    """Every number of both, and the difference. For `panels.page`."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (*names, t("breakit.difference", lang)))
    body = ""
    for name, read in NUMBERS.items():
        if name in ("own", "ahead") and not any(side.measured.ahead.any() for side in sides):
            continue  # both have a mask: read as in training is from left to right
        body += _row(t(f"breakit.row_{name}", lang), [read(side) for side in sides], _margin(name, sides))
        if name == "used":
            bits = [read(side) * side.bits for side in sides]
            body += _row(t("breakit.row_bits", lang), bits, "")
    times = "".join(f"<td>{escape(live.duration(side.seconds, lang))}</td>" for side in sides)
    body += f"<tr><th class='t'>{escape(t('breakit.row_time', lang))}</th>{times}<td></td></tr>"
    return f"{STYLE}<table class='pair'><tr><td></td>{head}</tr>{body}</table>"


def _row(label: str, values: Sequence[float], margin: str) -> str:
    cells = "".join(f"<td>{three(value)}</td>" for value in values)
    difference = of_rounded(*values)
    return f"<tr><th class='t'>{escape(label)}</th>{cells}<td>{difference}{margin}</td></tr>"


def _margin(name: str, sides: Sequence[Side]) -> str:
    if name not in BY_WINDOW:
        return ""
    _, margin = difference(BY_WINDOW[name](sides[0]), BY_WINDOW[name](sides[1]))
    return f" ± {margin:.3f}" if margin else ""


def difference(intact: np.ndarray, broken: np.ndarray) -> tuple[float, float]:
    """Mean of the differences over the windows, (N,) each, and twice its standard error; 0 for a single window."""
    found = broken - intact
    margin = 2 * found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0
    return float(found.mean()), float(margin)


def all_bars(names: Sequence[str], values: np.ndarray, *, lang: str, dark: bool, **options) -> go.Figure:
    """`bars` whose names are words, not tokens: printed whole, their blanks as blanks."""
    words = {str(place): escape(name) for place, name in enumerate(names)}
    figure = bars(names, values, lang=lang, dark=dark, **options)
    if (values < 0).any():  # room for their texts in narrow windows
        low, high = figure.layout.xaxis.range
        figure.update_xaxes(range=[low - 0.15 * (high - low), high])
    return figure.update_yaxes(labelalias=words, tickfont={"family": palette.SANS, "size": 13})


def live_curves(lines: dict[str, dict[str, np.ndarray]], steps: int, lang: str, dark: bool) -> None:
    """Losses so far, by Streamlit's own chart: plotly's is mounted anew every second."""
    together = max(1, -(-steps // LIVE_POINTS))
    places = np.arange(together, steps + 1, together)
    axis = t("figures.curve_over_step", lang)
    columns = {axis: places}
    for name, train in lines.items():
        whole = len(train["loss"]) // together
        means = train["loss"][: whole * together].reshape(whole, together).mean(1)
        columns[name] = np.append(means, np.full(len(places) - whole, np.nan))
    colours = [palette.ATTENTION[dark], palette.KEY[dark]][: len(lines)]
    label = t("figures.curve_loss", lang)
    st.line_chart(columns, x=axis, y=[*lines], color=colours, height=260, x_label=axis, y_label=label)
