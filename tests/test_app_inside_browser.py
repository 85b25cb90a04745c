"""Inside in a real browser with the network cut: heads switched off, chosen on their map, and the lens at the focus."""

from urllib.parse import urlencode

import numpy as np
import pytest
from app_page import IDLE, becomes, drawn, linked, query, strip

from gpt1viz.analysis.ablation import head_effects, heads_off, next_probabilities
from gpt1viz.figures.numbers import percent
from gpt1viz.text import t

pytestmark = pytest.mark.browser

SENTENCE = "The old king isn't in the golden ring and"
N = 10  # its tokens
PLOT = ".st-key-drawing_{} .js-plotly-plot"


@pytest.fixture
def show(visit, site):
    def show(width=1280, dark=False, **query):
        page = visit(f"{site}/inside?{urlencode({'text': SENTENCE} | query)}", width=width, dark=dark)
        drawn(page)
        return page

    return show


def effect(model, tokenizer, heads) -> list[str]:
    """What the drawing prints at its bars, computed directly."""
    ids = np.array(tokenizer.encode(SENTENCE))
    before, after = next_probabilities(model, ids), next_probabilities(model, ids, edits=heads_off(heads))
    chosen = dict.fromkeys([*np.argsort(-before)[:6], *np.argsort(-after)[:6]])
    return [f"{percent(float(before[i]))} → {percent(float(after[i]))}" for i in chosen]


def printed(page, key) -> list[str]:
    """The annotations that a plotly drawing shows."""
    return page.locator(f"{PLOT.format(key)} .annotation-text").all_text_contents()


@pytest.mark.parametrize("lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900", "zh-1280"])
def test_a_head_switched_off_changes_what_is_drawn(show, bundled, lang, width, dark):
    model, tokenizer, *_ = bundled
    page = show(lang=lang, width=width, dark=dark, tab="heads", layer=5, head=3)
    page.locator(PLOT.format("effects")).wait_for()
    becomes(page, lambda: printed(page, "effect"), effect(model, tokenizer, []))
    page.get_by_role("button", name=t("inside.switch_off", lang, what="L5·H3"), exact=True).click()
    becomes(page, lambda: printed(page, "effect"), effect(model, tokenizer, [(5, 3)]))
    linked(page, edits="L5H3")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name=t("inside.undo", lang), exact=True).last.click()
    becomes(page, lambda: printed(page, "effect"), effect(model, tokenizer, []))


def test_a_click_on_the_map_chooses_the_head(show, bundled):
    page = show(tab="heads", layer=0, head=0)
    plot = page.locator(PLOT.format("effects"))
    plot.locator(".points path").nth(2 * 6 + 4).wait_for(state="attached")
    page.wait_for_selector(IDLE)
    plot.scroll_into_view_if_needed()
    at = plot.locator(".points path").nth(2 * 6 + 4).bounding_box()
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    change = head_effects(bundled.model, np.array(bundled.tokenizer.encode(SENTENCE))).change[2, 4]
    page.locator(".hoverlayer", has_text=f"{abs(change):.4f}").wait_for()
    page.mouse.down()
    page.mouse.up()
    linked(page, layer=2, head=4)
    page.get_by_role("button", name=t("inside.switch_off", "en", what="L2·H4"), exact=True).wait_for()
    assert (query(page)["layer"], query(page)["head"]) == ("2", "4")


def test_the_lens_follows_the_focus(show):
    page = show()
    page.locator(PLOT.format("lens")).wait_for()
    assert len(printed(page, "lens")) == 13 * N
    strip(page).locator(".g1v-chip", has_text="king").click()
    becomes(page, lambda: query(page)["pos"], "2")
    page.get_by_text("“king” (2)").first.wait_for()
    page.get_by_role("radio", name=t("inside.tab_patterns", "en")).click()
    page.locator(PLOT.format("pattern_scores")).wait_for()
    linked(page, tab="patterns", pos=2)
