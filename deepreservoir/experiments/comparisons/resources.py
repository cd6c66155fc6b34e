"""The cost of a run: elapsed seconds and the peak memory of this process."""

from __future__ import annotations

import ctypes
import gc
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...estimators import DeepReservoirRegressor
from ...kernels import compiled

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """The cost of a measured block, filled in when the block ends.

    Attributes
    ----------
    seconds : float
    peak_bytes : int or None
        Peak of the resident memory, above what was resident at the start; None if the operating
        system does not report it (Linux does).
    """

    seconds: float = 0.0
    peak_bytes: int | None = None


def _resident(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith(f"{field}:")), None)
    return None if kib is None else int(kib) * 1024


def _release_free_memory() -> None:
    """Return freed memory to the system; if a run reused it, its peak would be too low."""
    gc.collect()
    # Only glibc exports this symbol.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


@cache  # once per process
def _load_compiled_loops() -> None:
    """Train a network for one step, so that no run is charged with loading numba and its loops."""
    if not compiled.available():
        return
    compiled.dense_loops()  # imports numba, outside of a fit, which would end quietly at Ctrl-C
    width, rows = 256, compiled.SMALLEST // 256
    X = np.linspace(-1, 1, rows * width, dtype=np.float32).reshape(rows, width)
    model = DeepReservoirRegressor(
        (width,), rank=2, activation="relu", bias=False, adapter_dropout=0, max_iter=1,
        batch_size=rows, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, X[:, 0])
    if model.stop_reason_ == "interrupted":
        raise KeyboardInterrupt


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the time and the peak memory of a ``with`` block.

    Loading numba, where it is installed, is not part of either.

    Examples
    --------
    >>> with measured() as cost:
    ...     _ = sum(range(1000))
    >>> cost.seconds > 0
    True
    """
    cost = Cost()
    _load_compiled_loops()
    try:
        _release_free_memory()
        _CLEAR.write_text("5")  # resets the peak that the kernel has recorded
        before = _resident("VmRSS")
    except OSError:
        before = None
    start = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        peak = _resident("VmHWM")
        if before is not None and peak is not None:
            cost.peak_bytes = max(0, peak - before)
