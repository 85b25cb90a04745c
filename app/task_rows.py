"""The rows of a task as HTML: tokens as chips, special tokens as pills, spans bracketed, positions under them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from gpt1viz import palette
from gpt1viz.figures import numbers, theme
from gpt1viz.figures.layout import SPECIAL
from gpt1viz.inputs import Row, Span, pieces
from gpt1viz.text import t
from gpt1viz.text.tokens import label
from gpt1viz.tokenizer import Tokenizer

LONG = 128  # tokens; a longer row shows the ends of its spans
ENDS = (32, 8)  # tokens that it shows of a span, at the beginning and at the end
MOST_CUT = 12  # tokens shown of what was cut
PX = 8.5  # about the width of a character in a chip

CSS = f"""
.g1r {{ color: var(--ink); font-size: 13px; line-height: 1.4; display: flex; flex-direction: column; gap: 16px }}
.g1r .name {{ color: var(--secondary) }}
.g1r .row {{ display: flex; flex-wrap: wrap; row-gap: 8px }}
.g1r .c {{ position: relative; display: inline-flex; flex-direction: column; padding-top: 24px; max-width: 100% }}
.g1r .c.e {{ padding-right: 6px }}
.g1r .c.s::before {{ content: ""; position: absolute; top: 17px; left: 0; right: 0; height: 5px;
  border: 0 solid var(--secondary); border-top-width: 1px }}
.g1r .c.s.f::before {{ border-left-width: 1px }}
.g1r .c.s.z::before {{ border-right-width: 1px; right: var(--gap) }}
.g1r .l {{ position: absolute; top: -2px; left: 0; white-space: nowrap; color: var(--secondary); font-size: 12px }}
.g1r .t {{ height: 24px; min-width: 24px; padding: 0 5px; font: 14px/22px {palette.MONO}; white-space: pre;
  overflow: hidden; text-overflow: ellipsis; max-width: 280px; text-align: center; box-sizing: border-box;
  border: 1px solid var(--hatch); border-left-width: 0; background: var(--paper); color: var(--ink) }}
.g1r .c.w > .t {{ border-left-width: 1px; border-radius: 4px 0 0 4px }}
.g1r .c:not(.w) > .t {{ border-left: 2px dotted var(--border) }}
.g1r .c.e:not(.x) > .t {{ border-radius: 0 10px 10px 0; padding-right: 8px }}
.g1r .c.w.e:not(.x) > .t {{ border-radius: 4px 10px 10px 4px }}
.g1r .c:not(.e) > .t {{ border-right-width: 0 }}
.g1r .c.x > .t {{ border: 0; border-radius: 12px; padding: 0 10px; line-height: 24px }}
.g1r .c.cut > .t, .g1r .c.u > .t {{ background:
  repeating-linear-gradient(-45deg, var(--hatch) 0 1px, transparent 1px 5px) }}
.g1r .c.cut > .t {{ text-decoration: line-through; color: var(--secondary); border-style: dashed }}
.g1r .c.pad > .t {{ border-style: dashed; color: var(--secondary) }}
.g1r .c.more > .t {{ border: 0; background: none; color: var(--secondary); font-family: inherit }}
.g1r .c.read > .t {{ outline: 2px solid var(--ink); outline-offset: 1px }}
.g1r .c.s.read > .t {{ outline-offset: -1px }}
.g1r .p {{ font: 12px/18px {palette.MONO}; color: var(--secondary); text-align: center; white-space: nowrap }}
.g1r .p b {{ color: var(--ink); font-weight: 600 }}
.g1r .arrow {{ padding: 24px 0 0 4px; font: 14px/24px {palette.MONO}; white-space: nowrap }}
.g1r .key {{ display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--secondary); align-items: center }}
.g1r .key i {{ display: inline-block; width: 22px; height: 14px; margin-right: 6px; vertical-align: -2px;
  box-sizing: border-box; border: 1px solid var(--hatch) }}
