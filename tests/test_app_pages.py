"""What the app's pages show and do, against the package's own numbers."""

import numpy as np
import pytest
import torch
from app_driver import SENTENCE, distribution_table, html, opened, press, said, sent, tables, typed, well

import gpt1viz
from gpt1viz.explain import explain
from gpt1viz.figures.numbers import percent, score
from gpt1viz.sampling import Sampling, distribution
from gpt1viz.text import t


@pytest.fixture
def passes(monkeypatch):
    """A list that grows by one with every forward pass."""
    seen, forward = [], gpt1viz.GPT1.forward

    def counted(self, ids, **options):
        seen.append(ids.shape)
        return forward(self, ids, **options)

    monkeypatch.setattr(gpt1viz.GPT1, "forward", counted)
    return seen


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_mask_lifted(lang, bundled):
    app = opened(lang=lang, text=SENTENCE, pos="2")
    assert sent(app, "grid")[0]["causal"] and t("app.mask_off", lang) not in said(app)
    app.toggle(key="lifted").set_value(True).run()
    header, arrays = sent(app, "grid")
    lifted = explain(bundled.model, bundled.tokenizer, SENTENCE, edits=gpt1viz.Edits(causal=False))
    layer, head = header["focus"]
    assert well(app) and not header["causal"] and t("app.mask_off", lang) in said(app)
    np.testing.assert_allclose(arrays["weights"], lifted.weights[layer, head], atol=1e-6)
    ahead = percent(float(lifted.weights[layer, head, 2, 3:].sum()))
    assert f" {ahead} " in said(app) or f" {ahead}" in said(app)
    app.number_input(key="pos").set_value(7).run()
    assert t("app.leak_last", lang) in said(app)
    app.toggle(key="lifted").set_value(False).run()
    assert sent(app, "grid")[0]["causal"] and t("app.mask_off", lang) not in said(app)


def test_what_is_drawn_is_what_explain_gives(bundled):
    app = opened(text=SENTENCE, layer="2", head="1", pos="6")
    there = explain(bundled.model, bundled.tokenizer, SENTENCE)
    header, arrays = sent(app, "grid")
    np.testing.assert_array_equal(arrays["weights"], there.weights[2, 1])
    assert app.session_state.key == there.weights[2, 1, 6].argmax() and header["cell"] == [6, app.session_state.key]
    _, strip = sent(app, "strip")
    np.testing.assert_array_equal(strip["values"], there.probability)
    for kind in ("surprisal", "entropy", "rank"):
        app.selectbox(key="by_probability").set_value(kind).run()
        _, strip = sent(app, "strip")
        np.testing.assert_array_equal(strip["values"][1:], getattr(there, kind)[1:].astype(np.float32))
        assert np.isnan(strip["values"][0])
    app.selectbox(key="by_probability").set_value("attention").run()
    np.testing.assert_array_equal(sent(app, "strip")[1]["values"], there.weights[2, 1, 6])


def test_the_head_switched_off_is_measured(bundled):
    app = opened(text=SENTENCE, layer="2", head="1", pos="6")
    there = explain(bundled.model, bundled.tokenizer, SENTENCE)
    wanted = explain(bundled.model, bundled.tokenizer, SENTENCE, edits=gpt1viz.Edits(heads={(2, 1): 0.0}), top_k=4096)
    after = dict(zip(wanted.next_ids[6], wanted.next_probability[6], strict=True))
    _, *rows = next(
        table for table in tables(app) if table[0][1:] == [t("app.off_with", "en"), t("app.off_without", "en")]
    )
    for (_, before, without), id, p in zip(rows, there.next_ids[6], there.next_probability[6], strict=False):
        assert before == percent(float(p)) and without == percent(float(after[id]))


