"""Layer normalisation, and normalisation by the root of the mean square."""

from __future__ import annotations

from itertools import chain

import numpy as np

from ..backend import Array, array_module
from ..thread_limits import in_shares
from . import compiled
from .cuda import REDUCTIONS, RealKernel, contiguous

#: Bytes of rows that NumPy reads and writes at a time, so that they stay in a cache.
_BLOCK_BYTES = 256 << 10

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

    Without a weight and a bias, y equals xhat.
    """
    xp = array_module(x)
    if weight is None or bias is None:
        weight, bias = xp.ones(x.shape[-1], x.dtype), xp.zeros(x.shape[-1], x.dtype)
    if xp is not np:
        x, (rows, width) = contiguous(x), x.shape
        y, xhat, inverse = xp.empty_like(x), xp.empty_like(x), xp.empty((rows, 1), x.dtype)
        weight, bias = contiguous(weight, x.dtype), contiguous(bias, x.dtype)
        sizes = np.int64(rows), np.int64(width), x.dtype.type(eps)
        kernel = _FORWARD.of(x.dtype)
        kernel.launch_rows(rows, width, x, weight, bias, y, xhat, inverse, *sizes)
        return y, xhat, inverse
    x, (rows, width) = x if x.flags.c_contiguous else x.copy(), x.shape
    y, xhat, inverse = np.empty_like(x), np.empty_like(x), np.empty((rows, 1), x.dtype)
    step = _rows_at_a_time(x)

    def share(some: slice) -> None:
        for start in range(some.start, some.stop, step):
            part = slice(start, min(start + step, some.stop))
            _forward_block(x[part], weight, bias, eps, y[part], xhat[part], inverse[part])

    in_shares(share, rows, step)
    return y, xhat, inverse


def _forward_block(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    y: np.ndarray,
    xhat: np.ndarray,
    inverse: np.ndarray,
) -> None:
    """Write y and xhat, (n, width) as x, and inverse, (n, 1)."""
    if compiled.suits(x) and weight.dtype == bias.dtype == x.dtype:
        compiled.loops().layer_norm(x, weight, bias, x.dtype.type(eps), y, xhat, inverse)
        return
    np.subtract(x, x.mean(axis=-1, keepdims=True), out=xhat)
    squares = np.einsum("ij,ij->i", xhat, xhat)[:, None]
    np.divide(1, np.sqrt(squares / x.shape[1] + eps), out=inverse)
    xhat *= inverse
    np.multiply(xhat, weight, out=y)
    y += bias


def layer_norm_backward(
    dy: Array, xhat: Array, inverse: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return the gradients of x (n, width), of weight and of bias, (width,) each."""
    xp = array_module(dy)
    if weight is None:
        weight = xp.ones(dy.shape[-1], dy.dtype)
    if xp is not np:
        dy, (rows, width) = contiguous(dy), dy.shape
        dx = xp.empty_like(dy)
        sizes = np.int64(rows), np.int64(width)
        kernel = _BACKWARD.of(dy.dtype)
        kernel.launch_rows(rows, width, dy, xhat, inverse, weight, dx, *sizes)
        return dx, (dy * xhat).sum(axis=0), dy.sum(axis=0)
    dy, (rows, width) = dy if dy.flags.c_contiguous else dy.copy(), dy.shape
    dx, step = np.empty_like(dy), _rows_at_a_time(dy)

    def share(some: slice) -> list[np.ndarray]:
        found = []
        for start in range(some.start, some.stop, step):
            part = slice(start, min(start + step, some.stop))
            sums = np.zeros((2, width), dy.dtype)
            _backward_block(dy[part], xhat[part], inverse[part], weight, dx[part], sums)
            found.append(sums)
        return found

    # The sums of the blocks are added in order, however many threads there are.
    sums = sum(chain(*in_shares(share, rows, step)), np.zeros((2, width), dy.dtype))
    return dx, sums[0], sums[1]


def _backward_block(
    dy: np.ndarray,
    xhat: np.ndarray,
    inverse: np.ndarray,
    weight: np.ndarray,
    dx: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Write dx (n, width), and add to the sums (2, width) of dy xhat and of dy."""
    if compiled.suits(dy) and weight.dtype == dy.dtype:
        compiled.loops().layer_norm_backward(dy, xhat, inverse, weight, dx, sums[0], sums[1])
        return
    width = dy.shape[1]
    sums[0] += np.einsum("ij,ij->j", dy, xhat)
    sums[1] += dy.sum(axis=0)
    np.multiply(dy, weight, out=dx)
    projection = np.einsum("ij,ij->i", dx, xhat)[:, None]
    projection /= width
    dx -= dx.mean(axis=-1, keepdims=True)
    dx -= xhat * projection
    dx *= inverse


def _rows_at_a_time(x: np.ndarray) -> int:
    return max(1, _BLOCK_BYTES // (max(x.shape[1], 1) * x.itemsize))


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
