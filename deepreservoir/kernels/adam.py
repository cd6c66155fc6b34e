"""Adam over a flat vector."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import RealKernel

# Elements updated at a time, so that the passes over the scratch buffers stay in cache.
_CHUNK = 32_768

_ADAM = RealKernel(
    "adam",
    r"""
extern "C" __global__ void KERNEL(real* theta, const real* grad, real* m, real* v,
        const real* decay_mask, long long n, real shrink, real decay, real beta1, real rest1,
        real beta2, real rest2, real eps, real size) {
    long long stride = (long long)gridDim.x * blockDim.x;
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
    *,
    step: int,
    rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Do one step of Adam (Kingma and Ba, 2015), or AdamW if `decoupled`, in place."""
    root_correction = (1 - beta2**step) ** 0.5
    size = rate * root_correction / (1 - beta1**step)
    if array_module(theta) is not np:
        shrink, decay = (-rate * weight_decay, 0.0) if decoupled else (0.0, weight_decay)
        constants = shrink, decay, beta1, 1 - beta1, beta2, 1 - beta2, eps * root_correction, size
        scalars = [theta.dtype.type(constant) for constant in constants]
        n = len(theta)
        _ADAM.of(theta.dtype).launch(n, theta, grad, m, v, decay_mask, np.int64(n), *scalars)
        return
    g_buffer, d_buffer = np.empty(_CHUNK, theta.dtype), np.empty(_CHUNK, theta.dtype)
    for start in range(0, len(theta), _CHUNK):
        part = slice(start, start + _CHUNK)
        p, g0, mp, vp, mask = theta[part], grad[part], m[part], v[part], decay_mask[part]
        g, d = g_buffer[: len(p)], d_buffer[: len(p)]
        if weight_decay and decoupled:
            np.multiply(mask, -rate * weight_decay, out=d)
            d += 1
            p *= d
            g0_used = g0
        elif weight_decay:
            np.multiply(mask, weight_decay, out=d)
            d *= p
            d += g0
            g0_used = d
        else:
            g0_used = g0
        mp *= beta1
        np.multiply(g0_used, 1 - beta1, out=g)
        mp += g
        vp *= beta2
        np.multiply(g0_used, g0_used, out=g)
        g *= 1 - beta2
        vp += g
        np.sqrt(vp, out=d)
        d += eps * root_correction
        np.divide(mp, d, out=g)
        g *= size
        p -= g