SETTINGS = [
    {"temperature": 0.5},
    {"top_k": 3},
    {"top_p": 0.35},
    {"greedy": True},
    {"temperature": 2.0, "top_k": 50, "top_p": 0.9},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_settings_change_the_table_and_run_nothing(settings, bundled, passes):
    app = opened("next_token", text=SENTENCE)
    before, n = distribution_table(app), len(passes)
    for name, value in settings.items():
        (app.toggle if name == "greedy" else app.slider)(key=name).set_value(value).run()
    assert well(app) and len(passes) == n
    rows = distribution_table(app)
    assert rows != before
    sampling = Sampling(**({"top_k": None, "top_p": None} | settings))
    logits = torch.from_numpy(explain(bundled.model, bundled.tokenizer, SENTENCE).logits)
    options = distribution(logits, sampling)
    for i, (_, logit, tempered, unfiltered, kept, softmax, _) in enumerate(rows[:8]):
        assert logit == score(float(options.logits[i])) and tempered == score(float(options.tempered[i]))
        assert unfiltered == percent(float(options.unfiltered[i]))
        assert softmax == percent(float(options.probabilities[i]))
        assert (kept == t("app.kept", "en")) == bool(options.keep_p[i])
    assert rows[8][3] == percent(float(options.unfiltered[8:].sum()))


def test_the_seed_gives_the_draw_and_runs_nothing(passes):
    app = opened("next_token", text=SENTENCE)
    n, draws = len(passes), []
    for seed in (0, 1, 1773):
        app.number_input(key="seed").set_value(seed).run()
        exact = torch.rand((), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        draws.append(app.slider(key="u").value)
        assert 0 <= exact - draws[-1] < 0.001
    press(app, "roll")
    assert app.session_state.seed == 1774 and len({*draws, app.slider(key="u").value}) == 4
    assert well(app) and len(passes) == n


def test_a_draw_close_to_one_stays_on_the_slider():
    seeds = (
        s for s in range(100_000) if torch.rand((), generator=torch.Generator().manual_seed(s), dtype=float) > 0.9995
    )
    app = opened("next_token", text=SENTENCE, seed=str(next(seeds)))
    assert well(app) and app.slider(key="u").value == 0.999


def test_writing_one_by_one(bundled):
    app = opened("next_token", text=SENTENCE)
    app.slider(key="u").set_value(0.25).run()
    logits = torch.from_numpy(explain(bundled.model, bundled.tokenizer, SENTENCE).logits)
    options = distribution(logits, Sampling())
    press(app, "write_one")
    [step] = app.session_state.steps
    assert step.id == options.ids[options.pick(0.25)] and step.u == 0.25
    assert step.text in html(app)
    app.toggle(key="greedy").set_value(True).run()
    press(app, "write_one")
    first, second = app.session_state.steps
    assert second.u is None and second.id == second.logits.argmax() and second.ids == (*first.ids, second.id)
    press(app, "undo")
    assert app.session_state.steps == [first]
    press(app, "undo")
    assert app.session_state.steps == [] and t("app.written_empty", "en") in said(app)


def test_writing_many(bundled):
    app = press(opened("next_token", text=SENTENCE, seed="5"), "write_many")
    wanted = [*gpt1viz.generate(bundled.model, bundled.tokenizer, SENTENCE, 20, seed=5)]
    steps = app.session_state.steps
    assert well(app) and [step.id for step in steps] == [step.id for step in wanted]
    header, arrays = sent(app, "written")
    assert [token["id"] for token in header["tokens"]] == [step.id for step in wanted]
    for step, p in zip(wanted, arrays["values"], strict=True):
        options = step.distribution()
        assert p == pytest.approx(float(options.probabilities[options.ids == step.id]), rel=1e-5)

    app.session_state.step = 3
    app.run()
    assert t("app.alternatives_caption", "en", n=3, u=f"{steps[3].u:.3f}") in said(app)
    *_, alternatives = [table for table in tables(app) if table[0][-1] == t("app.col_slice", "en")]
    options = steps[3].distribution()
    assert [row[5] for row in alternatives[1:9]] == [percent(float(p)) for p in options.probabilities[:8]]

    press(app, "write_many")
    assert len(app.session_state.steps) == 40
    press(app, "clear")
    assert well(app) and app.session_state.steps == []


def test_writing_goes_on_from_the_text_and_starts_over_with_another():
    app = press(opened("next_token", text=SENTENCE), "write_one")
    typed(app, "the old king")
    assert app.session_state.steps == []
    press(app, "write_one")
    assert len(app.session_state.steps[0].ids) == 4


def test_writing_ends_somewhere_and_slides_its_window(bundled):
    n_ctx = bundled.model.config.n_ctx
    app = press(opened("next_token", text="the fox ran " * 83), "write_many")
    window = app.session_state.steps[-1].window_start
    assert window > 0 and t("app.window_slid", "en", n_ctx=n_ctx, start=window) in said(app)
    for _ in range(9):
        press(app, "write_many")
    assert well(app) and len(app.session_state.steps) == 200
    assert [b.disabled for b in app.button if b.label == t("app.write_many", "en")] == [True]
    assert t("app.written_full", "en", n=200) in said(app)


def test_the_page_runs_the_model_only_for_what_is_new(passes):
    app = opened(text="the fox ran by the old mill")
    n = len(passes)
    assert n == 2  # the text, and the same without the chosen head
    app.number_input(key="key").set_value(1).run()
    app.selectbox(key="by_probability").set_value("rank").run()
    assert len(passes) == n
    app.number_input(key="head").set_value(0).run()
    assert len(passes) == n + 1
