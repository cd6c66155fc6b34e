"""Element-wise work that is worth fusing: the NumPy reference of each kernel.

A kernel never writes to its arguments, unless its name ends in an underscore. Each works on
the module of its arrays, so it runs on a device too, unfused.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import scipy.special

from .backend import Array, array_module

# Elements of a flat vector that are updated at a time: ten scratch passes stay in cache.
_CHUNK = 32_768

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


def log_softmax(x: Array) -> Array:
    """Return log softmax along the last axis."""
    xp = array_module(x)
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow."""
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return the normalised, scaled output with what its backward needs: (y, xhat, 1/std)."""
    xp = array_module(x)
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    xhat = centred * inverse
    return xhat * weight + bias, xhat, inverse


def layer_norm_backward(dy: Array, xhat: Array, inverse: Array, weight: Array) -> Array:
    d = dy * weight
    projected = xhat * (d * xhat).mean(axis=-1, keepdims=True)
    return (d - d.mean(axis=-1, keepdims=True) - projected) * inverse


def adam_(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    decay_mask: Array,
    *,
    step: int,
    rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """One step of Adam (Kingma and Ba, 2015) or, `decoupled`, AdamW, in place on flat vectors."""
    xp = array_module(theta)
    root_correction = (1 - beta2**step) ** 0.5
    size = rate * root_correction / (1 - beta1**step)
    chunk = _CHUNK if xp is np else len(theta)
    g_buffer, d_buffer = xp.empty(chunk, theta.dtype), xp.empty(chunk, theta.dtype)
    for start in range(0, len(theta), chunk):
        part = slice(start, start + chunk)
        p, g0, mp, vp, mask = theta[part], grad[part], m[part], v[part], decay_mask[part]
        g, d = g_buffer[: len(p)], d_buffer[: len(p)]
        if weight_decay and decoupled:
            xp.multiply(mask, -rate * weight_decay, out=d)
            d += 1
            p *= d
            g0_used = g0
        elif weight_decay:
            xp.multiply(mask, weight_decay, out=d)
            d *= p
            d += g0
            g0_used = d
        else:
            g0_used = g0
        mp *= beta1
        xp.multiply(g0_used, 1 - beta1, out=g)
        mp += g
        vp *= beta2
        xp.multiply(g0_used, g0_used, out=g)
        g *= 1 - beta2
        vp += g
        xp.sqrt(vp, out=d)
        d += eps * root_correction
        xp.divide(mp, d, out=g)
        g *= size
        p -= g
