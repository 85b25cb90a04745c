"""The paper in small beside the paper: means over tasks, differences seed by seed, and what they allow to say."""

import math

import numpy as np
import pytest
from measured import ROWS, tuned

from gpt1viz.claims.training import TABLE_5
from gpt1viz.reproduce import compare
from gpt1viz.reproduce.results import Estimate


def test_the_papers_table_is_that_of_the_claims_and_its_means_are_those_of_its_columns():
    full, no_aux = zip(*TABLE_5.values(), strict=True)
    assert (compare.TABLE_5["full"], compare.TABLE_5["no_aux"]) == (full, no_aux)
    assert (*TABLE_5,) == compare.TASKS
    for name, scores in compare.TABLE_5.items():
        assert len(scores) == len(compare.TASKS)
        assert compare.PAPER[name] == pytest.approx(np.mean(scores), abs=0.07)


def test_a_row_is_compared_with_the_full_model_seed_by_seed():
    found = compare.effects(ROWS, "test")
    assert [*found] == ["full", "no_aux", "no_pretraining"]  # the LSTM was not run on all tasks
    score, difference, paper, less = found["no_pretraining"]
    assert score.mean == pytest.approx(0.5) and score.n == 2  # seed 2 lacks a task
    assert difference.mean == pytest.approx(np.mean([0.50 - 0.85, 0.50 - 0.80])) and difference.n == 2
    half = 12.706 * np.std([0.35, 0.30], ddof=1) / 2**0.5
    assert difference.half == pytest.approx(half) and half > 0.3
    assert (paper, less) == (0.599, pytest.approx(-0.148))
    assert found["no_pretraining"].verdict == "same" and found["no_aux"].verdict == "other"
    assert found["full"].difference == (0, 0, 3) and found["full"].verdict == "open"


def test_differences_on_each_task():
    found = compare.task_differences(ROWS, "validation")
    assert set(found) == {("a", "full"), ("a", "no_aux"), ("a", "no_pretraining"), ("a", "lstm")} | {
        ("b", "full"),
        ("b", "no_aux"),
        ("b", "no_pretraining"),
    }
    assert found["a", "no_pretraining"].mean == pytest.approx(-0.4) and found["a", "no_pretraining"].n == 3
    assert found["a", "lstm"].n == 1 and compare.direction(found["a", "lstm"]) == 0  # one run tells nothing


@pytest.mark.parametrize(
    "estimate, way, words",
    [
        (Estimate(-0.148, 0.02, 3), -1, "−14.8 ± 2.0"),
        (Estimate(0.05, 0.049, 3), 1, "+5.0 ± 4.9"),
        (Estimate(0.05, 0.05, 3), 0, "+5.0 ± 5.0"),
        (Estimate(0.0, 0.0, 3), 0, "0.0 ± 0.0"),
        (Estimate(0.5, math.nan, 1), 0, "+50.0"),
        (Estimate(math.nan, math.nan, 0), 0, "–"),
    ],
    ids=str,
)
def test_only_an_interval_without_zero_has_a_direction(estimate, way, words):
    assert compare.direction(estimate) == way
    assert compare.in_words(estimate, signed=True) == words
    assert compare.in_words(estimate) == words.removeprefix("+")


def test_a_task_without_a_test_split_counts_on_validation_only():
    rows = [*ROWS, tuned("c", "full", 0, 0.6, None)]
    assert compare.effects(rows, "validation")["full"].score == (
        pytest.approx(0.8),
        pytest.approx(math.nan, nan_ok=True),
        1,
    )
    assert compare.effects(rows, "test")["full"].score.mean == pytest.approx(0.8)
    assert compare.effects([], "test") == {}
