"""The Tokens page without a browser: steps, merges, ids and the other splitting, against the tokenizer."""

from html import unescape

import pytest
from app_driver import SENTENCE, html, linked, opened, said, turned, typed, well
from stores import huggingface, tokenizer

import gpt1viz
from gpt1viz.other_splitter import compare
from gpt1viz.text import strings, t

TEXT = 'The rabbit isn\'t "unbelievable", café…'


@pytest.fixture(scope="module")
def bundled():
    return gpt1viz.load("storybook").tokenizer


def shown(app) -> str:
    return unescape(html(app))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_steps_words_and_merges(lang, bundled):
    steps = bundled.show_steps(TEXT)
    nth = next(i for i, word in enumerate(steps.words) if word.lower == "unbelievable")
    pos = sum(len(word.ids) for word in steps.words[:nth])
    app = opened("tokens", lang=lang, text=TEXT, pos=str(pos))
    assert well(app) and not app.warning
    word, n = steps.words[nth], len(steps.words[nth].merges)
    assert t("tokens.merges", lang, word="unbelievable") in [heading.value for heading in app.header]
    assert app.slider(key="merge").value == n > 3
    for entry, id in zip(word.entries, word.ids, strict=True):
        assert f">{id}</dt><dd>{entry}<" in shown(app)
    for name in ("ftfy", "newlines"):
        assert t(f"tokens.step_{name}", lang) in html(app)
    app.slider(key="merge").set_value(2).run()
    merge, total = word.merges[1], f"{len(bundled.merges):,}"
    parts = {"left": merge.left, "right": merge.right, "rank": f"{merge.rank + 1:,}", "total": total}
    assert t("tokens.merge", lang, i=2, n=n, **parts) in said(app).replace("\\", "")
    assert linked(app)["merge"] == "2" and linked(app)["vocabulary"] is None
    app = opened("tokens", lang=lang, text=TEXT, pos=str(pos), merge="2")
    assert well(app) and not app.warning and app.slider(key="merge").value == 2
    app.number_input(key="pos").set_value(0).run()
    assert well(app) and app.session_state.merge == len(steps.words[0].merges)
    app.slider(key="merge").set_value(0).run()
    assert t("tokens.no_merge_yet", lang, n=len(steps.words[0].merges)) in said(app)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_other_splitting(lang, bundled):
    app = opened("tokens", lang=lang, text=TEXT)
    both = compare(bundled, TEXT)
    ours, theirs = ([piece for stretch in both for piece in stretch[side]] for side in (0, 1))
    counts = {"ours": len(ours), "theirs": len(theirs), "n": sum(not stretch.same for stretch in both)}
    counts |= {"unknown": sum(p.unknown for p in ours), "unknown_theirs": sum(p.unknown for p in theirs)}
    assert well(app) and t("tokens.counts", lang, **counts) in said(app)
    assert html(app).count("stretch differs") == counts["n"] > 1
    typed(app, "the fox and the hen")
    same = t("tokens.counts_same", lang, ours=5, theirs=5, unknown=0, unknown_theirs=0)
    assert well(app) and same in said(app) and "stretch differs'" not in html(app)


def test_a_long_text_is_shown_in_part():
    app = opened("tokens", text="the old fox isn't here\n" * 40, pos="120")
    words = len(gpt1viz.load("storybook").tokenizer.show_steps("the old fox isn't here\n" * 40).words)
    assert well(app) and f"of {words}, around" in said(app)
    app = opened("tokens", text="abcdefghijklmnopqrstuvwxyz" * 380)
    assert well(app) and len(html(app)) < 200_000


def test_markup_stays_text():
    app = opened("tokens", text="<script>alert(1)</script> <b>x</b>")
    assert well(app) and "<script>" not in html(app) and "<b>" not in html(app)


def test_the_vocabulary_of_2018_when_it_is_here(tmp_path, monkeypatch):
    app = opened("tokens", text=SENTENCE)
    assert app.selectbox(key="vocabulary").options == ["Storybook"] and t("tokens.get_2018", "en") in said(app)
    folder = huggingface(tmp_path / "openai-gpt")
    monkeypatch.setenv("GPT1VIZ_MODELS", str(folder))
    app = opened("tokens", text="the cat sat", vocabulary="openai-gpt", pos="1")
    assert well(app) and not app.warning and t("tokens.get_2018", "en") not in said(app)
    [_, cat, _] = tokenizer().show_steps("the cat sat").words
    for entry, id in zip(cat.entries, cat.ids, strict=True):
        assert f">{id}</dt><dd>{entry}<" in shown(app)
    assert linked(app)["vocabulary"] == "openai-gpt"
    turned(app, "attention")
    assert well(app) and linked(app)["vocabulary"] is None
    app = opened("tokens", text=SENTENCE, vocabulary="gone")
    assert well(app) and len(app.warning) == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_cleaning_step_has_a_name(lang):
    steps = gpt1viz.load("storybook").tokenizer.show_steps("a").texts
    assert {f"step_{name}" for name, _ in steps[1:]} <= strings("tokens", lang).keys()
