"""The drawings of Inside have the numbers they are given, escape what is text, and refuse what does not fit."""

import numpy as np
import pytest

from gpt1viz import palette
from gpt1viz.figures.inside import LETTERS, before_after, head_map, lens_map, weights_map
from gpt1viz.figures.numbers import percent

DRAWS = np.random.default_rng(0)
STAGES = ["embedding", "L0·attention", "L0·MLP"]


def test_the_lens_has_its_first_place_at_the_bottom():
    values, best = DRAWS.random((3, 2)), [["<b>", "hippopotamus"], ["c", "d"], ["e", "f"]]
    hover = [[f"{stage}\n<i>{k}" for k in range(2)] for stage in STAGES]
    fig = lens_map(["the", "fox"], STAGES, values, best, hover, focus=1)
    cells = fig.data[0]
    assert np.array_equal(cells.z, values[::-1])
    assert cells.customdata[2][0] == "embedding<br>&lt;i&gt;0"
    assert fig.layout.yaxis.labelalias["0"] == "L0·MLP"
    texts = [note.text for note in fig.layout.annotations]
    assert texts == ["e", "f", "c", "d", "&lt;b&gt;", f"{'hippopotamus'[: LETTERS - 1]}…"]
    assert (fig.layout.shapes[0].x0, fig.layout.shapes[0].y1) == (0.5, 2.5)


def test_a_long_text_leaves_no_room_for_tokens():
    n = 17
    fig = lens_map(["a"] * n, ["x"], DRAWS.random((1, n)), [["b"] * n], [["c"] * n], kind="surprisal", limit=12.0)
    assert not fig.layout.annotations and fig.data[0].zmax == 12


@pytest.mark.parametrize("best, hover", [([["a"]], [["b", "c"]]), ([["a", "b"]], [["c"]])])
def test_a_lens_that_does_not_fit_is_refused(best, hover):
    with pytest.raises(ValueError):
        lens_map(["x", "y"], ["z"], np.zeros((1, 2)), best, hover)


@pytest.mark.parametrize(
    "kind, shown, says",
    [("signed", "−0.500", "−0.5000"), ("probability", "0.25", "0.2500"), ("amount", "0.250", "0.2500")],
)
def test_a_head_is_a_point_that_can_be_clicked(kind, shown, says):
    values = np.array([[0.25, 0.75, 0.0], [-0.5 if kind == "signed" else 0.25, 0.1, 0.2]])
    fig = head_map(values, kind=kind, ring=(1, 0), hover="share")
    cells, points = fig.data
    assert np.array_equal(cells.z, values) and not cells.showscale
    assert [*zip(points.y, points.x, strict=True)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert points.customdata[3] == f"L1·H0<br>share {says}" and fig.layout.annotations[3].text == shown
    assert points.marker.opacity == points.selected.marker.opacity == points.unselected.marker.opacity == 0
    many = head_map(np.zeros((2, 12)), kind=kind)
    assert not many.layout.annotations and many.data[0].showscale


def test_masked_weights_are_hatched():
    weights = np.tril(DRAWS.random((3, 3)))
    cells, hatching = weights_map(weights, ["a", "b", "c"]).data
    assert np.array_equal(np.isnan(cells.z), ~np.tri(3, dtype=bool))
    assert np.array_equal(np.nan_to_num(cells.z), weights)
    assert hatching.name == "masked"
    [cells] = weights_map(weights, ["a", "b", "c"], causal=False).data
    assert np.array_equal(cells.z, weights)


def test_before_is_hollow_and_after_is_filled():
    before, after = np.array([0.6, 0.1]), np.array([0.2, 0.5])
    fig = before_after(["fox", "<b>"], before, after, chosen=0, lang="zh")
    filled, hollow = fig.data
    assert np.array_equal(hollow.x, before) and np.array_equal(filled.x, after)
    assert filled.marker.color == palette.VIOLET[0][4] and list(filled.marker.line.width) == [2, 0]
    assert [note.text for note in fig.layout.annotations] == [
        f"{percent(p)} → {percent(q)}" for p, q in zip(before, after, strict=True)
    ]
    assert filled.customdata[1].startswith("&lt;b&gt;<br>") and hollow.name == "之前"
    with pytest.raises(ValueError):
        before_after(["fox"], before, after)
