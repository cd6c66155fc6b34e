"""Timing on noisy machines: contenders in turn, medians and paired ratios."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

Contenders = dict[str, Callable[[], object]]


def race(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    """Run all contenders once to warm up, then in turn `rounds` times; return seconds."""
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return the median seconds of each contender."""
    return {name: median(times) for name, times in seconds.items()}


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """Return how many times faster `fast` is: the median of the ratios round by round."""
    pairs = zip(seconds[slow], seconds[fast], strict=True)
    return median(a / b for a, b in pairs)
