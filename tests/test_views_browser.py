"""What the attention grid shows in a real browser, against the arrays it was given."""

import numpy as np
import pytest
from view_data import pieces
from view_page import SENTENCE, N, canvas, cell, colour, grid_payload, is_close, pixel, readout, rgb, send, shown, tile

from gpt1viz import palette
from gpt1viz.views import attention_grid_payload

pytestmark = pytest.mark.browser


@pytest.fixture
def show(browser, tmp_path):
    with shown(browser, tmp_path) as show:
        yield show


@pytest.mark.parametrize("width", [982, 602, 360])
def test_hover_reads_the_exact_weight_of_query_and_key(show, width):
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(30), size=(2, 3, 20)).astype(np.float32)  # not square: a transposition shows
    tokens = pieces(" ".join(f"w{i}" for i in range(30)))
    page = show(grid=attention_grid_payload(weights, tokens, focus=(1, 2), causal=False), width=width)
    matrix, _ = canvas(page, "matrix")
    for q, s in [(0, 0), (19, 29), (3, 27), (18, 2), (7, 17)]:
        matrix.hover(position=cell(page, q, s))
        assert readout(page) == f"L1·H2: “w{q + 10}” ({q + 10}) → “w{s}” ({s}): weight {weights[1, 2, q, s]:.4f}"
    assert page.evaluate("hovers").count(13) >= 1


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scale", [1, 2])
def test_cells_have_the_colour_of_their_weight_and_masked_ones_none(show, dark, scale):
    weights, _, payload = grid_payload(40)
    page = show(grid=payload, dark=dark, scale=scale)
    page.mouse.move(0, 0)
    assert page.locator("#grid .g1v").get_attribute("data-theme") == ("dark" if dark else "light")
    for q, s in [(0, 0), (5, 2), (39, 0), (39, 39), (20, 11)]:
        expected = colour(palette.VIOLET[dark], np.sqrt(weights[1, 2, q, s]))
        assert is_close(pixel(page, "matrix", cell(page, q, s), scale), expected)
        for layer, head in [(0, 3), (2, 1)]:
            expected = colour(palette.VIOLET[dark], np.round(np.sqrt(weights[layer, head, q, s]) * 63) / 63)
            assert is_close(pixel(page, "tiles", tile(page, layer, head, q, s), scale), expected)
    for q, s in [(0, 1), (3, 30), (38, 39)]:
        low, high = (palette.PAPER[dark], palette.HATCH[dark])
        for channel, a, b in zip(pixel(page, "matrix", cell(page, q, s), scale), rgb(low), rgb(high), strict=True):
            assert min(a, b) - 1 <= channel <= max(a, b) + 1


def test_ink_and_roles_ring_what_is_hovered(show):
    _, _, payload = grid_payload(40)
    page = show(grid=payload)
    matrix, g = canvas(page, "matrix")
    matrix.hover(position=cell(page, 20, 11))
    at = cell(page, 20, 11)
    assert pixel(page, "matrix", {"x": g["left"] + 30 * g["cell"] + 5, "y": at["y"] + g["cell"] / 2}) == rgb(
        palette.QUERY[0]
    )
    assert pixel(page, "matrix", {"x": at["x"] + g["cell"] / 2, "y": g["top"] + 3 * g["cell"] + 5}) == rgb(
        palette.KEY[0]
    )
    assert pixel(page, "matrix", {"x": at["x"] + g["cell"] / 2, "y": at["y"]}) == rgb(palette.INK[0])


def test_stages_show_the_scores_and_the_mask(show):
    _, scores, payload = grid_payload()
    page = show(grid=payload)
    matrix, _ = canvas(page, "matrix")
    assert page.locator("#grid button[data-stage]").all_inner_texts() == ["q·k", "÷√D", "mask", "softmax"]

    def said(stage, q, s):
        page.click(f"#grid button[data-stage={stage}]")
        matrix.hover(position=cell(page, q, s))
        return readout(page).rsplit(": ", 1)[1]

    def signed(x):
        return f"{x:+.4f}".replace("-", "−")

    for q, s in [(12, 3), (3, 12)]:
        assert said("raw", q, s) == f"q·k {signed(scores[1, 2, q, s] * 8)}"
        assert said("scaled", q, s) == f"score {signed(scores[1, 2, q, s])}"
    assert said("masked", 12, 3) == f"score {signed(scores[1, 2, 12, 3])}"
    assert said("masked", 3, 12) == "masked, −1e9"
    assert said("weights", 3, 12) == "masked, weight 0"
    page.click("#grid button[data-stage=scaled]")
    page.mouse.move(0, 0)
    limit = 5 if np.abs(scores[1, 2]).max() > 2 else 2
    x = scores[1, 2, 3, 12]
    corner = cell(page, 3, 12)
    corner = {"x": corner["x"] - 9, "y": corner["y"] - 9}  # beside the printed number
    assert is_close(pixel(page, "matrix", corner), colour(palette.signed(False), (x / limit + 1) / 2))


def test_stages_that_were_not_recorded_are_not_offered(show):
    _, _, payload = grid_payload(scores=None, raw_scores=None)
    page = show(grid=payload)
    assert page.locator("#grid button[data-stage]").count() == 0


@pytest.mark.parametrize("n", [1, 129, 512])
def test_one_token_and_the_longest_context(show, n):
    weights, _, payload = grid_payload(n)
    page = show(grid=payload)
    matrix, g = canvas(page, "matrix")
    assert (g["m"], g["n"], g["q0"]) == (min(n, 128), min(n, 128), max(0, n - 128))
    for q, s in [(n - 1, n - 1), (n - 1, max(0, n - 128))]:
        matrix.hover(position=cell(page, q, s))
        value = f"{weights[1, 2, q, s]:.4f}" if n > 1 else "1"
        assert readout(page) == f"L1·H2: “w{q}” ({q}) → “w{s}” ({s}): weight {value}"
    caption = page.locator("#grid").inner_text()
    assert ("The large head shows tokens" in caption) == (n > 128)
    assert ("The first token sees only itself: weight 1." in caption) == (n == 1)


