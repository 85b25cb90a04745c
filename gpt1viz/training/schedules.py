"""Learning-rate schedules: factors on the peak rate, from the share x of the run that is over and that of the warm-up.

The three of 2018 (`opt.py`) take x = t / total, where t = 1, 2, ... counts updates; so does the paper's for
pre-training.
"""

import math
from collections.abc import Callable


def warmup_linear(x: float, warmup: float = 0.002) -> float:
    """Up to 1 over the warm-up, times a line from 1 at x = 0 to 0: fine-tuning (paper section 4.1)."""
    return (x / warmup if x < warmup else 1.0) * (1 - x)


def warmup_cosine(x: float, warmup: float = 0.002) -> float:
    """Up to 1 over the warm-up, then half a cosine that would be 1 at x = 0, down to 0."""
    return x / warmup if x < warmup else 0.5 * (1 + math.cos(math.pi * x))


def warmup_constant(x: float, warmup: float = 0.002) -> float:
    """Up to 1 over the warm-up, then 1."""
    return x / warmup if x < warmup else 1.0


def pretraining(x: float, warmup: float) -> float:
    """Up to 1 over the warm-up, then half a cosine that starts there, down to 0: pre-training (paper section 4.1)."""
    return x / warmup if x < warmup else 0.5 * (1 + math.cos(math.pi * (x - warmup) / (1 - warmup)))


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "pretraining": pretraining,
    "warmup_linear": warmup_linear,
    "warmup_cosine": warmup_cosine,
    "warmup_constant": warmup_constant,
}


def warmup_share(updates: int, step: int, x: float) -> float:
    """The share of the run that a warm-up of so many updates takes, at most a tenth: a short run has a peak too.

    Args:
        updates: of the warm-up, e.g. 2,000 in the paper.
        step, x: the update now, counted from 1, and the share of the run that it completes. Their quotient says how
            long the run is, also when its budget is time.
    """
    return min(0.1, updates * x / step)
