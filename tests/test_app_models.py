"""The app with other models than the bundled one: small, switched, 117M's depth, damaged, gone."""

import shutil

import numpy as np
import pytest
from app_driver import PAGES, SENTENCE, html, opened, press, said, sent, turned, typed, well
from switched import checkpoints, offering

import gpt1viz
from gpt1viz.explain import explain
from gpt1viz.text import t

MODELS = {
    "small": {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_ctx": 16},
    "switched": {"n_layer": 2, "n_head": 3, "n_embd": 12, "n_ctx": 20, "norm": "pre", "positions": "none"}
    | {"scale_attn": False, "causal": False},
    "twelve": {"n_layer": 12, "n_head": 12, "n_embd": 96, "n_ctx": 160},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = checkpoints(tmp_path_factory.mktemp("models"), MODELS)
    shutil.copytree(parent / "small", parent / "damaged_one")
    weights = parent / "damaged_one" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (parent / "empty").mkdir()
    return parent


@pytest.fixture(autouse=True)
def offered(folders, monkeypatch):
    offering(monkeypatch, folders)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", MODELS)
def test_other_models_are_shown(name, lang, page, folders):
    app = opened(page, model=name, text=SENTENCE, lang=lang)
    model, tokenizer, *_ = gpt1viz.load(folders / name)
    there = explain(model, tokenizer, SENTENCE)
    config = model.config
    assert well(app) and not app.warning and app.session_state.usable_model == name
    assert (t("app.cut", lang, n=config.n_ctx, m=there.n_typed) in said(app)) == (there.n_typed > config.n_ctx)
    assert len(sent(app, "strip")[0]["tokens"]) == len(there.tokens)
    if page == "attention":
        header, arrays = sent(app, "grid")
        assert (header["L"], header["H"], header["causal"]) == (config.n_layer, config.n_head, config.causal)
        rows, cols = slice(*header["rows"]), slice(*header["cols"])
        np.testing.assert_allclose(arrays["weights"], there.weights[*header["focus"], rows, cols], atol=1e-6)
        assert (t("app.cell_no_scale", lang) in html(app)) == (not config.scale_attn)
        assert (t("app.adds_lens", lang) in said(app)) == (config.norm == "post")
        assert bool(app.toggle) == config.causal
    for text in ("f", ""):
        typed(app, text)
        assert well(app)
    turned(app, next(other for other in PAGES if other != page))
    assert well(app)


def test_a_model_without_a_mask_is_not_said_to_see_only_itself():
    app = opened(model="switched", text=SENTENCE, pos="0")
    assert well(app) and t("app.first_token", "en") not in said(app)
    app = opened(model="small", text=SENTENCE, pos="0")
    assert well(app) and t("app.first_token", "en") in said(app)


def test_a_small_model_writes():
    app = press(opened("next_token", model="small", text="the fox"), "write_many")
    assert well(app) and len(app.session_state.steps) == 20 and app.session_state.steps[-1].window_start > 0
    press(app, "write_one")
    assert well(app) and len(app.session_state.steps) == 21


def test_a_change_of_model_keeps_the_text_and_puts_indices_in_range():
    app = opened(model="twelve", text=SENTENCE, layer="11", head="10", pos="15")
    assert well(app) and sent(app, "grid")[0]["focus"] == [11, 10]
    app.selectbox(key="model").set_value("small").run()
    assert well(app) and app.session_state.text == SENTENCE
    header, _ = sent(app, "grid")
    assert header["focus"] == [0, 0] and sent(app, "strip")[0]["focus"] == len(header["labels"]) - 1


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", ["damaged_one", "empty"])
def test_a_model_that_cannot_be_loaded_leaves_the_last_good_one(name, lang, folders):
    app = opened(model="small", lang=lang, text=SENTENCE)
    app.selectbox(key="model").set_value(name).run()
    [error] = app.error
    path = str(folders / name).replace("_", r"\_")
    assert (
        not app.exception
        and path in error.value
        and error.value.endswith(t("app.cannot_load", lang, fault="", model="small"))
    )
    assert app.session_state.usable_model == "small" and sent(app, "grid")[0]["L"] == 1
    app.selectbox(key="model").set_value("storybook").run()
    assert well(app) and sent(app, "grid")[0]["L"] == 6
    app = opened(model=name, lang=lang)
    assert len(app.error) == 1 and sent(app, "grid")[0]["L"] == 6


def test_a_model_that_goes_away(folders, tmp_path, monkeypatch):
    shutil.copytree(folders / "small", tmp_path / "passing")
    monkeypatch.setenv("GPT1VIZ_MODELS", str(tmp_path / "passing"))
    app = opened(model="passing", text=SENTENCE)
    assert well(app) and sent(app, "grid")[0]["L"] == 1
    shutil.rmtree(tmp_path / "passing")
    app.run()
    assert well(app) and sent(app, "grid")[0]["L"] == 6
    assert [w.value for w in app.warning] == [t("app.model_missing", "en", model="passing", other="storybook")]


def test_a_checkpoint_that_changes_is_loaded_anew(folders, tmp_path, monkeypatch):
    shutil.copytree(folders / "small", tmp_path / "run")
    monkeypatch.setenv("GPT1VIZ_MODELS", str(tmp_path / "run"))
    app = opened(model="run", text=SENTENCE)
    before = sent(app, "grid")[1]["weights"]
    model, tokenizer, *_ = gpt1viz.load(tmp_path / "run")
    other = gpt1viz.GPT1(model.config)
    gpt1viz.save(other, tmp_path / "run", tokenizer)
    app.run()
    assert well(app) and not np.array_equal(sent(app, "grid")[1]["weights"], before)
