"""Measuring several contenders in one run."""

import time
from collections.abc import Callable
from statistics import median


def interleaved(contenders: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each contender, `repeats` times in turn, so that all meet the same weather.

    Each is run once before, unmeasured. Every round starts with another contender.
    """
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for n in range(repeats):
        for name in names[n % len(names) :] + names[: n % len(names)]:
            start = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(over: list[float], under: list[float]) -> tuple[float, str]:
    """Median of the rounds' ratios, and their smallest and largest."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    return median(each), f"{min(each):.2f} to {max(each):.2f}"
