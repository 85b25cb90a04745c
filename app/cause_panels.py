"""What patching and attribution show as HTML: signed tokens, sums, three distributions. Texts are escaped here."""

from collections.abc import Sequence
from html import escape

import numpy as np
import panels

from gpt1viz import palette
from gpt1viz.figures import numbers, theme
from gpt1viz.text import t
from gpt1viz.text.tokens import label
from gpt1viz.tokenizer import Piece

MOST = 200  # tokens of a text that does not fit


STYLE = f"""
.causes {{ font: 14px {palette.MONO}; line-height: 30px }}
.causes .g1v-chip {{ display: inline-block; height: 24px; line-height: 22px; padding: 0 6px; white-space: pre;
  border: 1px solid var(--border); border-left-style: dotted }}
.causes .first {{ border-left-style: solid; border-radius: 4px 0 0 4px }}
.causes .end {{ border-radius: 0 10px 10px 0; margin-right: 6px }}
.causes .first.end {{ border-radius: 4px 10px 10px 4px }}
.causes .ring {{ outline: 2px solid var(--ink) }}
"""


def chips(tokens: Sequence[Piece], values: np.ndarray, limit: float, dark: bool, focus: int) -> str:
    """Tokens as chips, violet above zero and amber below; the number in the hover text, the focus ringed."""
    scale, shown = palette.signed(dark), []
    for i, (token, value) in enumerate(zip(tokens, values, strict=True)):
        fill = theme.colour_at(scale, 0.5 + 0.5 * float(np.clip(value / limit, -1, 1)))
        first = i == 0 or tokens[i - 1].word_end
        kinds = " ".join(("g1v-chip", *("first",) * first, *("end",) * token.word_end, *("ring",) * (i == focus)))
        hover = escape(f"{label(token)} ({i}) {numbers.score(float(value), 4)}", quote=True)
        shown.append(
            f"<span class='{kinds}' title='{hover}' style='background:{fill};color:{theme.text_on(fill)}'>"
            f"{escape(label(token))}</span>{'<br>' if token.newline else ''}"
        )
    colours = f"--border:{palette.BORDER[dark]};--ink:{palette.INK[dark]}"
    return f"<style>{STYLE}</style><div class='causes' style='{colours}'>{''.join(shown)}</div>"


def split(rows: Sequence[tuple[str, Sequence[Piece]]], dark: bool) -> str:
    """Texts one below the other, cut into tokens, with how many there are."""
    body = ""
    for name, tokens in rows:
        shown = " | ".join(label(token) for token in tokens[:MOST]) + (" …" if len(tokens) > MOST else "")
        body += f"<tr><th class='t'>{escape(name)}</th><td>{len(tokens)}</td>"
        body += f"<td style='text-align:left;white-space:normal'>{escape(shown)}</td></tr>"
    return panels.page(f"<table>{body}</table>", dark)


def sums(rows: Sequence[tuple[str, str]], after: int, dark: bool) -> str:
    """Names and numbers; a rule above the row `after`."""
    body, css = "", "font-family:inherit;max-width:none;white-space:normal"
    for i, (name, value) in enumerate(rows):
        body += f"<tr class='{'sum' if i == after else ''}'><td class='t' style='{css}'>{escape(name)}</td>"
        body += f"<td>{escape(value)}</td></tr>"
    return panels.page(f"<table>{body}</table>", dark)


def three(tokens: Sequence[str], columns: Sequence[np.ndarray], lang: str, dark: bool) -> str:
    """Probabilities of some tokens in your text, after the replacement, and in the second text."""
    names = "".join(f"<th>{t(f'causes.patch_{name}', lang)}</th>" for name in ("this", "patched", "second"))
    rows = "".join(
        f"<tr><td class='t'>{escape(token)}</td>"
        + "".join(f"<td>{numbers.percent(float(column[i]))}</td>" for column in columns)
        + "</tr>"
        for i, token in enumerate(tokens)
    )
    return panels.page(f"<table><tr><th class='t'>{t('app.token', lang)}</th>{names}</tr>{rows}</table>", dark)
