"""Small tables of numbers as HTML. Every text from outside is escaped here; colours come from the palette."""

from collections.abc import Callable, Sequence
from html import escape
from math import floor, log10

import numpy as np

from gpt1viz import palette
from gpt1viz.analysis.cell import Cell
from gpt1viz.figures import numbers
from gpt1viz.figures.numbers import MINUS
from gpt1viz.text import t


def page(body: str, dark: bool) -> str:
    """A panel with the palette's colours as CSS variables."""
    roles = ("ink", "secondary", "border", "panel", "query", "key", "value", "attention", "hatch", "link")
    colours = "".join(f"--{role}:{getattr(palette, role.upper())[dark]};" for role in roles)
    fill = palette.VIOLET[dark][3]
    return f"<style>{_CSS}</style><div class='g1' style='{colours}--fill:{fill}'>{body}</div>"


_CSS = f"""
.g1 {{ color: var(--ink); font-size: 14px; line-height: 1.5; display: flex; flex-wrap: wrap; align-items: flex-start;
  gap: 8px 32px }}
.g1 table {{ border-collapse: collapse; margin: 0 }}
.g1 th, .g1 td {{ padding: 2px 10px 2px 0; text-align: right; border: 0; white-space: nowrap }}
.g1 th {{ color: var(--secondary); font-weight: 400 }}
.g1 td, .g1 code, .g1 .n {{ font-family: {palette.MONO}; font-variant-numeric: tabular-nums }}
.g1 td.t, .g1 th.t {{ text-align: left; max-width: 14em; overflow: hidden; text-overflow: ellipsis }}
.g1 tr.sum td {{ border-top: 1px solid var(--border) }}
.g1 .q {{ color: var(--query) }} .g1 .k {{ color: var(--key) }} .g1 .v {{ color: var(--value) }}
.g1 .w {{ color: var(--attention); font-weight: 600 }}
.g1 s {{ color: var(--secondary) }}
.g1 p {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 16px; line-height: 1.6 }}
.g1 td.bar {{ background: linear-gradient(var(--fill), var(--fill)) no-repeat left center }}
"""


def agreeing(
    compute: Callable[..., float],
    operands: Sequence[float],
    result: float,
    show: Callable[[float, int], str],
    digits: int = 3,
) -> tuple[list[str], str]:
    """Operands and result as text; the operands with as many digits as it takes that a calculator agrees.

    Args:
        compute: the operation.
        operands, result: the numbers behind the text.
        show: how to print a number with so many digits.
        digits: of the result, and the fewest of the operands.
    """
    wanted, texts = show(result, digits), []
    for more in range(digits, 13):
        texts = [show(x, more) for x in operands]
        if show(compute(*(float(x.replace(MINUS, "-")) for x in texts)), digits) == wanted:
            break
    return texts, wanted


def significant(x: float, digits: int) -> str:
    """At least so many significant digits, in powers of ten below 0.0001 and from a million on; "0" only if exact."""
    if not x:
        return "0"
    if not 1e-4 <= abs(x) < 1e6:
        mantissa, _, power = f"{x:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(power)}".replace("-", MINUS)
    return f"{x:.{max(0, digits - 1 - floor(log10(abs(x))))}f}".replace("-", MINUS)


def bracketed(text: str) -> str:
    """A number as it stands behind a minus."""
    return f"({text})" if text.startswith(MINUS) else text


def cell_table(cell: Cell, query: str, key: str, d_head: int, lang: str) -> str:
    """The arithmetic of one weight: the eight largest products, their sum, and the chain that makes the weight."""
    top = np.argsort(-np.abs(cell.products), kind="stable")[:8]
    rest = cell.products.sum() - cell.products[top].sum()
    others = [rest] if len(cell.products) > len(top) else []
    largest = abs(cell.products[top[0]])
    fewest = min(max(3, 2 - floor(log10(largest))), 9) if largest else 3  # three digits of the largest
    texts, total = agreeing(lambda *xs: sum(xs), [*cell.products[top], *others], cell.total, numbers.score, fewest)
    digits = len(texts[0].partition(".")[2])
    rows = []
    for i in top:
        (q, k), product = agreeing(lambda a, b: a * b, [cell.q[i], cell.k[i]], cell.products[i], numbers.score, digits)
        rows.append(f"<tr><td>{i}</td><td class='q'>{q}</td><td class='k'>{k}</td><td>{product}</td></tr>")
    if others:
        text = t("app.cell_others", lang, n=len(cell.products) - len(top))
        rows.append(f"<tr><td colspan='3'>{text}</td><td>{texts[-1]}</td></tr>")
    rows.append(f"<tr class='sum'><td colspan='3'>{t('app.cell_sum', lang)}</td><td>{total}</td></tr>")
    head = (
        f"<tr><th>{t('app.cell_dim', lang)}</th><th class='q'>q · {escape(query)}</th>"
        f"<th class='k'>k · {escape(key)}</th><th>q × k</th></tr>"
    )
    return f"<table>{head}{''.join(rows)}</table>{_chain(cell, d_head, lang)}"


