"""The page Inside without a browser: the lens, heads off, patterns, the list of edits, long work on request."""

import sys

import numpy as np
import pytest
from app_driver import SENTENCE, html, linked, opened, said, tables, turned, typed, well
from switched import array, checkpoints, figure
from test_app_models import MODELS

import gpt1viz
from gpt1viz.analysis.ablation import head_effects, heads_off, next_probabilities
from gpt1viz.analysis.lens import lens
from gpt1viz.analysis.patterns import PATTERNS, pattern_scores
from gpt1viz.explain import explain
from gpt1viz.figures.numbers import percent, weight
from gpt1viz.text import t

MINE = ("lens", "heads", "patterns")
both_languages = pytest.mark.parametrize("lang", ["en", "zh"])


@pytest.fixture(scope="module")
def ids(bundled):
    return np.array(bundled.tokenizer.encode(SENTENCE))


def pressed(app, key):
    return app.button(key=key).click().run()


@pytest.mark.parametrize("tab", MINE)
@both_languages
def test_tabs_open(tab, lang):
    app = opened("inside", lang=lang, tab=tab, text=SENTENCE)
    assert well(app) and not app.warning
    assert app.title[0].value == t("app.inside", lang)
    assert app.get("button_group")[0].value == tab
    assert t("inside.edits_none", lang) in said(app)
    assert linked(app)["tab"] == (None if tab == "lens" else tab)
    assert (t("app.adds_lens", lang) in said(app)) == (tab == "lens")  # the bundled model is post-LN


@pytest.mark.parametrize("query", [{}, {"edits": "L2H3.L4"}], ids=str)
def test_the_lens_is_that_of_the_analysis(query, bundled, ids):
    app = opened("inside", text=SENTENCE, pos="5", **query)
    off = [] if not query else [(2, 3), *((4, head) for head in range(6))]
    wanted = lens(bundled.model, ids, edits=heads_off(off))
    cells = figure(app, "lens")["data"][0]
    np.testing.assert_allclose(array(cells["z"]), wanted.probability[::-1, :, 0], rtol=1e-4)
    table = next(rows for rows in tables(app) if rows[0][0] == t("inside.place", "en"))
    assert len(table) == 14  # the header, the embedding, two a block
    for row, at in zip(table[1:], reversed(range(13)), strict=True):
        best = bundled.tokenizer.pieces(wanted.ids[at, 5, :3].tolist())
        assert row[1::2][:3] == [piece.text for piece in best]
        assert row[2::2][:3] == [percent(float(p)) for p in wanted.probability[at, 5, :3]]
        assert row[7] == percent(float(wanted.of_final[at, 5]))
    app.button_group(key="lens_by").set_value("entropy").run()
    cells = figure(app, "lens")["data"][0]
    np.testing.assert_allclose(array(cells["z"]), wanted.entropy[::-1], rtol=1e-4)
    assert linked(app)["lens_by"] == "entropy"


def test_what_heads_off_draws_is_measured(bundled, ids):
    app = opened("inside", tab="heads", text=SENTENCE, pos="6", edits="L5H3", layer="1", head="2")
    for off in ([(5, 3)], [(5, 3), (1, 2)], [(5, 3), (1, 2), *((1, head) for head in range(6))]):
        after, before = (
            next_probabilities(bundled.model, ids, 6, heads_off(off)),
            next_probabilities(bundled.model, ids, 6),
        )
        bars = figure(app, "effect")["data"]
        chosen = [int(i) for i in dict.fromkeys([*np.argsort(-before)[:6], *np.argsort(-after)[:6]])]
        np.testing.assert_allclose(array(bars[0]["x"]), after[chosen], atol=1e-6)
        np.testing.assert_allclose(array(bars[1]["x"]), before[chosen], atol=1e-6)
        shown = f"{percent(float(before[chosen[0]]))} → {percent(float(after[chosen[0]]))}"
        assert bars[0]["customdata"][0].endswith(shown)
        pressed(app, "switch_head" if len(off) == 1 else "switch_layer")
    assert well(app) and linked(app)["edits"] == "L5H3.L1H2"  # the layer was switched on again at the end


