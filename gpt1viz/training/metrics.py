"""The metrics of the paper's tasks (tables 2 to 4), in numpy."""

from collections.abc import Callable

import numpy as np


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """The share of (N,) predictions that equal their labels."""
    return float(np.mean(np.asarray(predictions) == np.asarray(labels)))


def f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Harmonic mean of precision and recall.

    Of class 1 where there are two classes, 0 and 1 (MRPC, QQP); else the mean over the classes among the labels.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    classes = [1] if np.isin(labels, (0, 1)).all() else np.unique(labels)
    return float(np.mean([_f1_of(k, predictions, labels) for k in classes]))


def _f1_of(positive: int, predictions: np.ndarray, labels: np.ndarray) -> float:
    hits = np.sum((predictions == positive) & (labels == positive))
    found = np.sum(predictions == positive) + np.sum(labels == positive)
    return float(2 * hits / found) if found else 0.0


def matthews(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Matthews' correlation of two classes (CoLA), -1 to 1; 0 where one side is constant."""
    return pearson(np.asarray(predictions) == 1, np.asarray(labels) == 1)


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Linear correlation of predicted and given scores (STS-B), -1 to 1; 0 where one side is constant."""
    x, y = (np.asarray(side, dtype=np.float64) for side in (predictions, labels))
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt(np.sum(x * x) * np.sum(y * y))
    return float(np.sum(x * y) / scale) if scale > 0 else 0.0


def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Correlation of ranks, ties sharing their mean rank, -1 to 1."""
    return pearson(_ranks(predictions), _ranks(labels))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}
