"""From logits to the draw: each stage against its definition, and many draws against the probabilities."""

import pytest
import torch
from tiny import random

from gpt1viz.errors import GPT1VizError
from gpt1viz.sampling import Sampling, distribution

# Tokens 0-5 with probabilities 1/16, 1/2, 1/16, 1/4, 1/16, 1/16 when the temperature is 1.
LOGITS = torch.tensor([0.0, 3.0, 0.0, 2.0, 0.0, 0.0]) * torch.tensor(2.0).log()


def kept(**settings) -> list[int]:
    """Ids that can be drawn, in the order of the distribution."""
    d = distribution(LOGITS, Sampling(**settings))
    assert torch.equal(d.keep_p, d.probabilities > 0)
    assert float(d.probabilities.sum()) == pytest.approx(1)
    return d.ids[d.keep_p].tolist()


def test_most_probable_first_and_ties_in_the_vocabularys_order():
    d = distribution(LOGITS, Sampling())
    assert d.ids.tolist() == [1, 3, 0, 2, 4, 5]
    assert d.unfiltered.tolist() == pytest.approx([1 / 2, 1 / 4] + 4 * [1 / 16])
    assert torch.equal(d.unfiltered, d.probabilities)
    assert torch.equal(d.logits, LOGITS.double()[d.ids])


def test_a_large_vocabulary_is_sorted_exactly():
    """Many ties, zeros of both signs, infinities, the smallest and the largest numbers: as a stable sort has them."""
    logits = (random(40478, seed=2) * 8).round() / 8
    logits[5:13] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 1e-45, -1e-45, 3e38, -3e38])
    wanted = (0 - logits).argsort(stable=True)
    assert torch.equal(distribution(logits, Sampling()).ids, wanted)
    assert len(logits.unique()) < 100


def test_the_temperature_divides_the_logits():
    for temperature in (0.5, 2.0):
        d = distribution(LOGITS, Sampling(temperature=temperature))
        assert torch.equal(d.tempered, d.logits / temperature)
        assert torch.allclose(d.probabilities, (LOGITS.double()[d.ids] / temperature).softmax(0))


@pytest.mark.parametrize("temperature", [1e-4, 1e-40, 1e-320])
def test_a_tiny_temperature_is_the_most_probable_token(temperature):
    d = distribution(LOGITS, Sampling(temperature=temperature))
    assert d.unfiltered.tolist() == d.probabilities.tolist() == [1, 0, 0, 0, 0, 0]
    assert {int(d.ids[d.pick(u)]) for u in (0.0, 0.5, 0.999999)} == {1}


@pytest.mark.parametrize(
    ("top_k", "ids"), [(1, [1]), (2, [1, 3]), (3, [1, 3, 0]), (6, [1, 3, 0, 2, 4, 5]), (99, [1, 3, 0, 2, 4, 5])]
)
def test_top_k_keeps_k_tokens_also_among_ties(top_k, ids):
    assert kept(top_k=top_k) == ids


@pytest.mark.parametrize(
    ("top_p", "ids"),
    [
        (1e-9, [1]),
        (0.4, [1]),
        (0.51, [1, 3]),
        (0.75, [1, 3]),
        (0.76, [1, 3, 0]),
        (0.95, [1, 3, 0, 2, 4, 5]),
        (1.0, [1, 3, 0, 2, 4, 5]),
    ],
)
def test_top_p_keeps_the_smallest_set_that_reaches_p(top_p, ids):
    assert kept(top_p=top_p) == ids


def test_top_p_that_is_reached_exactly_needs_no_further_token():
    for n in (1, 2, 3, 4):
        assert distribution(torch.zeros(4), Sampling(top_p=n / 4)).keep_p.sum() == n


def test_top_p_1_keeps_all_however_improbable():
    for seed in range(20):
        logits = torch.cat([random(50, seed=seed), torch.tensor([-40.0, -60.0, -300.0])])
        assert distribution(logits, Sampling(top_p=1.0)).keep_p.all()


def test_top_p_counts_among_what_top_k_left():
    # of the top 2, token 1 has 2/3: it alone reaches 0.6, though it has but 1/2 among all
    assert kept(top_k=2, top_p=0.6) == [1]
    assert kept(top_p=0.6) == [1, 3]
    d = distribution(LOGITS, Sampling(top_k=2, top_p=0.6))
    assert d.keep_k.tolist() == [True, True, False, False, False, False]
    assert d.probabilities.tolist() == [1, 0, 0, 0, 0, 0]


def test_what_is_left_keeps_its_proportions():
    d = distribution(LOGITS, Sampling(top_k=3))
    assert d.probabilities.tolist() == pytest.approx([8 / 13, 4 / 13, 1 / 13, 0, 0, 0])


def test_greedy_leaves_one_token():
    assert kept(greedy=True) == [1]
    tied = torch.tensor([0.0, 2.0, 2.0])
    assert distribution(tied, Sampling(greedy=True)).ids[0] == tied.argmax() == 1


def test_edges_slices_and_picks_fit_together():
    d = distribution(random(31), Sampling(temperature=0.7, top_k=20, top_p=0.9))
    n_kept = int(d.keep_p.sum())
    assert 2 < n_kept < 20
    last = 0.0
    for place in range(n_kept):
        start, end = d.slice(place)
        assert start == last
        assert end - start == pytest.approx(float(d.probabilities[place]))
        assert d.pick(start) == d.pick((start + end) / 2) == place
        last = end
    assert last == pytest.approx(1)
    assert d.pick(0.0) == 0
    assert d.pick(1 - 2**-53) == n_kept - 1  # the largest draw there is


def test_rounding_at_the_end_of_the_interval_never_picks_a_filtered_token():
    for seed in range(50):
        d = distribution(random(4096, seed=seed), Sampling(top_k=1000))
        assert d.pick(1 - 2**-53) <= 999


@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"top_k": 3}, {"top_k": 5, "top_p": 0.9}])
def test_many_draws_follow_the_probabilities(settings):
    """Pearson's chi-square of 20,000 draws, at a bound that a right sampler passes in 999 of 1,000 seeds."""
    d, n = distribution(LOGITS, Sampling(**settings)), 20_000
    draws = torch.rand(n, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    counts = torch.bincount(torch.tensor([d.pick(float(u)) for u in draws]), minlength=6)
    expected = n * d.probabilities
    possible = expected > 0
    assert (counts[~possible] == 0).all()
    chi_square = ((counts - expected)[possible].square() / expected[possible]).sum()
    bound = {2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}  # 0.999 quantiles by degrees of freedom
    assert float(chi_square) < bound[int(possible.sum()) - 1]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"temperature": 0}, "temperature.*0"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": 101}, "temperature.*101"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_k": 0}, "top-k"),
        ({"top_k": -3}, "top-k"),
        ({"top_k": 2.5}, "top-k"),
        ({"top_p": 0.0}, "top-p"),
        ({"top_p": 1.01}, "top-p"),
        ({"top_p": float("nan")}, "top-p"),
    ],
)
def test_settings_out_of_range_raise(wrong, named):
    with pytest.raises(GPT1VizError, match=named):
        Sampling(**wrong)
