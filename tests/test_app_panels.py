"""The tables of numbers: a calculator that is fed with what is printed gets what is printed."""

import importlib.util
import re
from math import exp
from pathlib import Path

import numpy as np
import pytest
from tables import Rows

from gpt1viz.analysis.cell import cell
from gpt1viz.text import t

spec = importlib.util.spec_from_file_location("panels", Path(__file__).parents[1] / "app" / "panels.py")
panels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(panels)


def number(text: str) -> float:
    return float(text.strip("()").replace("−", "-").rstrip("%"))


def half_a_unit(printed: str) -> float:
    """Of the last digit printed."""
    mantissa, _, power = printed.replace("−", "-").partition("e")
    return 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2])) / 2


def agrees(found: float, printed: str) -> bool:
    """Whether a calculator's result rounds to what is printed."""
    return abs(found - number(printed)) <= half_a_unit(printed) + 1e-9 * abs(found)


def same(one: str, other: str) -> bool:
    """Whether two numbers, perhaps with more digits here and fewer there, can be the same."""
    most = max(half_a_unit(one.strip("()")), half_a_unit(other.strip("()")))
    return abs(number(one) - number(other)) <= most * (1 + 1e-9)


def check(worked, d: int) -> None:
    """Every printed equation of a cell, with the printed operands."""
    lang = "en"
    html = panels.cell_table(worked, "fox", "rabbit", d, lang)
    assert not re.search(r"nan|inf|--", html)
    products, chain = Rows(html).tables
    _, *rows, (name, total) = products
    assert name == t("app.cell_sum", lang)
    summands = []
    for row in rows:
        summands.append(number(row[-1]))
        if len(row) == 4:
            assert agrees(number(row[1]) * number(row[2]), row[3])
            assert agrees(worked.products[int(row[0])], row[3])
        else:
            assert row[0] == t("app.cell_others", lang, n=d - 8)
    assert len(rows) == min(d, 9) and agrees(sum(summands), total) and agrees(worked.total, total)

    said = {name: (working.removesuffix(" ="), value) for name, working, value in chain}
    working, score = said.get(t("app.cell_scale", lang, d=d), ("", ""))
    if working:
        a, b = working.split(" ÷ ")
        assert agrees(number(a) / number(b), score) and agrees(d**0.5, b) and same(a, total)
    else:
        _, score = said[t("app.cell_no_scale", lang)]
        assert same(score, total)
    working, value = said[t("app.cell_exp", lang)]
    if worked.masked:
        assert said[t("app.cell_mask", lang)][1] == t("app.cell_masked", lang)
        assert (working, value) == ("exp(−1000000000)", "0")
    else:
        assert said[t("app.cell_mask", lang)][1] == t("app.cell_seen", lang)
        power = working[4:-1]
        if shifted := said.get(t("app.cell_shift", lang)):
            a, b = shifted[0].split(" − ")
            assert agrees(number(a) - number(b), shifted[1]) and same(a, score) and agrees(worked.shift, b.strip("()"))
        assert agrees(exp(number(power)), value) and same(power, shifted[1] if shifted else score)
    exponential, (working, weight) = value, said[t("app.cell_row", lang)]
    a, b = working.split(" ÷ ")
    assert agrees(number(a) / number(b), weight) and same(a, exponential) and agrees(worked.row_sum, b)
    assert agrees(worked.weight, weight)
    assert said[t("app.cell_weight", lang)][1] == panels.numbers.weight(worked.weight)


@pytest.mark.parametrize("d", [1, 2, 8, 9, 32, 64])
@pytest.mark.parametrize("size", [1e-8, 1e-3, 0.1, 1, 3, 30, 1e4])
def test_a_cell_adds_up(d, size):
    draws = np.random.default_rng(d)
    for n in (1, 2, 7, 40):
        q, k = (size * draws.standard_normal((2, n, d))).astype(np.float32)
        for scale in {1.0, d**-0.5}:
            for query, key in {(0, 0), (n - 1, 0), (n - 1, n - 1), (n // 2, n // 3), (0, n - 1)}:
                for causal in (True, False):
                    check(cell(q, k, query, key, scale=scale, causal=causal), d)


def test_a_cell_of_zeros_and_of_one_sign():
    zeros = np.zeros((3, 4), np.float32)
    check(cell(zeros, zeros, 2, 1, scale=0.5), 4)
    low = np.full((3, 4), 50, np.float32)
    worked = cell(low, -low, 2, 1, scale=0.5)
    check(worked, 4)
    assert worked.weight == pytest.approx(1 / 3) and worked.shift == worked.score == -5000


def test_no_scaling_is_said_only_where_it_is_left_out():
    q = np.ones((2, 1), np.float32)
    words = t("app.cell_no_scale", "en")
    assert words not in panels.cell_table(cell(q, q, 1, 0, scale=1.0), "a", "b", 1, "en")
    q = np.ones((2, 4), np.float32)
    assert words in panels.cell_table(cell(q, q, 1, 0, scale=1.0), "a", "b", 4, "en")


@pytest.mark.parametrize(
    "x, text",
    [(0.21139, "0.2114"), (0, "0"), (-1.5, "−1.500"), (12345.6, "12346"), (3.2e-7, "3.200e−7"), (-2e9, "−2.000e9")],
)
def test_significant_digits(x, text):
    assert panels.significant(x, 4) == text


def row(kept="kept", **changes):
    return {
        "logit": 9.1,
        "tempered": 11.4,
        "before": 0.3,
        "kept": kept,
        "after": 0.4,
        "low": 0.0,
        "high": 0.4,
    } | changes


EVIL = "<script>alert(1)</script>&'\""


def test_tokens_stay_text():
    ones = np.ones((2, 2), np.float32)
    others = {"n": 3, "before": 0.1, "after": 0.0, "low": 1.0}
    tables = [
        panels.cell_table(cell(ones, ones, 1, 0, scale=1.0), EVIL, EVIL, 2, "en"),
        panels.token_list(EVIL, [EVIL], [1.0]),
        panels.comparison([EVIL], [0.5], [0.25], "en"),
        panels.stages([EVIL, EVIL], [row(), row("out_k")], others, "en"),
    ]
    for html in tables:
        rows = Rows(html)
        assert rows.tags <= {"table", "tr", "td", "th", "s", "style", "div"}
        assert any(EVIL in cell for table in rows.tables for cells in table for cell in cells)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_columns_of_the_distribution(lang):
    others = {"n": 4088, "before": 0.251, "after": 0.2, "low": 0.8}
    html = panels.stages(["fox", "dog"], [row(), row("out_p", logit=-3.456, after=0.0)], others, lang)
    header, first, second, rest = Rows(html).tables[0]
    assert header[1:] == [
        t(f"app.col_{name}", lang) for name in ("logit", "tempered", "before", "filter", "softmax", "slice")
    ]
    assert first == ["fox", "+9.10", "+11.40", "30.0%", t("app.kept", lang), "40.0%", "0.000–0.400"]
    assert second[:2] == ["dog", "−3.46"] and second[4:6] == [t("app.out_p", lang), "0%"] and "<s>dog</s>" in html
    assert rest == [t("app.others", lang, n="4,088"), "", "", "25.1%", "", "20.0%", "0.800–1.000"]


def test_colours_come_from_the_palette():
    for dark in (False, True):
        html = panels.page("<p>x</p>", dark)
        assert panels.palette.INK[dark] in html and panels.palette.QUERY[dark] in html
