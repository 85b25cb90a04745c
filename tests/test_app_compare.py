"""The page Compare without a browser: what is drawn on both sides and between them, against direct computations."""

import os
import sys

import numpy as np
import pytest
from app_driver import SENTENCE, linked, opened, said, sent, tables, turned, well
from app_runs import empty_folder, finished_runs  # noqa: F401
from stores import huggingface
from tuned import base, tuned

import gpt1viz
from gpt1viz.analysis import compare
from gpt1viz.analysis.contributions import stream_lengths
from gpt1viz.explain import explain
from gpt1viz.text import t

OTHER = "the hen and the rabbit went into the"
UNLIKE = {"norm": "pre", "causal": False, "positions": "none", "afn": "relu"}
DRAWINGS = {"compare_surprisal", "compare_weights", "compare_next_a", "compare_next_b", "compare_next_change"}
DRAWINGS |= {"compare_stream_lines", "compare_stream_change", "strip", "strip_b", "grid", "grid_b"}


def columns(app, name) -> dict[str, np.ndarray]:
    """What a drawing's CSV file holds."""
    return {key: np.asarray(values) for key, values in app.session_state.drawings[name].data().items()}


def summary(app) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in next(table for table in tables(app) if table[0] == ["", "A", "B"])[1:]}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_two_texts_of_one_model(lang, bundled):
    app = opened("compare", lang=lang, text=SENTENCE, text2=OTHER, layer="2", head="3")
    assert well(app) and not app.warning
    assert set(app.session_state.drawings) == DRAWINGS
    a, b = (explain(bundled.model, bundled.tokenizer, text) for text in (SENTENCE, OTHER))
    n = len(a.tokens)
    same = [i for i in range(n) if a.ids[i] == b.ids[i]]  # one word differs
    assert len(same) == n - 1 and t("compare.agreed", lang, n=n - 1, a=n, b=n) in said(app)
    found = columns(app, "compare_surprisal")
    assert found["position_a"].tolist() == found["position_b"].tolist() == same
    assert np.allclose(found["bits_more"], (b.surprisal - a.surprisal)[same], atol=1e-5, equal_nan=True)
    weights = columns(app, "compare_weights")
    change = (b.weights - a.weights)[2, 3][np.ix_(same, same)]
    assert np.allclose(weights["weight_more"], change.ravel(), atol=1e-6)
    for key, x in (("grid", a), ("grid_b", b)):
        header, arrays = sent(app, key)
        assert header["focus"] == [2, 3] and np.allclose(arrays["weights"], x.weights[2, 3], atol=1e-6)
    for key, x in (("strip", a), ("strip_b", b)):
        header, arrays = sent(app, key)
        assert header["kind"] == "surprisal" and header["focus"] == n - 1
        assert np.allclose(arrays["values"], x.surprisal, atol=1e-5, equal_nan=True)
    for side, x in (("a", a), ("b", b)):
        assert np.allclose(columns(app, f"compare_next_{side}")["probability"], x.next_probability[-1], atol=1e-6)
    lines = columns(app, "compare_stream_lines")
    assert np.allclose(lines["length_b"], stream_lengths(bundled.model, b.ids), rtol=1e-5)
    assert linked(app)["text2"] == OTHER and linked(app)["model2"] is None
    assert t("compare.other_text", lang) in said(app)


def test_it_opens_with_one_word_changed_and_keeps_its_choices(bundled):
    app = opened("compare")
    assert well(app) and linked(app)["text2"] is None
    found = columns(app, "compare_surprisal")
    where = int(np.flatnonzero(np.diff(found["position_a"]) > 1)[0])  # the changed word is left out
    assert np.nanmax(np.abs(found["bits_more"][: where + 1])) < 1e-4  # nothing moves before it
    assert np.abs(found["bits_more"][where + 1 :]).max() > 0.1
    app.text_input(key="text2").set_value("").run()
    assert well(app) and np.nanmax(np.abs(columns(app, "compare_surprisal")["bits_more"])) == 0
    assert linked(app)["text2"] == ""
    app.text_input(key="text2").set_value(OTHER).run()
    before = app.session_state.text
    app.button(key="swap").click().run()
    assert well(app) and (app.session_state.text, app.session_state.text2) == (OTHER, before)
    turned(app, "tokens")
    assert linked(app)["text2"] is None
    turned(app, "compare")
    assert app.session_state.text2 == before


