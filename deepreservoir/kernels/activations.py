"""Nonlinearities."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import scipy.special

from ..backend import Array, array_module

_SQRT_HALF = 0.5**0.5
_INV_SQRT_2PI = (2 * np.pi) ** -0.5


def _special(xp: ModuleType) -> ModuleType:
    if xp is np:
        return scipy.special
    from cupyx.scipy import special

    return special


def relu(x: Array) -> Array:
    xp = array_module(x)
    # Against a row of zeros, not a scalar: NumPy's maximum has a vector loop for arrays only.
    return xp.maximum(x, xp.zeros(x.shape[-1:], x.dtype))


def relu_backward(dy: Array, y: Array) -> Array:
    return dy * (y > 0)


def tanh(x: Array) -> Array:
    return array_module(x).tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    return dy * (1 - y * y)


def gelu(x: Array) -> Array:
    """GELU in its exact form, ``x Phi(x)`` (Hendrycks and Gimpel, 2016)."""
    return 0.5 * x * (1 + _special(array_module(x)).erf(x * _SQRT_HALF))


def gelu_backward(dy: Array, x: Array) -> Array:
    xp = array_module(x)
    cdf = 0.5 * (1 + _special(xp).erf(x * _SQRT_HALF))
    return dy * (cdf + x * xp.exp(-0.5 * x * x) * _INV_SQRT_2PI)


def sigmoid(x: Array) -> Array:
    return _special(array_module(x)).expit(x)


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def silu_backward(dy: Array, x: Array) -> Array:
    gate = sigmoid(x)
    return dy * gate * (1 + x * (1 - gate))


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow."""
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))
