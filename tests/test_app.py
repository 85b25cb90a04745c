"""The app without a browser: every page, both languages, whatever is typed, whatever the link asks for."""

import re
import sys
import tomllib

import pytest
from app_driver import APP, PAGES, SENTENCE, html, linked, opened, press, said, sent, turned, typed, well
from house import calls, label, sources

import gpt1viz
from gpt1viz.text import strings, t

both_pages = pytest.mark.parametrize("page", PAGES)
both_languages = pytest.mark.parametrize("lang", ["en", "zh"])


@both_pages
@both_languages
def test_pages_open(page, lang):
    app = opened(page, lang=lang)
    assert well(app) and not app.warning
    assert app.title[0].value == t(f"app.{page}", lang)
    assert app.text_input(key="text").value == strings("examples", "en")["rabbit"]
    assert sent(app, "strip")[0]["lang"] == lang


TEXTS = {
    "markup": "<script>alert(1)</script> <b>bold</b> **x** & &lt; $x^2$ [a](b) :red[c]",
    "emoji": "the fox 🦊 ran 👨‍👩‍👧 home",
    "ten thousand": "the old fox ran " * 625,
    "no blank": "a" * 10_000,
    "one token": "the",
    "marks": "\"'!?...---;:()[]{}",
}


@both_pages
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_whatever_is_typed_is_answered(page, text, bundled):
    app = typed(opened(page), text)
    tokens = bundled.tokenizer.tokenize(text)
    n_ctx = bundled.model.config.n_ctx
    assert well(app)
    strip, _ = sent(app, "strip")
    assert len(strip["tokens"]) == min(len(tokens), n_ctx)
    assert app.session_state.pos == strip["focus"] == len(strip["tokens"]) - 1
    cut = t("app.cut", "en", n=n_ctx, m=len(tokens))
    assert (cut in said(app)) == (len(tokens) > n_ctx)
    unknown = sum(piece.unknown for piece in tokens)
    assert (t("app.unknown", "en", n=unknown) in said(app)) == (unknown > 0)
    assert "<script>" not in html(app) and "<b>" not in html(app)


@both_pages
@both_languages
@pytest.mark.parametrize("text", ["", "   ", " \t　 "])
def test_nothing_typed_gets_a_sentence_and_keeps_the_drawing(page, lang, text):
    app = opened(page, lang=lang, text=text)
    assert well(app) and [info.value for info in app.info] == [t("app.empty", lang)]
    assert not [e for e in app.get("bidi_component") if e.proto.id.endswith("-strip")]
    typed(app, SENTENCE)
    assert well(app) and not app.info and sent(app, "strip")[0]["focus"] == 7
    typed(app, text)
    assert (
        well(app) and [info.value for info in app.info] == [t("app.empty", lang)] and t("app.still", lang) in said(app)
    )
    assert sent(app, "strip")[0]["focus"] == 7 and linked(app)["text"] == text


@both_pages
def test_chinese_gets_english_examples_with_a_gloss(page):
    app = typed(opened(page, lang="zh"), "从前有一只狐狸")
    assert well(app) and t("app.unknown", "zh", n=7) in said(app) and t("app.unknown_try", "zh") in said(app)
    gloss = strings("examples", "zh")["once"]
    offered = app.button(key="offered_once")
    assert gloss in offered.label
    offered.click().run()
    assert app.text_input(key="text").value == strings("examples", "en")["once"] and not app.warning


@both_pages
@pytest.mark.parametrize("more", [0, 1])
def test_the_cut_is_said_from_one_token_beyond_the_context(page, more, bundled):
    n_ctx = bundled.model.config.n_ctx
    app = typed(opened(page), "the " * (n_ctx + more))
    assert well(app) and len(sent(app, "strip")[0]["tokens"]) == n_ctx
    assert (t("app.cut", "en", n=n_ctx, m=n_ctx + 1) in said(app)) == bool(more)


def test_lines():
    app = opened(text="the fox\nran home")
    assert well(app) and app.text_area(key="text").value == "the fox\nran home"
    assert [token["label"] for token in sent(app, "strip")[0]["tokens"]][2] == "↵"
    press(app, "lines")
    assert app.text_input(key="text").value == "the fox ran home"
    press(app, "lines")
    app.text_area(key="text").set_value("a\nb\n\nc").run()
    assert well(app) and sum(token["newline"] for token in sent(app, "strip")[0]["tokens"]) >= 2


def test_new_text_moves_the_focus_to_the_last_token():
    app = opened(text=SENTENCE, pos="2", key="1")
    assert app.session_state.pos == 2 and app.session_state.key == 1
    typed(app, "one fox ran away")
    assert app.session_state.pos == 3 and not app.session_state.locked
    app.number_input(key="pos").set_value(1).run()
    assert sent(app, "strip")[0]["focus"] == 1


def test_a_link_reopens_the_view():
    app = opened(lang="zh", text=SENTENCE, layer="1", head="4", pos="5", key="3", lifted="true")
    assert well(app) and not [w for w in app.warning if w.value != t("app.mask_off", "zh")]
    grid, _ = sent(app, "grid")
    assert grid["focus"] == [1, 4] and grid["cell"] == [5, 3] and not grid["causal"] and grid["lang"] == "zh"
    app = opened("next_token", text=SENTENCE, temperature="0.5", top_k="3", top_p="0.9", greedy="true", seed="7")
    assert well(app) and not app.warning
    assert [app.slider(key=key).value for key in ("temperature", "top_k", "top_p")] == [0.5, 3, 0.9]
    assert app.toggle(key="greedy").value and app.number_input(key="seed").value == 7