def _chain(cell: Cell, d_head: int, lang: str) -> str:
    root = d_head**0.5
    rows = []

    def row(name: str, working: str, value: str, css: str = "") -> None:
        working += " =" if working else ""
        rows.append(f"<tr><th class='t' scope='row'>{name}</th><td>{working}</td><td class='{css}'>{value}</td></tr>")

    if cell.scale == 1 != d_head:
        row(t("app.cell_no_scale", lang), "", significant(cell.score, 4))
    else:
        (total, by), score = agreeing(lambda a, b: a / b, [cell.total, root], cell.score, significant, 4)
        row(t("app.cell_scale", lang, d=d_head), f"{total} ÷ {by}", score)
    row(t("app.cell_mask", lang), "", t("app.cell_masked" if cell.masked else "app.cell_seen", lang))
    power = cell.score - cell.shift
    if cell.masked:
        row(t("app.cell_exp", lang), f"exp({MINUS}1000000000)", "0")
    else:
        if cell.shift:
            (score, most), rest = agreeing(lambda a, b: a - b, [cell.score, cell.shift], power, significant, 4)
            row(t("app.cell_shift", lang), f"{score} {MINUS} {bracketed(most)}", rest)
        (rest,), exp = agreeing(np.exp, [power], cell.exp, significant, 4)
        row(t("app.cell_exp", lang), f"exp({rest})", exp)
    (exp, total), weight = agreeing(lambda a, b: a / b, [cell.exp, cell.row_sum], cell.weight, significant)
    exp = "0" if cell.masked else exp
    row(t("app.cell_row", lang), f"{exp} ÷ {total}", "0" if cell.masked else weight)
    row(t("app.cell_weight", lang), "", numbers.weight(cell.weight), "w")
    return f"<table>{''.join(rows)}</table>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], dark: bool, chosen: int | None = None) -> str:
    """A table whose first column is words and whose others are numbers; `chosen` is a row in bold.

    A wide one scrolls by itself.
    """
    top = "".join(
        f"<th class='{_kind(i)}' style='padding-right:16px'>{escape(cell)}</th>" if cell else "<td></td>"
        for i, cell in enumerate(head)
    )
    body = ""
    for n, row in enumerate(rows):
        weight = " style='font-weight:600'" if n == chosen else ""
        cells = "".join(
            f"<td class='{_kind(i)}' style='{_cell_style(cell, i)}'>{escape(cell)}</td>" for i, cell in enumerate(row)
        )
        body += f"<tr{weight}>{cells}</tr>"
    return page(f"<div style='overflow-x:auto;max-width:100%'><table><tr>{top}</tr>{body}</table></div>", dark)


def _kind(column: int) -> str:
    return "" if column else "t"


def _cell_style(cell: str, column: int) -> str:
    """Words in the page's font, long ones over several lines."""
    if not column:
        return "font-family:inherit;max-width:none;padding-right:16px"
    words = "font-family:inherit;white-space:normal;max-width:13em;" if len(cell) > 16 else ""
    return f"{words}padding-right:16px"


def running(text: str) -> str:
    """A text as it is, its lines and blanks kept."""
    return f"<p>{escape(text)}</p>"


def token_list(title: str, tokens: Sequence[str], values: Sequence[float]) -> str:
    """Tokens with a signed number each."""
    rows = "".join(
        f"<tr><td class='t'>{escape(token)}</td><td>{numbers.score(float(value), 2)}</td></tr>"
        for token, value in zip(tokens, values, strict=True)
    )
    return f"<table><tr><th class='t' colspan='2'>{escape(title)}</th></tr>{rows}</table>"


def comparison(tokens: Sequence[str], before: Sequence[float], after: Sequence[float], lang: str) -> str:
    """Two probabilities a token, side by side."""
    rows = "".join(
        f"<tr><td class='t'>{escape(token)}</td>{_bar(b, 40)}{_bar(a, 40)}</tr>"
        for token, b, a in zip(tokens, before, after, strict=True)
    )
    return (
        f"<table><tr><th class='t'>{t('app.token', lang)}</th><th>{t('app.off_with', lang)}</th>"
        f"<th>{t('app.off_without', lang)}</th></tr>{rows}</table>"
    )


def stages(tokens: Sequence[str], rows: Sequence[dict], others: dict, lang: str) -> str:
    """The distribution as columns: logit, / T, before filters, filters, softmax, slice."""
    names = ("col_logit", "col_tempered", "col_before", "col_filter", "col_softmax", "col_slice")
    head = "".join(f"<th>{t(f'app.{name}', lang)}</th>" for name in names)
    body = ""
    for token, row in zip(tokens, rows, strict=True):
        name = escape(token)
        name = name if row["kept"] == "kept" else f"<s>{name}</s>"
        body += (
            f"<tr><td class='t'>{name}</td><td>{numbers.score(row['logit'])}</td>"
            f"<td>{numbers.score(row['tempered'])}</td><td>{numbers.percent(row['before'])}</td>"
            f"<td>{t('app.' + row['kept'], lang)}</td>{_bar(row['after'])}"
            f"<td>{_slice(row['low'], row['high'])}</td></tr>"
        )
    body += (
        f"<tr class='sum'><td class='t'>{t('app.others', lang, n=format(others['n'], ','))}</td><td></td><td></td>"
        f"<td>{numbers.percent(others['before'])}</td><td></td>{_bar(others['after'])}"
        f"<td>{_slice(others['low'], 1.0)}</td></tr>"
    )
    return f"<table><tr><th class='t'>{t('app.token', lang)}</th>{head}</tr>{body}</table>"


def _slice(low: float, high: float) -> str:
    """A stretch of the unit interval; nothing where a filter has left none."""
    return f"{low:.3f}–{high:.3f}" if high - low > 1e-9 else ""


def _bar(p: float, length: int = 64) -> str:
    """A probability as text beside a bar; `length` px are 1."""
    style = f"min-width:{length + 60}px;background-size:{length * float(p):.1f}px 80%"
    return f"<td class='bar' style='{style}'>{numbers.percent(float(p))}</td>"
