"""Patterns of heads: right on matrices written down, and found in heads made by hand."""

import numpy as np
import pytest
import torch
from handmade import LINE, handmade_model
from tiny import H, L, random_ids, tiny_model

from gpt1viz.analysis.patterns import PATTERNS, chance, pattern_heads, pattern_keys, pattern_scores, showing
from gpt1viz.explain import explain
from gpt1viz.trace import Edits, Trace

IDS = np.array([3, 8, 8, 3, 9, 8])  # the second 8 has an 8 before it; 3 comes back, 8 comes back once more


def looking(n: int, keys: dict[int, int]) -> np.ndarray:
    """(T, S): each query puts all its weight on one key; on itself where nothing is said."""
    weights = np.eye(n)
    for query, key in keys.items():
        weights[query] = np.eye(n)[key]
    return weights


def test_keys_of_each_pattern():
    keys = {name: {(int(t), int(s)) for t, s in np.argwhere(m)} for name, m in pattern_keys(IDS).items()}
    assert keys["previous"] == {(2, 1), (3, 2), (4, 3), (5, 4)}
    assert keys["first"] == {(2, 0), (3, 0), (4, 0), (5, 0)}
    assert keys["same"] == {(2, 1), (3, 0), (5, 1), (5, 2)}
    assert keys["induction"] == {(3, 1), (5, 2), (5, 3)}  # not (2, 2): a query itself


def test_scores_of_heads_that_do_one_thing():
    n = len(IDS)
    heads = {
        "previous": looking(n, {t: t - 1 for t in range(1, n)}),
        "first": looking(n, dict.fromkeys(range(n), 0)),
        "same": looking(n, {2: 1, 3: 0, 5: 2}),
        "induction": looking(n, {3: 1, 5: 3}),
    }
    scores = pattern_scores(np.stack([*heads.values()]), IDS)
    wanted = {
        "previous": [1, 0, 1 / 4, 0],  # (2, 1) is also the previous token
        "first": [0, 1, 1 / 4, 0],
        "same": [1 / 3, 1 / 3, 1, 0],
        "induction": [0, 0, 1 / 2, 1],
    }
    for name, values in wanted.items():
        assert scores[name] == pytest.approx(values), name


def test_a_share_is_a_share():
    weights = looking(6, {})
    weights[5] = [0, 0.25, 0.25, 0.125, 0.125, 0.25]
    scores = pattern_scores(weights, IDS)
    assert scores["same"] == pytest.approx(0.5 / 3) and scores["induction"] == pytest.approx(0.375 / 2)
    assert scores["previous"] == pytest.approx(0.125 / 4)


def test_a_text_without_repeats_has_no_score_for_them():
    found = pattern_scores(np.ones((2, 3, 4, 4)) / 4, np.arange(4))
    assert np.isnan(found["same"]).all() and np.isnan(found["induction"]).all() and found["same"].shape == (2, 3)
    assert found["previous"] == pytest.approx(np.full((2, 3), 0.25))
    alone = pattern_scores(np.ones((2, 1, 1)), np.array([4]))
    assert all(np.isnan(scores).all() for scores in alone.values())


def test_chance_is_a_uniform_head():
    even = chance(IDS)
    assert even["previous"] == even["first"] == pytest.approx(np.mean([1 / 3, 1 / 4, 1 / 5, 1 / 6]))
    assert even["same"] == pytest.approx(np.mean([1 / 3, 1 / 4, 2 / 6]))
    assert chance(IDS, causal=False)["previous"] == pytest.approx(1 / 6)


def test_showing_asks_for_twice_chance_and_no_nan():
    scores = {name: np.array([[0.3, 0.9], [np.nan, 0.5]]) for name in PATTERNS}
    found = showing(scores, dict.fromkeys(PATTERNS, 0.1) | {"same": 0.2, "first": np.nan}, 0.25)
    assert found["previous"] == [(0, 1, 0.9), (1, 1, 0.5), (0, 0, 0.3)]
    assert found["same"] == [(0, 1, 0.9), (1, 1, 0.5)]


def test_handmade_heads_are_found():
    found = pattern_heads(handmade_model(), np.array(LINE))
    assert [head[:2] for head in found["previous"]] == [(0, 0)] and found["previous"][0].score > 0.99
    [induction] = found["induction"]
    assert induction[:2] == (1, 1)
    assert induction.score == pytest.approx((0.5 + 4) / 5, abs=0.01)  # the first token's room names itself as well
    assert found["first"] == found["same"] == []


def test_matrices_put_into_a_model_are_found():
    model, ids = tiny_model(), np.array([4, 9, 2, 4, 9, 2])
    previous = torch.from_numpy(looking(6, {t: t - 1 for t in range(1, 6)})).float()
    induction = torch.from_numpy(looking(6, {3: 1, 4: 2, 5: 3})).float()
    edits = Edits(attention={(1, 2): previous, (4, 0): induction})
    found = pattern_heads(model, ids, at_least=0.9, edits=edits)
    assert found["previous"] == [(1, 2, 1.0)] and found["induction"] == [(4, 0, 1.0)]


@pytest.mark.parametrize("causal", [True, False])
def test_scores_of_a_model_are_those_of_its_weights(causal):
    model, ids = tiny_model(causal=causal), random_ids(1, 9, high=4)
    trace = Trace(fields={"weights"})
    with torch.inference_mode():
        model(ids, trace=trace)
    found = pattern_heads(model, ids[0].numpy(), at_least=0.0)
    bars = chance(ids[0].numpy(), causal=causal)
    for layer in range(L):
        for head in range(H):
            weights = trace.blocks[layer].weights[0, head].numpy()
            previous = float(np.mean([weights[t, t - 1] for t in range(2, 9)]))
            shown = [one.score for one in found["previous"] if one[:2] == (layer, head)]
            assert shown == ([pytest.approx(previous, abs=1e-6)] if previous >= 2 * bars["previous"] else [])


def test_an_explanation_can_be_scored():
    from stores import tokenizer

    model = tiny_model(n_vocab=tokenizer().n_vocab, n_special=0)
    there = explain(model, tokenizer(), "the cat sat on the mat")
    assert pattern_scores(there.weights, there.ids)["same"].shape == (L, H)
