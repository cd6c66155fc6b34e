"""Squared norms of the rows of a matrix, summed in float64 in an order that its width fixes."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import REDUCTIONS, Kernel, contiguous

_SQUARED_NORMS = Kernel(
    "squared_norms",
    REDUCTIONS
    + r"""
extern "C" __global__ void KERNEL(const float* x, real* out, long long rows, long long width) {
    __shared__ real shared[THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        real sum = 0;
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            sum += (real)x[row * width + i] * x[row * width + i];
        sum = block_sum(sum, shared);
        if (threadIdx.x == 0) out[row] = sum;
    }
}
""",
    "double",
)


def squared_norms(x: Array) -> Array:
    """Return the squared norm of each row, which does not depend on the other rows.

    Parameters
    ----------
    x : array of float32, shape (rows, width)

    Returns
    -------
    array of float64, shape (rows,)

    Examples
    --------
    >>> squared_norms(np.array([[3.0, 4.0], [0.0, 2.0]], np.float32))
    array([25.,  4.])
    """
    xp = array_module(x)
    if xp is np:
        return np.einsum("ij,ij->i", x, x, dtype=np.float64)
    rows, width = x.shape
    out = xp.zeros(rows)
    _SQUARED_NORMS.launch_rows(rows, width, contiguous(x), out, np.int64(rows), np.int64(width))
    return out
