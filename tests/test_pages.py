"""The notebooks as web pages (make html): complete, linked, and in need of no network."""

import html
import re
import sys
from html.parser import HTMLParser

import pytest
from browser import open_page, served
from notebook_files import CHINESE, ENGLISH, FOLDER, cells, label, source

pytest.importorskip("ziamath", reason="ziamath is not installed (extra: notebooks)")
sys.path.insert(0, str(FOLDER))
import pages


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    pages.build(folder)
    return folder


class References(HTMLParser):
    """What a page loads by itself, and where it links to."""

    def __init__(self, page):
        super().__init__()
        self.loads, self.leads = [], []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src", "srcset", "data", "poster", "action", "xlink:href"):
                (self.leads if tag == "a" else self.loads).append(value)


def test_every_notebook_is_a_page_with_its_code_pictures_and_formulas(site):
    assert {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")} == {
        *map(label, ENGLISH + CHINESE),
        "index",
        "zh/index",
    }
    for path in ENGLISH + CHINESE:
        page = (site / label(path)).with_suffix(".html").read_text(encoding="utf-8")
        pictures = [o for cell in cells(path, "code") for o in cell["outputs"] if "image/png" in o.get("data", {})]
        assert page.count('src="data:image/png;base64,') == len(pictures)
        assert page.count("hl-ipython3") == len(cells(path, "code"))
        formulas = sum(source(cell).count("$$") // 2 for cell in cells(path, "markdown"))
        assert page.count('<div class="formula"><svg') == formulas
        assert not re.search(r"\$\$|\\operatorname", re.sub(r'aria-label="[^"]*"', "", page))


def test_pages_load_only_the_style_sheet_and_their_links_lead_somewhere(site):
    for path in site.rglob("*.html"):
        references = References(path)
        files = {path.parent / url for url in references.loads if not url.startswith("data:")}
        assert {file.resolve() for file in files} == {site / "style.css"}
        inside = [url for url in references.leads if not re.match(r"https?:|#", url)]
        assert [url for url in inside if not (path.parent / url.partition("#")[0]).is_file()] == []
    assert not re.search(r"url\(|@import", (site / "style.css").read_text(encoding="utf-8"))


def test_the_two_languages_lead_to_each_other(site):
    assert "zh/00_tour.html" in References(site / "00_tour.html").leads
    assert "../00_tour.html" in References(site / "zh" / "00_tour.html").leads


def test_text_is_escaped():
    page = pages.body(
        pages.nbformat.from_dict(
            {"cells": [{"cell_type": "code", "id": "a", "source": "", "outputs": [{"text": "<b> & more"}]}]}
        )
    )
    assert html.escape("<b> & more") in page and "<b>" not in page


@pytest.mark.browser
def test_a_page_asks_for_nothing_but_itself(site, browser):
    with served(site) as url:
        page = open_page(browser, "about:blank")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.unroute("**/*")
        page.goto(f"{url}/00_tour.html")
        page.get_by_role("link", name="简体中文").first.click()
        page.wait_for_url("**/zh/00_tour.html")
        sites = {address for address in asked if not address.startswith("data:")}
        assert sites == {f"{url}/{name}" for name in ("00_tour.html", "style.css", "zh/00_tour.html")}
        assert page.faults == []
        assert page.locator("main img").first.evaluate("(img) => img.complete && img.naturalWidth > 300")
        width = page.locator(".formula svg").first.bounding_box()["width"]
        assert width > 100
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
