"""Passes over arrays in compiled loops, if numba (the extra ``numba``) is installed.

The NumPy code that calls a loop is its reference. Results differ by rounding only: a product and a
sum may be fused, sums along a row are taken in another order, and exponentials are polynomials.
Arrays that are not of float32, and small ones, for which compilation would take longer than the
work, stay with NumPy.

Some loops give the bits of NumPy. Which of the two computes can therefore not be seen in a result,
and these loops also work on small arrays once another loop has made numba available in the process.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec
from types import ModuleType

import numpy as np

#: Entries from which on an array is left to a compiled loop.
SMALLEST = 1 << 15

#: Entries from which on a loop that gives the bits of NumPy takes an array, once numba has been
#: imported.
SMALLEST_EXACT = 1 << 10


@cache
def available() -> bool:
    """Return whether numba can be imported."""
    return find_spec("numba") is not None


def ready() -> bool:
    """Return whether numba has been imported, so that its loops cost no import."""
    return "numba" in sys.modules and available()


def suits(x: np.ndarray) -> bool:
    """Return whether a compiled loop should work on x: it is large, of float32, and in C order."""
    return x.size >= SMALLEST and x.dtype == np.float32 and x.flags.c_contiguous and available()


def suits_exactly(x: np.ndarray, alone: bool = True) -> bool:
    """Return whether a compiled loop that gives the bits of NumPy should work on x.

    Importing numba takes half a second: `alone` is whether the pass is worth that.
    """
    if not ready():
        return alone and suits(x)
    return x.size >= SMALLEST_EXACT and x.dtype == np.float32 and x.flags.c_contiguous


def number_of(beta: np.ndarray | float, like: np.ndarray) -> np.floating:
    """Return a scale, a number or an array of one entry, as a number of the type of an array."""
    number: np.floating = like.dtype.type(beta if isinstance(beta, float) else beta[0])
    return number


@cache
def loops() -> ModuleType:
    """Return the module of the loops of images and sequences, which imports numba."""
    from . import numba_loops

    return numba_loops


@cache
def dense_loops() -> ModuleType:
    """Return the module of the loops of dense layers, which imports numba."""
    from . import numba_dense_loops

    return numba_dense_loops
