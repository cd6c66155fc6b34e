"""The elementwise work of a step of a closed-form continuous-time cell (Hasani et al., 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module
from .activations import bias_activation_dropout, bias_activation_dropout_backward
from .cuda import RealKernel, contiguous
from .dropout import Mask
from .sigmoid import silu_with_slope

_FORWARD = RealKernel(
    "gated_state",
    r"""
extern "C" __global__ void KERNEL(const real* y, const real* t, real* state, real* slopes,
        long long rows, long long width) {
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long i = threadIdx.x; i < width; i += blockDim.x) {
            const real* from = y + row * 4 * width + i;
            real f = tanh(from[0]), q = tanh(from[width]);
            real g = 1 / (1 + exp(-(from[2 * width] * t[row] + from[3 * width])));
            state[row * width + i] = f + g * (q - f);
            real* slope = slopes + row * 3 * width + i;
            slope[0] = (1 - g) * (1 - f * f);
            slope[width] = g * (1 - q * q);
            slope[2 * width] = (q - f) * g * (1 - g);
        }
}
""",
)

_BACKWARD = RealKernel(
    "gated_state_backward",
    r"""
extern "C" __global__ void KERNEL(const real* dstate, const real* t, const real* slopes, real* dy,
        long long rows, long long width) {
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long i = threadIdx.x; i < width; i += blockDim.x) {
            real d = dstate[row * width + i];
            const real* slope = slopes + row * 3 * width + i;
            real* out = dy + row * 4 * width + i;
            out[0] = d * slope[0];
            out[width] = d * slope[width];
            real gate = d * slope[2 * width];
            out[2 * width] = gate * t[row];
            out[3 * width] = gate;
        }
}
""",
)


def gated_state(y: Array, t: Array, slopes: bool) -> tuple[Array, Array | None]:
    """Return the next state of a cell from the outputs of its four heads.

    ``f = tanh(y_1)``, ``q = tanh(y_2)``, ``g = sigmoid(t y_3 + y_4)``; the state is
    ``(1 - g) f + g q``.

    Parameters
    ----------
    y : array, shape (n, 4 d)
        The heads side by side.
    t : array, shape (n,)
        Elapsed times.
    slopes : bool
        Whether a backward pass follows.

    Returns
    -------
    state : array, shape (n, d)
    slopes : array, shape (n, 3 d), or None
        Derivatives of the state with respect to y_1, y_2 and the argument of the sigmoid.
    """
    xp, (n, width) = array_module(y), (len(y), y.shape[1] // 4)
    if xp is not np:
        state, kept = xp.empty((n, width), y.dtype), xp.empty((n, 3 * width), y.dtype)
        _FORWARD.of(y.dtype).launch_rows(
            n, width, contiguous(y), contiguous(t), state, kept, np.int64(n), np.int64(width)
        )
        return state, kept
    both = np.tanh(y[:, : 2 * width])
    f, q = both[:, :width], both[:, width:]
    # The sigmoid as a hyperbolic tangent, which NumPy computes in vectors.
    g = y[:, 2 * width : 3 * width] * (0.5 * t)[:, None]
    g += 0.5 * y[:, 3 * width :]
    np.tanh(g, out=g)
    g *= 0.5
    g += 0.5
    difference = q - f
    difference *= g
    state = f + difference
    if not slopes:
        return state, None
    kept = np.empty((n, 3 * width), y.dtype)
    rest = 1 - g
    np.multiply(difference, rest, out=kept[:, 2 * width :])
    both *= both
    np.subtract(1, both, out=both)
    np.multiply(f, rest, out=kept[:, :width])
    np.multiply(q, g, out=kept[:, width : 2 * width])
    return state, kept


def gated_state_backward_(dy: Array, dstate: Array, t: Array, slopes: Array) -> None:
    """Write the gradient with respect to the heads into `dy`.

    Parameters
    ----------
    dy : array, shape (n, 4 d)
        In C order.
    dstate : array, shape (n, d)
    t : array, shape (n,)
    slopes : array, shape (n, 3 d)
        From :func:`gated_state`.
    """
    n, width = dstate.shape
    if array_module(dy) is not np:
        _BACKWARD.of(dy.dtype).launch_rows(
            n, width, contiguous(dstate), contiguous(t), slopes, dy, np.int64(n), np.int64(width)
        )
        return
    for k in (0, 1):
        part = slice(k * width, (k + 1) * width)
        np.multiply(dstate, slopes[:, part], out=dy[:, part])
    gate = np.multiply(dstate, slopes[:, 2 * width :], out=dy[:, 3 * width :])
    np.multiply(gate, t[:, None], out=dy[:, 2 * width : 3 * width])


def silu_dropout(x: Array, mask: Mask | None) -> tuple[Array, Any]:
    """Return ``silu(x) * mask``, and what backward needs.

    Parameters
    ----------
    x : array, shape (n, d)
    mask : Mask, optional
        From :func:`dropout_mask`.
    """
    if array_module(x) is not np:
        return bias_activation_dropout(x, None, "silu", mask)
    y, slope = silu_with_slope(x)
    if mask is not None:
        y *= mask
        slope *= mask
    return y, slope


def silu_dropout_backward(dy: Array, cache: Any) -> Array:
    """Return the gradient with respect to x."""
    if array_module(dy) is not np:
        return bias_activation_dropout_backward(dy, "silu", cache)
    return dy * cache
