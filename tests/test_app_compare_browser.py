"""Compare and Cost in a real browser with the network cut: both sides drawn, picks on either move both, links kept."""

import json
import re
from urllib.parse import urlencode

import pytest
from app_page import IDLE, becomes, box, click, linked, query

import gpt1viz
from gpt1viz.analysis.costs import PUBLISHED
from gpt1viz.explain import explain
from gpt1viz.figures import numbers
from gpt1viz.text import t

pytestmark = pytest.mark.browser

TEXTS = {"text": "The old fox and the rabbit went into the", "text2": "The fox and the rabbit went into the"}


@pytest.fixture
def show(visit, site):
    def show(name, width=1280, dark=False, **query):
        page = visit(f"{site}/{name}?{urlencode(query)}", width=width, dark=dark)
        page.locator(".js-plotly-plot").first.wait_for()
        page.wait_for_selector(IDLE)
        return page

    return show


def grids(page):
    return page.locator(".g1v[data-head]")


@pytest.mark.parametrize("lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900", "zh-1280"])
def test_two_texts_side_by_side(show, lang, width, dark):
    page = show("compare", lang=lang, width=width, dark=dark, layer=2, head=3, **TEXTS)
    page.get_by_role("heading", name=t("app.compare", lang), exact=True).wait_for()
    becomes(page, grids(page).count, 2)
    strips = page.locator(".g1v[data-kind]")
    becomes(page, strips.count, 2)
    boxes = [grids(page).nth(i).bounding_box() for i in range(2)]
    beside = abs(boxes[0]["y"] - boxes[1]["y"]) < 2
    assert beside == (width == 1280) and (boxes[0]["x"] == boxes[1]["x"]) != beside
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")

    model, tokenizer, *_ = gpt1viz.load("storybook")
    a, b = (explain(model, tokenizer, text) for text in TEXTS.values())
    for x in (a, b):
        page.get_by_text(numbers.percent(float(x.next_probability[-1][0])), exact=True).first.wait_for()

    strips.nth(1).locator(".g1v-chip", has_text="rabbit").click()  # at 4 in B, at 5 in A
    linked(page, pos=5)
    becomes(page, box(page, "position", lang).input_value, "5")
    page.wait_for_selector(IDLE)
    tiles = grids(page).nth(1).locator("canvas").first
    g = json.loads(tiles.get_attribute("data-geometry"))
    middle = {"x": g["left"] + 1.4 * g["step"], "y": g["top"] + 4.4 * g["step"]}
    click((tiles, middle))
    linked(page, layer=4, head=1)
    becomes(page, lambda: [grids(page).nth(i).get_attribute("data-head") for i in range(2)], ["4,1", "4,1"])
    strongest = t("compare.weights_change", lang, layer=4, head=1)
    page.get_by_text(t("saving.save", lang), exact=True).click()
    page.get_by_text(strongest, exact=True).wait_for()
    with page.expect_download() as found:
        page.locator(".st-key-csv_compare_weights button").click()
    rows = found.value.path().read_text("utf-8-sig").splitlines()[1:]
    shared = [i for i, piece in enumerate(a.tokens) if piece.text != "old"]
    assert len(rows) == len(shared) ** 2
    last = float(rows[-1].split(",")[-1])
    assert last == pytest.approx(float(b.weights[4, 1, -1, -1] - a.weights[4, 1, -1, -1]), abs=1e-5)


def test_swapping_and_reopening(show):
    page = show("compare", **TEXTS)
    becomes(page, grids(page).count, 2)
    page.get_by_role("button", name=t("compare.swap", "en")).click()
    linked(page, text=TEXTS["text2"], text2=TEXTS["text"])
    page.reload()
    becomes(page, lambda: grids(page).count(), 2)
    becomes(page, box(page, "text").input_value, TEXTS["text2"])
    assert query(page)["text2"] == TEXTS["text"]


@pytest.mark.parametrize("lang, width, dark", [("en", 1280, True), ("zh", 900, False)], ids=["en-1280", "zh-900"])
def test_a_shape_and_what_it_costs(show, lang, width, dark):
    page = show("cost", lang=lang, width=width, dark=dark, shape="gpt2-xl")
    page.get_by_role("heading", name=t("app.cost", lang), exact=True).wait_for()
    n_params = PUBLISHED["gpt2-xl"].config.n_params
    page.get_by_text(f"{n_params:,} ({numbers.short(n_params, lang)})").wait_for()
    becomes(page, page.locator(".js-plotly-plot").count, 5)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    tables = page.locator(".g1 div", has=page.locator("table"))
    wide = tables.last.evaluate("(e) => [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX]")
    assert wide == [width == 900, "auto"]  # a wide table scrolls by itself
    slider = page.get_by_role("slider", name=t("cost.layers", lang))
    slider.press("ArrowRight")
    linked(page, shape="49-25-64-1024-50257-pre")
    deeper = n_params + 12 * 1600**2 + 13 * 1600
    page.get_by_text(re.compile(rf"^{deeper:,} \(")).wait_for()
