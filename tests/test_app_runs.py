"""The Runs page: table, curves, scrubbing, use, export, delete; and runs in the model box of every page."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
from app_driver import PAGES, html, linked, opened, said, sent, turned, well
from app_runs import empty_folder, finished_runs, jobs, live, models  # noqa: F401 (fixtures)

import gpt1viz
from gpt1viz.explain import explain
from gpt1viz.figures.curves import curves, thinned
from gpt1viz.text import t

TEXT = "the fox and the cat"


def chart(app, at=0) -> dict:
    return json.loads(app.get("plotly_chart")[at].proto.spec)


def button(app, key):
    return next((found for found in app.button if found.key == key), None)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_runs_is_said(lang, folder):
    app = opened("runs", lang=lang)
    assert well(app) and t("runs.none", lang) in said(app)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_runs_are_listed_compared_and_scrubbed(lang, two_runs):
    app = opened("runs", lang=lang, text=TEXT)
    assert well(app) and not app.warning
    shown = app.dataframe[0].value
    assert [*shown[t("runs.run", lang)]] == ["two", "one"] and [*shown[t("runs.step", lang)]] == [9, 12]
    lines = [trace for trace in chart(app)["data"] if trace["mode"] == "lines"]
    assert [line["name"] for line in lines] == ["two", "one"]
    differing = html(app)
    assert ">0.002<" in differing and ">0.01<" in differing and "the &lt;b&gt;fox" in differing

    app.selectbox(key="scrubbed").set_value("one").run()
    for step in (0, 8, 12):
        app.select_slider(key="at").set_value(step).run()
        assert well(app) and linked(app)["at"] == str(step) and linked(app)["run"] == "one"
        model, tokenizer, *_ = gpt1viz.load(two_runs / f"one@{step}")
        there = explain(model, tokenizer, TEXT)
        header, arrays = sent(app, "grid")
        np.testing.assert_allclose(arrays["weights"], there.weights[*header["focus"]], atol=1e-6)
        np.testing.assert_allclose(bars(app), there.next_probability[-1][:5], rtol=1e-5)
        sample = [row for row in jobs.find("one").samples() if row["step"] <= step][-1]
        assert t("train.sample", lang, step=sample["step"]) in said(app)

    button(app, "use").click().run()
    assert well(app) and app.session_state.usable_model == "runs/one@12" and linked(app)["model"] == "runs/one@12"


def bars(app) -> np.ndarray:
    (drawn,) = chart(app, 1)["data"]
    return np.frombuffer(base64.b64decode(drawn["x"]["bdata"]), drawn["x"]["dtype"])


@pytest.mark.parametrize("page", PAGES)
def test_a_checkpoint_of_a_run_is_a_model_like_any_other(page, two_runs):
    app = opened(page, model="runs/one@4", text=TEXT)
    assert well(app) and app.session_state.usable_model == linked(app)["model"] == "runs/one@4"
    app.selectbox(key="model").set_value("runs/two").run()
    assert well(app) and linked(app)["model"] == "runs/two"
    turned(app, "runs")
    assert well(app)


@pytest.mark.parametrize("model", ["runs/one@3", "runs/gone", "runs/../one", "runs/one@x"])
def test_a_checkpoint_that_is_not_there_falls_back_aloud(model, two_runs):
    app = opened("attention", model=model, text=TEXT)
    assert well(app) and len(app.warning) == 1 and app.session_state.usable_model == "storybook"


@pytest.mark.parametrize("kind", ["huggingface", "gpt1viz"])
def test_a_checkpoint_is_taken_along(kind, two_runs, tmp_path):
    app = opened("runs", text=TEXT, run="one", at="8")
    offered = next(b for b in app.get("download_button") if b.proto.label == t(f"runs.get_{kind}", "en"))
    assert well(app) and not offered.proto.disabled
    with zipfile.ZipFile(io.BytesIO(models.zipped("runs/one@8", kind))) as file:
        assert {name.partition("/")[0] for name in file.namelist()} == {"one-8"}
        file.extractall(tmp_path)
    there, here = gpt1viz.load(tmp_path / "one-8"), gpt1viz.load(two_runs / "one@8")
    assert there.info.format == kind
    ids = here.tokenizer.encode(TEXT)
    np.testing.assert_array_equal(*(explain(m, tok, TEXT).logits for m, tok, *_ in (there, here)))
    assert there.tokenizer.encode(TEXT) == ids


def test_deleting_is_asked_twice(two_runs):
    app = opened("runs", run="one")
    assert button(app, "delete").disabled and (two_runs / "one").exists()
    app.checkbox(key="sure_one").check().run()
    button(app, "delete").click().run()
    assert well(app) and not (two_runs / "one").exists() and (two_runs / "two").exists()
    assert [*app.dataframe[0].value[t("runs.run", "en")]] == ["two"]


def test_a_read_only_server_deletes_nothing(two_runs, monkeypatch):
    app = opened("runs", run="one")
    app.checkbox(key="sure_one").check().run()
    monkeypatch.setenv("GPT1VIZ_READ_ONLY", "1")
    button(app, "delete").click().run()
    said_so = [e.value.replace("\\", "") for e in app.error]
    assert said_so == [t("errors.app_read_only", "en")] and (two_runs / "one").exists()


def test_curves_draw_what_was_written_down(two_runs):
    line = live.line(jobs.find("one"))
    rows = jobs.find("one").metrics("train")
    fig = curves([line], over="tokens")
    for trace, name in zip(fig.data, ("loss", "lr", "grad_norm"), strict=True):
        assert [*trace.y] == [row[name] for row in rows] and [*trace.x] == [row["tokens"] for row in rows]
    with pytest.raises(ValueError):
        curves([line], over="miles")


def test_long_lines_are_means_of_neighbours():
    x, y, together = thinned(np.arange(1, 11.0), np.arange(10.0), most=4)
    assert together == 3 and [*x] == [3, 6, 9, 10] and [*y] == [1, 4, 7, 9]
