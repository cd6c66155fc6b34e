"""Element-wise passes in compiled loops, if numba (the extra ``numba``) is installed.

The NumPy code that calls a loop is its reference. Results differ by rounding only: a product and a
sum may be fused, sums along a row are taken in another order, and exponentials are polynomials.
Arrays that are not of float32, and small ones, for which compilation would take longer than the
work, stay with NumPy.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import ModuleType

import numpy as np

#: Entries from which on an array is left to a compiled loop.
SMALLEST = 1 << 15


@cache
def available() -> bool:
    """Return whether numba can be imported."""
    return find_spec("numba") is not None


def suits(x: np.ndarray) -> bool:
    """Return whether a compiled loop should work on x: it is large, of float32, and in C order."""
    return x.size >= SMALLEST and x.dtype == np.float32 and x.flags.c_contiguous and available()


@cache
def loops() -> ModuleType:
    """Return the module of the loops, which imports numba."""
    from . import numba_loops

    return numba_loops
