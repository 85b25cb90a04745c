"""Metrics against numbers worked out by hand."""

import math

import numpy as np
import pytest

from gpt1viz.training.metrics import METRICS, accuracy, f1, matthews, pearson, spearman

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
PREDICTIONS = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])  # 3 true, 2 false positives; 1 false, 4 true negatives


def test_two_classes_by_hand():
    assert accuracy(PREDICTIONS, LABELS) == pytest.approx(7 / 10)
    assert f1(PREDICTIONS, LABELS) == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4))
    assert matthews(PREDICTIONS, LABELS) == pytest.approx((3 * 4 - 2 * 1) / math.sqrt(5 * 4 * 6 * 5))


def test_f1_of_several_classes_is_their_mean():
    labels, predictions = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 0]
    # class 0: 1 of 2 and 1 of 2; class 1: 2 of 3 and 2 of 2; class 2: 1 of 1 and 1 of 2
    assert f1(predictions, labels) == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)


def test_pearson_by_hand():
    # deviations -1, 0, 1 and -2, 1, 1: 3 / sqrt(2 * 6)
    assert pearson([1, 2, 3], [0, 3, 3]) == pytest.approx(3 / math.sqrt(12))
    assert pearson([1, 2, 3], [5, 7, 9]) == pytest.approx(1)


def test_spearman_ranks_with_ties():
    # ranks 1, 2, 3, 4 and 1, 2.5, 2.5, 4: 4.5 / sqrt(5 * 4.5)
    assert spearman([0.1, 0.2, 0.3, 9.0], [1, 5, 5, 6]) == pytest.approx(4.5 / math.sqrt(22.5))
    assert spearman([1, 2, 3], [1, 100, 10000]) == pytest.approx(1)


@pytest.mark.parametrize("name", METRICS)
def test_perfect_and_constant_predictions(name):
    assert METRICS[name](LABELS, LABELS) == pytest.approx(1)
    constant = METRICS[name](np.zeros(10), LABELS)
    assert constant == (0.6 if name == "accuracy" else 0.0)
