"""Nonlinearities, and a fused bias, nonlinearity and dropout mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, array_module
from . import compiled
from .cuda import RealKernel, contiguous
from .draw import PHILOX
from .dropout import DROP, SUBSTREAM, Drop, Mask, as_numbers, dropout_mask, loop_arguments
from .gelu import INV_SQRT_2PI, SQRT_HALF, gelu, gelu_with_slope
from .sigmoid import sigmoid, silu, silu_backward, silu_with_slope


def identity(x: Array) -> Array:
    return x


def identity_backward(dy: Array, y: Array) -> Array:
    return dy


def relu(x: Array) -> Array:
    xp = array_module(x)
    # A row of zeros instead of a scalar: NumPy's maximum is vectorised for arrays only.
    return xp.maximum(x, xp.zeros(x.shape[-1:], x.dtype))


def relu_backward(dy: Array, y: Array) -> Array:
    slope = as_numbers(y > 0, dy.dtype)
    slope *= dy
    return slope


def tanh(x: Array) -> Array:
    return array_module(x).tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    return dy * (1 - y * y)


def gelu_backward(dy: Array, x: Array) -> Array:
    xp = array_module(x)
    if xp is np:
        return dy * gelu_with_slope(x)[1]
    from cupyx.scipy import special

    cdf = 0.5 * (1 + special.erf(x * SQRT_HALF))
    return dy * (cdf + x * xp.exp(-0.5 * x * x) * INV_SQRT_2PI)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    return dy * y * (1 - y)


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow."""
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


class ActivationFunction(NamedTuple):
    """A nonlinearity and its derivative, in NumPy and in CUDA C."""

    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    keeps_output: bool  # whether backward needs the output instead of the input
    value: str  # CUDA expression of the function at x
    slope: str  # CUDA expression of the derivative at x
    #: x -> (value, derivative), on the host, where the two together are cheaper than each alone.
    with_slope: Callable[[Array], tuple[Array, Array]] | None = None
    #: Whether `backward` can also be given the output times a dropout mask.
    takes_masked: bool = False


#: Nonlinearities by name.
ACTIVATIONS: dict[str, ActivationFunction] = {
    # The comparison is written so that NaN stays NaN.
    "relu": ActivationFunction(
        relu, relu_backward, True, "x <= 0 ? (real)0 : x", "x > 0", takes_masked=True
    ),
    "tanh": ActivationFunction(tanh, tanh_backward, True, "tanh(x)", "1 - tanh(x) * tanh(x)"),
    "logistic": ActivationFunction(
        sigmoid,
        sigmoid_backward,
        True,
        "1 / (1 + exp(-x))",
        "1 / (1 + exp(-x)) * (1 - 1 / (1 + exp(-x)))",
    ),
    "gelu": ActivationFunction(
        gelu,
        gelu_backward,
        False,
        "(real)0.5 * x * (1 + erf(x * (real)0.7071067811865476))",
        "(real)0.5 * (1 + erf(x * (real)0.7071067811865476))"
        " + x * exp((real)-0.5 * x * x) * (real)0.3989422804014327",
        gelu_with_slope,
    ),
    "silu": ActivationFunction(
        silu,
        silu_backward,
        False,
        "x / (1 + exp(-x))",
        "(1 + x * (1 - 1 / (1 + exp(-x)))) / (1 + exp(-x))",
        silu_with_slope,
    ),
    "identity": ActivationFunction(identity, identity_backward, True, "x", "1"),
}

# RESULT is the result of a pass in terms of x (with its bias), mask and, backward, gradient.
_SOURCE = (
    PHILOX
    + r"""
__device__ real value(real x) { return VALUE; }
__device__ real slope(real x) { return SLOPE; }

extern "C" __global__ void KERNEL(const real* input, const real* bias, int has_bias,
        const real* gradient, real* out, long long rows, long long width, DROP) {
    __shared__ unsigned long long words[4 * THREADS];
    long long blocks = (width + 15) / 16, staged = 16 * (long long)blockDim.x;
    unsigned long long substream = SUBSTREAM;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long first = 0; first < width; first += staged) {
            if (threshold)
                stage_lanes(words, first, width, row * blocks, substream, key0, key1);
            long long stop = min(staged, width - first);
            for (long long i = threadIdx.x; i < stop; i += blockDim.x) {
                long long at = row * width + first + i;
                real x = has_bias ? input[at] + bias[first + i] : input[at];
                real mask = threshold && lane(words, i) < threshold ? 0 : scale;
                out[at] = RESULT;
            }
        }
}
"""
)


