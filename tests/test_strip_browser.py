"""What the token strip shows in a real browser, and both views together."""

import numpy as np
import pytest
from view_data import attention, pieces
from view_page import (
    N,
    canvas,
    cell,
    colour,
    fill,
    grid_payload,
    is_close,
    pixel,
    readout,
    rgb,
    shown,
    strip_payload,
    tile,
)

from gpt1viz import palette
from gpt1viz.views import attention_grid_payload, source, token_strip_payload

pytestmark = pytest.mark.browser


@pytest.fixture
def show(browser, tmp_path):
    with shown(browser, tmp_path) as show:
        yield show


@pytest.mark.parametrize("dark", [False, True])
def test_chips_have_text_fill_and_hover_words(show, dark):
    _, values, payload = strip_payload(attention=None)
    page = show(strip=payload, dark=dark)
    words = "the rab bit said to a fox , come in side ↵ and sit by this ? fire"
    assert page.locator("#strip [role=option]").all_inner_texts() == words.split(" ")
    for i in (1, 8, 16):
        assert is_close(fill(page, i), colour(palette.AMBER[dark], values[i] / 15))
    assert fill(page, 0) == rgb(palette.PAPER[dark])
    page.hover("#strip [data-i='2']")
    assert (
        readout(page, "strip")
        == f"“bit” · position 2 · entry bit</w> · id 2 · characters 7–9 · surprisal {values[2]:.1f} bits"
    )
    page.hover("#strip [data-i='0']")
    assert readout(page, "strip").endswith("no value: nothing comes before it")
    assert [b.bounding_box()["height"] for b in page.locator("#strip [role=option]").all()] == [24] * N


def test_hovering_a_token_shows_where_it_looks_and_leaving_ends_it(show):
    weights, values, payload = strip_payload()
    page = show(strip=payload)
    page.hover("#strip [data-i='12']")
    for i in (0, 3, 12):
        assert is_close(fill(page, i), colour(palette.VIOLET[0], np.sqrt(weights[12, i])))
    assert "g1v-masked" in page.locator("#strip [data-i='13']").get_attribute("class")
    page.mouse.move(400, 700)
    assert is_close(fill(page, 3), colour(palette.AMBER[0], values[3] / 15))
    assert page.locator("#strip .g1v-masked").count() == 0


def test_strip_numbers(show):
    values = np.array([np.nan, 1, 0.99999, 0.234, 0.0042, 0.000043, 1e-7, 0] + [0.5] * (N - 8), np.float32)
    page = show(strip=strip_payload(values=values, kind="probability", attention=None)[2])
    said = []
    for i in range(1, 8):
        page.hover(f"#strip [data-i='{i}']")
        said.append(readout(page, "strip").split("probability ")[1])
    assert said == ["100%", ">99.9%", "23.4%", "0.42%", "0.0043%", "<0.001%", "0%"]


def test_strip_keys_and_clicks_set_the_focus(show):
    page = show(strip=strip_payload()[2])
    page.click("#strip [data-i='3']")
    assert page.evaluate("picks") == [{"focus": 3, "click": 1}]
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("picks.at(-1)") == {"focus": 5, "click": 2}
    assert page.locator("#strip [aria-selected=true]").get_attribute("data-i") == "5"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "after"


def test_markup_in_a_token_stays_text(show):
    tokens = pieces("<img/src=x|onerror=alert(1)> <script>alert(2)</script>")
    page = show(
        strip=token_strip_payload(tokens, np.ones(3), kind="rank"),
        grid=attention_grid_payload(np.ones((1, 1, 3, 3)) / 3, tokens, focus=(0, 0), causal=False),
    )
    page.hover("#strip [data-i='0']")
    canvas(page, "matrix")[0].hover(position=cell(page, 2, 0))
    assert page.locator("img, .g1v script").count() == 0
    assert "“<script>alert(2)</script>” (2) → “<img/src=x” (0)" in readout(page)


def test_strip_says_what_was_cut_in_chinese(show):
    page = show(strip=strip_payload(n_typed=600, lang="zh")[2])
    assert f"共 600 个 token，只显示前 {N} 个：这个模型最多读这么多。" in page.locator("#strip").inner_text()


# Both views


def test_views_of_one_text_follow_each_others_pointer(show):
    _, _, payload = grid_payload()
    page = show(grid=payload, strip=strip_payload()[2])
    canvas(page, "matrix")[0].hover(position=cell(page, 9, 4))
    assert page.locator("#strip .g1v-hovered").get_attribute("data-i") == "9"
    page.hover("#strip [data-i='12']")
    _, g = canvas(page, "matrix")
    y = cell(page, 12, 0)["y"] + g["cell"] / 2
    assert pixel(page, "matrix", {"x": g["left"] + 5 * g["cell"] + 5, "y": y}) == rgb(palette.QUERY[0])


def test_views_follow_a_change_of_theme(show):
    _, _, payload = grid_payload(40)
    page = show(grid=payload, strip=strip_payload()[2])
    page.evaluate(f"document.body.style.setProperty('--jp-layout-color0', '{palette.PAPER[1]}')")
    page.wait_for_selector("#grid [data-theme=dark]")
    page.wait_for_selector("#strip [data-theme=dark]")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert pixel(page, "matrix", cell(page, 0, 0)) == rgb(palette.VIOLET[1][-1])


@pytest.mark.parametrize("width", [982, 602, 360])
@pytest.mark.parametrize("heads", [(6, 6), (12, 12)])
def test_nothing_runs_over_the_edge(show, width, heads):
    weights, _ = attention(*heads, 60)
    tokens = pieces(" ".join(["unbelievably-long-token-of-a-kind"] * 60))
    page = show(
        grid=attention_grid_payload(weights, tokens, focus=(0, 0), scores=weights[0, 0], raw_scores=weights[0, 0]),
        strip=token_strip_payload(tokens, np.ones(60), kind="entropy"),
        width=width,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    right = max(c.bounding_box()["x"] + c.bounding_box()["width"] for c in page.locator("canvas").all())
    assert right <= width


def test_streamlit_shim_mounts_once_and_cleans_up(show, tmp_path):
    _, _, payload = grid_payload()
    page = show(grid=payload)
    (tmp_path / "shim.js").write_text(source("attention_grid", "streamlit"), encoding="utf-8")
    page.evaluate("""async () => {
      const render = (await import("./shim.js")).default;
      const place = document.body.appendChild(document.createElement("section"));
      window.root = place.attachShadow({ mode: "open" });
      window.sent = [];
      const data = new Uint8Array((await load("grid")).buffer);
      const call = () => render({ data, parentElement: root, setTriggerValue: (...what) => sent.push(what) });
      call();
      window.cleanUp = call();
    }""")
    page.wait_for_function("root.querySelector('.g1v') && root.querySelector('.g1v').dataset.head === '1,2'")
    assert page.evaluate("root.querySelectorAll('.g1v').length") == 1
    page.locator("section canvas").first.click(position=tile(page, 0, 1))
    page.wait_for_function("sent.length === 1")
    assert page.evaluate("sent") == [["pick", {"layer": 0, "head": 1}]]
    page.evaluate("cleanUp()")
    assert page.evaluate("root.childNodes.length") == 0
