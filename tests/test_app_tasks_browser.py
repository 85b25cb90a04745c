"""Task inputs and Fine-tune in a real browser with the network cut: a toy fine-tuning from Start to its matrix."""

import json
from urllib.parse import urlencode

import pytest
from app_page import IDLE, becomes, linked
from app_server import serving
from tuned import base, tuned

from gpt1viz.text import t

pytestmark = pytest.mark.browser

EVIL = "<script>window.evil = 1</script><b class='evil'>bold</b>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def site(folder):
    found = f"{base(folder, n_layer=1)}:{tuned(folder, 'entailment')}"
    with serving(folder, GPT1VIZ_MODELS=found, GPT1VIZ_RUNS=str(folder / "runs")) as url:
        yield url


@pytest.fixture
def show(visit, site):
    """show(page, **query) opens a page of the app and waits until it is drawn."""
    pages = []

    def show(name, width=1280, dark=False, **query):
        page = visit(f"{site}/{name}?{urlencode(query)}", width=width, dark=dark)
        pages.append(page)
        page.wait_for_selector(".g1r, .g1", state="attached")
        page.wait_for_selector(IDLE)
        return page

    yield show
    for page in pages:
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def chips(page, drawing=0):
    return page.locator(".g1r").nth(drawing).locator(".t").all_inner_texts()


@pytest.mark.parametrize("lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900-dark", "zh-light"])
def test_rows_follow_what_is_typed(show, lang, width, dark):
    page = show("inputs", task="entailment", lang=lang, width=width, dark=dark)
    page.get_by_label(t("inputs.field_premise", lang), exact=True).fill("the fox")
    page.get_by_label(t("inputs.field_hypothesis", lang), exact=True).fill("a hen")
    becomes(page, lambda: chips(page), ["▸start", "the", "fox", "¦delim", "a", "hen", "◆extract"])
    linked(page, x0="the fox", x1="a hen", task="entailment")
    page.get_by_text(t("inputs.first_same", lang)).wait_for()
    page.get_by_label(t("inputs.field_premise", lang), exact=True).fill(EVIL)
    becomes(page, lambda: "".join(chips(page))[:17], "▸start<unk>script")
    assert page.evaluate("window.evil") is None and page.locator(".evil").count() == 0


def test_rows_are_saved(show, tmp_path):
    page = show("inputs", task="entailment", x0="the fox", x1="a hen")
    becomes(page, lambda: len(chips(page)), 7)
    page.get_by_text(t("saving.save", "en"), exact=True).click()
    saved = {}
    for kind in ("svg", "csv"):
        with page.expect_download() as found:
            svg = page.get_by_role("button", name=f"{t('inputs.rows_title', 'en')}: SVG")
            (svg if kind == "svg" else page.locator(".st-key-csv_rows button")).click()
        found.value.save_as(tmp_path / "saved")
        saved[kind] = (tmp_path / "saved").read_text("utf-8-sig")
    assert saved["svg"].count("<rect") == 1 + 7 and ">hen<" in saved["svg"]
    lines = saved["csv"].splitlines()
    assert lines[0] == "row,position,span,id,token" and len(lines) == 1 + 7
    assert lines[3].startswith("0,2,premise,") and lines[4].startswith("0,3,delim,4097,")


def test_a_toy_fine_tuning_ends_and_its_matrix_is_that_of_its_predictions(show, folder):
    page = show("finetune", model="base", data="toy/belongings")
    steps = page.get_by_label(t("finetune.steps", "en"), exact=True)
    steps.fill("6")
    steps.press("Enter")
    page.wait_for_selector(IDLE)
    page.get_by_role("button", name=t("finetune.start", "en"), exact=True).click()
    page.get_by_role("heading", name=t("finetune.learning", "en")).wait_for()
    linked(page, tuned="belongings-all")
    page.reload()  # training goes on
    page.get_by_role("heading", name=t("finetune.confusion", "en")).wait_for()
    page.locator(".js-plotly-plot").nth(1).wait_for()
    rows = [json.loads(line) for line in (folder / "runs/belongings-all/predictions.jsonl").read_text().splitlines()]
    wanted = [[sum(r["label"] == a and r["prediction"] == b for r in rows) for b in range(3)] for a in range(3)]
    assert len(rows) == 400 and sum(map(sum, wanted)) == 400
    drawn = page.locator(".js-plotly-plot").first.locator(".annotation-text").all_text_contents()
    assert [int(text) for text in drawn] == [n for line in wanted for n in line]

    first = page.get_by_label(t("finetune.try_text", "en", n=1), exact=True)
    first.fill(EVIL)
    page.wait_for_timeout(600)
    page.wait_for_selector(IDLE)
    assert first.input_value() == EVIL
    assert page.evaluate("window.evil") is None and page.locator(".evil").count() == 0


def test_the_run_is_a_model_of_the_other_pages_in_chinese(show):
    page = show("inputs", model="runs/belongings-all", lang="zh", width=900)
    page.get_by_role("heading", name=t("inputs.answer_title", "zh")).wait_for()
    names = page.locator(".g1 td.t").all_inner_texts()
    assert names == ["entailment", "neutral", "contradiction"]
    page.get_by_role("link", name=t("app.finetune", "zh"), exact=True).first.click()
    page.get_by_role("heading", name=t("finetune.confusion", "zh")).wait_for()
    assert page.get_by_label(t("finetune.run", "zh"), exact=True).count() == 1
