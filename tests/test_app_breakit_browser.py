"""Break it in a real browser, cut off from the network: a pair is trained one after the other, and shown."""

import re

import pytest
from app_page import becomes, linked
from app_runs import MOST as SECONDS
from app_server import serving
from browser import open_page

import gpt1viz
from gpt1viz.analysis.broken import measure
from gpt1viz.text import t
from gpt1viz.training.prepare import encode
from gpt1viz.training.runs import read_run

pytestmark = pytest.mark.browser
STEPS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def site(folder):
    environment = {"GPT1VIZ_RUNS": str(folder / "runs"), "GPT1VIZ_CACHE": str(folder / "cache")}
    with serving(folder, GPT1VIZ_BREAKIT_STEPS=str(STEPS), **environment) as url:
        yield url


def opened(browser, address, **options):
    page = open_page(browser, address, **options)
    page.set_default_timeout(SECONDS * 1000)
    return page


def press(page, name):
    page.get_by_role("button", name=re.compile(f"^{re.escape(name)}")).click()


def test_a_pair_is_trained_one_after_the_other_and_shown(browser, site, folder, monkeypatch):
    page = opened(browser, f"{site}/breakit?broken=no-mask")
    page.get_by_text(t("breakit.is_missing", "en", name=t("breakit.no_mask", "en"))).wait_for()
    press(page, "Train the pair")
    page.get_by_text(t("breakit.going", "en")).wait_for()
    linked(page, broken="no-mask")
    page.get_by_text(t("breakit.is_waiting", "en", name=t("breakit.no_mask", "en"), done="0%")).wait_for()
    assert not (folder / "runs" / "breakit-no-mask").exists()  # the server trains one at a time
    becomes(page, lambda: (folder / "runs" / "breakit-gpt1" / "status.json").exists(), True)
    page.close()  # that harms nobody
    reader = opened(browser, f"{site}/breakit?broken=no-mask&lang=zh", width=900, dark=True)
    reader.get_by_role("heading", name=t("breakit.measured", "zh")).wait_for()
    runs = {name: read_run(folder / "runs" / f"breakit-{name}") for name in ("gpt1", "no-mask")}
    assert [(run.state, run.step) for run in runs.values()] == [("finished", STEPS)] * 2
    monkeypatch.setenv("GPT1VIZ_CACHE", str(folder / "cache"))
    rows = {row[0]: row[1:] for row in shown(reader)}
    for place, run in enumerate(runs.values()):
        model, tokenizer, *_ = gpt1viz.load(run.path)
        found = measure(model, encode([str(run.path / "text" / "validate-stories.txt")], tokenizer).ids)
        assert rows[t("breakit.row_used", "zh")][place] == f"{found.left_to_right.mean():.3f}"
        assert rows[t("breakit.row_own", "zh")][place] == f"{found.own.mean():.3f}"
    reader.locator(".js-plotly-plot").nth(5).wait_for()  # losses, gradients; a head and the next token of each
    assert reader.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert [fault for fault in reader.faults if "status of 404" not in fault] == []
    reader.close()


def shown(page):
    """The rows of the table of numbers, the name in front."""
    rows = page.locator(".g1 table.pair tr").all()[1:]
    return [row.locator("th, td").all_inner_texts() for row in rows]
