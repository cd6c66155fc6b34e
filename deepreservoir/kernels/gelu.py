"""The exact GELU, x Phi(x), and its slope (Hendrycks and Gimpel, 2016).

In float32 on the host both are computed together, block by block, with one exponential, and each
thread works on a share of the blocks:

    Phi(x) = 1 - T for x > 0 and T for x < 0,    slope(x) = Phi(x) + x f(x)

with the density f(x) = exp(-x^2 / 2) / sqrt(2 pi) and the tail T = P(t) exp(-x^2 / 2),
t = 1 / (1 + p |x|), of Abramowitz and Stegun, 7.1.26, whose error of 8e-8 is that of rounding.
"""

from __future__ import annotations

import numpy as np
import scipy.special

from ..backend import Array, array_module
from ..thread_limits import in_shares
from . import compiled

SQRT_HALF = 0.5**0.5
INV_SQRT_2PI = (2 * np.pi) ** -0.5

# Half of their erfc, as a polynomial of 1 / (1/p + |x|), the highest coefficient first.
_P = 0.3275911 * SQRT_HALF
_SHIFT = np.float32(1 / _P)
_COEFFICIENTS = tuple(
    np.float32(0.5 * a / _P**power)
    for power, a in (
        (5, 1.061405429),
        (4, -1.453152027),
        (3, 1.421413741),
        (2, -0.284496736),
        (1, 0.254829592),
    )
)
_DENSITY = np.float32(INV_SQRT_2PI)
_CONSTANTS = (_SHIFT, *_COEFFICIENTS, _DENSITY)  # for compiled loops
_HALF = np.float32(0.5)
_ONE = np.float32(1)

#: Entries of a block: with its intermediate results it stays in the second-level cache.
_BLOCK = 65_536


def gelu(x: Array) -> Array:
    """Return the exact GELU, ``x Phi(x)``."""
    xp = array_module(x)
    if xp is np and x.dtype == np.float32:
        return _in_blocks(x, with_slope=False)[0]
    if xp is np:
        return 0.5 * x * (1 + scipy.special.erf(x * SQRT_HALF))
    from cupyx.scipy import special

    return 0.5 * x * (1 + special.erf(x * SQRT_HALF))


def gelu_with_slope(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the GELU of x and its derivative, as new arrays on the host."""
    if x.dtype == np.float32:
        y, slope = _in_blocks(x, with_slope=True)
        assert slope is not None
        return y, slope
    cdf = 0.5 * (1 + scipy.special.erf(x * SQRT_HALF))
    return x * cdf, cdf + x * np.exp(-0.5 * x * x) * INV_SQRT_2PI


def _in_blocks(x: np.ndarray, with_slope: bool) -> tuple[np.ndarray, np.ndarray | None]:
    x = x if x.flags.c_contiguous else x.copy()
    y, slope = np.empty_like(x), np.empty_like(x) if with_slope else None
    from_x, to_y = x.reshape(-1), y.reshape(-1)
    to_slope = None if slope is None else slope.reshape(-1)

    def share(entries: slice) -> None:
        for start in range(entries.start, entries.stop, _BLOCK):
            part = slice(start, min(start + _BLOCK, entries.stop))
            _block_(from_x[part], to_y[part], None if to_slope is None else to_slope[part])

    in_shares(share, x.size, _BLOCK)
    return y, slope


def _block_(x: np.ndarray, y: np.ndarray, slope: np.ndarray | None) -> None:
    """Write the GELU of x (n,) into y, and its derivative into slope."""
    if compiled.suits(x):
        if slope is None:
            compiled.loops().gelu(x, y, _CONSTANTS)
        else:
            compiled.loops().gelu_with_slope(x, y, slope, _CONSTANTS)
        return
    t = np.abs(x)
    t += _SHIFT
    np.divide(_ONE, t, out=t)
    cdf = t * _COEFFICIENTS[0]
    for c in _COEFFICIENTS[1:]:
        cdf += c
        cdf *= t
    density = np.multiply(x, x, out=t)
    density *= -_HALF
    np.exp(density, out=density)
    cdf *= density
    np.subtract(_HALF, cdf, out=cdf)
    np.copysign(cdf, x, out=cdf)  # the distance of Phi from one half
    cdf += _HALF
    np.multiply(x, cdf, out=y)
    if slope is not None:
        density *= _DENSITY
        density *= x
        np.add(cdf, density, out=slope)
