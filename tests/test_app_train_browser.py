"""A model is trained in a real browser: started, reloaded, stopped, resumed, used on the Attention page, scrubbed."""

import re

import pytest
from app_page import MOST, drawn, grid, linked, query, says
from app_runs import MOST as SECONDS
from app_server import serving
from browser import open_page

import gpt1viz
from gpt1viz.explain import explain
from gpt1viz.figures.numbers import weight
from gpt1viz.text import t
from gpt1viz.training.runs import read_run

pytestmark = pytest.mark.browser
TEXT = "the fox and the hen"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def site(folder):
    environment = {"GPT1VIZ_RUNS": str(folder / "runs"), "GPT1VIZ_CACHE": str(folder / "cache")}
    with serving(folder, **environment) as url:
        yield url


def opened(browser, address, **options):
    page = open_page(browser, address, **options)
    page.set_default_timeout(MOST)
    return page


def press(page, key, lang="en"):
    page.get_by_role("button", name=t(key, lang), exact=True).click()


def figure(page, name, lang="en"):
    """A number that the Train page shows of the run; None while it shows none."""
    found = page.locator(".g1 div", has_text=re.compile(f"^{t(f'train.n_{name}', lang)}")).locator(".n")
    return found.first.inner_text() if found.count() else None


def step(page, lang="en"):
    return int((figure(page, "step", lang) or "0").replace(",", ""))


def grows(page, beyond, lang="en"):
    for _ in range(SECONDS * 5):
        if step(page, lang) > beyond:
            return
        page.wait_for_timeout(200)
    raise AssertionError((step(page, lang), beyond, page.locator("[data-testid=stMain]").inner_text()))


def stop(page):
    press(page, "train.stop")
    page.locator("button:enabled", has_text=t("train.resume", "en")).wait_for()


def state(folder, name):
    return read_run(folder / "runs" / name).state


def test_a_model_is_trained_reloaded_stopped_resumed_used_and_scrubbed(browser, site, folder):
    page = opened(browser, f"{site}/train?text={TEXT}")
    page.get_by_label(t("train.until_minutes", "en"), exact=True).fill("10")
    page.get_by_label(t("train.name", "en")).fill("fox")
    press(page, "train.start")
    page.get_by_text(t("train.close_tab", "en")).wait_for()
    grows(page, 20)
    linked(page, run="fox")

    page.reload()
    grows(page, step(page))
    second = opened(browser, f"{site}/train")  # finds it without a link
    grows(second, 20)
    second.close()
    assert state(folder, "fox") == "running"

    stop(page)
    assert state(folder, "fox") == "stopped"
    before = read_run(folder / "runs" / "fox").step
    press(page, "train.resume")
    grows(page, before)
    stop(page)

    press(page, "train.use")
    drawn(page)
    linked(page, model="runs/fox", text=TEXT)
    last = max(dict(read_run(folder / "runs" / "fox").checkpoints()))
    weights_are_those_of(page, folder / "runs" / f"fox@{last}")

    page.get_by_role("link", name=t("app.runs", "en"), exact=True).click()
    slider = page.get_by_role("slider").first
    slider.wait_for()
    linked(page, at=last)
    slider.focus()
    steps = list(dict(read_run(folder / "runs" / "fox").checkpoints()))
    for at in steps[-2:-5:-1]:
        page.keyboard.press("ArrowLeft")
        linked(page, at=at)
        weights_are_those_of(page, folder / "runs" / f"fox@{at}")
    press(page, "runs.use")
    linked(page, model=f"runs/fox@{at}")
    page.get_by_role("link", name=t("app.attention", "en"), exact=True).first.click()
    drawn(page)
    weights_are_those_of(page, folder / "runs" / f"fox@{at}")
    assert query(page)["model"] == f"runs/fox@{at}"
    assert [fault for fault in page.faults if "status of 404" not in fault] == []
    page.close()


def weights_are_those_of(page, checkpoint):
    """The large head says the largest weight of the last token as this checkpoint gives it."""
    model, tokenizer, *_ = gpt1viz.load(checkpoint)
    there = explain(model, tokenizer, TEXT)
    layer, head = map(int, grid(page).get_attribute("data-head").split(","))
    wanted = weight(float(there.weights[layer, head, -1].max()), 4)
    assert says(grid(page), f"L{layer}·H{head}", t("views.grid_value_weights", "en", value=wanted))


def test_the_pages_open_in_chinese_and_what_is_typed_stays_text(browser, site, folder):
    page = opened(browser, f"{site}/train?lang=zh&run=", width=900, dark=True)
    page.get_by_label(t("train.name", "zh")).fill("<b class='evil'>")
    press(page, "train.start", "zh")
    page.get_by_text(re.compile("^训练记录不能叫")).wait_for()
    page.get_by_role("link", name=t("app.runs", "zh"), exact=True).click()
    page.get_by_text(re.compile("^" + t("runs.scrub", "zh"))).or_(
        page.get_by_text(t("runs.none", "zh"))
    ).first.wait_for()
    assert page.locator(".evil").count() == 0
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert [fault for fault in page.faults if "status of 404" not in fault] == []
    page.close()
