"""Softmax along the last axis, and cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array, array_module
from .cuda import REDUCTIONS, RealKernel, contiguous

# All threads get the largest entry of a row, and the logarithm of the sum of exp(x - largest).
_ROW = (
    REDUCTIONS
    + r"""
__device__ real row_max(const real* x, long long k, real* shared) {
    real largest = x[0];
    for (long long i = threadIdx.x; i < k; i += blockDim.x)
        if (x[i] > largest) largest = x[i];
    return block_max(largest, shared);
}

__device__ real row_log_sum(const real* x, long long k, real largest, real* shared) {
    real sum = 0;
    for (long long i = threadIdx.x; i < k; i += blockDim.x) sum += exp(x[i] - largest);
    return log(block_sum(sum, shared));
}
"""
)

_LOG_SOFTMAX = RealKernel(
    "log_softmax",
    _ROW
    + r"""
extern "C" __global__ void KERNEL(const real* x, real* out, long long rows, long long k) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const real* from = x + row * k;
        real largest = row_max(from, k, shared);
        real log_sum = row_log_sum(from, k, largest, shared);
        for (long long i = threadIdx.x; i < k; i += blockDim.x)
            out[row * k + i] = from[i] - largest - log_sum;
    }
}
""",
)

_CROSS_ENTROPY = RealKernel(
    "softmax_cross_entropy",
    _ROW
    + r"""
// What is wanted of a class: its share of the target, times its weight.
__device__ real wanted(long long i, long long target, real on, real off, const real* class_weight,
        int has_class_weight) {
    return (i == target ? on : off) * (has_class_weight ? class_weight[i] : 1);
}

