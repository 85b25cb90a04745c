"""Inside without a browser: patching, attribution, A not B, against direct computations."""

from html import unescape

import numpy as np
import pytest
from app_driver import SENTENCE, html, linked, opened, said, tables, turned, typed, well
from switched import array, checkpoints, figure, offering
from test_app_models import MODELS

from gpt1viz.analysis.attribution import gradient_x_input, integrated_gradients
from gpt1viz.analysis.contrast import contrast
from gpt1viz.analysis.patching import patch, patched_probabilities
from gpt1viz.analysis.target import Target
from gpt1viz.explain import explain
from gpt1viz.figures import numbers
from gpt1viz.text import strings, t
from gpt1viz.views import shown_window

WOMAN, MAN = "The old woman looked at the door, and then", "The old man looked at the door, and then"
TABS = ("patch", "attribution", "contrast")


def ids_of(loaded, text):
    return np.array(loaded.tokenizer.encode(text))


def she_he(loaded, kind="difference"):
    vocab = loaded.tokenizer.vocab
    return Target(kind, vocab["she</w>"], vocab["he</w>"] if kind == "difference" else None)


def enter(app, key, word):
    """Types a word into a box that takes others than it offers."""
    app.selectbox(key=key).options.append(word)  # AppTest looks a value up there
    app.selectbox(key=key).set_value(word).run()


def shown(app) -> str:
    return (said(app) + unescape(html(app))).replace("\\", "")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_map_is_patching(lang, bundled):
    app = opened("inside", tab="patch", lang=lang, text=WOMAN, second=MAN, token_a="she</w>", token_b="he</w>")
    assert well(app) and not app.warning
    wanted = patch(bundled.model, ids_of(bundled, WOMAN), ids_of(bundled, MAN), she_he(bundled))
    drawn = figure(app, "patch")
    np.testing.assert_allclose(array(drawn["data"][0]["z"])[::-1], wanted.effects, atol=1e-5)
    assert "woman→man" in drawn["layout"]["xaxis"]["labelalias"].values()
    layer, position = np.unravel_index(np.abs(wanted.effects).argmax(), wanted.effects.shape)
    place, token = t("causes.into", lang, layer=layer), t("app.token_at", lang, token="woman", n=position)
    name = t("causes.name_difference", lang, a="she", b="he")
    share = f"{wanted.shares[layer, position]:.0%}"
    parts = {"name": name, "this": numbers.score(wanted.this), "other": numbers.score(wanted.other), "share": share}
    parts |= {"place": place, "token": token, "change": numbers.score(wanted.effects[layer, position])}
    assert t("causes.patch_says", lang, **parts) in shown(app)
    assert (app.session_state.patch_layer, app.session_state.patch_pos) == (layer, position)
    rows = patched_probabilities(bundled.model, ids_of(bundled, WOMAN), ids_of(bundled, MAN), layer, position)
    cells = [numbers.percent(float(row[she_he(bundled).token])) for row in rows]
    assert ["she", *cells] in [row for table in tables(app) for row in table]
    assert linked(app)["second"] is None and linked(app)["token_b"] == "he</w>"  # what is made is not in the link
    app.number_input(key="patch_pos").set_value(9).run()
    assert well(app) and linked(app)["patch_pos"] == "9"
    rows = patched_probabilities(bundled.model, ids_of(bundled, WOMAN), ids_of(bundled, MAN), layer, 9)
    assert numbers.percent(float(rows[1][she_he(bundled).token])) in shown(app)


