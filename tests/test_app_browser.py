"""Both pages in a real browser with the network cut: what is drawn and said, against the tensors."""

import re
from urllib.parse import urlencode

import pytest
import torch
from app_page import (
    IDLE,
    becomes,
    box,
    cell,
    click,
    colour,
    drawn,
    geometry,
    grid,
    hover,
    linked,
    query,
    rgb,
    says,
    strip,
    table,
    tile,
    value,
    where,
)
from app_server import serving

import gpt1viz
from gpt1viz import palette
from gpt1viz.explain import explain
from gpt1viz.figures.numbers import percent, weight
from gpt1viz.sampling import Sampling, distribution
from gpt1viz.text import t

pytestmark = pytest.mark.browser

SENTENCE = "The old king gave the rabbit a golden ring and"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def site(folder):
    tokenizer = gpt1viz.load("storybook").tokenizer
    config = gpt1viz.GPT1Config(n_vocab=tokenizer.n_vocab, n_ctx=24, n_embd=8, n_layer=1, n_head=1)
    gpt1viz.save(gpt1viz.GPT1(config), folder / "small", tokenizer)
    with serving(folder, GPT1VIZ_MODELS=str(folder / "small")) as url:
        yield url


@pytest.fixture(scope="module")
def there():
    model, tokenizer, *_ = gpt1viz.load("storybook")
    return explain(model, tokenizer, SENTENCE)


@pytest.fixture
def show(visit, site):
    """show(page, **query) opens a page of the app and waits until it is drawn."""

    def show(name="attention", width=1280, dark=False, **query):
        page = visit(f"{site}/{name}?{urlencode({'text': SENTENCE} | query)}", width=width, dark=dark)
        drawn(page)
        return page

    return show


def fits_and_wears_the_palette(page, dark):
    """Nothing sticks out to the side; paper and ink are the palette's."""
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.locator("[data-testid=stMain]").evaluate("(e) => e.scrollWidth <= e.clientWidth")
    assert strip(page).get_attribute("data-theme") == ("dark" if dark else "light")
    script = "(e, name) => getComputedStyle(e)[name].match(/\\d+/g).slice(0, 3).map(Number)"
    background = page.locator("[data-testid=stApp]").evaluate(script, "backgroundColor")
    ink = page.locator(".g1").first.evaluate(script, "color")
    assert tuple(background) == rgb(palette.PAPER[dark]) and tuple(ink) == rgb(palette.INK[dark])


two_looks = pytest.mark.parametrize(
    "lang, width, dark", [("en", 900, True), ("zh", 1280, False)], ids=["en-900-dark", "zh-1280-light"]
)