def test_the_ranking_is_that_of_the_analysis(bundled, ids):
    app = opened("inside", tab="heads", text=SENTENCE, pos="6")
    wanted = head_effects(bundled.model, ids, 6)
    for measure in ("change", "divergence"):
        app.button_group(key="rank_by").set_value(measure).run()
        effects, places = getattr(wanted, measure), wanted.ranked(measure)[:12]
        cells, ranking = figure(app, "effects")["data"][0], figure(app, "ranking")
        np.testing.assert_allclose(array(cells["z"]), effects, atol=1e-5)
        np.testing.assert_allclose(array(ranking["data"][0]["x"]), [effects[place] for place in places], atol=1e-5)
        names = ranking["layout"]["yaxis"]["labelalias"]
        assert [names[str(i)] for i in range(12)] == [f"L{layer}·H{head}" for layer, head in places]
    assert well(app) and linked(app)["rank_by"] == "divergence"


def test_edits_form_a_list():
    app = opened("inside", tab="heads", text=SENTENCE, layer="2", head="1")
    assert app.button(key="undo_tab").disabled and app.button(key="clear_tab").disabled
    pressed(app, "switch_head")
    app.number_input(key="head").set_value(4).run()
    pressed(app, "switch_head")
    pressed(app, "switch_layer")
    assert linked(app)["edits"] == "L2H1.L2H4.L2" and "L2·H1" in said(app)
    assert app.button(key="switch_head").label == t("inside.switch_on", "en", what="L2·H4")
    pressed(app, "undo_sidebar")
    assert linked(app)["edits"] == "L2H1.L2H4"
    pressed(app, "switch_head")
    assert linked(app)["edits"] == "L2H1"
    turned(turned(app, "attention"), "inside")
    assert well(app) and app.session_state.edits == ["L2H1"] and linked(app)["edits"] == "L2H1"
    pressed(app, "clear_tab")
    assert linked(app)["edits"] is None and t("inside.edits_none", "en") in said(app)


@both_languages
def test_edits_of_a_link_that_are_not_there_are_said(lang):
    app = opened("inside", lang=lang, tab="heads", text=SENTENCE, edits="L1H2.L9H0.<b>.L1H2")
    assert well(app) and [w.value for w in app.warning] == [t("inside.edits_missing", lang, names="L9H0, \\<b\\>")]
    assert app.session_state.edits == ["L1H2"]
    many = ".".join(f"L{layer}H{head}" for layer in range(6) for head in range(6)) + ".L0.L1.L2.L3.L4.L5" * 9
    app = opened("inside", lang=lang, tab="heads", text=SENTENCE, edits=many)
    assert well(app) and len(app.session_state.edits) == 42


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_those_of_the_analysis(pattern, bundled):
    app = opened("inside", tab="patterns", text=SENTENCE, pattern=pattern)
    there = explain(bundled.model, bundled.tokenizer, SENTENCE)
    scores = pattern_scores(there.weights, there.ids)[pattern]
    np.testing.assert_allclose(array(figure(app, "pattern_scores")["data"][0]["z"]), scores, atol=1e-6)
    layer, head = divmod(int(scores.argmax()), 6)
    seen = np.tri(len(there.ids), dtype=bool)  # what is masked is hatched
    cells = array(figure(app, "pattern_matrix")["data"][0]["z"])
    np.testing.assert_allclose(cells, np.where(seen, there.weights[layer, head], np.nan), atol=1e-6)
    assert f"L{layer}·H{head} ({weight(float(scores.max()))})" in html(app) or scores.max() < 0.25
    app = opened("inside", tab="patterns", text=SENTENCE, pattern=pattern, pick="L4H1")
    cells = array(figure(app, "pattern_matrix")["data"][0]["z"])
    np.testing.assert_allclose(cells, np.where(seen, there.weights[4, 1], np.nan), atol=1e-6)
    pressed(app, "switch_pattern")
    assert linked(app)["edits"] == "L4H1"
    assert not app.warning and linked(app)["pick"] == (None if (layer, head) == (4, 1) else "L4H1")


