"""The low-rank path together with the nonlinearity and the dropout that follow it, on a device.

A narrow layer costs a device as much time in launches as in arithmetic. Forward, one kernel
combines the frozen product with the low-rank path and applies bias, nonlinearity and mask;
backward, one takes the gradient back through them and projects it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ..backend import Array, array_module
from .activations import ACTIVATIONS
from .cuda import REDUCTIONS, RealKernel, contiguous
from .draw import PHILOX
from .dropout import DROP, SUBSTREAM, Drop
from .low_rank import CHUNK, factor_of, in_kernels, optional, stored

_FORWARD = (
    PHILOX
    + r"""
__device__ real value(real x) { return VALUE; }

// A block computes a chunk of a row: before is beta base + z m, out is value(before + bias) mask.
extern "C" __global__ void KERNEL(const real* base, const real* beta, int has_beta,
        real fixed_beta, const real* z, const real* m, const real* bias, int has_bias,
        real* before, real* out, long long rows, long long width, long long rank,
        long long along_rank, long long along_width, long long chunks, DROP) {
    __shared__ real own[32];
    __shared__ unsigned long long words[4 * THREADS];
    real factor = has_beta ? beta[0] : fixed_beta;
    unsigned long long substream = SUBSTREAM;
    long long lane_blocks = (width + 15) / 16;
    for (long long block = blockIdx.x; block < rows * chunks; block += gridDim.x) {
        long long row = block / chunks, first = (block % chunks) * CHUNK;
        long long stop = min((long long)width, first + CHUNK);
        __syncthreads();  // the entries before these have been read
        if (threadIdx.x < rank) own[threadIdx.x] = z[row * rank + threadIdx.x];
        if (threshold)
            stage_lanes(words, first, stop, row * lane_blocks, substream, key0, key1);
        __syncthreads();
        for (long long c = first + threadIdx.x; c < stop; c += blockDim.x) {
            long long at = row * width + c;
            real y = factor * base[at];
            const real* from = m + c * along_width;
            long long k = 0;
            for (; k + 8 <= rank; k += 8)
                for (int i = 0; i < 8; i++) y += own[k + i] * from[(k + i) * along_rank];
            for (; k < rank; k++) y += own[k] * from[k * along_rank];
            before[at] = y;
            real x = has_bias ? y + bias[c] : y;
            real mask = threshold && lane(words, c - first) < threshold ? 0 : scale;
            out[at] = value(x) * mask;
        }
    }
}
"""
)

_BACKWARD = (
    PHILOX
    + REDUCTIONS
    + r"""
__device__ real slope(real x) { return SLOPE; }