WRONG = {
    "lang": ("attention", "fr", "en"),
    "pos": ("attention", "8", "7"),
    "layer": ("attention", "6", "3"),
    "head": ("attention", "-1", "5"),
    "key": ("attention", "x", None),
    "lifted": ("attention", "maybe", "False"),
    "temperature": ("next_token", "nan", "1.0"),
    "top_k": ("next_token", "1.5", "0"),
    "top_p": ("next_token", "0", "1.0"),
    "greedy": ("next_token", "2", "False"),
    "seed": ("next_token", "9" * 5000, "0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_link_asks_for_in_vain_falls_back_aloud(name):
    page, value, other = WRONG[name]
    app = opened(page, **{"text": SENTENCE, name: value})
    assert well(app) and len(app.warning) == 1
    words = app.warning[0].value
    assert f" {name.replace('_', chr(92) + '_')} " in words or f" {name} " in words
    assert other is None or words.endswith(f"{other}.")


@both_languages
def test_an_unknown_model_falls_back_aloud(lang):
    app = opened(lang=lang, model="**[gone](http://x.y)**")
    assert well(app) and app.session_state.usable_model == "storybook"
    wanted = t("app.model_missing", lang, model="\\*\\*\\[gone\\](http\\:\u2060//x.y)\\*\\*", other="storybook")
    assert [w.value for w in app.warning] == [wanted]


def test_the_link_says_what_is_shown():
    app = opened("next_token", text=SENTENCE, temperature="0.5")
    link = {"lang": "en", "model": "storybook", "text": SENTENCE, "pos": "7", "temperature": "0.5"}
    assert {k: v for k, v in linked(app).items() if v is not None} == link
    turned(app, "attention")
    app.toggle(key="lifted").set_value(True).run()
    link |= {"layer": "3", "head": "5", "lifted": "true"}
    assert {k: v for k, v in linked(app).items() if v is not None} == link
    app.number_input(key="key").set_value(2).run()
    assert linked(app)["key"] == "2"
    typed(app, "the fox ran " * 100)
    assert linked(app)["text"] is linked(app)["pos"] is linked(app)["key"] is None


def test_two_sessions_keep_apart():
    one, two = opened("next_token", text=SENTENCE, lang="zh"), opened("next_token", text="the old king")
    press(one, "write_one")
    two.slider(key="temperature").set_value(0.5).run()
    one.run()
    assert one.session_state.text == SENTENCE and two.session_state.text == "the old king"
    assert one.title[0].value == "下一个 token" and two.title[0].value == "Next token"
    assert one.slider(key="temperature").value == 1 and len(one.session_state.steps) == 1
    assert two.session_state.steps == []
    for app in (turned(one, "attention"), turned(two, "attention")):
        assert well(app)
    two.toggle(key="lifted").set_value(True).run()
    one.run()
    assert sent(one, "grid")[0]["causal"] and not sent(two, "grid")[0]["causal"]


def test_pages_share_text_focus_and_settings():
    app = opened("next_token", text="the fox")
    turned(app, "attention")
    assert app.session_state.text == "the fox"
    typed(app, SENTENCE)
    for name, value in (("pos", 2), ("layer", 0), ("head", 2), ("key", 1)):
        app.number_input(key=name).set_value(value).run()
    turned(app, "next_token")
    assert sent(app, "strip")[0]["focus"] == 2 and app.text_input(key="text").value == SENTENCE
    app.slider(key="top_k").set_value(4).run()
    app.slider(key="u").set_value(0.5).run()
    turned(app, "attention")
    grid, _ = sent(app, "grid")
    assert grid["focus"] == [0, 2] and grid["cell"] == [2, 1]
    turned(app, "next_token")
    assert app.slider(key="top_k").value == 4 and app.slider(key="u").value == 0.5


def test_a_drawing_that_fails_leaves_the_page(monkeypatch):
    app = opened(text=SENTENCE)

    def fails(*_, **__):
        raise RuntimeError("<b>no paper</b>")

    monkeypatch.setattr(sys.modules["components"], "attention_grid_payload", fails)
    app.run()
    assert [error.value for error in app.error] == [t("app.went_wrong", "en")] and not app.exception
    assert "RuntimeError: <b>no paper</b>" in app.expander[0].code[0].value
    assert t("app.cell_sum", "en") in html(app) and sent(app, "strip")[0]["focus"] == 7
    assert linked(app)["text"] == SENTENCE
    monkeypatch.undo()
    assert well(app.run()) and sent(app, "grid")[0]["focus"] == [3, 5]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_that_fails_says_so(lang, monkeypatch):
    def fails(*_, **__):
        raise gpt1viz.errors.GPT1VizError("too_long", n=7, n_ctx=5)

    app = opened("next_token", lang=lang, text=SENTENCE)
    monkeypatch.setattr(sys.modules["state"], "next_logits", fails)
    app.run()
    [error] = app.error
    assert error.value.replace("\\", "") == t("errors.too_long", lang, n=7, n_ctx=5) and not app.exception
    assert linked(app)["text"] == SENTENCE


def test_the_server_is_this_machines_own():
    config = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["address"] == "localhost" and config["browser"]["gatherUsageStats"] is False


@pytest.mark.parametrize("path", sources("app"), ids=label)
def test_caches_are_bounded(path):
    for call in [*calls(path, "cache_resource"), *calls(path, "cache_data")]:
        assert "max_entries" in {keyword.arg for keyword in call.keywords}, f"{label(path)}:{call.lineno}"
    assert not re.search(r"@st\.cache_\w+\s*$", path.read_text(encoding="utf-8"), re.MULTILINE)
