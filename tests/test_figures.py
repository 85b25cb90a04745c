"""Plotly figures: what is drawn is what was given, in both languages and both themes, whatever the tokens are."""

import json
import math

import numpy as np
import plotly.graph_objects as go
import pytest
from view_data import pieces

from gpt1viz import figures, palette
from gpt1viz.figures import numbers, theme
from gpt1viz.text import LANGUAGES

WORDS = ["the", "fox", "<b>ox</b>", "the", "\n", "$x$", "\u200b", "& co"]


def head(n_query: int, n_key: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(products, weights, mask) of a causal head, (T, S), not symmetric."""
    products = np.random.default_rng(0).normal(0, 9, (n_query, n_key)).astype(np.float32)
    mask = np.tri(n_query, n_key, n_key - n_query, dtype=bool)
    scores = np.where(mask, products / np.sqrt(32, dtype=np.float32), -np.inf)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return products, (weights / weights.sum(1, keepdims=True)).astype(np.float32), mask


def stages(n_query: int, n_key: int, **options) -> go.Figure:
    products, weights, mask = head(n_query, n_key)
    tokens = (WORDS * 65)[:n_key]
    return figures.head_stages(products, 32**-0.5, weights, tokens, mask=mask, layer=2, head=3, **options)


def matrices(fig: go.Figure) -> dict[str, np.ndarray]:
    return {trace.name: np.asarray(trace.z) for trace in fig.data if trace.type == "heatmap"}


def examples(lang: str, dark: bool) -> dict[str, go.Figure]:
    """One figure of each kind, with tokens that are markup, TeX or invisible."""
    look = {"lang": lang, "dark": dark}
    p = np.array([0.4, 0.3, 0.1, 0.05, 0.04, 0.03, 0.02, 0.004])
    edges = np.append(np.cumsum(p), [0.99, 1.0])
    bits = np.array([np.nan, 1, 2, 3, 16, 5, 6, 7])
    q, k = np.random.default_rng(1).normal(size=(2, 32))
    return {
        "stages": stages(8, 8, cell=(5, 2), **look),
        "mask": figures.mask(WORDS, **look),
        "products": figures.products(q, k, query="<b>ox</b>", key="$x$", **look),
        "next": figures.next_tokens(WORDS, p, kept=p > 0.02, chosen=2, **look),
        "surprisal": figures.surprisal(WORDS, bits, bits / 2, **look),
        "draw": figures.unit_bar(WORDS, edges, 0.75, **look),
    }


def test_stages_draw_the_arrays_given():
    products, weights, mask = head(5, 8)
    drawn = matrices(stages(5, 8))
    assert list(drawn) == list(figures.STAGES)
    np.testing.assert_array_equal(drawn["products"], products)
    np.testing.assert_allclose(drawn["scores"], products / math.sqrt(32), rtol=1e-6)
    for stage, values in (("masked", drawn["scores"]), ("weights", weights)):
        np.testing.assert_array_equal(np.isnan(drawn[stage]), ~mask)
        np.testing.assert_array_equal(drawn[stage][mask], values[mask])


def test_rows_are_queries_and_columns_keys():
    fig = stages(5, 8, stage="weights")
    keys, queries = fig.layout.xaxis, fig.layout.yaxis
    assert [*keys.labelalias.values()] == [theme.markup(label) for label in figures.labels(WORDS)]
    assert [*queries.labelalias.values()] == [*keys.labelalias.values()][3:]  # the last 5 of the 8
    assert tuple(keys.range) == (-0.5, 7.5)
    assert tuple(queries.range) == (4.5, -0.5)  # row 0 on top
    assert keys.title.text.startswith("key") and queries.title.text.startswith("query")
    assert keys.title.font.color == palette.KEY[0] and queries.title.font.color == palette.QUERY[0]


def test_hatching_covers_the_masked_cells_and_no_others():
    _, _, mask = head(5, 8)
    (hatch,) = (trace for trace in stages(5, 8, stage="weights").data if trace.name == "masked")
    covered = np.zeros_like(mask)
    for x, y in zip(hatch.x.reshape(-1, 6), hatch.y.reshape(-1, 6), strict=True):
        covered[round(y[0] + 0.5) : round(y[2] + 0.5), round(x[0] + 0.5) : round(x[1] + 0.5)] = True
    np.testing.assert_array_equal(covered, ~mask)
    assert hatch.fillpattern.shape == "/" and hatch.fillpattern.bgcolor == theme.CLEAR


def test_lifted_mask_leaves_no_hole():
    products, weights, _ = head(6, 6)
    fig = figures.head_stages(products, 1.0, weights, WORDS[:6], layer=0, head=0)
    assert not any(trace.name == "masked" for trace in fig.data if trace.type == "scatter")
    assert all(np.isfinite(z).all() for z in matrices(fig).values())
    assert "not scaled" in fig.to_json()


def test_rings_mark_the_query_row_and_the_key_column():
    column, row = stages(5, 8, stage="scores", cell=(4, 1)).layout.shapes
    assert (row.x0, row.x1, row.y0, row.y1) == (-0.5, 7.5, 3.5, 4.5)
    assert (column.x0, column.x1, column.y0, column.y1) == (0.5, 1.5, -0.5, 4.5)
    assert (row.line.color, column.line.color) == (palette.QUERY[0], palette.KEY[0])


def test_weights_are_violet_at_the_square_root_from_0_to_1():
    fig = stages(8, 8, stage="weights")
    cells, bar = fig.data[1], fig.data[0].marker
    assert (cells.zmin, cells.zmax, cells.showscale) == (0, 1, False)
    colours = dict(cells.colorscale)
    assert colours[0] == palette.VIOLET[0][0] and colours[1] == palette.VIOLET[0][-1]
    assert colours[0.25] == palette.VIOLET[0][3]  # the middle of the palette at sqrt(w) = 0.5
    assert [*bar.colorbar.ticktext] == ["0", ".01", ".1", ".25", ".5", "1"]
    np.testing.assert_allclose(np.square(bar.colorbar.tickvals), [0, 0.01, 0.1, 0.25, 0.5, 1])


def test_scores_are_linear_symmetric_and_end_at_a_round_number():
    (cells,) = (trace for trace in stages(8, 8, stage="scores").data if trace.type == "heatmap")
    assert cells.zmax == -cells.zmin == numbers.nice_limit(float(np.abs(cells.z).max()))
    colours = [colour for _, colour in cells.colorscale]
    assert colours[len(colours) // 2] == palette.PAPER[0]  # zero is paper
    assert colours[0] == palette.AMBER[0][-1] and colours[-1] == palette.VIOLET[0][-1]


@pytest.mark.parametrize("n", [1, 512])
def test_one_token_and_a_full_context(n):
    fig = stages(n, n, stage="weights")
    assert matrices(fig)["weights"].shape == (n, n)
    assert fig.layout.height <= 760
    assert len(fig.layout.xaxis.labelalias) == n
    assert n / fig.layout.xaxis.dtick <= 32
    assert len(fig.to_json()) < 1_800_000  # float32 in base64, with no text a cell
    assert len(figures.surprisal((WORDS * 65)[:n], np.ones(n)).data[0].y) == n


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_figure_is_transparent_responsive_and_shows_no_markup(lang, dark):
    for name, fig in examples(lang, dark).items():
        text = json.dumps(json.loads(fig.to_json()), ensure_ascii=False)
        assert fig.layout.paper_bgcolor == fig.layout.plot_bgcolor == theme.CLEAR
        assert fig.layout.width is None and fig.layout.autosize and fig.layout.height
        assert fig.layout.font.color == palette.INK[dark] and fig.layout.font.family == palette.SANS
        assert "<b>ox" not in text and "$x$" not in text and "\u200b" not in text, name
        if name != "draw":
            assert "&lt;b&gt;ox" in text, name
        foreign = {*palette.VIOLET[not dark], *palette.AMBER[not dark]} - {*palette.VIOLET[dark], *palette.AMBER[dark]}
        assert not any(colour in text for colour in foreign - {"#FFFFFF"}), name  # white is also text on a dark fill
        assert ("查询" in text) == (name in ("stages", "mask") and lang == "zh"), name


def test_mask_is_the_lower_triangle():
    fig = figures.mask(WORDS[:5])
    drawn = matrices(fig)["mask"]
    np.testing.assert_array_equal(np.nan_to_num(drawn), np.tri(5))
    assert np.isnan(drawn).sum() == 10


def test_products_are_q_times_k_and_their_sum():
    q, k = np.random.default_rng(2).normal(size=(2, 16)).astype(np.float32)
    fig = figures.products(q, k, query="fox", key="the")
    np.testing.assert_array_equal(fig.data[0].y, q * k)
    assert numbers.score(float((q * k).sum())) in fig.layout.title.text
    assert fig.data[0].customdata[3] == [numbers.score(x) for x in (q[3], k[3], q[3] * k[3])]


def test_next_tokens_keep_their_order_and_strike_out_what_was_filtered():
    p = np.array([0.5, 0.2, 0.007, 0.000001])
    fig = figures.next_tokens(["a", "b", "c", "<"], p, kept=np.array([True, True, False, False]), chosen=1)
    bars = fig.data[0]
    np.testing.assert_array_equal(bars.x, p)
    assert [*bars.text] == ["50.0%", "20.0%", "0.70%", "<0.001%"]
    assert [*fig.layout.yaxis.ticktext] == ["a", "b", "<s>c</s>", "<s>&lt;</s>"]
    assert [*bars.marker.pattern.shape] == ["", "", "/", "/"]
    assert [*bars.marker.line.width] == [1, 2, 1, 1]
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]  # the first on top
    assert "70.7%" in fig.layout.xaxis.title.text


def test_surprisal_is_amber_from_0_to_15_bits():
    bits = np.array([np.nan, 3.44, 17.0], dtype=np.float32)
    fig = figures.surprisal(["the", "fox", "the"], bits, entropy=np.array([np.nan, 5.0, 6.0]))
    bars, line = fig.data
    np.testing.assert_array_equal(bars.y, bits)
    np.testing.assert_array_equal(line.y, np.array([np.nan, 5, 6], np.float32))
    assert (bars.marker.cmin, bars.marker.cmax) == (0, 15)
    assert [*bars.text] == ["–", "3.4 bits", "17.0 bits"]
    assert fig.layout.yaxis.range[1] > 17
    assert fig.layout.xaxis.labelalias == {"0": "the", "1": "fox", "2": "the"}


def test_draw_falls_into_the_slice_that_holds_u():
    edges = np.array([0.5, 0.8, 0.8, 0.9, 1.0])
    for u, hit in ((0.0, "a"), (0.4999, "a"), (0.5, "b"), (0.79, "b"), (0.8, "1 others"), (0.9999, "1 others")):
        fig = figures.unit_bar(["a", "b", "c"], np.array([0.5, 0.8, 0.8, 1.0, 1.0]), u)
        ring, bars = fig.layout.shapes[0], fig.data[0]
        assert ring.x0 <= u < ring.x1
        place = [*bars.base].index(ring.x0) if hit != "1 others" else 3
        assert bars.customdata[place][0] == hit
        assert fig.data[1].x == (u,)
    widths = figures.unit_bar(["a", "b", "c"], edges).data[0].x
    np.testing.assert_allclose(widths, [0.5, 0.3, 0, 0.2])
    assert "2 others" in figures.unit_bar(["a", "b", "c"], edges, 0.85).layout.title.text


def test_arrays_that_do_not_fit_are_refused():
    products, weights, mask = head(5, 8)
    for bad in ({"weights": weights.T}, {"tokens": WORDS[:5]}, {"mask": mask.T}, {"stage": "softmax"}):
        given = {"products": products, "scale": 1.0, "weights": weights, "tokens": WORDS, "mask": mask} | bad
        with pytest.raises(ValueError):
            figures.head_stages(**given, layer=0, head=0)
    for call in (
        lambda: figures.mask(WORDS[:5], mask),
        lambda: figures.products(np.ones(3), np.ones(4), query="a", key="b"),
        lambda: figures.next_tokens(["a"], np.ones(2)),
        lambda: figures.surprisal(["a"], np.ones(2)),
        lambda: figures.unit_bar(["a", "b"], np.array([0.5, 0.9])),
        lambda: figures.unit_bar(["a", "b"], np.array([0.5, 0.4, 1.0])),
    ):
        with pytest.raises(ValueError):
            call()


def test_labels_show_what_cannot_be_seen():
    assert figures.labels(pieces("the r|at ¶ a\u200bb ?")) == ["the", "r", "at", "↵", "aU+200Bb", "?"]
    assert figures.labels(["\n", " b", "\u00ad", "<unk>", "狐"]) == ["↵", "·b", "U+00AD", "<unk>", "狐"]
    assert figures.labels(["L1·H2 off"]) == ["L1·H2 off"]  # a name, no token
    assert theme.markup("x" * 30) == "x" * 15 + "…"


def test_text_contrasts_with_its_fill():
    assert theme.text_on("#FFFFFF") == "#000000" and theme.text_on("#171614") == "#FFFFFF"
    assert theme.text_on(palette.ATTENTION[0]) == "#FFFFFF"


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.234, "23.4%"),
        (0.01, "1.0%"),
        (0.0042, "0.42%"),
        (0.00042, "0.042%"),
        (0.0000423, "0.0042%"),
        (0.00001, "0.0010%"),
        (0.0000099, "<0.001%"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.9999, ">99.9%"),
        (0.9994, "99.9%"),
        (math.nan, "–"),
    ],
)
def test_percent(p, text):
    assert numbers.percent(p) == text


def test_other_numbers():
    assert [numbers.score(x) for x in (4.214, -0.5, 0.0, -0.001, -1e9)] == ["+4.21", "−0.50", "0.00", "0.00", "−1e9"]
    assert [numbers.weight(x) for x in (0.2114, 0, 1, 0.004, 0.9999)] == ["0.21", "0", "1", "<0.01", ">0.99"]
    assert numbers.weight(0.21143, 4) == "0.2114"
    assert numbers.bits(3.44) == "3.4 bits" and numbers.bits(3.44, "zh") == "3.4 比特"
    assert [numbers.nice_limit(x) for x in (0, 1, 1.01, 3, 7, 0.013, 200, 201)] == [1, 1, 2, 5, 10, 0.02, 200, 500]
