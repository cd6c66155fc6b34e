"""Sums of rows by index, in a fixed order."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import RealKernel, contiguous

_ADD_ROWS = RealKernel(
    "add_rows",
    r"""
// A block adds all rows of one index: that of the first row that has it.
extern "C" __global__ void KERNEL(const long long* index, const real* rows, real* out,
        long long n, long long width) {
    __shared__ int seen;
    for (long long i = blockIdx.x; i < n; i += gridDim.x) {
        long long own = index[i];
        __syncthreads();  // the flag before this one has been read
        if (threadIdx.x == 0) seen = 0;
        __syncthreads();
        for (long long j = threadIdx.x; j < i; j += blockDim.x)
            if (index[j] == own) seen = 1;
        __syncthreads();
        if (seen) continue;
        for (long long c = threadIdx.x; c < width; c += blockDim.x) {
            real sum = 0;
            for (long long j = i; j < n; j++)
                if (index[j] == own) sum += rows[j * width + c];
            out[own * width + c] += sum;
        }
    }
}
""",
)


def add_rows_(out: Array, index: Array, rows: Array) -> None:
    """Add row i of `rows` to row ``index[i]`` of `out`, in place; indices may repeat.

    Parameters
    ----------
    out : array, shape (m, width)
    index : array of int, shape (n,)
        From 0 to m - 1.
    rows : array, shape (n, width)

    Examples
    --------
    >>> out = np.zeros((3, 1))
    >>> add_rows_(out, np.array([2, 0, 2]), np.array([[1.0], [2.0], [3.0]]))
    >>> out.ravel()
    array([2., 0., 4.])
    """
    xp = array_module(out)
    if xp is np:
        order = np.argsort(index, kind="stable")
        ordered = index[order]
        first = np.ones(len(ordered), bool)  # of the rows of an index
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        starts = np.flatnonzero(first)
        if len(starts):
            out[ordered[starts]] += np.add.reduceat(rows[order], starts, axis=0)
        return
    n, width = rows.shape
    _ADD_ROWS.of(out.dtype).launch_rows(
        n, width, contiguous(index, np.int64), contiguous(rows), out, np.int64(n), np.int64(width)
    )