"""


def columns(rows: Sequence[Row], tokenizer: Tokenizer) -> dict[str, list]:
    """Every token of the rows as it is saved: row, position, where it came from, its row in the embedding, itself."""
    found = {"row": [], "position": [], "span": [], "id": [], "token": []}
    for number, row in enumerate(rows):
        spans = [span.name for span in row.spans for _ in range(span.start, span.end)]
        for place, (span, piece) in enumerate(zip(spans, pieces(row, tokenizer), strict=True)):
            for name, value in zip(found, (number, place, span, piece.id, label(piece)), strict=True):
                found[name].append(value)
    return found


@dataclass(frozen=True)
class Shown:
    """One row with what is said about it.

    Attributes:
        row: as laid out.
        name: what stands before it, e.g. "answer 2"; "" for nothing.
        cut: ids by span name that did not fit.
        padding: positions behind it up to the longest row.
        read: positions that the classifier reads.
        arrow: what stands behind it: where the extract token's state goes.
        notes: what stands under a position instead of the position alone.
        fills: 0 to 1 of a token's chip, in violet.
    """

    row: Row
    name: str = ""
    cut: Mapping[str, Sequence[int]] = field(default_factory=dict)
    padding: int = 0
    read: Collection[int] = ()
    arrow: str = ""
    notes: Mapping[int, str] = field(default_factory=dict)
    fills: Mapping[int, float] = field(default_factory=dict)


def page(shown: Sequence[Shown], tokenizer: Tokenizer, lang: str, dark: bool, key: str = "") -> str:
    """The rows under each other, and what the marks mean (`key`, HTML)."""
    roles = ("ink", "secondary", "border", "paper", "hatch")
    colours = "".join(f"--{role}:{getattr(palette, role.upper())[dark]};" for role in roles)
    body = "".join(_row(one, tokenizer, lang, dark) for one in shown)
    return f"<style>{CSS}</style><div class='g1r' style='{colours}--gap:6px'>{body}{key}</div>"


def key(words: Mapping[str, str]) -> str:
    """What hatched, dashed and ringed chips mean: "cut", "pad" and "read" to words."""
    looks = {
        "cut": "background:repeating-linear-gradient(-45deg,var(--hatch) 0 1px,transparent 1px 5px)",
        "pad": "border-style:dashed",
        "read": "border:2px solid var(--ink)",
    }
    entries = "".join(f"<span><i style='{looks[name]}'></i>{escape(text)}</span>" for name, text in words.items())
    return f"<div class='key'>{entries}</div>"


def _row(shown: Shown, tokenizer: Tokenizer, lang: str, dark: bool) -> str:
    tokens = pieces(shown.row, tokenizer)
    cells = ""
    for span in shown.row.spans:
        if span.name in SPECIAL:
            cells += _special(shown, span, tokens[span.start], lang, dark)
        else:
            cells += _span(shown, span, tokens, tokenizer, lang, dark)
    if shown.padding:
        n = len(shown.row.ids)
        where = f"{n}" if shown.padding == 1 else f"{n}…{n + shown.padding - 1}"
        cells += _cell("w e pad", t("inputs.padding", lang, n=shown.padding), where)
    if shown.arrow:
        cells += f"<span class='arrow'>{escape(shown.arrow)}</span>"
    name = f"<div class='name'>{escape(shown.name)}</div>" if shown.name else ""
    return f"<div>{name}<div class='row'>{cells}</div></div>"


def _special(shown: Shown, span: Span, piece, lang: str, dark: bool) -> str:
    role = SPECIAL[span.name][dark]
    css = "w e x" + (" read" if span.start in shown.read else "")
    note = shown.notes.get(span.start, f"{span.start} <b>{t('inputs.new', lang)}</b>")
    hover = t("inputs.hover", lang, entry=piece.entry, id=piece.id, position=span.start)
    return _cell(css, label(piece), note, f"background:{role};color:{theme.text_on(role)}", hover)


def _span(shown: Shown, span: Span, tokens: list, tokenizer: Tokenizer, lang: str, dark: bool) -> str:
    """The tokens of one text in a bracket with its name; behind it, hatched, those that were cut."""
    places: list[int | None] = list(range(span.start, span.end))
    if len(shown.row.ids) > LONG and len(places) > sum(ENDS) + 1:
        places = [*places[: ENDS[0]], None, *places[-ENDS[1] :]]
    name = t(f"inputs.span_{span.name}", lang)
    cells, width, begins = [], 0.0, True
    for i in places:
        if i is None:
            n = span.end - span.start - sum(ENDS)
            where = f"{span.start + ENDS[0]}…{span.end - ENDS[1] - 1}"
            cells.append(("w e more", t("inputs.more_tokens", lang, n=n), where, "", ""))
            begins = True
            continue
        piece = tokens[i]
        css = "w " * begins + "e " * piece.word_end + "u " * piece.unknown + "read" * (i in shown.read)
        style = ""
        if i in shown.fills:
            fill = theme.colour_at(palette.VIOLET[dark], shown.fills[i])
            style = f"background:{fill};color:{theme.text_on(fill)}"
        hover = t("inputs.hover", lang, entry=piece.entry, id=piece.id, position=i)
        cells.append((css, label(piece), shown.notes.get(i, str(i)), style, hover))
        width += PX * len(label(piece)) + 12
        begins = piece.word_end
    for css, text in _cut(shown.cut.get(span.name, ()), tokenizer, lang):
        cells.append((css, text, "", "", ""))
        width += PX * len(text) + 12
    room = max(0, round((12 if lang == "zh" else 6.5) * len(name) - width))
    last, html = len(cells) - 1, ""
    for i, (css, *rest) in enumerate(cells):
        ends = " f" * (i == 0) + " z" * (i == last)
        html += _cell(f"s {css}{ends}", *rest, name=name * (i == 0), room=room * (i == last))
    return html


def _cut(ids: Sequence[int], tokenizer: Tokenizer, lang: str) -> list[tuple[str, str]]:
    """Style and text of the tokens that did not fit."""
    cells, begins = [], True
    for piece in tokenizer.pieces(list(ids[:MOST_CUT])):
        cells.append(("cut " + "w " * begins + "e" * piece.word_end, label(piece)))
        begins = piece.word_end
    if len(ids) > MOST_CUT:
        cells.append(("w e more", t("inputs.more_cut", lang, n=len(ids) - MOST_CUT)))
    return cells


def _cell(css: str, text: str, note: str, style: str = "", hover: str = "", name: str = "", room: int = 0) -> str:
    above = f"<span class='l'>{escape(name)}</span>" if name else ""
    style = f" style='{style}'" if style else ""
    hover = f' title="{escape(hover)}"' if hover else ""
    wide = f" style='padding-right:{room + 6}px;--gap:{room + 6}px'" if room else ""
    return (
        f"<span class='c {css}'{wide}{hover}>{above}<span class='t'{style}>{escape(text)}</span>"
        f"<span class='p'>{note or '&nbsp;'}</span></span>"
    )


def distance(x: float) -> str:
    """How far a hidden state moved: "0.42", and "<0.01" for less; never 0 for what differs."""
    return f"{x:.2f}" if x >= 0.005 else "<0.01"


def bars(title: str, names: Sequence[str], scores: Sequence[float], probabilities: Sequence[float], lang: str) -> str:
    """A table: class, score hW, probability as a bar. For `panels.page`."""
    rows = ""
    for name, score, p in zip(names, scores, probabilities, strict=True):
        bar = f"min-width:260px;background-size:{200 * float(p):.1f}px 80%"
        rows += (
            f"<tr><td class='t'>{escape(name)}</td><td>{numbers.score(float(score))}</td>"
            f"<td class='bar' style='{bar}'>{numbers.percent(float(p))}</td></tr>"
        )
    head = f"<th class='t'>{escape(title)}</th><th>hW</th><th>{t('inputs.softmax', lang)}</th>"
    return f"<table><tr>{head}</tr>{rows}</table>"


def word_classes(words: Sequence[str], names: Sequence[str], probabilities: Sequence[float]) -> str:
    """Words with the class that each was given and its probability, as chips. For `panels.page`."""
    chips = "".join(
        f"<td style='text-align:left;padding:4px 12px 4px 0'>{escape(word)}<br><b>{escape(name)}</b> "
        f"<span style='color:var(--secondary)'>{numbers.percent(float(p))}</span></td>"
        for word, name, p in zip(words, names, probabilities, strict=True)
    )
    wrap = "<table style='display:block'><tbody style='display:block'><tr style='display:flex;flex-wrap:wrap'>"
    return f"{wrap}{chips}</tr></tbody></table>"