def _kernel(name: str, backward: bool) -> RealKernel:
    function = ACTIVATIONS[name]
    result = "gradient[at] * mask * slope(x)" if backward else "value(x) * mask"
    source = _SOURCE.replace("RESULT", result)
    source = source.replace("VALUE", function.value).replace("SLOPE", function.slope)
    source = source.replace("SUBSTREAM", SUBSTREAM).replace("DROP", DROP)
    return RealKernel(f"{name}_backward" if backward else name, source)


_FORWARD = {name: _kernel(name, backward=False) for name in ACTIVATIONS}
_BACKWARD = {name: _kernel(name, backward=True) for name in ACTIVATIONS}


def bias_activation_dropout(
    x: Array, bias: Array | None, name: str, mask: Mask | None, training: bool = True
) -> tuple[Array, Any]:
    """Return ``activation(x + bias) * mask``, and what backward needs.

    It is one pass on a device, and one pass for ReLU if a compiled loop suits x.

    Parameters
    ----------
    x : array, shape (n, d)
    bias : array, shape (d,), optional
    name : str
        A key of :data:`ACTIVATIONS`.
    mask : Mask, optional
        Its parameters, or its entries from :func:`dropout_mask`.
    training : bool, default=True
        Whether a backward pass follows, which needs the cache.

    Returns
    -------
    y : array, shape (n, d)
    cache : object
        Argument of :func:`bias_activation_dropout_backward`.
    """
    if array_module(x) is not np:
        return _pass_on_device(name, None, x, bias, mask), (x, bias, mask)
    compiles = name == "relu" and x.ndim == 2 and not isinstance(mask, np.ndarray)
    if compiles and compiled.suits_exactly(x, alone=training):
        y = _relu_dropout(x, bias, mask)
        return y, (y, 1.0 if mask is None else mask.scale)
    if isinstance(mask, Drop):
        mask = dropout_mask(x, mask)
    function = ACTIVATIONS[name]
    if bias is not None:
        x = x + bias
    if training and function.with_slope is not None:
        y, saved = function.with_slope(x)
    else:
        y = function.forward(x)
        saved = y if function.keeps_output else x
    cache = saved, mask
    if mask is None:
        return y, cache
    is_own = y is not x and (y is not saved or function.takes_masked)
    return np.multiply(y, mask, out=y if is_own else None), cache


def bias_activation_dropout_backward(dy: Array, name: str, cache: Any) -> Array:
    """Return the gradient with respect to x; its sum over rows is that of the bias."""
    if array_module(dy) is not np:
        return _pass_on_device(name, dy, *cache)
    saved, mask = cache
    if isinstance(mask, float):
        return _relu_dropout_backward(dy, saved, mask)
    function = ACTIVATIONS[name]
    dy = dy if mask is None else dy * mask
    return function.backward(dy, saved) if function.with_slope is None else dy * saved


def _relu_dropout(x: np.ndarray, bias: np.ndarray | None, drop: Drop | None) -> np.ndarray:
    """Return ``relu(x + bias)`` times a mask that is drawn meanwhile, with the bits of NumPy."""
    out = np.empty_like(x)
    added = np.zeros(x.shape[-1], x.dtype) if bias is None else bias
    compiled.dense_loops().relu_dropout(x, added, *loop_arguments(drop), out)
    return out


def _relu_dropout_backward(dy: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray:
    """Return the gradient below ReLU and dropout, whose output y is zero where it was dropped."""
    out = np.empty_like(y)
    flat = np.ascontiguousarray(dy).reshape(-1), y.reshape(-1), y.dtype.type(scale)
    compiled.dense_loops().relu_dropout_backward(*flat, out.reshape(-1))
    return out


def masked(x: Array, mask: Mask) -> Array:
    """Return ``x * mask``."""
    return bias_activation_dropout(x, None, "identity", mask)[0]


def _pass_on_device(
    name: str, dy: Array | None, x: Array, bias: Array | None, mask: Drop | None
) -> Array:
    if name == "identity" and bias is None and mask is None:
        return x if dy is None else dy
    dtype, width = x.dtype, x.shape[-1]
    rows = x.size // max(width, 1)
    x = contiguous(x)
    out = array_module(x).empty_like(x)
    drop = Drop(0, 0, 0) if mask is None else mask
    # An array that is None is never read, but the kernel needs some pointer in its place.
    kernel = (_FORWARD if dy is None else _BACKWARD)[name].of(dtype)
    kernel.launch_rows(
        rows,
        width,
        x,
        x if bias is None else contiguous(bias, dtype),
        np.int32(bias is not None),
        x if dy is None else contiguous(dy),
        out,
        np.int64(rows),
        np.int64(width),
        *drop.arguments(x),
    )
    return out