extern "C" __global__ void KERNEL(const real* outputs, const long long* targets,
        const real* weights, int has_weights, const real* class_weight, int has_class_weight,
        real* losses, real* gradient, long long rows, long long k, real on, real off, real n) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const real* from = outputs + row * k;
        real weight = has_weights ? weights[row] : 1;
        real largest = row_max(from, k, shared);
        real log_sum = row_log_sum(from, k, largest, shared);
        real sum = 0, loss = 0;
        for (long long i = threadIdx.x; i < k; i += blockDim.x) {
            real w = wanted(i, targets[row], on, off, class_weight, has_class_weight);
            sum += w;
            if (w != 0) loss -= w * (from[i] - largest - log_sum);
        }
        sum = block_sum(sum, shared);
        loss = block_sum(loss, shared);
        for (long long i = threadIdx.x; i < k; i += blockDim.x) {
            real w = wanted(i, targets[row], on, off, class_weight, has_class_weight);
            real p = exp(from[i] - largest - log_sum);
            gradient[row * k + i] = (p * sum - w) * (weight / n);
        }
        if (threadIdx.x == 0) losses[row] = loss * weight;
    }
}
""",
)


#: Bytes of the rows of a block of cross-entropy on the host, which should stay in the cache.
BLOCK_BYTES = 1 << 20

# Columns up to which the largest entry of each row is found faster in the transposed matrix.
_FEW_COLUMNS = 32


def log_softmax(x: Array) -> Array:
    """Return log softmax along the last axis."""
    xp = array_module(x)
    if xp is not np:
        x, k = contiguous(x), x.shape[-1]
        out, rows = xp.empty_like(x), x.size // max(k, 1)
        _LOG_SOFTMAX.of(x.dtype).launch_rows(rows, k, x, out, np.int64(rows), np.int64(k))
        return out
    shifted = x - _largest(x)
    # A reduction of the ufunc: the method of an array takes longer than the work on a small one.
    shifted -= np.log(np.add.reduce(np.exp(shifted), axis=-1, keepdims=True))
    return shifted


def _largest(x: np.ndarray) -> np.ndarray:
    """Return the largest entries along the last axis, which is kept."""
    if x.ndim == 2 and x.shape[1] <= _FEW_COLUMNS:  # NumPy reduces short rows one by one
        return np.maximum.reduce(x.T.copy(), axis=0)[:, None]
    return np.maximum.reduce(x, axis=-1, keepdims=True)


def average_rows(
    losses: Array, gradient: Array, weights: Array | None, n: float | None = None
) -> tuple[Array, Array]:
    """Return the weighted sum of losses (rows,) over n, and its gradient (rows, k).

    `n` is the number of rows unless given: it is larger where the rows are a block of those that
    are averaged over.
    """
    n = len(losses) if n is None else n
    if weights is None:  # divided by n: a product with 1/n has other bits
        return losses.sum() / n, gradient / n
    return (losses * weights).sum() / n, gradient * (weights / n)[:, None]


def softmax_cross_entropy(
    outputs: Array,
    targets: Array,
    weights: Array | None = None,
    label_smoothing: float = 0.0,
    class_weight: Array | None = None,
    n: float | None = None,
) -> tuple[Array, Array]:
    """Return the weighted mean cross-entropy of all rows, and its gradient.

    Parameters
    ----------
    outputs : array, shape (n, k)
    targets : array of int, shape (n,)
        Classes, from 0 to k - 1.
    weights : array, shape (n,), optional
    label_smoothing : float, default=0
    class_weight : array, shape (k,), optional
    n : float, optional
        What the sum is divided by; the number of rows unless given.

    Returns
    -------
    value : scalar of the outputs' array module
    gradient : array, shape (n, k)
    """
    xp = array_module(outputs)
    count, k = outputs.shape
    if xp is not np:
        return _cross_entropy_on_device(
            outputs, targets, weights, label_smoothing, class_weight, count if n is None else n
        )
    plain = not label_smoothing and class_weight is None
    if plain and outputs.nbytes > BLOCK_BYTES:
        return _cross_entropy_in_blocks(outputs, targets, weights, count if n is None else n)
    log_p = log_softmax(outputs)  # (count, k)
    rows = np.arange(count)
    if plain:
        gradient = np.exp(log_p)
        gradient[rows, targets] -= 1
        return average_rows(-log_p[rows, targets], gradient, weights, n)
    target_p = np.full((count, k), label_smoothing / k, outputs.dtype)
    target_p[rows, targets] += 1 - label_smoothing
    if class_weight is not None:
        target_p *= class_weight
    losses = -(target_p * log_p).sum(axis=1)
    gradient = np.exp(log_p) * target_p.sum(axis=1, keepdims=True) - target_p
    return average_rows(losses, gradient, weights, n)


def _cross_entropy_in_blocks(
    outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, n: float
) -> tuple[Any, np.ndarray]:
    """Return the sum over n of the cross-entropy of wide outputs, such as over a vocabulary.

    Every block of rows stays in the cache for all of its operations, and has one exponential per
    output. The result does not depend on the size of the blocks.
    """
    (count, k), dtype = outputs.shape, outputs.dtype
    losses, gradient = np.empty(count, dtype), np.empty_like(outputs)
    factors = np.full(count, 1 / n, dtype) if weights is None else weights / dtype.type(n)
    size = max(1, BLOCK_BYTES // (k * dtype.itemsize))
    for start in range(0, count, size):
        block = slice(start, start + size)
        part, p, own = outputs[block], gradient[block], factors[block]
        at = np.arange(len(part)), targets[block]
        np.subtract(part, part.max(axis=1, keepdims=True), out=p)
        losses[block] = -p[at]
        np.exp(p, out=p)
        sums = p.sum(axis=1, keepdims=True)
        losses[block] += np.log(sums[:, 0])
        p *= own[:, None] / sums
        p[at] -= own
    if weights is not None:
        losses *= weights
    return losses.sum() / n, gradient


def _cross_entropy_on_device(
    outputs: Array,
    targets: Array,
    weights: Array | None,
    label_smoothing: float,
    class_weight: Array | None,
    n: float,
) -> tuple[Array, Array]:
    xp, dtype = array_module(outputs), outputs.dtype
    outputs, (rows, k) = contiguous(outputs), outputs.shape
    losses, gradient = xp.empty(rows, dtype), xp.empty_like(outputs)
    # An array that is None is never read, but the kernel needs some pointer in its place.
    _CROSS_ENTROPY.of(dtype).launch_rows(
        rows,
        k,
        outputs,
        contiguous(targets, np.int64),
        outputs if weights is None else contiguous(weights, dtype),
        np.int32(weights is not None),
        outputs if class_weight is None else contiguous(class_weight, dtype),
        np.int32(class_weight is not None),
        losses,
        gradient,
        np.int64(rows),
        np.int64(k),
        dtype.type(label_smoothing / k + (1 - label_smoothing)),
        dtype.type(label_smoothing / k),
        dtype.type(n),
    )
    return losses.sum() / n, gradient
