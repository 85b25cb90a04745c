"""The Tokens page's drawings as HTML: texts with their changes, chips, merges. Text from outside is escaped here."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape

from gpt1viz import palette
from gpt1viz.other_splitter import Stretch
from gpt1viz.text.tokens import label, visible
from gpt1viz.tokenizer import WORD_END, Piece, WordSteps

MOST = 240  # characters shown of each cleaned text
ROWS, SYMBOLS = 14, 48  # shown of a word's merges: rows, and symbols in a row
STYLE = f"""
.tk {{ color: var(--ink); font: 14px/1.6 {palette.MONO}; overflow-wrap: anywhere }}
.tk .rows {{ display: grid; margin: 0; grid-template-columns: minmax(110px, max-content) 1fr; gap: 4px 16px }}
.tk .rows > * {{ min-width: 0; margin: 0 }}
.tk dt, .tk .note {{ color: var(--secondary); font: 14px/1.6 {palette.SANS} }}
.tk mark {{ background: none; color: inherit; border-bottom: 2px solid var(--ink) }}
.tk .chips {{ display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: flex-start }}
.tk .word {{ display: inline-flex; flex-wrap: wrap; max-width: 100% }}
.tk .chip {{ display: inline-block; min-height: 24px; padding: 0 6px; line-height: 22px;
  border: 1px solid var(--border);
  border-left-style: dotted; background: var(--paper); max-width: 100%; white-space: pre-wrap }}
.tk .word .chip:first-child {{ border-left-style: solid; border-radius: 4px 0 0 4px }}
.tk .word .chip.end {{ border-radius: 0 10px 10px 0; padding-right: 8px }}
.tk .word .chip.end:first-child {{ border-radius: 4px 10px 10px 4px }}
.tk .chip.ring, .tk .word.ring {{ outline: 2px solid var(--ink); outline-offset: 1px; border-radius: 4px }}
.tk .chip.new {{ background: var(--fill); color: var(--on) }}
.tk .chip.unknown {{ background: repeating-linear-gradient(-45deg, var(--hatch) 0 1px, var(--paper) 1px 5px) }}
.tk .later .chip {{ background: none; color: var(--secondary); border-color: var(--hatch) }}
.tk .id {{ display: block; text-align: center; font-size: 12px; line-height: 1.4; color: var(--secondary) }}
.tk .stretch {{ display: inline-flex; flex-direction: column; gap: 4px; padding: 4px }}
.tk .stretch.differs {{ box-shadow: inset 0 0 0 2px var(--ink); border-radius: 4px; background: var(--panel) }}
.tk .none {{ color: var(--secondary); line-height: 24px }}
"""


def page(body: str, dark: bool) -> str:
    roles = ("ink", "secondary", "border", "panel", "paper", "hatch")
    colours = "".join(f"--{role}:{getattr(palette, role.upper())[dark]};" for role in roles)
    fill, on = palette.VIOLET[dark][2], palette.INK[dark]
    return f"<style>{STYLE}</style><div class='tk' style='{colours}--fill:{fill};--on:{on}'>{body}</div>"


def cleaning(rows: Sequence[tuple[str, str, str]], unchanged: str) -> str:
    """(name, text before, text after) of each step; what a step changed is underlined, an idle step says so."""
    body = ""
    for name, before, after in rows:
        if before == after:
            shown = f"<span class='note'>{escape(unchanged)}</span>"
        else:
            shown = _changed(before[:MOST], after[:MOST]) + ("…" if len(after) > MOST else "")
        body += f"<dt>{escape(name)}</dt><dd>{shown}</dd>"
    return f"<dl class='rows'>{body}</dl>"


def _changed(before: str, after: str) -> str:
    if not before:
        return escape(visible(after))
    parts = []
    for kind, _, _, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        text = escape(visible(after[start:end]))
        parts.append(f"<mark>{text}</mark>" if kind != "equal" and text else text)
    return "".join(parts)


def words(steps: Sequence[WordSteps], chosen: int) -> str:
    """The words as chips, the chosen one ringed; the hover says how each was written."""
    body = ""
    for i, word in enumerate(steps):
        ring = " ring" if i == chosen else ""
        body += (
            f"<span class='word{ring}'>{_chip(shortened(visible(word.lower)), True, title=visible(word.word))}</span>"
        )
    return f"<div class='chips'>{body}</div>"


def shortened(text: str, longest: int = 40) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def merges(word: WordSteps, done: int, names: Sequence[str]) -> str:
    """The word's symbols at the start and after each merge, at most ROWS rows around the one that is ringed.

    Args:
        done: how many merges the slider has done; later rows are faint.
        names: what stands before each row.
    """
    rows = [(word.symbols, ""), *((merge.symbols, merge.left + merge.right) for merge in word.merges)]
    first, body = max(0, min(done - ROWS // 2, len(rows) - ROWS)), ""
    for i in range(first, min(first + ROWS, len(rows))):
        symbols, made = rows[i]
        later, ring = (" class='later'" if i > done else ""), " ring" if i == done else ""
        chips = "".join(
            _chip(visible(symbol.removesuffix(WORD_END)), symbol.endswith(WORD_END), new=symbol == made, title=symbol)
            for symbol in symbols[:SYMBOLS]
        )
        more = f" … {len(symbols):,}" if len(symbols) > SYMBOLS else ""
        body += f"<dt{later}>{escape(names[i])}</dt><dd{later}><span class='word{ring}'>{chips}</span>{more}</dd>"
    return f"<dl class='rows'>{body}</dl>"


def entries(word: WordSteps) -> str:
    """The entries that a word ends in, as the vocabulary writes them, and their ids."""
    rows = "".join(
        f"<dt style='text-align:right'>{id}</dt><dd>{escape(visible(entry))}</dd>"
        for entry, id in zip(word.entries[:SYMBOLS], word.ids, strict=False)
    )
    return f"<dl class='rows'>{rows}</dl>"


def stretches(found: Sequence[Stretch], nothing: str) -> str:
    """Both splittings, ours above theirs, what differs framed."""
    body = ""
    for stretch in found:
        if stretch.same:
            body += f"<span class='stretch'>{_pieces(stretch.ours)}</span>"
            continue
        lines = [_pieces(part) if part else f"<span class='none'>{escape(nothing)}</span>" for part in stretch]
        body += f"<span class='stretch differs'>{''.join(lines)}</span>"
    return f"<div class='chips'>{body}</div>"


def _pieces(pieces: Sequence[Piece]) -> str:
    """Chips with ids, a word in one piece."""
    body, word = "", ""
    for piece in pieces:
        chip = _chip(label(piece), piece.word_end, unknown=piece.unknown, title=visible(piece.entry))
        word += f"<span>{chip}<span class='id'>{piece.id}</span></span>"
        if piece.word_end:
            body, word = body + f"<span class='word'>{word}</span>", ""
    return f"<span class='chips'>{body}{word}</span>"


def _chip(text: str, end: bool, *, new: bool = False, unknown: bool = False, title: str = "") -> str:
    kinds = "".join(f" {kind}" for kind, on in (("end", end), ("new", new), ("unknown", unknown)) if on)
    return f"<span class='chip{kinds}' title='{escape(title, quote=True)}'>{escape(text)}</span>"