@two_looks
def test_attention_shows_the_weights(show, there, lang, width, dark):
    page = show(lang=lang, layer=1, head=4, width=width, dark=dark)
    assert (
        page.title() == f"{t('app.attention', lang)} · {t('app.title', lang)}"
        and grid(page).get_attribute("data-head") == "1,4"
    )
    assert page.evaluate("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[lang]
    page.locator(".g1").first.wait_for()
    fits_and_wears_the_palette(page, dark)
    canvas, at = cell(page, 0, 0)
    corner = {"x": at["x"] - 9, "y": at["y"] - 9}  # beside the printed number
    assert colour((canvas, corner)) == rgb(palette.VIOLET[dark][-1])  # the first token sees only itself
    for q, s in ((9, 0), (5, 5), (7, 3)):
        hover(cell(page, q, s))
        assert value(page, 1, 4, q, s, lang) == pytest.approx(there.weights[1, 4, q, s], abs=6e-5)
    hover(cell(page, 2, 6))
    says(grid(page), t("views.grid_masked", lang))
    for layer, head, q, s in ((0, 0, 3, 1), (5, 5, 9, 9), (3, 2, 6, 0)):
        hover(tile(page, layer, head, q, s))
        level = round(float(there.weights[layer, head, q, s]) ** 0.5 * 63) / 63  # as the caption says
        about = t("views.grid_about", lang, value=weight(level**2))
        says(grid(page), where(page, layer, head, q, s, lang) + about)
    for i in (1, 4, 9):
        strip(page).locator(".g1v-chip").nth(i).hover()
        says(strip(page), f" {i} ", f" {percent(float(there.probability[i]))}")


def test_clicks_on_attention_move_everything(show, there):
    page = show()
    click(tile(page, 2, 5))
    grid(page).and_(page.locator("[data-head='2,5']")).wait_for()
    becomes(page, lambda: (box(page, "layer").input_value(), box(page, "head").input_value()), ("2", "5"))
    linked(page, layer=2, head=5)
    click(cell(page, 6, 2))
    becomes(page, lambda: (box(page, "position").input_value(), box(page, "key").input_value()), ("6", "2"))
    linked(page, pos=6, key=2)
    becomes(page, lambda: page.locator(".g1 td.w").inner_text(), weight(float(there.weights[2, 5, 6, 2])))
    caption = page.get_by_text("L2·H5: how much")
    assert "(6)" in caption.inner_text() and "(2)" in caption.inner_text()

    page.mouse.move(0, 0)
    grid(page).locator("canvas").nth(1).focus()
    page.keyboard.press("Escape")
    page.wait_for_function("!new URL(location.href).searchParams.has('key')")
    strip(page).locator(".g1v-chip").nth(3).click()
    becomes(page, lambda: box(page, "position").input_value(), "3")
    strongest = int(there.weights[2, 5, 3].argmax())
    becomes(page, lambda: box(page, "key").input_value(), str(strongest))
    says(strip(page), "position 3")


def test_keys_move_cell_and_head_and_tab_leaves(show, there):
    page = show(layer=1, head=1)
    canvas = grid(page).locator("canvas").nth(1)
    canvas.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    left = max(int(there.weights[1, 1, 9].argmax()) - 1, 0)  # the arrows start from the cell that is worked out
    assert value(page, 1, 1, 8, left) == pytest.approx(there.weights[1, 1, 8, left], abs=6e-5)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    becomes(page, lambda: grid(page).get_attribute("data-head"), "2,2")
    becomes(page, lambda: (box(page, "layer").input_value(), box(page, "head").input_value()), ("2", "2"))
    page.wait_for_selector(IDLE)
    assert canvas.evaluate("(c) => c.getRootNode().activeElement === c")
    page.keyboard.press("Tab")
    assert not canvas.evaluate("(c) => c.getRootNode().activeElement === c")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("new URL(location.href).searchParams.has('key')")


def test_the_mask_lifted_is_drawn(show, there):
    page = show(layer=0, head=0, pos=2)
    hidden = colour(cell(page, 2, 8))
    page.get_by_text(t("app.lift_mask", "en")).click()
    page.get_by_text(t("app.mask_off", "en"), exact=True).wait_for()
    hover(cell(page, 2, 8))
    model, tokenizer, *_ = gpt1viz.load("storybook")
    lifted = explain(model, tokenizer, SENTENCE, edits=gpt1viz.Edits(causal=False))
    assert value(page, 0, 0, 2, 8) == pytest.approx(lifted.weights[0, 0, 2, 8], abs=6e-5)
    linked(page, lifted="true")
    assert hidden != colour(cell(page, 2, 8)) or lifted.weights[0, 0, 2, 8] < 1e-4


def test_what_is_typed_is_shown_as_text(show):
    page = show()
    evil = "<script>window.evil = 1</script><b class='evil'>bold</b>"
    box(page, "text").fill(evil)
    linked(page, text=evil)
    becomes(page, lambda: "".join(strip(page).locator(".g1v-chip").all_inner_texts())[:8], "<script>")
    for name in ("next_token", "attention"):
        page.get_by_role("link", name=t(f"app.{name}", "en")).click()
        page.get_by_role("heading", name=t(f"app.{name}", "en"), exact=True).wait_for()
        drawn(page)
        assert box(page, "text").input_value() == evil
        assert page.evaluate("window.evil") is None and page.locator(".evil").count() == 0
    box(page, "text").fill("")
    page.get_by_text(t("app.empty", "en")).wait_for()
    linked(page, text="")
    box(page, "text").fill("the fox ran " * 800)
    page.get_by_text(t("app.cut", "en", n=256, m=2400)).wait_for()
    becomes(page, lambda: "text" in query(page), False)
    page.get_by_role("link", name="Next token").click()
    page.get_by_role("heading", name="Next token", exact=True).wait_for()
    drawn(page)
    assert box(page, "text").input_value() == "the fox ran " * 800


def test_a_link_reopens_the_view(show, browser):
    page = show(lang="zh", layer=4, head=2, pos=6, key=1)
    box(page, "text", "zh").fill("the fox ran to the river and sat down")
    linked(page, pos=8)
    box(page, "position", "zh").fill("5")
    box(page, "position", "zh").press("Enter")
    linked(page, pos=5)
    click(cell(page, 7, 3))
    linked(page, pos=7, key=3)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=t("app.copy_link", "zh")).click()
    page.get_by_role("button", name=t("app.copied", "zh")).wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.url
    page.reload()
    drawn(page)
    becomes(page, lambda: box(page, "text", "zh").input_value(), "the fox ran to the river and sat down")
    assert query(page) == {"lang": "zh", "model": "storybook", "layer": "4", "head": "2", "pos": "7", "key": "3"} | {
        "text": "the fox ran to the river and sat down"
    }
    assert [box(page, name, "zh").input_value() for name in ("layer", "head", "position", "key")] == [
        "4",
        "2",
        "7",
        "3",
    ]
    assert page.evaluate("history.length") <= 3