// A block computes a row: d is gradient mask slope(before + bias), and u is factor d m^T.
extern "C" __global__ void KERNEL(const real* gradient, const real* before, const real* bias,
        int has_bias, const real* m, real* d, real* u, long long rows, long long width,
        long long rank, long long along_rank, long long along_width, real factor, DROP) {
    __shared__ unsigned long long words[4 * THREADS];
    __shared__ real shared[8 * 32 + THREADS];
    int t = threadIdx.x, threads = blockDim.x;
    unsigned long long substream = SUBSTREAM;
    long long lane_blocks = (width + 15) / 16, staged = 16 * (long long)threads;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long first_rank = 0; first_rank < rank; first_rank += 8) {
            int count = (int)min(8LL, rank - first_rank);
            real sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            for (long long first = 0; first < width; first += staged) {
                if (threshold && first_rank == 0)
                    stage_lanes(words, first, width, row * lane_blocks, substream, key0, key1);
                long long stop = min(width, first + staged);
                for (long long c = first + t; c < stop; c += threads) {
                    long long at = row * width + c;
                    real own;
                    if (first_rank == 0) {
                        real x = has_bias ? before[at] + bias[c] : before[at];
                        real mask = threshold && lane(words, c - first) < threshold ? 0 : scale;
                        own = gradient[at] * mask * slope(x);
                        d[at] = own;
                    } else {
                        own = d[at];  // written by this thread
                    }
                    const real* from = m + first_rank * along_rank + c * along_width;
                    if (count == 8)
                        for (int k = 0; k < 8; k++) sums[k] += own * from[k * along_rank];
                    else
                        for (int k = 0; k < 8; k++)
                            if (k < count) sums[k] += own * from[k * along_rank];
                }
            }
            store_sums(sums, count, u + row * rank + first_rank, factor, shared);
        }
}
"""
)


class _Kernels(NamedTuple):
    forward: RealKernel
    backward: RealKernel


def _kernels(name: str) -> _Kernels:
    function = ACTIVATIONS[name]
    words = {"SUBSTREAM": SUBSTREAM, "DROP": DROP, "CHUNK": str(CHUNK)}
    words |= {"VALUE": function.value, "SLOPE": function.slope}
    sources = [_FORWARD, _BACKWARD]
    for word, meaning in words.items():
        sources = [source.replace(word, meaning) for source in sources]
    forward, backward = sources
    return _Kernels(
        RealKernel(f"low_rank_{name}", forward), RealKernel(f"low_rank_{name}_backward", backward)
    )


_KERNELS = {name: _kernels(name) for name in ACTIVATIONS}


def fuses_activation(x: Array, rank: int) -> bool:
    """Return whether the kernels of this module serve rows x (n, d) at a rank."""
    return in_kernels(x, rank)


def combine_activation(
    base: Array,
    beta: Array | float,
    z: Array,
    m: Array,
    bias: Array | None,
    name: str,
    drop: Drop | None,
) -> tuple[Array, Array]:
    """Return ``f(beta base + z m + bias) * mask``, and what f and bias are applied to.

    Parameters
    ----------
    base : array on a device, shape (n, width)
    beta : array of shape (1,), or float
    z : array, shape (n, rank)
    m : array, shape (rank, width)
    bias : array, shape (width,), optional
    name : str
        A key of :data:`ACTIVATIONS`.
    drop : Drop, optional
    """
    xp, (n, width) = array_module(base), base.shape
    base, z, factor = contiguous(base), contiguous(z, base.dtype), stored(m, base.dtype)
    before, out = xp.empty_like(base), xp.empty_like(base)
    chunks = -(-width // CHUNK)
    _KERNELS[name].forward.of(base.dtype).launch_rows(
        n * chunks,
        min(width, CHUNK),
        base,
        *factor_of(beta, base),
        z,
        factor.array,
        *optional(bias, base),
        before,
        out,
        *factor.sizes(n),
        np.int64(chunks),
        *(drop or _no_drop()).arguments(base),
    )
    return out, before


def combine_activation_backward(
    dy: Array,
    before: Array,
    bias: Array | None,
    m: Array,
    scale: float,
    name: str,
    drop: Drop | None,
) -> tuple[Array, Array]:
    """Return the gradient with respect to what f and bias are applied to, and its projection.

    Parameters
    ----------
    dy : array on a device, shape (n, width)
    before : array, shape (n, width)
        From :func:`combine_activation`.
    bias : array, shape (width,), optional
    m : array, shape (rank, width)
        B^T.
    scale : float
        Factor of the projection.
    name : str
    drop : Drop, optional

    Returns
    -------
    d : array, shape (n, width)
    u : array, shape (n, rank)
        ``scale d m^T``.
    """
    xp, (n, width), rank = array_module(dy), dy.shape, len(m)
    dy, factor = contiguous(dy), stored(m, dy.dtype)
    before = contiguous(before, dy.dtype)
    d, u = xp.empty_like(dy), xp.empty((n, rank), dy.dtype)
    _KERNELS[name].backward.of(dy.dtype).launch_rows(
        n,
        width,
        dy,
        before,
        *optional(bias, dy),
        factor.array,
        d,
        u,
        *factor.sizes(n),
        dy.dtype.type(scale),
        *(drop or _no_drop()).arguments(dy),
    )
    return d, u


@cache
def _no_drop() -> Drop:
    return Drop(0, 0, 0)