def test_texts_that_do_not_fit(bundled):
    app = opened("inside", tab="patch", text=WOMAN, second="A man")
    assert well(app) and "10, the second one 2" in shown(app) and "a | man" in shown(app)
    assert not app.get("plotly_chart") and linked(app)["second"] == "A man"
    for text, words in ((WOMAN, "causes.same_text"), (" ", "app.no_tokens_in_text")):
        app.text_input(key="second").set_value(text).run()
        assert well(app) and t(words, "en") in shown(app)
    app.text_input(key="second").set_value("<b>bold</b> & <script>").run()
    assert well(app) and "<b>" not in html(app) and "<script>" not in html(app)
    next(b for b in app.button if b.label == t("causes.make", "en")).click().run()
    assert well(app) and app.text_input(key="second").value == MAN and app.get("plotly_chart")
    typed(app, "the king and the queen")
    second = app.text_input(key="second").value
    assert len(ids_of(bundled, second)) == 5 and second != "the king and the queen"  # it follows the text
    app.text_input(key="second").set_value("the hen and the queen").run()
    typed(app, "the fox and the queen")
    assert well(app) and app.text_input(key="second").value == "the hen and the queen"  # it stays


def test_every_pair_has_the_same_length_and_turns_around(bundled):
    app = opened("inside", tab="patch")
    for name, pair in strings("pairs", "en").items():
        one, other, a, b = pair.split("|")
        app.button(key=f"pair_{name}").click().run()
        assert well(app) and app.text_input(key="text").value == one and app.text_input(key="second").value == other
        assert [app.session_state[f"token_{x}"] for x in "ab"] == [f"{a}</w>", f"{b}</w>"]
        target = Target("difference", *(bundled.tokenizer.vocab[f"{x}</w>"] for x in (a, b)))
        found = patch(bundled.model, ids_of(bundled, one), ids_of(bundled, other), target)
        assert found.this > 0 > found.other
    assert strings("pairs", "en").keys() == strings("pairs", "zh").keys()


def test_tokens_can_be_typed_and_wrong_ones_are_said(bundled):
    app = opened("inside", tab="contrast", text=WOMAN)
    top = explain(bundled.model, bundled.tokenizer, WOMAN).next_ids[-1]
    first, second = (f"{piece.text}" for piece in bundled.tokenizer.pieces(top[:2].tolist()))
    assert t("causes.contrast_title", "en", a=first, b=second) in [heading.value for heading in app.header]
    enter(app, "box_token_b", "king")
    assert well(app) and app.session_state.token_b == "king</w>" and linked(app)["token_b"] == "king</w>"
    enter(app, "box_token_b", "two words")
    assert well(app) and t("causes.not_a_token", "en", word="two words") in shown(app)
    assert app.session_state.token_b == "king</w>"
    enter(app, "box_token_a", "king")
    assert well(app) and t("causes.same_tokens", "en") in shown(app)
    app = opened("inside", tab="contrast", text=WOMAN, token_a="nonsense")
    assert well(app) and len(app.warning) == 1 and "nonsense" in app.warning[0].value
    turned(app, "attention")
    assert well(app) and linked(app)["token_a"] is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_scores_are_those_of_the_method_and_their_sum_is_checked(lang, bundled):
    app = opened("inside", tab="attribution", lang=lang, text=WOMAN, pos="6", token_a="she</w>", token_b="he</w>")
    ids, target = ids_of(bundled, WOMAN)[:7], she_he(bundled)
    found = integrated_gradients(bundled.model, ids, target, tolerance=0.01)
    assert well(app) and not app.warning
    np.testing.assert_allclose(array(figure(app, "largest")["data"][0]["x"]), found.scores, atol=1e-4)
    assert [row[-1] for row in tables(app)[0]][-2:] == [numbers.score(x, 3) for x in (found.difference, found.total)]
    assert html(app).count("<span class='g1v-chip") == 7 and abs(found.error) <= 0.01 * abs(found.difference)
    missed = numbers.percent(abs(found.error / found.difference))
    assert t("causes.complete", lang, missed=missed, n=found.n_points) in shown(app)
    app.selectbox(key="method").set_value("gradient").run()
    app.selectbox(key="measure").set_value("log_probability").run()
    app.selectbox(key="baseline").set_value("token").run()
    entry = app.session_state.baseline_token
    found = gradient_x_input(bundled.model, ids, she_he(bundled, "log_probability"), bundled.tokenizer.vocab[entry])
    assert well(app) and t("causes.straight", lang) in shown(app)
    np.testing.assert_allclose(array(figure(app, "largest")["data"][0]["x"]), found.scores, atol=1e-5)
    link = linked(app)
    assert (link["method"], link["measure"], link["baseline"], link["baseline_token"]) == (
        "gradient",
        "log_probability",
        "token",
        entry,
    )
    again = opened("inside", lang=lang, text=WOMAN, pos="6", **{k: v for k, v in link.items() if v and k[:4] in LINKED})
    np.testing.assert_allclose(array(figure(again, "largest")["data"][0]["x"]), found.scores, atol=1e-5)


