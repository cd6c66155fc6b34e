"""The fast Walsh-Hadamard transform of rows, with random signs before and after.

H is the Sylvester-Hadamard matrix of order n. Blocks k = 0, 1, ... of it are stacked; there is a
sign for each input of each block, and a scaled sign for each output. The two directions are

    forward:   out[:, k n + i] = signs_out[k n + i] sum_j H[i, j] signs_in[k, j] x[:, j]
    backward:  out[:, j] = sum_k signs_in[k, j] sum_i H[i, j] signs_out[k n + i] x[:, k n + i]

On the host, the two small matrix products of :mod:`deepreservoir.scaffold.hadamard` are faster.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import SHARED_BYTES, RealKernel, contiguous

_TRANSFORM = r"""
// All threads together: row <- H row, in log2(order) passes over shared memory.
__device__ void transform(real* row, long long order) {
    for (long long half = 1; half < order; half *= 2) {
        __syncthreads();
        for (long long i = threadIdx.x; i < order / 2; i += blockDim.x) {
            long long low = i / half * (2 * half) + i % half;
            real a = row[low], b = row[low + half];
            row[low] = a + b;
            row[low + half] = a - b;
        }
    }
    __syncthreads();
}
"""

_FORWARD = RealKernel(
    "hadamard",
    _TRANSFORM
    + r"""
extern "C" __global__ void KERNEL(const real* x, const real* signs_in, const real* signs_out,
        real* out, long long rows, long long d_in, long long d_out, long long order) {
    extern __shared__ unsigned char memory[];
    real* mixed = (real*)memory;
    long long blocks = (d_out + order - 1) / order;
    for (long long item = blockIdx.x; item < rows * blocks; item += gridDim.x) {
        long long row = item / blocks, block = item % blocks, first = block * order;
        for (long long j = threadIdx.x; j < order; j += blockDim.x)
            mixed[j] = j < d_in ? x[row * d_in + j] * signs_in[block * d_in + j] : 0;
        transform(mixed, order);
        for (long long i = threadIdx.x; i < order && first + i < d_out; i += blockDim.x)
            out[row * d_out + first + i] = mixed[i] * signs_out[first + i];
        // The next row is written by the threads that have read this one: none waits.
    }
}
""",
)

_BACKWARD = RealKernel(
    "hadamard_backward",
    _TRANSFORM
    + r"""
extern "C" __global__ void KERNEL(const real* x, const real* signs_in, const real* signs_out,
        real* out, long long rows, long long d_in, long long d_out, long long order) {
    extern __shared__ unsigned char memory[];
    real* mixed = (real*)memory;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long first = 0; first < d_out; first += order) {
            const real* signs = signs_in + first / order * d_in;
            for (long long i = threadIdx.x; i < order; i += blockDim.x)
                mixed[i] = first + i < d_out
                    ? x[row * d_out + first + i] * signs_out[first + i] : 0;
            transform(mixed, order);
            // A thread writes and reads the same columns for every block: none waits for another.
            for (long long j = threadIdx.x; j < d_in; j += blockDim.x) {
                real before = first ? out[row * d_in + j] : 0;
                out[row * d_in + j] = before + mixed[j] * signs[j];
            }
        }
}
""",
)


def fits_shared_memory(order: int, dtype: np.dtype) -> bool:
    """Return whether a row of a transform of `order` fits in the shared memory of a block."""
    return order * np.dtype(dtype).itemsize <= SHARED_BYTES


def hadamard_rows(
    x: Array, signs_in: Array, signs_out: Array, order: int, *, backward: bool = False
) -> Array:
    """Transform rows on a device, forward or backward.

    Parameters
    ----------
    x : array, shape (n, d_in), or (n, d_out) backward
    signs_in : array, shape (blocks, d_in)
    signs_out : array, shape (d_out,)
        Signs multiplied by the scale.
    order : int
        A power of two, at least d_in; see :func:`fits_shared_memory`.
    backward : bool, default=False

    Returns
    -------
    array, shape (n, d_out), or (n, d_in) backward
    """
    n, d_in, d_out = len(x), signs_in.shape[1], len(signs_out)
    out = array_module(x).empty((n, d_in if backward else d_out), x.dtype)
    kernel = (_BACKWARD if backward else _FORWARD).of(x.dtype)
    sizes = [np.int64(size) for size in (n, d_in, d_out, order)]
    kernel.launch_rows(
        n * (1 if backward else len(signs_in)),
        order,
        contiguous(x),
        contiguous(signs_in, x.dtype),
        contiguous(signs_out, x.dtype),
        out,
        *sizes,
        shared_bytes=order * x.dtype.itemsize,
    )
    return out
