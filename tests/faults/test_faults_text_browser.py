"""Hostile texts in a real browser: no script runs, nothing but text is made of them, and saved files hold them."""

import csv
import io
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest
from app_driver import PAGES as FIRST
from app_page import MOST, drawn
from browsing import read, settle, turn
from cases import LONG
from hostile import HALVES, MARKDOWN, TEXTS, computed, elements

from gpt1viz.text import t

pytestmark = [pytest.mark.area("hostile text in a browser"), pytest.mark.browser]
ALL = [*FIRST, "inputs", "train", "finetune", "runs", "embeddings", "block", "inside", "breakit", "claims", "cost"]
ALL += ["paper", "compare"]
ADDRESSES = ("text=%ED%A0%80%ED%BF%BF", "text=%E7%8B", "text=%&lang=%zz", "text=%00")  # halves, cut, no codes
EVERYTHING = " ".join(TEXTS[name] for name in ("markup", "quotes")) + MARKDOWN
NAMES = ("second", "text2", "model", "model2", "run", "tuned", "x0", "x1", "words", "target", "off", "lang", "layer")
TYPED = [name for name in TEXTS if len(TEXTS[name]) < 100_000] if LONG else ["everything"]


@pytest.fixture
def show(visit):
    """show(address) opens a page of the app; a dialog is a fault."""
    dialogs = []

    def show(address):
        page = visit(address)
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.wait_for_selector(".g1v[data-kind], [data-testid=stAlert]", timeout=MOST)
        settle(page)
        return page

    yield show
    assert dialogs == []


def harmless(page) -> None:
    found = read(page)
    assert found["made"] == [] and found["evil"] is None
    if page.get_by_text(t("app.went_wrong", "en")).count():
        raise AssertionError(page.locator("[data-testid=stException], [data-testid=stCode]").all_text_contents())


def test_no_page_makes_anything_of_a_text(case, show, site):
    for name in TYPED:
        text = EVERYTHING[:900] if name == "everything" else TEXTS[name][:900]
        page = show(f"{site}/?{urlencode(dict.fromkeys(NAMES, text) | {'text': text, 'lang': 'en'})}")
        for other in ALL if LONG else ("tour", "inputs", "inside", "cost", "compare"):
            with case(f"{other} {name}"):
                if other != "tour":
                    turn(page, other, "en")
                harmless(page)
        page.close()


def test_typed_halves_of_characters_and_broken_addresses_are_borne(case, show, site):
    with case("typed"):
        page = show(f"{site}/tokens?text=the+fox")
        box = page.get_by_label(t("app.text", "en"), exact=True).first
        box.evaluate("(e) => e.focus()")
        page.keyboard.insert_text(HALVES)
        box.press("Enter")
        settle(page)
        harmless(page)
        assert page.get_by_role("heading", level=1).count() == 1
    for query in ADDRESSES if LONG else ADDRESSES[:1]:
        with case(query):
            harmless(show(f"{site}/tokens?{query}"))


class _Texts(HTMLParser):
    def __init__(self, svg: str):
        super().__init__()
        self.texts: list[str] = []
        self.feed(svg)

    def handle_data(self, data):
        self.texts.append(data)


def test_saved_files_hold_the_text_and_nothing_else(case, show, site, tmp_path):
    text = "<script>evil</script> =1+1 <b>&amp;</b> fox"
    page = show(f"{site}/tokens?text={quote(text)}")
    drawn(page)
    page.get_by_text(t("saving.save", "en"), exact=True).click()
    for kind in ("CSV", "SVG"):
        with case(kind):
            button = page.get_by_role("button", name=kind if kind == "CSV" else f": {kind}")
            with page.expect_download() as found:
                button.first.click()
            assert found.value.suggested_filename == f"gpt1viz-strip.{kind.lower()}"
            found.value.save_as(tmp_path / kind)
            content = (tmp_path / kind).read_text("utf-8-sig")
            if kind == "SVG":
                assert elements(content) == [] and "script" in "".join(_Texts(content).texts)
            else:
                rows = [*csv.reader(io.StringIO(content, newline=""))]
                assert "script" in "".join(row[1] for row in rows)
                assert [cell for row in rows for cell in row[:2] if computed(cell)] == []
