"""Patching, attribution and A not B in a real browser with the network cut: chosen, typed, drawn, saved."""

from urllib.parse import urlencode

import numpy as np
import pytest
from app_page import IDLE, becomes, box, drawn, linked

import gpt1viz
from gpt1viz.analysis.attribution import integrated_gradients
from gpt1viz.analysis.contrast import contrast
from gpt1viz.analysis.target import Target
from gpt1viz.figures import numbers
from gpt1viz.text import strings, t

pytestmark = pytest.mark.browser

WOMAN = "The old woman looked at the door, and then"


@pytest.fixture
def show(visit, site):
    def show(width=1280, dark=False, **query):
        page = visit(f"{site}/inside?{urlencode({'text': WOMAN} | query)}", width=width, dark=dark)
        drawn(page)
        return page

    return show


def sums(page):
    """The numbers of the table that adds up."""
    return [row.locator("td").last.inner_text() for row in page.locator(".g1").first.locator("tr:has(td)").all()]


def click_cell(page, layer, position, n):
    """A click on a cell of the map of n positions."""
    point = page.locator(".js-plotly-plot .scatterlayer .point").nth(layer * n + position)
    point.scroll_into_view_if_needed()
    place = point.bounding_box()
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)


def parts(loaded, text, a, b):
    """The sum and the difference of `contrast`, as the page prints them."""
    ids = np.array(loaded.tokenizer.encode(text))
    found = contrast(loaded.model, ids, *(loaded.tokenizer.vocab[f"{x}</w>"] for x in (a, b)))
    return [numbers.score(x, 3) for x in (found.total, found.difference)]


def test_a_pair_is_patched_and_taken_apart(show):
    loaded, pair = gpt1viz.load("storybook"), strings("pairs", "en")["girl"]
    one, other, a, b = pair.split("|")
    page = show(tab="patch")
    page.locator(".js-plotly-plot").wait_for()
    page.get_by_role("button", name=t("causes.pairs", "en")).click()
    page.get_by_role("button", name=one[:30]).click()
    linked(page, text=one, token_a=f"{a}</w>", token_b=f"{b}</w>")
    assert page.get_by_label(t("causes.second", "en"), exact=True).input_value() == other
    page.locator(".js-plotly-plot .xtick text", has_text="girl→boy").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_selector(IDLE)
    click_cell(page, 3, 4, 8)  # not the largest change, which the link leaves out
    linked(page, patch_layer=3, patch_pos=4)
    here = {"place": t("causes.into", "en", layer=3), "token": t("app.token_at", "en", token="very", n=4)}
    page.get_by_text(t("causes.patch_one", "en", **here)).wait_for()
    page.get_by_role("radio", name=t("inside.tab_contrast", "en")).click()
    page.get_by_role("heading", name=t("causes.contrast_title", "en", a=a, b=b)).wait_for()
    becomes(page, lambda: sums(page)[-2:], parts(loaded, one, a, b))
    page.get_by_role("combobox", name=t("causes.token_b", "en"), exact=True).fill("king")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=t("causes.contrast_title", "en", a=a, b="king")).wait_for()
    becomes(page, lambda: sums(page)[-2:], parts(loaded, one, a, "king"))
    linked(page, token_b="king</w>", tab="contrast")


def test_attribution_in_chinese_on_a_narrow_dark_page(show):
    loaded = gpt1viz.load("storybook")
    page = show(width=900, dark=True, lang="zh", tab="attribution", token_a="she</w>", token_b="he</w>", pos="6")
    chips = page.locator(".causes .g1v-chip")
    becomes(page, chips.count, 7)
    ids = np.array(loaded.tokenizer.encode(WOMAN))[:7]
    target = Target("difference", *(loaded.tokenizer.vocab[x] for x in ("she</w>", "he</w>")))
    found = integrated_gradients(loaded.model, ids, target, tolerance=0.01)
    said = [chips.nth(i).get_attribute("title") for i in range(7)]
    for i, score in enumerate(found.scores):
        assert float(said[i].split(" ")[-1].replace("−", "-")) == pytest.approx(score, abs=2e-4)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    page.wait_for_selector(IDLE)
    page.get_by_text(t("saving.save", "zh"), exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"{t('causes.scores', 'zh')}: SVG").click()
    saved = download.value.path().read_text()
    assert saved.count("<text") == 7 and ">woman<" in saved
    box(page, "text", "zh").fill("the king and the queen")
    becomes(page, chips.count, 5)
