"""The page Block without a browser: walk, units, lengths and both norms, against the trace."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from app_driver import SENTENCE, linked, opened, said, tables, turned, typed, well
from switched import array, every_shape, figure, folders, offered_models
from tiny_run import CONFIG, train

import gpt1viz
from gpt1viz.analysis.contributions import at_start, contributions, stream_lengths, walk
from gpt1viz.analysis.units import active_units, drivers, driving_entries, pushed_tokens
from gpt1viz.text import prose, strings, t
from gpt1viz.text.tokens import label

__all__ = ["folders", "offered_models"]

POST = ("resid_in", "attn_out", "resid_mid", "ln_1", "mlp_out", "resid_out", "ln_2")


@pytest.fixture(scope="module")
def ids(bundled):
    return np.array(bundled.tokenizer.encode(SENTENCE))


def drawing(app, key: str) -> str:
    found = next(e.proto for e in app.get("bidi_component") if e.proto.id.endswith(f"-block_{key}"))
    return json.loads(found.json)


def table(app, header: str, lang: str = "en") -> list[list[str]]:
    return next(rows for rows in tables(app) if t(f"block.{header}", lang) in rows[0])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_walk_is_the_trace(lang, bundled, ids):
    app = opened("block", lang=lang, text=SENTENCE, layer="2", pos="5")
    walked = walk(bundled.model, ids, 2)
    assert well(app) and not app.warning and linked(app)["layer"] == "2"
    vectors = np.stack([getattr(walked, name)[5] for name in POST])
    np.testing.assert_allclose(array(figure(app, "block_walk")["data"][0]["z"]), vectors, atol=1e-5)
    drawn = drawing(app, "post_8")
    for name, vector in zip(POST, vectors, strict=True):
        length = f"{np.linalg.norm(vector):.2f}"
        assert f">{length}<" in drawn, name
        row = f"{t(f'block.row_{name}', lang)}  {length}"
        assert any(row in tick for tick in figure(app, "block_walk")["layout"]["yaxis"]["ticktext"])


def test_the_most_active_units(bundled, ids):
    app = opened("block", part="mlp", text=SENTENCE, layer="4", pos="1")
    walked = walk(bundled.model, ids, 4)
    top = active_units(bundled.model, walked, 4, 1)
    rows = table(app, "adds")[1:]
    assert [int(row[0]) for row in rows] == top.units.tolist()
    assert [row[3] for row in rows] == [f"{length:.2f}" for length in top.lengths]
    drawn = figure(app, "block_activation")["data"]
    np.testing.assert_allclose(array(drawn[1]["x"]), walked.mlp_pre[1, top.units], atol=1e-5)
    np.testing.assert_allclose(array(drawn[1]["y"]), walked.mlp_hidden[1, top.units], atol=1e-5)
    heat = array(figure(app, "block_units")["data"][0]["z"])
    np.testing.assert_allclose(heat, walked.mlp_hidden[:, top.units].T, atol=1e-5)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_unit_its_drivers_its_entries_and_what_it_pushes(lang, bundled, ids):
    app = opened("block", part="mlp", lang=lang, text=SENTENCE, layer="1", pos="7", unit="33")
    model, tokenizer, *_ = bundled
    found = drivers(model, walk(model, ids, 1), 1, 33, 7)
    assert well(app) and linked(app)["unit"] == "33"
    values = array(figure(app, "block_drivers")["data"][0]["x"])
    assert values[0] == pytest.approx(found.own, abs=1e-5) and values[-1] == pytest.approx(found.bias, abs=1e-5)
    sources = found.sources.sum(0)
    np.testing.assert_allclose(values[1:-1], sources[np.argsort(-np.abs(sources))], atol=1e-5)
    assert values.sum() == pytest.approx(found.total, abs=1e-4)
    entries = driving_entries(model, 1, 8)
    rows = table(app, "entries", lang)[1:]
    assert [row[0] for row in rows] == [label(piece) for piece in tokenizer.pieces(entries.ids[33])]
    pushed = pushed_tokens(model, 1, 33)
    for side, wanted in (("raises", pushed.raised), ("lowers", pushed.lowered)):
        assert [row[0] for row in table(app, side, lang)[1:]] == [label(piece) for piece in tokenizer.pieces(wanted)]


def test_the_units_that_the_prose_names(bundled):
    model, tokenizer, *_ = bundled
    found = driving_entries(model, 5, 4)
    named = {594: ({'"'}, {"insisted", "begged", "agreed"})}
    named[216] = ({"who", "they", "he", "she"}, {"used", "carried", "looked", "heard"})
    for unit, (driving, raised) in named.items():
        assert driving <= {label(piece) for piece in tokenizer.pieces(found.ids[unit])}
        assert raised <= {label(piece) for piece in tokenizer.pieces(pushed_tokens(model, 5, unit).raised)}
        for lang in ("en", "zh"):
            assert all(word in prose("block_mlp", lang) for word in (str(unit), *raised, *driving - {'"'}))


def test_the_unit_follows_the_most_active_one_until_it_is_picked(bundled, ids):
    app = opened("block", part="mlp", text=SENTENCE, layer="3", pos="1")
    walked = walk(bundled.model, ids, 3)
    first, fourth = active_units(bundled.model, walked, 3, 1).units[[0, 3]].tolist()
    assert app.session_state.unit == first and linked(app)["unit"] is None
    app.number_input(key="pos").set_value(6).run()
    assert app.session_state.unit == active_units(bundled.model, walked, 3, 6).units[0]
    app.number_input(key="pos").set_value(1).run()
    app.button(key=f"unit_{fourth}").click().run()
    assert app.session_state.unit == fourth and linked(app)["unit"] == str(fourth)
    app.number_input(key="pos").set_value(6).run()
    assert well(app) and app.session_state.unit == fourth
    app.number_input(key="layer").set_value(0).run()
    assert well(app) and linked(app)["unit"] is None
    turned(app, "attention")
    assert well(app) and app.session_state.layer == 0 and linked(app)["unit"] is None


def test_lengths_by_layer(bundled, ids):
    app = opened("block", text=SENTENCE, pos="3")
    found = contributions(bundled.model, ids)
    drawn = figure(app, "block_lengths")["data"]
    for line, name in zip(drawn, ("before_attention", "attention", "before_mlp", "mlp"), strict=True):
        np.testing.assert_allclose(array(line["y"]), getattr(found, name)[:, 3], rtol=1e-4)
    shares = {"attention": found.attention / found.before_attention, "mlp": found.mlp / found.before_mlp}
    for name, share in shares.items():
        np.testing.assert_allclose(array(figure(app, f"block_share_{name}")["data"][0]["z"]), share, rtol=1e-4)


def test_both_norms_at_the_start(bundled):
    app = opened("block", part="norms", text=SENTENCE)
    assert ">MLP<" in drawing(app, "post_0") and ">MLP<" in drawing(app, "pre_0")
    example = np.array(bundled.tokenizer.encode(strings("examples", "en")["rabbit"]))
    trained, post, pre = figure(app, "block_stream")["data"]
    np.testing.assert_allclose(array(trained["y"]), stream_lengths(bundled.model, example), rtol=1e-4)
    start = at_start(bundled.model.config, example, "pre")
    np.testing.assert_allclose(array(pre["y"]), start.stream, rtol=1e-4)
    np.testing.assert_allclose(array(post["y"])[1:], 192**0.5, rtol=1e-3)
    np.testing.assert_allclose(array(figure(app, "block_gradients")["data"][1]["y"]), start.gradients, rtol=1e-3)
    after = at_start(bundled.model.config, example, "post").gradients
    assert (np.diff(start.gradients) < 0).all() and np.ptp(after[1:]) < 0.1 * after[1] < 0.1 * after[0]  # "Look for"
    words = said(app)
    assert t("block.train_pre", "en", switches=t("train.switches", "en")) in words


def test_a_trained_model_of_the_other_norm_stands_beside(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_RUNS", str(tmp_path / "runs"))
    train(tmp_path / "runs" / "before", config=replace(CONFIG, norm="pre"), steps=4)
    train(tmp_path / "runs" / "after", steps=4)
    app = opened("block", part="norms", text=SENTENCE, beside="runs/before")
    assert well(app) and not app.warning and app.selectbox(key="beside").options[1:] == ["runs/before"]
    beside = array(figure(app, "block_stream")["data"][1]["y"])
    loaded = gpt1viz.load(tmp_path / "runs" / "before")
    example = loaded.tokenizer.encode(strings("examples", "en")["rabbit"])[: CONFIG.n_ctx]
    np.testing.assert_allclose(beside[:3], stream_lengths(loaded.model, np.array(example)), rtol=1e-4)
    assert np.isnan(beside[3:].astype(float)).all() and linked(app)["beside"] == "runs/before"
    app = opened("block", text="the hat", model="runs/before")
    assert well(app) and t("block.walk_pre", "en", token="“hat” (1)", layer=1, channels=12) in said(app)
    app = opened("block", part="norms", text="the hat", model="runs/before", beside="runs/after")
    assert well(app) and not app.warning and app.selectbox(key="beside").options[1:] == ["storybook", "runs/after"]
    app = opened("block", part="norms", text=SENTENCE, beside="runs/gone")
    assert well(app) and len(app.warning) == 1 and linked(app)["beside"] is None


@every_shape
def test_other_models(name, offered):
    lang = "zh" if name in ("bare", "tuned") else "en"
    link = {"model": name, "lang": lang, "text": SENTENCE + " fox fox fox fox fox fox", "unit": "31"}
    app = opened("block", **link)
    model, tokenizer, *_ = gpt1viz.load(offered / name)
    config = model.config
    assert well(app) and not app.warning and app.session_state.usable_model == name
    assert drawing(app, f"{config.norm}_8")
    assert well(opened("block", part="norms", **link))
    app = opened("block", part="mlp", **link)
    assert well(app) and t(f"block.pushes_{config.norm}", lang) in said(app)
    read = np.array(tokenizer.encode(SENTENCE + " fox fox fox fox fox fox")[: config.n_ctx])
    layer, focus = config.n_layer // 2, app.session_state.pos
    found = drivers(model, walk(model, read, layer), layer, 31, focus)
    assert array(figure(app, "block_drivers")["data"][0]["x"]).sum() == pytest.approx(found.total, abs=1e-4)
    curve = figure(app, "block_activation")["data"][0]
    wanted = {"gelu": torch.nn.GELU("tanh"), "relu": torch.relu, "silu": torch.nn.functional.silu}[config.afn]
    np.testing.assert_allclose(array(curve["y"]), wanted(torch.from_numpy(array(curve["x"]).copy())), atol=1e-5)


def test_one_token_and_many():
    app, window = opened("block", text="fox"), t("embeddings.window", "en", first=52, last=179, n=180)
    assert well(app) and array(figure(app, "block_share_mlp")["data"][0]["z"]).shape == (6, 1)
    typed(app, "the fox ran " * 60)
    assert well(app) and array(figure(app, "block_share_mlp")["data"][0]["z"]).shape == (6, 128) and window in said(app)
    columns_fit(app)
    app = typed(opened("block", part="mlp", text=SENTENCE), "fox")
    assert well(app) and array(figure(app, "block_units")["data"][0]["z"]).shape == (8, 1)
    typed(app, "the fox ran " * 60)
    assert well(app) and array(figure(app, "block_units")["data"][0]["z"]).shape == (8, 128) and window in said(app)
    columns_fit(app)


def columns_fit(app):
    for name, drawn in app.session_state.drawings.items():
        if drawn.data is not None:
            assert len({len(column) for column in drawn.data().values()}) == 1, name


@pytest.mark.parametrize(
    "query", [{"layer": "6"}, {"part": "x"}, {"part": "mlp", "unit": "768"}, {"part": "mlp", "unit": "x"}], ids=str
)
def test_what_is_not_there_falls_back_aloud(query):
    app = opened("block", text=SENTENCE, **query)
    assert well(app) and len(app.warning) == 1
