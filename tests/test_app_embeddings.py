"""The page Embeddings without a browser, against the model's own rows."""

import numpy as np
import pytest
import torch
from app_driver import SENTENCE, linked, opened, said, tables, turned, typed, well
from switched import array, every_shape, figure, folders, offered_models

from gpt1viz.analysis.embeddings import flat_map, joint_mass, position_rows, similarity
from gpt1viz.figures.numbers import percent
from gpt1viz.figures.theme import markup
from gpt1viz.model import sinusoids
from gpt1viz.text import t

__all__ = ["folders", "offered_models"]


def names(figure: dict) -> list[str]:
    alias = figure["layout"]["yaxis"]["labelalias"]
    return [alias[str(i)] for i in range(len(alias))]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_two_rows_add_up(lang, bundled):
    app = opened("embeddings", lang=lang, text=SENTENCE, pos="4")
    model, tokenizer, *_ = bundled
    id = tokenizer.encode(SENTENCE)[4]
    token, place = model.tokens_embed.weight[id].numpy(), model.positions_embed.weight[4].numpy()
    drawn = figure(app, "embeddings_sum")
    assert well(app) and not app.warning
    np.testing.assert_array_equal(array(drawn["data"][0]["z"]), np.stack([token, place, token + place]))
    assert t("embeddings.row_position", lang, n=4) in drawn["layout"]["yaxis"]["ticktext"][1]
    assert f"{np.linalg.norm(token):.2f}" in said(app) and f" {id:,} " in said(app).replace("行", " ")


def test_neighbours_are_the_nearest_other_rows(bundled):
    app = opened("embeddings", text=SENTENCE, pos="1")
    model, tokenizer, *_ = bundled
    rows, id = model.tokens_embed.weight.numpy(), tokenizer.encode("fox")[0]
    cosines = rows @ rows[id] / np.linalg.norm(rows, axis=1) / np.linalg.norm(rows[id])
    for key, values in (("near_cosine", cosines), ("near_dot", rows @ rows[id])):
        order = [i for i in np.argsort(-values) if i != id][:10]
        drawn = figure(app, key)
        np.testing.assert_allclose(array(drawn["data"][0]["x"]), values[order], rtol=1e-4)
        assert names(drawn) == [markup(tokenizer.pieces([int(i)])[0].text) for i in order]


def test_positions_are_compared(bundled):
    app = opened("embeddings", text=SENTENCE, pos="6")
    cosines = similarity(position_rows(bundled.model))
    fixed = similarity(sinusoids(256, 192).numpy())
    own, other = figure(app, "places_line")["data"]
    np.testing.assert_allclose(array(own["y"]), cosines[6], atol=1e-6)
    np.testing.assert_allclose(array(other["y"]), fixed[6], atol=1e-6)
    np.testing.assert_allclose(array(figure(app, "places_all")["data"][0]["z"]), cosines[::4, ::4], atol=1e-6)
    assert t("embeddings.places_every", "en", k=4) in said(app)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_map_of_words(lang, bundled):
    typed_words = "king, queen；Dog cat dog extraordinarily 狐狸 <b>x</b>"
    app = opened("embeddings", lang=lang, text=SENTENCE, words=typed_words)
    model, tokenizer, *_ = bundled
    ids = [tokenizer.encode(word)[0] for word in ("king", "queen", "dog", "cat")]
    wanted = flat_map(model.tokens_embed.weight[ids].numpy())
    drawn = figure(app, "word_map")["data"][0]
    np.testing.assert_allclose(np.stack([array(drawn["x"]), array(drawn["y"])], 1), wanted.places, atol=1e-5)
    assert drawn["text"] == ["king", "queen", "dog", "cat"]
    words = said(app).replace("\\", "")
    assert t("embeddings.map_several", lang, words="extraordinarily") in words
    assert t("embeddings.map_unknown", lang, words="狐狸, <b>x</b>") in words
    assert percent(float(wanted.shares.sum())) in words and linked(app)["words"] == typed_words
    app.text_area(key="words").set_value("king queen").run()
    assert well(app) and t("embeddings.map_few", lang) in said(app)
    press_group = next(button for button in app.button if button.label == t("embeddings.map_animals", lang))
    press_group.click().run()
    assert well(app) and len(figure(app, "word_map")["data"][0]["text"]) == 10


def test_words_too_many_for_a_link_are_refused_aloud():
    app = opened("embeddings", text=SENTENCE, words="fox " * 200)
    assert well(app) and len(app.warning) == 1 and app.session_state.words.startswith("dog")
    assert linked(app)["words"] is None
    turned(app, "attention")
    assert well(app) and linked(app)["words"] is None


def test_the_mass_on_position_rows(bundled):
    app = opened("embeddings", text=SENTENCE, pos="3")
    model, tokenizer, *_ = bundled
    ids = np.array(tokenizer.encode(SENTENCE))
    mass = joint_mass(model, ids)
    np.testing.assert_allclose(array(figure(app, "joint_mass")["data"][0]["y"]), mass.positions, atol=1e-6)
    with torch.inference_mode():
        p = model(torch.from_numpy(ids[None]), joint_softmax=True).logits[0, 3].softmax(-1)
    before = model(torch.from_numpy(ids[None])).logits[0, 3].softmax(-1).max()
    words = said(app)
    assert percent(float(p[4096:].sum())) in words and percent(float(before)) in words
    assert percent(float(p[:4096].max())) in words
    part = next(table for table in tables(app) if table[0][1] == t("embeddings.joint_from", "en"))
    assert part[1][1:4] == ["0", "4,095", "4,096"] and part[2][1:4] == ["4,096", "4,351", "256"]


@every_shape
def test_other_models(name, offered):
    lang = "zh" if name in ("bare", "tuned") else "en"
    app = opened("embeddings", model=name, lang=lang, text=SENTENCE + " fox fox fox fox fox fox", words="the fox and")
    assert well(app) and not app.warning and app.session_state.usable_model == name
    words = said(app)
    assert (t("embeddings.places_unordered", lang) in "\n".join(x.value for x in app.info)) == (name == "bare")
    assert (t("embeddings.places_fixed", lang) in words) == (name == "waves")
    assert (t("embeddings.joint_tuned", lang) in words) == (name == "tuned")
    assert len(array(figure(app, "embeddings_sum")["data"][0]["z"])) == (1 if name == "bare" else 3)
    if name == "tuned":
        assert len(figure(app, "joint_mass")["data"]) == 2
        assert any(t("embeddings.joint_special", lang) in row for table in tables(app) for row in table)


def test_one_token_and_many():
    app = typed(opened("embeddings", text=SENTENCE), "fox")
    assert well(app) and len(array(figure(app, "joint_mass")["data"][0]["y"])) == 1
    typed(app, "the fox ran " * 60)
    window = t("embeddings.window", "en", first=52, last=179, n=180)
    assert well(app) and window in said(app) and len(array(figure(app, "joint_mass")["data"][0]["y"])) == 128
    typed(app, "")
    assert well(app) and t("app.empty", "en") in said(app)


def test_every_drawing_has_its_numbers():
    app = opened("embeddings", text=SENTENCE)
    for name, drawing in app.session_state.drawings.items():
        columns = drawing.data()
        assert len({len(column) for column in columns.values()}) == 1, name
    assert len(app.session_state.drawings) == 8
