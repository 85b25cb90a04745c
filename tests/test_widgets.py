"""The Jupyter widgets: what a click changes, and what the two views of explore() share."""

import numpy as np
import plotly.graph_objects as go
import pytest
from view_data import unpack

from gpt1viz.checkpoints import load
from gpt1viz.explain import explain

pytest.importorskip("anywidget", reason="anywidget is not installed (extra: notebooks)")

from gpt1viz.widgets import attention_grid, explore, slider_figure, token_strip

TEXT = "the rabbit said to the fox , come inside"


@pytest.fixture(scope="module")
def explanation():
    model, tokenizer, *_ = load("storybook")
    return explain(model, tokenizer, TEXT)


def test_grid_shows_the_head_with_its_scores(explanation):
    header, arrays = unpack(attention_grid(explanation, layer=3, head=1, lang="zh").payload)
    assert header["focus"] == [3, 1] and header["lang"] == "zh" and header["causal"]
    assert np.array_equal(arrays["weights"], explanation.weights[3, 1])
    assert np.array_equal(arrays["raw"], explanation.products(3, 1))
    assert header["factor"] == pytest.approx(explanation.scale)


def test_clicks_choose_the_head_lock_a_cell_and_unlock_it(explanation):
    grid = attention_grid(explanation)
    grid.picked = {"layer": 2, "head": 4, "click": 1}
    header, arrays = unpack(grid.payload)
    assert header["focus"] == [2, 4] and np.array_equal(arrays["weights"], explanation.weights[2, 4])
    grid.picked = {"layer": 2, "head": 4, "query": 5, "key": 1, "click": 2}
    assert grid.cell == (5, 1) and unpack(grid.payload)[0]["cell"] == [5, 1]
    grid.picked = {"layer": 2, "head": 4, "query": None, "key": None, "click": 3}
    assert grid.cell is None and unpack(grid.payload)[0]["cell"] is None


def test_scores_that_were_not_recorded_are_left_out(explanation):
    model, tokenizer, *_ = load("storybook")
    bare = explain(model, tokenizer, TEXT, record=("weights", "mask"))
    assert set(unpack(attention_grid(bare).payload)[1]) == {"tiles", "weights"}


@pytest.mark.parametrize("by", ["probability", "surprisal", "entropy"])
def test_strip_is_coloured_by_a_number_of_each_token(explanation, by):
    header, arrays = unpack(token_strip(explanation, by=by).payload)
    assert header["kind"] == by and header["focus"] == len(explanation.tokens) - 1
    assert np.array_equal(arrays["values"], getattr(explanation, by).astype(np.float32), equal_nan=True)


def test_strip_by_attention_follows_its_focus(explanation):
    strip = token_strip(explanation, by="attention")
    strip.picked = {"focus": 3, "click": 1}
    strip.head = (1, 2)
    assert np.array_equal(unpack(strip.payload)[1]["values"], explanation.weights[1, 2, 3])


def test_explore_links_the_strip_to_the_head_of_the_grid(explanation):
    by, strip, grid = explore(explanation, lang="zh").children
    grid.picked = {"layer": 4, "head": 5, "click": 1}
    assert strip.head == (4, 5)
    sent = unpack(strip.payload)[1]["attention"]
    assert np.abs((sent / 65535.0) ** 2 - explanation.weights[4, 5]).max() < 2e-5
    by.value = "rank"
    assert unpack(strip.payload)[0]["kind"] == "rank" and by.description == "着色依据"


def test_explore_moves_the_window_of_a_long_text_to_the_focus():
    model, tokenizer, *_ = load("storybook")
    long = explain(model, tokenizer, " ".join([TEXT] * 20))
    _, strip, grid = explore(long).children
    strip.picked = {"focus": 70, "click": 1}
    assert unpack(grid.payload)[0]["cols"] == [6, 134] == unpack(strip.payload)[0]["window"]
    grid.picked = {"layer": 0, "head": 0, "window": -122, "click": 1}
    assert unpack(grid.payload)[0]["cols"] == [0, 128] == unpack(strip.payload)[0]["window"]


def test_a_slider_redraws_the_figure_below_it():
    box = slider_figure(lambda n: go.Figure(go.Bar(x=[n])), [1, 2, 4], value=2, label="n")
    slider, output = box.children
    assert slider.value == 2 and slider.description == "n"
    slider.value = 4
    assert box.children == (slider, output) and len(output.outputs) == 1
    assert output.outputs[0]["data"]["application/vnd.plotly.v1+json"]["data"][0]["x"] == [4]


def test_a_slider_puts_a_new_view_in_place_of_the_old(explanation):
    box = slider_figure(lambda layer: attention_grid(explanation, layer=layer), range(3))
    slider, grid = box.children
    assert grid.head == (0, 0)
    slider.value = 2
    assert box.children[1].head == (2, 0) and len(box.children) == 2