def test_nothing_shared_unknown_model_and_markup():
    app = opened("compare", text="the", text2="<b>golden</b>", model2="gone")
    assert not app.exception and len(app.warning) == 1 and not app.error
    app = opened("compare", text="the", text2="golden king")
    assert well(app) and t("compare.nothing_shared", "en") in said(app)
    assert "compare_weights" not in app.session_state.drawings
    app = opened("compare", text="the fox", text2="the 狐 ran")
    assert well(app) and "B · " + t("app.unknown_one", "en") in said(app)
    app = opened("compare", text="the fox", text2=" \u200b ")
    assert not app.exception and not app.error


def test_the_focus_follows_the_shared_tokens():
    app = opened("compare", text="the old fox ran to the king", text2="the fox ran to the king", pos="2")
    assert well(app) and sent(app, "strip")[0]["focus"] == 2 and sent(app, "strip_b")[0]["focus"] == 1
    app = opened("compare", text="the fox", text2="the fox ran to the king", pos="1")
    assert sent(app, "strip_b")[0]["focus"] == 5  # the last for the last


def test_other_models_vocabularies_and_depths(tmp_path, monkeypatch, bundled):
    folders = [huggingface(tmp_path / "small"), tuned(tmp_path, "entailment"), base(tmp_path, **UNLIKE)]
    monkeypatch.setenv("GPT1VIZ_MODELS", os.pathsep.join(map(str, folders)))
    text = "the fox ran to the hen"
    app = opened("compare", text=text, model2="small")
    assert well(app) and not app.warning and linked(app)["model2"] == "small"
    assert t("compare.other_vocabulary", "en") in said(app) and t("compare.surprisal_caption_other", "en") in said(app)
    small = gpt1viz.load(folders[0])
    a, b = explain(bundled.model, bundled.tokenizer, text), explain(small.model, small.tokenizer, text)
    ends = [[piece.end for piece in x.tokens] for x in (a, b)]
    stretch = compare.common_stretch(*ends)
    wanted = [f"{compare.bits_a_character(e, x.surprisal, *stretch):.2f}" for e, x in zip(ends, (a, b), strict=True)]
    assert summary(app)["bits a character"] == wanted
    assert t("compare.other_depth", "en", a=6, b=2) in said(app)
    assert t("compare.no_such_head", "en", layer=3, head=5, layer_b=1, head_b=5) in said(app)  # 2 layers
    for model2 in (folders[1].name, folders[2].name):
        app = opened("compare", text=text, model2=model2, layer="5", head="5")
        assert well(app) and not app.warning and t("compare.other_vocabulary", "en") not in said(app)
        app.button(key="swap").click().run()
        assert well(app) and app.session_state.model == model2 and app.session_state.model2 == "storybook"


def test_two_steps_of_a_run(two_runs):
    steps = sorted(gpt1viz.checkpoints.run_steps(two_runs / "one"))
    app = opened("compare", model="runs/one", model2=f"runs/one@{steps[0]}", text="the fox and the hen")
    assert well(app)  # two letters are not in this small vocabulary: that is said
    assert {f"run one, step {step}" for step in steps} <= set(app.selectbox(key="model2").options)
    assert summary(app)["model"] == ["one@12", f"one@{steps[0]}"]
    assert np.abs(columns(app, "compare_surprisal")["bits_more"][1:]).max() > 0


def test_long_texts_are_shown_in_part(bundled):
    text = "the old fox went into the wood and " * 30
    app = opened("compare", text=text, text2=text.replace("fox", "hen"))
    assert well(app)
    assert len(columns(app, "compare_surprisal")["token"]) == 128
    assert "around the focus" in said(app)


def test_long_passes_over_both_texts_can_be_stopped_and_resumed(monkeypatch):
    app = opened("compare", text=SENTENCE)
    monkeypatch.setattr(sys.modules["computing"], "QUICK", 0)
    app.session_state.text2 = "the owl and the rabbit went into the"
    stamp = sys.modules["models"].stamp("storybook")
    key = ("storybook", stamp, SENTENCE, "storybook", stamp, "the owl and the rabbit went into the")
    app.session_state.wishes = {"compare_lengths": (key, False)}
    app.run()
    assert well(app) and t("inside.stopped", "en") in said(app)
    assert "compare_stream_lines" not in app.session_state.drawings and "grid_b" in app.session_state.drawings
    app.button(key="start_compare_lengths").click().run()
    assert well(app) and len(columns(app, "compare_stream_lines")["length_b"]) == 7
