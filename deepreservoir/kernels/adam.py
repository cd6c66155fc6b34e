"""Adam over a flat vector."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from ..thread_limits import in_shares
from . import compiled
from .cuda import RealKernel

# Elements updated at a time, so that the passes over the scratch buffers stay in cache.
_CHUNK = 32_768

# Elements from which the update is divided over threads.
_SHARED = 8 * _CHUNK

_ADAM = RealKernel(
    "adam",
    r"""
extern "C" __global__ void KERNEL(real* theta, const real* grad, real* m, real* v,
        const real* decay_mask, const real* scalars, int on_device, long long n, real size,
        real eps, real shrink, real decay, real beta1, real rest1, real beta2, real rest2) {
    long long stride = (long long)gridDim.x * blockDim.x;
    if (on_device) {
        size = scalars[0];
        eps = scalars[1];
        shrink = scalars[2];
    }
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        real p = theta[i] * (1 + decay_mask[i] * shrink);
        real g = grad[i] + decay_mask[i] * decay * p;
        real mi = m[i] * beta1 + g * rest1;
        real vi = v[i] * beta2 + g * g * rest2;
        m[i] = mi;
        v[i] = vi;
        theta[i] = p - mi / (sqrt(vi) + eps) * size;
    }
}
""",
)


def adam_(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    decay_mask: Array,
    scalars: tuple[float, ...] | Array,
    beta1: float,
    beta2: float,
    decay: float,
) -> None:
    """Do one step of Adam (Kingma and Ba, 2015), in place.

    Parameters
    ----------
    theta, grad, m, v, decay_mask : array, shape (n,)
    scalars : (float, float, float), or array of the dtype of theta on its device
        Step size with both corrections, eps times the root of the second, and the factor minus one
        of the decayed parameters: numbers, or read on the device when the step is run.
    beta1, beta2 : float
    decay : float
        Factor of the decayed parameters that is added to the gradient.
    """
    if array_module(theta) is not np:
        real, n = theta.dtype.type, len(theta)
        on_device = not isinstance(scalars, tuple)
        values = (0.0, 0.0, 0.0) if on_device else scalars
        constants = (*values, decay, beta1, 1 - beta1, beta2, 1 - beta2)
        _ADAM.of(theta.dtype).launch(
            n,
            theta,
            grad,
            m,
            v,
            decay_mask,
            scalars if on_device else theta,  # never read, but a kernel needs some pointer
            np.int32(on_device),
            np.int64(n),
            *map(real, constants),
        )
        return
    numbers = (*scalars, decay, beta1, 1 - beta1, beta2, 1 - beta2)
    of_type = tuple(map(theta.dtype.type, numbers))
    update = compiled.loops().adam if compiled.suits_exactly(theta) else _in_chunks

    def share(some: slice) -> None:
        update(theta[some], grad[some], m[some], v[some], decay_mask[some], of_type)

    if len(theta) < _SHARED:
        share(slice(0, len(theta)))
    else:
        in_shares(share, len(theta), _CHUNK)


def _in_chunks(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    decay_mask: np.ndarray,
    numbers: tuple[np.floating, ...],
) -> None:
    """Do the step with NumPy; compiled loops do the same operations in the same order."""
    size, eps, shrink, decay, beta1, rest1, beta2, rest2 = numbers
    g_buffer, d_buffer = np.empty(_CHUNK, theta.dtype), np.empty(_CHUNK, theta.dtype)
    for start in range(0, len(theta), _CHUNK):
        part = slice(start, start + _CHUNK)
        p, g0, mp, vp, mask = theta[part], grad[part], m[part], v[part], decay_mask[part]
        g, d = g_buffer[: len(p)], d_buffer[: len(p)]
        if shrink:
            np.multiply(mask, shrink, out=d)
            d += 1
            p *= d
        if decay:
            np.multiply(mask, decay, out=d)
            d *= p
            d += g0
            g0 = d
        mp *= beta1
        np.multiply(g0, rest1, out=g)
        mp += g
        vp *= beta2
        np.multiply(g0, g0, out=g)
        g *= rest2
        vp += g
        np.sqrt(vp, out=d)
        d += eps
        np.divide(mp, d, out=g)
        g *= size
        p -= g
