"""The page Claims without a browser: bets, checks, the table as it is saved, links, models of other shapes."""

import pytest
import torch
from app_driver import linked, opened, said, turned, well
from tuned import base

import gpt1viz
from gpt1viz.claims import CLAIMS, run
from gpt1viz.text import t

LAST = "webtext"


def pushed(app, key):
    """A press on the button with this key."""
    next(button for button in app.button if button.key == key).click()
    return app.run()


def keys(app):
    return {button.key for button in app.button}


def run_all(app):
    next(button for button in app.button if button.label == t("claims.run_all", app.session_state.lang)).click()
    return app.run()


def words(text):
    """As the page shows them: without the signs that keep markdown from reading them."""
    return text.replace("\\", "")


def test_a_bet_a_check_and_the_answer(bundled):
    app = opened("claims")
    assert well(app) and f"run_{LAST}" in keys(app) and "ReLU" in said(app)
    assert CLAIMS["relu"].words("holds", "en") not in words(said(app)), "the answer comes after the bet"
    app.session_state.bet_relu = "wrong"
    app.session_state.bet_parameters = "partly"
    pushed(app, "run_relu")
    assert well(app) and CLAIMS["relu"].says(run("relu", *bundled[:2]), "en")[:60] in words(said(app))
    assert CLAIMS["relu"].words("caption", "en") in words(said(app)) and app.get("plotly_chart")
    assert t("claims.score", "en", settled=1, n=21, bets=1, won=1) in said(app) and linked(app)["claim"] == "relu"
    pushed(app, "run_parameters")
    assert well(app) and "116,534,784" in said(app) and t("claims.lost", "en", bet="partly") in said(app)
    assert t("claims.score", "en", settled=2, n=21, bets=2, won=1) in said(app)
    turned(app, "tour")
    turned(app, "claims")
    assert well(app) and t("claims.score", "en", settled=2, n=21, bets=2, won=1) in said(app)
    pushed(app, "less_parameters")
    assert well(app) and not app.get("plotly_chart") and linked(app)["claim"] is None
    next(button for button in app.button if button.label == t("claims.start_over", "en")).click()
    app.run()
    assert well(app) and "116,534,784" not in said(app) and app.session_state.bet_relu is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_rows_run_and_each_shows_its_details(lang, bundled):
    app = run_all(opened("claims", lang=lang))
    assert well(app) and not [key for key in keys(app) if key and key.startswith("run_")]
    assert words(said(app)).count(t("claims.seen", lang)) == 17
    for claim in CLAIMS.values():
        assert claim.words("holds", lang) in words(said(app))
    for claim in list(CLAIMS.values())[:: 1 if lang == "en" else 7]:
        pushed(app, f"more_{claim.id}")
        assert well(app), claim.id
        assert claim.words("source", lang) in words(said(app)), claim.id
        drawn = bool(claim.check and run(claim.id, *bundled[:2]).drawing) if claim.id in ("relu", "tied") else None
        assert drawn in (None, bool(app.get("plotly_chart")))
    table = app.session_state.drawings["claims_table"].data()
    assert len(table["number"]) == 21 and all(table["verdict"]) and sum(map(bool, table["measured"])) == 17


def test_a_check_that_fails_ends_the_queue_and_leaves_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_MODELS", str(base(tmp_path)))
    app = opened("claims", model="base")
    monkeypatch.setattr("gpt1viz.claims.rows.LEAST_CONTEXT", "eight")  # any mistake
    run_all(app)
    assert not app.exception and [error.value for error in app.error] == [t("app.went_wrong", "en")]
    assert app.session_state.claims_queue == []


def test_links(bundled):
    app = opened("claims", claim="itself")
    assert well(app) and linked(app)["claim"] == "itself"
    pushed(app, "run_itself")
    assert CLAIMS["itself"].words("caption", "en") in words(said(app))
    app = opened("claims", claim="nonsense")
    assert well(app) and app.warning and linked(app)["claim"] is None


CHANGES = [{"norm": "pre", "causal": False, "positions": "none"}, {"n_layer": 1, "n_head": 1}]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_models_of_other_shapes(changes, tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_MODELS", str(base(tmp_path, **changes)))
    app = run_all(opened("claims", model="base"))
    unfit = [claim for claim in CLAIMS.values() if any(claim.needs.get(name) for name in changes)]
    assert well(app) and words(said(app)).count(t("claims.unfit", "en")) == len(unfit)
    assert words(said(app)).count(t("claims.seen", "en")) == 17 - len(unfit)


def test_another_model_is_measured_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_MODELS", str(base(tmp_path)))
    app = pushed(opened("claims"), "run_parameters")
    assert "3,504,768." in said(app)
    app.selectbox(key="model").set_value("base").run()
    assert well(app) and t("claims.again", "en") in said(app) and "run_parameters" in keys(app)
    pushed(app, "run_parameters")
    n = gpt1viz.load(tmp_path / "base").info.n_params
    assert f"has {n:,}" in said(app) and torch.is_inference_mode_enabled() is False
