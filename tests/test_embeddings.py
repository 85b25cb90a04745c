"""Nearest rows, similarity of positions, the flat map and the joint matrix, against direct computations."""

import numpy as np
import pytest
import torch
from stores import tokenizer
from tiny import CONFIG, N_CTX, C, T, V, random_ids, tiny_model

from gpt1viz.analysis.embeddings import (
    flat_map,
    joint_mass,
    joint_matrix,
    joint_parts,
    nearest_tokens,
    position_rows,
    similarity,
    single_tokens,
)
from gpt1viz.errors import GPT1VizError
from gpt1viz.model import sinusoids


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_nearest_tokens_are_those_with_the_largest_cosine_or_dot_product():
    model = tiny_model()
    rows = model.tokens_embed.weight.numpy()[: CONFIG.n_vocab]
    vector = rows[7] + 3 * rows[3]
    wanted = {"cosine": [cosine(row, vector) for row in rows], "dot": rows @ vector}
    for by, values in wanted.items():
        found = nearest_tokens(model, vector, 5, by=by)
        assert list(found.ids) == list(np.argsort(values)[::-1][:5])
        np.testing.assert_allclose(found.values, np.asarray(values)[found.ids], rtol=1e-5)
    assert list(wanted["cosine"]) != list(wanted["dot"])
    assert list(nearest_tokens(model, rows[4], 1).ids) == [4]
    assert len(nearest_tokens(model, vector, 100).ids) == CONFIG.n_vocab  # no special row among them
    assert (nearest_tokens(model, np.zeros(C, np.float32), 3).values == 0).all()
    with pytest.raises(ValueError, match="by one of"):
        nearest_tokens(model, vector, by="length")
    with pytest.raises(ValueError, match="a vector"):
        nearest_tokens(model, vector[:-1])


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_positions_are_what_the_model_adds(positions):
    model = tiny_model(positions=positions)
    rows = position_rows(model)
    wanted = {"sinusoidal": sinusoids(N_CTX, C).numpy(), "none": np.zeros((N_CTX, C))}
    wanted["learned"] = model.positions_embed.weight.numpy() if positions == "learned" else None
    np.testing.assert_array_equal(rows, wanted[positions])
    found = similarity(rows)
    assert found.shape == (N_CTX, N_CTX)
    if positions == "none":
        assert np.isnan(found).all()
        return
    for i, j in ((0, 0), (2, 9), (9, 2), (10, 1)):
        assert found[i, j] == pytest.approx(cosine(rows[i], rows[j]), abs=1e-6)


def test_sinusoids_are_alike_by_their_distance_alone():
    found = similarity(position_rows(tiny_model(positions="sinusoidal")))
    for distance in range(N_CTX):
        assert np.ptp(np.diagonal(found, distance)) < 1e-5
    assert not np.allclose(found[0], found[0, 0])


def test_position_rows_are_a_copy():
    model = tiny_model()
    position_rows(model)[:] = 7
    assert not (model.positions_embed.weight == 7).any()


def test_words_of_one_token_of_several_and_unknown_ones():
    words = tokenizer()
    ids = {text: words.encode(text) for text in ("the", "cat", "z", "hatrat")}
    assert len(ids["the"]) == 1 < len(ids["hatrat"]) and ids["z"] == [0]
    found = single_tokens(words, ["the", "THE", "", " ", "hatrat", "z", "zz"])
    assert [(word.text, word.fault) for word in found] == [
        ("the", None),
        ("hatrat", "several"),
        ("z", "unknown"),
        ("zz", "unknown"),
    ]
    assert [word.ids for word in found[:2]] == [tuple(ids["the"]), tuple(ids["hatrat"])]


def test_the_flat_map_is_the_plane_in_which_the_rows_differ_most():
    rows = np.random.default_rng(3).standard_normal((9, 6)) * [5, 3, 1, 1, 0.5, 0.1] + 11
    places, shares = flat_map(rows)
    values, directions = np.linalg.eigh(np.cov(rows.T))
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum())
    by_hand = (rows - rows.mean(0)) @ directions[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(places), np.abs(by_hand), atol=1e-9)
    np.testing.assert_allclose(places.mean(0), 0, atol=1e-12)
    assert (np.take_along_axis(places, np.abs(places).argmax(0)[None], 0) > 0).all()


def test_maps_of_few_rows():
    places, shares = flat_map(np.array([[0.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(places, [[2, 0], [-2, 0]], atol=1e-12)
    np.testing.assert_allclose(shares, [1, 0], atol=1e-12)
    places, shares = flat_map(np.ones((3, 1)))
    assert (places == 0).all() and (shares == 0).all()
    with pytest.raises(GPT1VizError) as caught:
        flat_map(np.ones((1, 4)))
    assert caught.value.code == "map_too_few"
    assert all("1" in caught.value.message(lang) for lang in ("en", "zh"))


def test_the_joint_matrix_holds_tokens_special_rows_and_positions():
    model = tiny_model()
    parts, matrix = joint_parts(CONFIG), joint_matrix(model)
    assert [len(part) for part in parts.values()] == [CONFIG.n_vocab, 2, N_CTX]
    assert parts["positions"].start == V
    np.testing.assert_array_equal(matrix[: V - 2], model.tokens_embed.weight[: V - 2])
    np.testing.assert_array_equal(matrix[parts["special"].start : V], model.tokens_embed.weight[V - 2 :])
    np.testing.assert_array_equal(matrix[V:], model.positions_embed.weight)


@pytest.mark.parametrize("changes", [{}, {"n_special": 0}, {"positions": "sinusoidal"}, {"norm": "pre"}], ids=str)
def test_the_mass_on_position_rows(changes):
    model, ids = tiny_model(**changes), random_ids(T, high=29)
    found = joint_mass(model, ids.numpy())
    hidden = model(ids[None]).hidden[0]
    p = (hidden @ torch.from_numpy(joint_matrix(model)).T).softmax(-1).numpy()  # (T, V + n_ctx)
    n = model.config.n_rows
    np.testing.assert_allclose(found.tokens, p[:, :29].sum(1), atol=1e-6)
    np.testing.assert_allclose(found.special, p[:, 29:n].sum(1), atol=1e-6)
    np.testing.assert_allclose(found.positions, p[:, n:].sum(1), atol=1e-6)
    np.testing.assert_allclose(found.tokens + found.special + found.positions, 1, atol=1e-5)
    assert list(found.top_position) == list(p[:, n:].argmax(1))
    np.testing.assert_allclose(found.top_probability, p[:, n:].max(1), atol=1e-6)
    assert found.positions.shape == (T,) and (found.positions > 0.01).all()
