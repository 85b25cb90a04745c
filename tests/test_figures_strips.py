"""Strips of vectors and the activation figure draw the numbers they are given, and escape the words."""

import numpy as np
import pytest

from gpt1viz import figures, palette

ROWS = {"token “<b>”": np.array([1.0, -2.0, 0.25]), "place": np.array([0.5, 0.5, 0.5])}
ROWS["sum"] = sum(ROWS.values())


@pytest.mark.parametrize("dark", [False, True])
def test_strips_hold_the_vectors_and_name_all_of_them_in_every_channel(dark):
    fig = figures.strips(ROWS, roles={"place": "residual"}, dark=dark)
    cells = fig.data[0]
    np.testing.assert_array_equal(cells.z, np.stack([*ROWS.values()]).astype(np.float32))
    for row in range(3):
        np.testing.assert_allclose(np.array(cells.customdata)[row, 1], [-2, 0.5, -1.5])
    assert cells.zmin == -cells.zmax == -2
    assert cells.colorscale[len(cells.colorscale) // 2][1] == palette.PAPER[dark]
    assert "&lt;b&gt;" in cells.hovertemplate and "<b>" not in cells.hovertemplate
    assert palette.RESIDUAL[dark] in fig.layout.yaxis.ticktext[1] and "&lt;b&gt;" in fig.layout.yaxis.ticktext[0]


def test_a_few_large_channels_do_not_bleach_the_strips():
    row = np.full(200, 0.4)
    row[7] = 90
    assert figures.strips({"a": row}).data[0].zmax == 0.5
    assert figures.strips({"a": row}, limit=100).data[0].zmax == 100


@pytest.mark.parametrize("rows", [{}, {"a": np.ones(3), "b": np.ones(4)}], ids=["none", "unequal"])
def test_strips_of_unequal_length_are_refused(rows):
    with pytest.raises(ValueError, match="rows of shapes"):
        figures.strips(rows)


def test_the_activation_marks_inputs_and_counts_all_of_them():
    x = np.linspace(-3, 3, 61)
    inputs = np.array([[-9.0, -1.0], [-1.0, 2.0]])
    fig = figures.activation((x, np.maximum(x, 0)), inputs, {"7": (2.0, 2.0), "<i>": (-1.0, 0.0)}, chosen="<i>")
    curve, dots, bars = fig.data
    np.testing.assert_array_equal(curve.x, x)
    assert list(dots.x) == [2, -1] and list(dots.marker.line.width) == [0, 2]
    assert list(dots.customdata) == ["7", "&lt;i&gt;"]
    assert sum(bars.y) == pytest.approx(1)
    assert bars.y[0] == 0.25  # what lies beyond the curve's end counts at its end
    middle = np.argmin(np.abs(np.array(bars.x) + 1))
    assert sum(bars.y[middle - 1 : middle + 2]) == pytest.approx(0.5)


def test_a_curve_of_unequal_arrays_is_refused():
    with pytest.raises(ValueError, match="a curve of"):
        figures.activation((np.ones(3), np.ones(4)), np.ones(2), {})