@two_looks
def test_next_token_shows_the_distribution(show, there, lang, width, dark):
    page = show("next_token", lang=lang, width=width, dark=dark)
    page.locator(".js-plotly-plot").nth(2).wait_for()
    fits_and_wears_the_palette(page, dark)
    for i in (1, 6, 9):
        strip(page).locator(".g1v-chip").nth(i).hover()
        says(strip(page), f" {i} ", f" {there.surprisal[i]:.1f}")
    options = distribution(torch.from_numpy(there.logits), Sampling())
    rows = table(page, t("app.col_slice", lang))
    assert [row[5] for row in rows[:8]] == [percent(float(p)) for p in options.probabilities[:8]]
    page.get_by_text(t("app.greedy", lang), exact=True).click()
    becomes(page, lambda: table(page, t("app.col_slice", lang))[0][5], "100%")
    page.get_by_role("button", name=t("app.write_one", lang)).click()
    becomes(page, lambda: page.locator(".g1 p").all_inner_texts()[:1], [decoded(there, options.ids[0])])
    page.get_by_role("link", name=t("app.attention", lang)).click()
    page.get_by_role("heading", name=t("app.attention", lang), exact=True).wait_for()
    grid(page).wait_for()
    assert box(page, "text", lang).input_value() == SENTENCE and box(page, "position", lang).input_value() == "9"


def decoded(there, id):
    tokenizer = gpt1viz.load("storybook").tokenizer
    return tokenizer.decode([*there.ids.tolist(), int(id)])


def test_writing_stops(show, folder):
    page = show("next_token")
    (folder / "hold").touch()
    page.get_by_role("button", name=t("app.write_many", "en")).click()
    page.locator(".g1 p").wait_for()
    page.get_by_role("button", name=t("app.stop", "en")).click()
    (folder / "hold").unlink()
    page.get_by_role("button", name=t("app.stop", "en"), disabled=True).wait_for()
    written = page.locator(".g1v[data-kind]").nth(1)
    written.wait_for()
    page.wait_for_selector(IDLE)
    n = written.locator(".g1v-chip").count()
    assert 0 < n < 20
    written.locator(".g1v-chip").nth(0).click()
    page.get_by_text(re.compile("^Instead of")).wait_for()
    page.wait_for_selector(IDLE)
    page.get_by_role("button", name=t("app.undo", "en")).click()
    becomes(page, lambda: written.locator(".g1v-chip").count() if n > 1 else 0, n - 1)
    page.get_by_role("button", name=t("app.clear", "en")).click()
    page.get_by_text(t("app.written_empty", "en")).wait_for()


def test_a_page_switch_right_after_opening_keeps_everything(show):
    page = show(text="a fox in a box", pos=1, layer=5)
    page.get_by_role("link", name="Next token").click()
    page.get_by_role("heading", name="Next token", exact=True).wait_for()
    drawn(page)
    linked(page, text="a fox in a box", pos=1, layer=5)
    assert box(page, "text").input_value() == "a fox in a box" and box(page, "position").input_value() == "1"
    page.get_by_role("button", name=t("app.examples", "en")).click()
    page.get_by_role("button", name="Once upon a time").click()
    becomes(page, lambda: box(page, "text").input_value(), "Once upon a time there was a little")
    linked(page, pos=7)
    page.go_back()
    grid(page).wait_for()
    linked(page, text="Once upon a time there was a little", pos=7, layer=5)
    assert box(page, "text").input_value() == "Once upon a time there was a little"


def test_a_long_text_is_shown_by_the_window(show):
    page = show(text="the fox ran to the old mill and sat down " * 20)
    becomes(page, lambda: geometry(page, "matrix")[1]["s0"], 200 - 128)
    grid(page).locator("canvas").nth(1).focus()
    page.keyboard.press("PageUp")
    becomes(page, lambda: geometry(page, "matrix")[1]["s0"], 0)
    page.get_by_text("tokens 0 to 127 of 200").wait_for()
    assert strip(page).locator(".g1v-bracket").all_inner_texts() == ["[", "]"]
    page.keyboard.press("PageDown")
    becomes(page, lambda: geometry(page, "matrix")[1]["s0"], 200 - 128)


def test_the_smallest_model(show):
    page = show(model="small", layer=0, head=0)
    becomes(page, lambda: grid(page).get_attribute("data-head"), "0,0")
    assert page.get_by_text("layers: 1 · heads: 1").count() == 1
    said = says(grid(page), "L0·H0", "weight 0.")
    click(cell(page, 4, 1))
    linked(page, pos=4, key=1)
    assert says(grid(page), "(4)", "(1)") != said


def test_two_sessions_do_not_mix(show):
    """Each keeps its own model, text and language while the other one works."""
    one = show(lang="zh", text="the fox and the hen", layer=5)
    other = show(model="small", text="a ring for the king", layer=0, head=0)
    linked(other, model="small", text="a ring for the king")
    box(one, "text", "zh").fill("the old mill by the river")
    linked(one, text="the old mill by the river", model="storybook", lang="zh")
    assert box(other, "text").input_value() == "a ring for the king"
    click(cell(other, 3, 1))
    linked(other, pos=3, key=1, model="small", text="a ring for the king")
    becomes(one, lambda: grid(one).get_attribute("data-head"), "5,5")
    assert one.get_by_text("3,504,768").count() == 1 and other.get_by_text("3,504,768").count() == 0
    assert box(one, "text", "zh").input_value() == "the old mill by the river"
