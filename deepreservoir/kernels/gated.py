"""The product of a gate's SiLU with a value, as in gated MLPs (Shazeer, 2020)."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import RealKernel, contiguous
from .sigmoid import inverse_sigmoid

_FORWARD = RealKernel(
    "silu_product",
    r"""
extern "C" __global__ void KERNEL(const real* gate, const real* value, real* out, long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride)
        out[i] = gate[i] / (1 + exp(-gate[i])) * value[i];
}
""",
)

_BACKWARD = RealKernel(
    "silu_product_backward",
    r"""
extern "C" __global__ void KERNEL(const real* dout, const real* gate, const real* value,
        real* dgate, real* dvalue, long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        real s = 1 / (1 + exp(-gate[i]));
        dgate[i] = dout[i] * value[i] * s * (1 + gate[i] * (1 - s));
        dvalue[i] = dout[i] * gate[i] * s;
    }
}
""",
)


def silu_product(gate: Array, value: Array) -> Array:
    """Return ``silu(gate) * value``.

    Parameters
    ----------
    gate, value : array, shape (n, d)
    """
    xp = array_module(gate)
    if xp is not np:
        gate, value = contiguous(gate), contiguous(value)
        out = xp.empty_like(gate)
        _FORWARD.of(gate.dtype).launch(gate.size, gate, value, out, np.int64(gate.size))
        return out
    out = inverse_sigmoid(gate)
    np.divide(gate, out, out=out)
    out *= value
    return out


def silu_product_backward(dout: Array, gate: Array, value: Array) -> tuple[Array, Array]:
    """Return the gradients of gate and value of :func:`silu_product`.

    Parameters
    ----------
    dout, gate, value : array, shape (n, d)
    """
    xp = array_module(gate)
    if xp is not np:
        dout, gate, value = contiguous(dout), contiguous(gate), contiguous(value)
        dgate, dvalue = xp.empty_like(gate), xp.empty_like(gate)
        kernel = _BACKWARD.of(gate.dtype)
        kernel.launch(gate.size, dout, gate, value, dgate, dvalue, np.int64(gate.size))
        return dgate, dvalue
    s = inverse_sigmoid(gate)
    np.reciprocal(s, out=s)
    dvalue = gate * s
    # silu'(x) = s (1 + x (1 - s)) = s + silu(x) (1 - s)
    dgate = 1 - s
    dgate *= dvalue
    dgate += s
    dgate *= value
    dgate *= dout
    dvalue *= dout
    return dgate, dvalue