def test_a_text_without_repeats_can_be_repeated():
    app = opened("inside", tab="patterns", text="the old king", pattern="induction")
    assert [info.value for info in app.info] == [t("inside.none_induction", "en")]
    next(b for b in app.button if b.label == t("inside.repeat", "en")).click().run()
    assert well(app) and not app.info and app.session_state.text == "the old king the old king"


@pytest.mark.parametrize("tab", MINE)
def test_long_and_short_texts(tab):
    app = opened("inside", tab=tab, text="the old fox ran " * 60, pos="100")
    assert well(app)
    if tab == "lens":
        assert t("inside.window", "en", first=36, last=163, n=240) in said(app)
        assert array(figure(app, "lens")["data"][0]["z"]).shape == (13, 128)
    for text in ("the", "", "<b>x</b> $y$"):
        typed(app, text)
        assert well(app) and "<b>x" not in html(app)


def test_long_work_waits_for_its_button(monkeypatch, bundled, ids):
    app = opened("inside", tab="heads", text="the king")
    computing = sys.modules["computing"]
    monkeypatch.setattr(computing, "QUICK", 0)
    text = "a fox sang to the moon"
    typed(app, text)
    ask = t("inside.rank_ask", "en", n=36)
    assert well(app) and app.button(key="start_effects").label == ask
    assert "effects" not in [e.proto.id.rpartition("-")[2] for e in app.get("plotly_chart")]
    pressed(app, "start_effects")
    wanted = head_effects(bundled.model, np.array(bundled.tokenizer.encode(text)))
    np.testing.assert_allclose(array(figure(app, "effects")["data"][0]["z"]), wanted.change, atol=1e-5)
    typed(app, "a fox sang to the sun")
    assert well(app) and app.button(key="start_effects").label == ask
    stamp = sys.modules["models"].stamp("storybook")
    read = tuple(bundled.tokenizer.encode("a fox sang to the sun"))
    app.session_state.wishes = {"effects": (("storybook", stamp, read, len(read) - 1), False)}
    app.run()
    assert t("inside.stopped", "en") in said(app) and app.button(key="start_effects").label == ask
    pressed(app, "start_effects")
    assert well(app) and figure(app, "effects")["data"]
    app.button_group(key="tab").set_value("lens").run()
    assert well(app) and figure(app, "lens")["data"]  # starts by itself, and was not stopped


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return checkpoints(tmp_path_factory.mktemp("models"), MODELS)


@pytest.mark.parametrize("tab", MINE)
@pytest.mark.parametrize("name", MODELS)
def test_other_models(name, tab, others, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_MODELS", str(others / name))
    app = opened("inside", model=name, tab=tab, text="the fox and the", edits="L0H0", lang="zh")
    assert well(app) and not app.warning and app.session_state.usable_model == name
    model, tokenizer, *_ = gpt1viz.load(others / name)
    ids = np.array(tokenizer.encode("the fox and the"))[: model.config.n_ctx]
    if tab == "lens":
        wanted = lens(model, ids, edits=heads_off([(0, 0)]))
        cells = array(figure(app, "lens")["data"][0]["z"])
        np.testing.assert_allclose(cells, wanted.probability[::-1, :, 0], rtol=1e-3)
        assert (t("app.adds_lens", "zh") in said(app)) == (model.config.norm == "post")
    if tab == "heads":
        cells = array(figure(app, "effects")["data"][0]["z"])
        np.testing.assert_allclose(cells, head_effects(model, ids).change, atol=1e-4)
    app.selectbox(key="model").set_value("storybook").run()
    assert well(app) and app.session_state.edits == ["L0H0"]