LINKED = ("tab", "toke", "meth", "meas", "base")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_parts_of_the_difference_are_those_of_the_heads(lang, bundled):
    app = opened("inside", tab="contrast", lang=lang, text=WOMAN, token_a="she</w>", token_b="he</w>")
    target = she_he(bundled)
    found = contrast(bundled.model, ids_of(bundled, WOMAN), target.token, target.other)
    assert well(app) and not app.warning
    z = array(figure(app, "contrast")["data"][0]["z"])
    np.testing.assert_allclose(z[:, :6], found.heads, atol=1e-5)
    np.testing.assert_allclose(z[:, 6], found.mlps, atol=1e-5)
    values = [row[-1] for row in tables(app)[0]]
    app.button(key="swap").click().run()
    assert well(app) and linked(app)["token_a"] == "he</w>"
    np.testing.assert_allclose(array(figure(app, "contrast")["data"][0]["z"])[:, :6], -found.heads, atol=1e-5)
    app.button(key="swap").click().run()
    assert values[-2:] == [numbers.score(found.difference, 3)] * 2
    printed = [float(x.replace("−", "-")) for x in values[:-2]]
    assert sum(printed) == pytest.approx(found.difference, abs=1e-3)
    assert t("causes.frozen_post", lang, n=12) in shown(app) and t("causes.direct", lang) in shown(app)
    assert numbers.score(float(found.sources.sum((0, 1))[2]), 4) in html(app)  # of "woman"
    layer, head, source = np.unravel_index(np.abs(found.sources).argmax(), found.sources.shape)
    largest = numbers.score(float(found.sources[layer, head, source]), 3)
    assert tables(app)[1][0] == [f"L{layer}·H{head} ← woman ({source})", largest]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Other models: one layer and head, no mask and pre-LN, 117M's depth."""
    return checkpoints(tmp_path_factory.mktemp("models"), MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_other_models_are_taken_apart(name, folders, monkeypatch):
    offering(monkeypatch, folders)
    app = opened("inside", tab="patch", model=name, text=SENTENCE, token_a="she</w>")
    assert well(app) and len(app.warning) == 1  # no such token here
    post = MODELS[name].get("norm") != "pre"
    for tab in TABS:
        app.session_state.tab = tab
        app.run()
        assert well(app) and app.get("plotly_chart"), tab
    n = 2 * MODELS[name]["n_layer"]
    assert (t("causes.frozen_post", "en", n=n) if post else t("causes.frozen_pre", "en")) in shown(app)
    for text in ("f", ""):
        typed(app, text)
        assert well(app)


def test_a_long_text_is_patched_around_the_focus():
    there = {"patch_layer": "2", "patch_pos": "90"}
    app = opened("inside", tab="patch", text="the old woman saw the fox and the hen " * 20, pos="80", **there)
    part = shown_window(180, 80, None)
    assert well(app) and array(figure(app, "patch")["data"][0]["z"]).shape == (7, 128)
    assert t("causes.window", "en", first=part.start, last=part.stop - 1, n=180) in shown(app)
    assert linked(app).items() >= there.items()
