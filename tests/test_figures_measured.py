"""The figures of several runs draw every value with its interval, and nothing where nothing was measured."""

import numpy as np
import pytest

from gpt1viz import figures, palette
from gpt1viz.figures import Curve

VALUES = np.array([88.9, 50.8, np.nan])
ENDS = np.stack([VALUES - 8, VALUES + 5], axis=1)


@pytest.mark.parametrize("dark", [False, True])
def test_dots_stand_at_their_values_in_their_rows(dark):
    series = {"full": (VALUES, ENDS), "<b>LSTM</b>": (VALUES - 20, ENDS - 20)}
    fig = figures.dots(["toy/mood", "toy/same", "a & b"], series, roles=("attention", "value"), dark=dark)
    full, lstm = fig.data
    assert np.array_equal(full.x, VALUES, equal_nan=True) and np.array_equal(lstm.x, VALUES - 20, equal_nan=True)
    assert np.allclose(full.error_x.array[:2], 5) and np.allclose(full.error_x.arrayminus[:2], 8)
    assert [full.marker.color, lstm.marker.color] == [palette.ATTENTION[dark], palette.VALUE[dark]]
    assert full.marker.symbol != lstm.marker.symbol and lstm.name == "&lt;b&gt;LSTM&lt;/b&gt;"
    assert full.customdata[0] == "toy/mood<br>full 88.9 (80.9 – 93.9)"
    assert all(row - 0.5 < a < b < row + 0.5 for row, a, b in zip(range(3), full.y, lstm.y, strict=True))
    assert list(fig.layout.yaxis.ticktext) == ["toy/mood", "toy/same", "a &amp; b"]
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]  # the first row on top


def test_intervals_end_where_values_must():
    wide = np.array([[-30.0, 150.0], [40, 60], [np.nan, np.nan]])
    low, high = figures.dots(["a", "b", "c"], {"full": (VALUES, wide)}, limits=(0, 100)).layout.xaxis.range
    assert low == pytest.approx(-4) and high == pytest.approx(104)
    low, high = figures.dots(["a", "b", "c"], {"full": (VALUES, wide)}).layout.xaxis.range
    assert low < -30 and high > 150
    panels = {"a": {"full": Curve([1, 2], [-20.0, 90.0], wide[:2])}}
    low, high = figures.trends(panels, levels={"a": 50}, limits=(0, 100)).layout.yaxis.range
    assert -30 < low < -20 and 100 < high < 110


def test_dots_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="2 rows"):
        figures.dots(["a", "b"], {"full": (VALUES, ENDS)})


def test_trends_have_a_panel_for_each_title_and_the_same_lines_in_all():
    x = [-1, 0, 6]
    panels = {
        "toy/mood": {"checkpoint": Curve(x, [50.0, 60.0, 90.0], np.array([[40, 60], [55, 65], [85, 91]]))},
        "$x$": {"LSTM": Curve([6], [70.0]), "checkpoint": Curve(x, [-0.5, 2.0, 3.0])},
    }
    fig = figures.trends(panels, levels={"toy/mood": 50}, ticks={-1: "–", 6: "6"}, x_title="layers")
    mood, lstm, other = fig.data
    assert (mood.xaxis, lstm.xaxis, other.xaxis) == ("x", "x2", "x2")
    assert list(mood.y) == [50, 60, 90] and list(mood.error_y.array) == [10, 5, 1] and other.error_y.array is None
    assert mood.line.color == other.line.color != lstm.line.color and mood.line.dash != lstm.line.dash
    assert mood.customdata[2] == "checkpoint 90.0 (85.0 – 91.0)" and other.customdata[0] == "checkpoint −0.5"
    assert [trace.name for trace in fig.data if trace.showlegend] == ["checkpoint", "LSTM"]
    assert [(shape.y0, shape.yref) for shape in fig.layout.shapes] == [(50, "y")]
    assert [note.text for note in fig.layout.annotations] == ["toy/mood", "&#36;x&#36;", "layers"]
    assert fig.layout.xaxis2.ticktext == ("–", "6") and fig.layout.yaxis2.matches == "y"


def test_trends_over_a_logarithm_wrap_their_panels():
    panels = {str(n): {"a": Curve([1, 10, 100], [n, n, n])} for n in range(5)}
    fig = figures.trends(panels, log=True)
    axes = [fig.layout[name] for name in fig.layout if name.startswith("xaxis")]
    assert len(axes) == 5 and {axis.type for axis in axes} == {"log"}
    assert fig.layout.xaxis4.domain == fig.layout.xaxis.domain and fig.layout.yaxis4.domain[1] < 0.5
    assert not fig.layout.showlegend
    with pytest.raises(ValueError, match="0 panels"):
        figures.trends({})
