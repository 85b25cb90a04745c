"""The plain figures draw the numbers they are given, and escape the words."""

from types import SimpleNamespace

import numpy as np
import pytest

from gpt1viz import figures, palette

DRAWS = np.random.default_rng(0)
VALUES = DRAWS.normal(size=(3, 4))


@pytest.mark.parametrize("dark", [False, True])
def test_heatmap_has_the_values_and_zero_is_paper(dark):
    fig = figures.heatmap(VALUES, ["L0", "L1", "L2"], ["a", "<b>", "$c$", "\n"], ring=(1, 2), dark=dark)
    cells = fig.data[0]
    assert np.array_equal(cells.z, VALUES)
    assert cells.zmin == -cells.zmax and cells.zmax >= np.abs(VALUES).max()
    assert cells.colorscale[len(cells.colorscale) // 2][1] == palette.PAPER[dark]
    assert fig.layout.xaxis.labelalias["1"] == "&lt;b&gt;"
    assert fig.layout.shapes[0].x0 == 1.5 and fig.layout.shapes[0].y0 == 0.5


def test_amounts_are_violet_from_zero():
    cells = figures.heatmap(np.abs(VALUES), list("abc"), list("defg"), kind="amount").data[0]
    assert cells.zmin == 0 and cells.zmax >= np.abs(VALUES).max()
    assert [colour for _, colour in cells.colorscale] == list(palette.VIOLET[0])


def test_heatmap_prints_what_it_is_given_in_readable_ink():
    texts = [[f"{value:+.1f}" for value in row] for row in VALUES]
    fig = figures.heatmap(VALUES, list("abc"), list("defg"), texts=texts)
    assert [note.text for note in fig.layout.annotations] == [text for row in texts for text in row]
    strong = figures.heatmap(np.array([[1.0, 0.0]]), ["a"], ["b", "c"], texts=[["x", "y"]])
    assert [note.font.color for note in strong.layout.annotations] == ["#FFFFFF", "#000000"]


def test_bars_are_coloured_by_sign_and_stop_at_their_values():
    fig = figures.bars(["a", "b"], np.array([0.5, -0.25]), intervals=np.array([[0.4, 0.7], [-0.5, 0.0]]))
    bars = fig.data[0]
    assert list(bars.x) == [0.5, -0.25]
    assert list(bars.marker.color) == [palette.VIOLET[0][4], palette.AMBER[0][4]]
    assert np.allclose(bars.error_x.array, [0.2, 0.25]) and np.allclose(bars.error_x.arrayminus, [0.1, 0.25])
    assert [note.x for note in fig.layout.annotations] == [0.7, -0.5]  # behind the whiskers


def test_lines_take_numbers_or_tokens():
    fig = figures.lines([1, 2, 4], {"MLP": VALUES[0, :3], "attention": VALUES[1, :3]}, roles={"MLP": "mlp"}, log=True)
    assert [line.line.color for line in fig.data] == [palette.MLP[0], palette.KEY[0]]
    assert list(fig.data[0].x) == [1, 2, 4] and np.array_equal(fig.data[1].y, VALUES[1, :3])
    assert fig.layout.yaxis.type == "log" and {0.5, 1, 20} < set(fig.layout.yaxis.tickvals)
    assert list(figures.lines(["the", "fox"], {"loss": [1.0, 2.0]}).data[0].x) == [0, 1]


def test_points_stand_at_their_places():
    fig = figures.points(VALUES[:, :2], ["fox", "<i>", "king"], chosen=1)
    assert np.array_equal(fig.data[0].x, VALUES[:, 0]) and np.array_equal(fig.data[0].y, VALUES[:, 1])
    assert fig.data[0].text[1] == "&lt;i&gt;"
    assert list(fig.data[0].marker.line.width) == [0, 2, 0]


@pytest.mark.parametrize(
    ("draw", "arguments"),
    [
        (figures.heatmap, (VALUES, ["a"], ["b"])),
        (figures.bars, (["a"], np.zeros(2))),
        (figures.lines, ([1, 2], {"a": [1.0]})),
        (figures.points, (np.zeros((2, 3)), ["a", "b"])),
    ],
)
def test_what_does_not_fit_is_refused(draw, arguments):
    with pytest.raises(ValueError, match=r"\d"):
        draw(*arguments)


def test_layouts_draw_every_token_at_its_place():
    spans = (SimpleNamespace(name="start", start=0, end=1), SimpleNamespace(name="text", start=1, end=3))
    row = SimpleNamespace(ids=(9, 4, 5), spans=(*spans, SimpleNamespace(name="extract", start=3, end=3)))
    fig = figures.layouts([row], [["_start_", "<b>", "fox"]], ["row $1"])
    written = [note.text for note in fig.layout.annotations]
    assert written == ["row &#36;1", "_start_", "0", "text", "&lt;b&gt;", "1", "fox", "2"]
    assert fig.layout.shapes[0].fillcolor == palette.START[0]
    with pytest.raises(ValueError, match="3"):
        figures.layouts([row], [["fox"]])


def test_labels_of_near_points_stand_on_different_sides():
    places = np.array([[0.0, 0.0], [0.01, 0.03], [5.0, 5.0], [-5.0, -5.0]])
    sides = figures.points(places, ["princess", "bread", "far", "off"]).data[0].textposition
    assert sides[0] != sides[1] and sides[2:] == ("top center", "top center")
    assert figures.points(places[:1], ["one"]).data[0].textposition == ("top center",)
