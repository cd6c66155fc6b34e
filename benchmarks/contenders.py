"""Our networks in a race against others: with numba and without, and in parts."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

from deepreservoir.kernels import compiled

from .timing import Contenders

RANK, THREADS = 8, 2
#: Batches in parts, one per thread: ``fit(parts=2)``.
IN_PARTS = "in two parts"
#: What the names of contenders with numba end with.
WITH_NUMBA = ", numba"


def in_both_ways(contenders: Contenders) -> Contenders:
    """Return contenders in NumPy alone and, where numba is installed, with it."""
    both = {name: with_numba(run, False) for name, run in contenders.items()}
    if compiled.available():
        both |= {name + WITH_NUMBA: with_numba(run, True) for name, run in contenders.items()}
    return both


def with_numba(run: Callable[[], object], numba: bool) -> Callable[[], object]:
    """Return a function that runs another one with numba, or with NumPy alone."""

    def timed() -> object:
        with patch.object(compiled, "available", lambda: numba):
            return run()

    return timed


def least_ratios(contenders: Contenders) -> dict[tuple[str, str], float | None]:
    """Return the least ratio of PyTorch's seconds to those of each of our networks."""
    least = {
        f"rank {RANK}{parts}{numba}": 0.8 if numba else 0.5
        for parts in ("", f", {IN_PARTS}")
        for numba in ("", WITH_NUMBA)
    }
    ours = [name for name in contenders if not name.startswith("torch")]
    return {("torch full", name): least.get(name) for name in ours}
