"""Hostile texts in every box of every page of the app and in its links, without a browser.

Whatever is typed: no page fails, no markup of the text reaches HTML, Markdown or a drawing, no saved table computes.
"""

import csv
import io
import json
import sys

import pytest
from app_driver import APP, html, opened, typed, well
from cases import LONG
from hostile import EMPTY, HALVES, TEXTS, computed, elements, obeyed, strings_in
from tiny_run import train
from tuned import base, tuned

from gpt1viz import load
from gpt1viz.data.task import Task, TextExample
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import LANGUAGES, t
from gpt1viz.text.tokens import harmless
from gpt1viz.training.finetune import FinetuneSettings, finetune

pytestmark = pytest.mark.area("hostile text in the app")
PAGES = sorted(path.stem for path in (APP.parent / "views").glob("*.py"))
TOGETHER = ("markup", "markdown", "quotes", "formulas", "controls", "two directions", "zero width", "private use")
SHORT = {"many in one": " ".join(TEXTS[name] for name in TOGETHER)}
LINK = 500_000  # characters; a longer address Streamlit leaves unread, so that the page has the text it begins with
OBEYED = {*"\n\r\t\x1b\u202e\u2028\u2066\ud800"}
TYPED = {name: text[:10_000] for name, text in TEXTS.items()} if LONG else SHORT  # the boxes take no more


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """Models and runs with names, classes and prompts as nobody should choose them."""
    folder = tmp_path_factory.mktemp("app")
    labels = (TEXTS["markup"], TEXTS["markdown"])
    places = [base(folder, n_layer=1), tuned(folder, "classification", labels)]
    train(folder / "runs" / "one", steps=3, sample_every=2, prompts=("the <b>fox</b> $x$ :red[evil]",))
    _finetune(places[0], folder / "runs" / "tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT1VIZ_RUNS", str(folder / "runs"))
        patch.setenv("GPT1VIZ_MODELS", ":".join(map(str, places)))
        yield folder


def _finetune(model, folder):
    names = ("markup", "markdown", "controls", "one long line", "formulas", "Chinese")
    labels = ("=1+1", TEXTS["markup"], "\u202eb", *(f"class {n}" for n in range(40)))
    rows = tuple(TextExample((TEXTS[name][:20_000],), n % len(labels)) for n, name in enumerate(names * 8))
    splits = {"train": rows, "validation": rows[::-1], "test": rows[:2]}
    settings = FinetuneSettings(steps=2, batch_size=4, device="cpu")
    finetune(load(model), Task("own", "classification", labels, "accuracy", splits), folder, settings=settings)


def harm(app) -> list[str]:
    """What of the texts was made markup, or would be computed, on the page as it is."""
    found = elements(html(app))
    for element in app.main, app.sidebar:
        for markdown in _markdown(element):
            found += obeyed(markdown)
    for chart in app.get("plotly_chart"):
        found += [text for text in strings_in(json.loads(chart.proto.spec)) if elements(text)]
    for name, (_, _, data) in app.session_state.drawings.items():
        if data is not None:
            content = sys.modules["saving"].csv_bytes(data()).decode("utf-8-sig")
            cells = [cell for row in csv.reader(io.StringIO(content, newline="")) for cell in row]
            found += [f"{name}: {cell}" for cell in cells if computed(cell) and not _is_number(cell)]
    return found


def _markdown(block):
    """Every string of a block that Streamlit reads as Markdown."""
    for child in block.children.values():
        proto = child.proto
        if getattr(child, "children", None) is not None:
            yield from _markdown(child)
            yield getattr(getattr(proto, "expandable", None), "label", "")
            continue
        if child.type in ("html", "code", "bidi_component", "plotly_chart", "arrow_vega_lite_chart"):
            continue
        for name in ("body", "label", "help", "caption", "text"):
            if child.type != "text" and isinstance(text := getattr(proto, name, None), str):
                yield text
        yield from (option.content for option in getattr(proto, "options", ()) if hasattr(option, "content"))


def _is_number(cell: str) -> bool:
    try:
        return isinstance(float(cell), float)
    except ValueError:
        return False


def failed(app) -> list[str]:
    """Tracebacks, and the sentence that stands for one."""
    went_wrong = {t("app.went_wrong", lang) for lang in LANGUAGES}
    details = [code.value for code in app.get("code") if "Traceback" in code.value]
    return [e.value for e in app.exception] + [e.value for e in app.error if e.value in went_wrong] + details


def fill(app, text: str) -> None:
    """The text into every box at once."""
    for box in app.text_input:
        box.set_value(text.replace("\n", " "))
    for box in app.text_area:
        box.set_value(text)
    app.run()


@pytest.mark.parametrize("lang", LANGUAGES if LONG else ["en"])
@pytest.mark.parametrize("page", PAGES)
def test_what_is_typed_is_shown_without_harm(case, page, lang):
    model = {"inputs": "tuned-classification", "runs": "runs/one", "finetune": "base"}.get(page, "storybook")
    query = {"run": "one"} if page == "train" and LONG else {}
    app = opened(page, lang=lang, model=model, **query)
    assert well(app) and not harm(app)
    for name, text in TYPED.items():
        with case(f"{page} {name}"):
            fill(app, text)
            assert not failed(app), failed(app)
            assert not harm(app), harm(app)


@pytest.mark.parametrize("page", PAGES if LONG else ["compare"])
def test_what_a_link_says_is_shown_without_harm(case, page):
    names = ["text", "second", "text2", "words", "x0", "x1", "model", "model2", "run", "tuned", "runs", "task", "word"]
    names += ["data", "beside", "off", "target", "token_a", "token_b", "lang", "layer", "pos", "seed", "at", "variant"]
    for name, text in (TEXTS if LONG else SHORT).items():
        text = text[: LINK // len(names) // len("%0A")]
        with case(f"{page} {name}"):
            app = opened(page, **dict.fromkeys(names, text))
            assert not failed(app), failed(app)
            assert not harm(app), harm(app)
            assert "text" not in app.session_state or app.session_state.text in (text, text[:10_000])


@pytest.mark.parametrize("text", EMPTY)
def test_a_text_without_a_token_gets_a_sentence(text):
    app = opened("attention", text=TEXTS[text])
    assert well(app) and [info.value for info in app.info] == [t("app.empty", "en")]


def test_boxes_and_links_take_ten_thousand_characters(case):
    for name in ("one long line", "one long word", "blank lines"):
        with case(name):
            app = opened("tokens", text=TEXTS[name][:LINK])
            assert well(app) and len(app.session_state.text) == 10_000


def test_sentences_hold_no_mark_that_is_obeyed(case):
    plain = sys.modules["state"].plain if "state" in sys.modules else None
    if plain is None:
        opened("tokens")
        plain = sys.modules["state"].plain
    for name, text in (TEXTS | {"halves": HALVES}).items():
        with case(name):
            assert obeyed(text[:5_000]) or name not in ("markup", "markdown")
            assert not obeyed(plain(text[:5_000])) and plain(text[:5_000]).encode()
            said = GPT1VizError("text_missing", path=text).message("en")
            assert len(said) < 500 and not OBEYED & {*said} and said.encode()
            assert not OBEYED & {*harmless(text)}


def test_two_sessions_do_not_share_what_is_typed():
    one, two = opened("tokens", text="the fox"), opened("tokens")
    typed(one, "my secret is zanzibar")
    two.run()
    assert "zanzibar" not in html(two) and two.session_state.text != one.session_state.text
