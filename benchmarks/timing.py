"""Measuring several contenders in one run."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch


def interleaved(
    contenders: dict[Any, Callable[[], object]], repeats: int, clock: Callable[[], float] | None = None
) -> dict[Any, list[float]]:
    """Seconds of each contender, `repeats` times in turn, so that all meet the same weather.

    Each is run once before, unmeasured. Every round starts with another contender. On one thread the clock counts the
    time that the process had a core, on several it is the wall's: what other processes take tells less on the first.
    What other processes do for a contender is in the wall's clock only, `time.perf_counter`.
    """
    clock = clock or (time.process_time if torch.get_num_threads() == 1 else time.perf_counter)
    for run in contenders.values():
        run()
    seconds: dict[Any, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for n in range(repeats):
        for name in names[n % len(names) :] + names[: n % len(names)]:
            start = clock()
            contenders[name]()
            seconds[name].append(clock() - start)
    return seconds


def ratios(over: list[float], under: list[float]) -> tuple[float, str]:
    """Median of the rounds' ratios, and their smallest and largest."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    return median(each), f"{min(each):.2f} to {max(each):.2f}"
