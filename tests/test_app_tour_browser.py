"""Tour and Tokens in a real browser with the network cut: seen, pressed, saved as a picture."""

from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from app_page import IDLE, becomes, box, drawn, linked, query, strip

import gpt1viz
from gpt1viz.explain import explain
from gpt1viz.figures.numbers import percent
from gpt1viz.text import t

pytestmark = pytest.mark.browser

SENTENCE = "The old king isn't in the golden ring and"


@pytest.fixture
def show(visit, site):
    def show(name="", width=1280, dark=False, **query):
        page = visit(f"{site}/{name}?{urlencode({'text': SENTENCE} | query)}", width=width, dark=dark)
        drawn(page)
        return page

    return show


def drawing(page, n):
    return page.locator("svg.g1-drawing").nth(n)


@pytest.mark.parametrize("lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900", "zh-1280"])
def test_the_tour_is_home(show, lang, width, dark):
    page = show(lang=lang, width=width, dark=dark)
    page.get_by_role("heading", name=t("app.tour", lang)).wait_for()
    drawing(page, 5).wait_for()
    page.locator(".js-plotly-plot").wait_for()
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    model, tokenizer, *_ = gpt1viz.load("storybook")
    there = explain(model, tokenizer, SENTENCE)
    assert percent(float(there.next_probability[-1][0])) in drawing(page, 5).inner_html()
    tops = [drawing(page, n).bounding_box()["y"] for n in range(6)]
    assert len({round(top) for top in tops}) == (2 if width == 1280 else 6)  # three in a row, or a stack
    page.get_by_role("button", name=t("app.write_one", lang)).click()
    page.locator("b", has_text=" ").first.wait_for()
    page.wait_for_selector(IDLE)
    box(page, "text", lang).fill("the fox ran")
    becomes(page, lambda: ">ran<" in drawing(page, 1).inner_html(), True)
    page.get_by_role("link", name=f"{t('app.tokens', lang)} ›").first.click()
    page.get_by_role("heading", name=t("app.tokens", lang), exact=True).wait_for()
    drawn(page)
    assert box(page, "text", lang).input_value() == "the fox ran"
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_a_token_picks_its_word(show):
    page = show("tokens")
    strip(page).locator(".g1v-chip", has_text="golden").click()
    page.get_by_role("heading", name="golden").wait_for()
    assert page.locator(".tk .stretch.differs").count() == 2  # is, n't
    becomes(page, lambda: query(page)["pos"], "7")
    page.get_by_role("slider").last.press("Home")
    linked(page, merge=0)


@pytest.mark.parametrize("name", ["tour_embed", "tour_draw_bar", "strip"])
def test_drawings_are_saved(show, name, tmp_path):
    page = show()
    page.get_by_text(t("saving.save", "en"), exact=True).click()
    title = {"tour_embed": "tour.embed", "tour_draw_bar": "tour.draw", "strip": "saving.strip"}[name]
    for kind in ("svg", "png"):
        with page.expect_download() as found:
            page.get_by_role("button", name=f"{t(title, 'en')}: {kind.upper()}").click()
        found.value.save_as(tmp_path / f"drawing.{kind}")
        assert found.value.suggested_filename == f"gpt1viz-{name}.{kind}"
    text = (tmp_path / "drawing.svg").read_text()
    assert "golden" in text if name != "tour_draw_bar" else "plot" in text
    size = ElementTree.fromstring(text).attrib
    assert (tmp_path / "drawing.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes((tmp_path / "drawing.png").read_bytes()[16:20])
    assert width == 2 * int(size["width"]) > 400
    with page.expect_download() as found:
        page.locator(f".st-key-csv_{name} button").click()
    assert found.value.suggested_filename == f"gpt1viz-{name}.csv"
    found.value.save_as(tmp_path / "data.csv")
    assert len((tmp_path / "data.csv").read_text("utf-8-sig").splitlines()) > 8