def test_window_moves_by_page_keys(show):
    _, _, payload = grid_payload(512)
    page = show(grid=payload)
    canvas(page, "matrix")[0].press("PageUp")
    assert page.evaluate("picks.at(-1).window") == 256


# Tiles


def test_hover_over_a_pooled_tile_names_the_range_and_the_largest_weight(show):
    weights, _, payload = grid_payload(128)
    page = show(grid=payload, width=360)
    tiles, g = canvas(page, "tiles")
    k = 2 * g["pool"]
    for i, j in [(g["m"] - 1, 1), (5, 5), (7, 0)]:
        tiles.hover(position=tile(page, 2, 3, i, j))
        largest = weights[2, 3, i * k : (i + 1) * k, j * k : (j + 1) * k].max()
        rounded = (round(float(np.sqrt(largest)) * 63) / 63) ** 2
        ends = [i * k, i * k + k - 1, j * k, j * k + k - 1]
        words = "“w{0} … w{1}” ({0} … {1}) → “w{2} … w{3}” ({2} … {3})".format(*ends)
        assert readout(page) == f"L2·H3: {words}: weight {rounded:.2f} (rounded), the largest of {k}×{k}"
    assert f"the largest of {k}×{k} weights" in page.locator("#grid").inner_text()


def test_hover_over_a_tile_previews_its_head(show):
    weights, _, payload = grid_payload()
    page = show(grid=payload)
    tiles, _ = canvas(page, "tiles")
    tiles.hover(position=tile(page, 2, 0, 9, 4))
    rounded = (round(float(np.sqrt(weights[2, 0, 9, 4])) * 63) / 63) ** 2
    assert readout(page) == f"L2·H0: “in” (9) → “to” (4): weight {rounded:.2f} (rounded)"
    assert page.locator("#grid strong").inner_text() == "L2·H0"
    page.mouse.move(0, 0)
    assert page.locator("#grid strong").inner_text() == "L1·H2" and page.evaluate("picks") == []


def test_click_picks_a_head_and_the_answer_is_drawn(show, tmp_path):
    weights, _, payload = grid_payload()
    page = show(grid=payload)
    tiles, _ = canvas(page, "tiles")
    tiles.click(position=tile(page, 2, 3, 1, 1))
    page.wait_for_function("picks.length === 1")
    assert page.evaluate("picks") == [{"layer": 2, "head": 3, "click": 1}]
    send(page, "grid", attention_grid_payload(weights, pieces(SENTENCE), focus=(2, 3)), tmp_path)
    page.wait_for_function(
        "document.querySelector('#grid [data-stage]') && !document.querySelector('#grid button[data-stage]')"
    )
    canvas(page, "matrix")[0].hover(position=cell(page, 9, 4))
    assert readout(page) == f"L2·H3: “in” (9) → “to” (4): weight {weights[2, 3, 9, 4]:.4f}"


def test_click_locks_a_cell_and_escape_unlocks_it(show):
    _, _, payload = grid_payload()
    page = show(grid=payload)
    matrix, _ = canvas(page, "matrix")
    matrix.click(position=cell(page, 9, 4))
    matrix.press("Escape")
    matrix.click(position=cell(page, 9, 4))
    matrix.click(position=cell(page, 9, 4))
    where = {"layer": 1, "head": 2}
    locked, unlocked = {"query": 9, "key": 4}, {"query": None, "key": None}
    picks = [{**where, **cell, "click": n + 1} for n, cell in enumerate([locked, unlocked, locked, unlocked])]
    assert page.evaluate("picks") == picks


# Keyboard, screen readers


def test_keys_move_lock_change_stage_and_never_trap_tab(show):
    weights, scores, payload = grid_payload(cell=(9, 4))
    page = show(grid=payload)
    matrix, _ = canvas(page, "matrix")
    assert readout(page).endswith(f"weight {weights[1, 2, 9, 4]:.4f}")
    matrix.focus()
    for key in ("ArrowDown", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert readout(page) == f"L1·H2: “side” (10) → “bit” (2): weight {weights[1, 2, 10, 2]:.4f}"
    page.keyboard.press("Enter")
    assert page.evaluate("picks.at(-1)") == {"layer": 1, "head": 2, "query": 10, "key": 2, "click": 1}
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert page.locator("#grid .g1v").get_attribute("data-stage") == "scaled"
    assert readout(page).endswith(f"score {scores[1, 2, 10, 2]:+.4f}".replace("-", "−"))
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("]")
    assert page.locator("#grid .g1v").get_attribute("data-stage") == "weights"
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function("picks.length === 2")
    assert page.evaluate("picks.at(-1)") == {"layer": 2, "head": 3, "click": 2}
    page.keyboard.press("?")
    assert page.get_by_text("Shift+arrows: change the head").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "after"


def test_a_table_tells_the_row_and_everything_has_a_name(show):
    weights, _, payload = grid_payload(cell=(9, 4))
    page = show(grid=payload)
    rows = page.locator("#grid table tr").all_text_contents()
    assert page.locator("#grid table caption").text_content() == "L1·H2: where “in” looks"
    assert rows[3] == f"bit{weights[1, 2, 9, 2]:.4f}" and rows[18] == "firemasked, weight 0" and len(rows) == 1 + N
    for name in ("tiles", "matrix"):
        assert len(canvas(page, name)[0].get_attribute("aria-label")) > 20
    assert page.locator("#grid [aria-live=polite]").count() == 1
