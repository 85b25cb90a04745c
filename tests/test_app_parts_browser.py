"""Embeddings and Block in a real browser with the network cut: hovered, clicked, saved."""

import re
from urllib.parse import urlencode

import numpy as np
import pytest
from app_page import IDLE, box, drawn, linked, strip

import gpt1viz
from gpt1viz.analysis.contributions import walk
from gpt1viz.analysis.units import active_units
from gpt1viz.text import t

pytestmark = pytest.mark.browser

SENTENCE = "The old king and the queen went to the"


@pytest.fixture
def show(visit, site):
    def show(name, width=1280, dark=False, **query):
        page = visit(f"{site}/{name}?{urlencode({'text': SENTENCE} | query)}", width=width, dark=dark)
        drawn(page)
        return page

    return show


def chart(page, key):
    found = page.locator(f".st-key-drawing_{key} .js-plotly-plot")
    found.locator(".main-svg").first.wait_for()
    return found


def hovered(page, key, x, y):
    """What a drawing says at a place of its plot, given as shares of its width and height."""
    plot = chart(page, key).locator(".nsewdrag").first
    size = plot.bounding_box()
    plot.hover(position={"x": x * size["width"], "y": y * size["height"]})
    label = chart(page, key).locator(".hoverlayer .hovertext text").first
    label.wait_for()
    return label.text_content()


def signed(text):
    return [float(x.replace("−", "-")) for x in re.findall(r"[+−-]\d+\.\d+", text)]


@pytest.mark.parametrize("lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900", "zh-1280"])
def test_embeddings_add_up_and_follow_the_focus(show, lang, width, dark):
    page = show("embeddings", lang=lang, width=width, dark=dark)
    page.get_by_role("heading", name=t("app.embeddings", lang), exact=True).wait_for()
    chart(page, "joint_mass")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    token, place, total = signed(hovered(page, "embeddings_sum", 0.3, 0.5))
    assert token + place == pytest.approx(total, abs=0.0011)
    strip(page).locator(".g1v-chip", has_text="king").click()
    page.get_by_role("heading", name=t("embeddings.near_title", lang, token="king")).wait_for()
    page.wait_for_selector(IDLE)
    linked(page, pos=2)
    model, tokenizer, *_ = gpt1viz.load("storybook")
    row = model.tokens_embed.weight[tokenizer.encode("king")[0]].numpy()
    chart(page, "embeddings_sum").get_by_text(t("embeddings.row_token", lang, token="king")).wait_for()
    shown = signed(hovered(page, "embeddings_sum", 0.002, 0.2))
    assert shown[0] == pytest.approx(row[0], abs=0.0006)
    page.get_by_role("button", name=t("embeddings.map_animals", lang), exact=True).click()
    chart(page, "word_map").get_by_text("rabbit").first.wait_for()
    page.wait_for_selector(IDLE)
    assert chart(page, "word_map").get_by_text("castle").count() == 0


@pytest.mark.parametrize("lang, width, dark", [("en", 1280, False), ("zh", 900, True)], ids=["en-1280", "zh-900"])
def test_a_block_is_walked_through(show, lang, width, dark, tmp_path):
    page = show("block", lang=lang, width=width, dark=dark, layer=2, pos=2)
    page.get_by_role("heading", name=t("block.walk_title", lang, layer=2)).wait_for()
    chart(page, "block_share_mlp")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    model, tokenizer, *_ = gpt1viz.load("storybook")
    ids = np.array(tokenizer.encode(SENTENCE))
    walked = walk(model, ids, 2)
    drawing = page.locator("svg.g1-drawing").first
    for name in ("attn_out", "mlp_out", "ln_2"):
        drawing.get_by_text(f"{np.linalg.norm(getattr(walked, name)[2]):.2f}", exact=True).wait_for()
    stream, attention, total, _, mlp, second, _ = signed(hovered(page, "block_walk", 0.4, 0.5))
    assert stream + attention == pytest.approx(total, abs=0.0011) and mlp != second
    page.get_by_role("radio", name=t("block.part_norms", lang), exact=True).click()
    chart(page, "block_gradients")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    page.get_by_role("radio", name=t("block.part_mlp", lang), exact=True).click()
    chart(page, "block_drivers")
    page.wait_for_selector(IDLE)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    third = int(active_units(model, walked, 2, 2).units[2])
    page.get_by_role("button", name=str(third), exact=True).click()
    page.get_by_role("heading", name=t("block.unit_title", lang, layer=2, unit=third)).wait_for()
    linked(page, unit=third, part="mlp")
    page.wait_for_selector(IDLE)
    box(page, "layer", lang).fill("4")
    box(page, "layer", lang).press("Enter")
    page.get_by_role("radio", name=t("block.part_walk", lang), exact=True).click()
    page.get_by_role("heading", name=t("block.walk_title", lang, layer=4)).wait_for()
    page.wait_for_selector(IDLE)
    page.get_by_text(t("saving.save", lang), exact=True).click()
    for kind in ("svg", "png"):
        with page.expect_download() as found:
            page.get_by_role("button", name=f"{t('block.drawn_post', lang)}: {kind.upper()}").first.click()
        found.value.save_as(tmp_path / f"drawing.{kind}")
    assert "MLP" in (tmp_path / "drawing.svg").read_text()
    assert (tmp_path / "drawing.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
