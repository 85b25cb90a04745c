"""The page Claims in a real browser, the network cut: all rows run in both languages, Stop stops, bets are kept."""

import re
from urllib.parse import urlencode

import pytest
from app_page import IDLE, linked

from gpt1viz.claims import CLAIMS
from gpt1viz.text import t

pytestmark = pytest.mark.browser


@pytest.fixture
def show(visit, site):
    def show(width=1280, dark=False, **query):
        page = visit(f"{site}/claims?{urlencode(query)}", width=width, dark=dark)
        page.locator(".st-key-run_webtext").wait_for()
        page.wait_for_selector(IDLE)
        return page

    return show


def test_a_bet_is_settled_and_stop_leaves_the_rest(show):
    """The first test of this server: no check has run yet, so that there is something to stop."""
    from playwright.sync_api import expect

    page = show()
    page.locator(".st-key-bet_first").get_by_role("radio", name=t("claims.verdict_wrong", "en")).click()
    page.get_by_role("button", name=t("claims.run_all", "en")).click()
    page.get_by_role("button", name=t("app.stop", "en")).click()
    page.wait_for_selector(".st-key-run_webtext button:not([disabled])")  # the last row, left alone
    page.wait_for_selector(IDLE)
    expect(page.get_by_role("button", name=t("app.stop", "en"))).to_be_disabled()
    if page.locator(".st-key-run_first").count():  # it was not yet its turn
        page.locator(".st-key-run_first button").click()
    page.get_by_text(t("claims.won", "en", bet=t("claims.verdict_wrong", "en"))).wait_for()
    page.get_by_text(t("claims.verdict_wrong", "en") + " (").first.wait_for()


@pytest.mark.parametrize("lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900", "zh-1280"])
def test_all_rows_run(show, lang, width, dark):
    page = show(width, dark, lang=lang)
    page.get_by_role("button", name=t("claims.run_all", lang)).click()
    page.locator(".st-key-more_webtext").wait_for()
    page.wait_for_selector(IDLE)
    assert page.locator('[class*="st-key-run_"]').count() == 0
    assert page.locator("strong", has_text=re.compile(f"^{t('claims.seen', lang)}$")).count() == 17
    assert page.locator("strong", has_text=re.compile(f"^{t('claims.not_seen', lang)}$")).count() == 0
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    page.locator(".st-key-more_itself button").click()
    page.locator(".js-plotly-plot .heatmaplayer image").wait_for()
    page.get_by_text(CLAIMS["itself"].words("caption", lang)).wait_for()
    linked(page, claim="itself")
