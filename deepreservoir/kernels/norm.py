"""Layer normalisation, and normalisation by the root of the mean square."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import REDUCTIONS, RealKernel, contiguous

_FORWARD = RealKernel(
    "layer_norm",
    REDUCTIONS
    + r"""
extern "C" __global__ void KERNEL(const real* x, const real* weight, const real* bias, real* y,
        real* xhat, real* inverse, long long rows, long long width, real eps) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const real* from = x + row * width;
        real sum = 0, squares = 0;
        for (long long i = threadIdx.x; i < width; i += blockDim.x) sum += from[i];
        real mean = block_sum(sum, shared) / width;
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            squares += (from[i] - mean) * (from[i] - mean);
        real scale = 1 / sqrt(block_sum(squares, shared) / width + eps);
        for (long long i = threadIdx.x; i < width; i += blockDim.x) {
            real normal = (from[i] - mean) * scale;
            xhat[row * width + i] = normal;
            y[row * width + i] = normal * weight[i] + bias[i];
        }
        if (threadIdx.x == 0) inverse[row] = scale;
    }
}
""",
)

_BACKWARD = RealKernel(
    "layer_norm_backward",
    REDUCTIONS
    + r"""
extern "C" __global__ void KERNEL(const real* dy, const real* xhat, const real* inverse,
        const real* weight, real* dx, long long rows, long long width) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const real* from = dy + row * width;
        const real* normal = xhat + row * width;
        real sum = 0, along = 0;
        for (long long i = threadIdx.x; i < width; i += blockDim.x) {
            real d = from[i] * weight[i];
            sum += d;
            along += d * normal[i];
        }
        real mean = block_sum(sum, shared) / width;
        real projection = block_sum(along, shared) / width;
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            dx[row * width + i] =
                (from[i] * weight[i] - mean - normal[i] * projection) * inverse[row];
    }
}
""",
)


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return the output, and what backward needs: (y, xhat, 1/std).

    Without a weight and a bias, y is xhat itself.
    """
    xp = array_module(x)
    if xp is not np:
        if weight is None or bias is None:
            weight, bias = xp.ones(x.shape[-1], x.dtype), xp.zeros(x.shape[-1], x.dtype)
        x, (rows, width) = contiguous(x), x.shape
        y, xhat, inverse = xp.empty_like(x), xp.empty_like(x), xp.empty((rows, 1), x.dtype)
        weight, bias = contiguous(weight, x.dtype), contiguous(bias, x.dtype)
        sizes = np.int64(rows), np.int64(width), x.dtype.type(eps)
        kernel = _FORWARD.of(x.dtype)
        kernel.launch_rows(rows, width, x, weight, bias, y, xhat, inverse, *sizes)
        return y, xhat, inverse
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    xhat = centred * inverse
    y = xhat if weight is None or bias is None else xhat * weight + bias
    return y, xhat, inverse


def layer_norm_backward(dy: Array, xhat: Array, inverse: Array, weight: Array | None) -> Array:
    xp = array_module(dy)
    if xp is not np:
        weight = xp.ones(dy.shape[-1], dy.dtype) if weight is None else weight
        dy, (rows, width) = contiguous(dy), dy.shape
        dx = xp.empty_like(dy)
        sizes = np.int64(rows), np.int64(width)
        kernel = _BACKWARD.of(dy.dtype)
        kernel.launch_rows(rows, width, dy, xhat, inverse, weight, dx, *sizes)
        return dx
    d = dy if weight is None else dy * weight
    projected = xhat * (d * xhat).mean(axis=-1, keepdims=True)
    return (d - d.mean(axis=-1, keepdims=True) - projected) * inverse


_RMS_FORWARD = RealKernel(
    "rms_norm",
    REDUCTIONS
    + r"""
extern "C" __global__ void KERNEL(const real* x, const real* gain, int has_gain, real* y,
        real* inverse, long long rows, long long width, real eps) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const real* from = x + row * width;
        real squares = 0;
        for (long long i = threadIdx.x; i < width; i += blockDim.x) squares += from[i] * from[i];
        real scale = 1 / sqrt(block_sum(squares, shared) / width + eps);
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            y[row * width + i] = from[i] * scale * (has_gain ? gain[i] : 1);
        if (threadIdx.x == 0) inverse[row] = scale;
    }
}
""",
)

_RMS_BACKWARD = RealKernel(
    "rms_norm_backward",
    REDUCTIONS
    + r"""
extern "C" __global__ void KERNEL(const real* dy, const real* x, const real* inverse,
        const real* gain, int has_gain, real* dx, long long rows, long long width) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const real* from = dy + row * width;
        const real* value = x + row * width;
        real along = 0, scale = inverse[row];
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            along += from[i] * (has_gain ? gain[i] : 1) * value[i];
        real projection = block_sum(along, shared) / width * scale * scale;
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            dx[row * width + i] =
                (from[i] * (has_gain ? gain[i] : 1) - value[i] * projection) * scale;
    }
}
""",
)


def rms_norm(x: Array, gain: Array | None, eps: float) -> tuple[Array, Array]:
    """Return ``gain x / sqrt(mean(x^2) + eps)`` over the last axis, and 1 / sqrt(...), (n, 1).

    Parameters
    ----------
    x : array, shape (n, width)
    gain : array, shape (width,), optional
        Ones by default.
    eps : float
    """
    xp = array_module(x)
    if xp is not np:
        x, (rows, width) = contiguous(x), x.shape
        y, inverse = xp.empty_like(x), xp.empty((rows, 1), x.dtype)
        # A gain that is None is never read, but the kernel needs some pointer in its place.
        given = x if gain is None else contiguous(gain, x.dtype)
        sizes = np.int64(rows), np.int64(width), x.dtype.type(eps)
        kernel = _RMS_FORWARD.of(x.dtype)
        kernel.launch_rows(rows, width, x, given, np.int32(gain is not None), y, inverse, *sizes)
        return y, inverse
    squares = np.einsum("nd,nd->n", x, x)[:, None]
    inverse = 1 / np.sqrt(squares / x.dtype.type(x.shape[-1]) + x.dtype.type(eps))
    y = x * inverse
    if gain is not None:
        y *= gain
    return y, inverse


def rms_norm_backward(dy: Array, x: Array, inverse: Array, gain: Array | None) -> Array:
    """Return the gradient of x; that of the gain is the sum over rows of ``dy x inverse``.

    Parameters
    ----------
    dy, x : array, shape (n, width)
    inverse : array, shape (n, 1)
        From :func:`rms_norm`.
    gain : array, shape (width,), optional
    """
    xp = array_module(dy)
    if xp is not np:
        dy, x, (rows, width) = contiguous(dy), contiguous(x), dy.shape
        dx = xp.empty_like(dy)
        given = x if gain is None else contiguous(gain, x.dtype)
        sizes = np.int64(rows), np.int64(width)
        kernel = _RMS_BACKWARD.of(dy.dtype)
        kernel.launch_rows(
            rows, width, dy, x, inverse, given, np.int32(gain is not None), dx, *sizes
        )
        return dx
    d = dy if gain is None else dy * gain
    along = np.einsum("nd,nd->n", d, x)[:, None] * inverse * inverse / x.dtype.type(x.shape[-1])
    dx = d - x * along
    dx *= inverse
    return dx
