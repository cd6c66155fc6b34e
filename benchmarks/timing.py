"""Timing on noisy machines: alternating contenders, medians and paired ratios."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

_PAUSE = 0.3  # seconds
_SHORT = 0.5

Contenders = dict[str, Callable[[], object]]


def race(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    """Run all contenders once to warm up, then alternately for `rounds` rounds; return seconds.

    The threads of a library keep spinning for a while after its last product. Each run is
    therefore preceded by a pause, and short runs also by one run that is not counted.
    """
    short = {}
    for name, run in contenders.items():
        short[name] = _seconds(run) < _SHORT
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            time.sleep(_PAUSE)
            if short[name]:
                run()
            seconds[name].append(_seconds(run))
    return seconds


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return the median seconds of each contender."""
    return {name: median(times) for name, times in seconds.items()}


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """Return how many times faster `fast` is: the median over rounds of the ratio."""
    pairs = zip(seconds[slow], seconds[fast], strict=True)
    return median(a / b for a, b in pairs)
