"""The low-rank path beside a frozen matrix, in few launches on a device.

With z = s x A^T and u = s dy B, a layer computes ``y = beta (x W^T) + z B^T + b`` forward, and
``dx = beta (dy W) + u A``, ``dA = u^T x`` and ``dB = dy^T z`` backward. Products with so few
columns take cuBLAS longer than reading their factors does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..backend import Array, array_module, is_on_device
from . import compiled
from .cuda import REDUCTIONS, THREADS, RealKernel, contiguous
from .products import add_product_, divides, dot, over_rows, product

#: Largest number of rows and largest rank for which these kernels are faster than cuBLAS: each
#: block reads all rows, or all of the low-rank factor.
MAX_ROWS, MAX_RANK = 1024, 32

#: Largest rank for which a compiled loop is faster than the BLAS.
MAX_COMPILED_RANK = 16

# Columns that a block sums over the rows; its other threads take other rows.
_COLUMNS = 32

# Columns of a row that a block of the second kernel computes.
CHUNK = 1024

_PROJECT = RealKernel(
    "low_rank_project",
    REDUCTIONS
    + r"""
// A block computes a row, eight of its entries at a time.
extern "C" __global__ void KERNEL(const real* x, const real* m, real* z, long long rows,
        long long width, long long rank, long long along_rank, long long along_width,
        real scale) {
    __shared__ real shared[8 * 32 + THREADS];
    int t = threadIdx.x, threads = blockDim.x;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long first = 0; first < rank; first += 8) {
            int count = (int)min(8LL, rank - first);
            real sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            if (count == 8) {
                for (long long c = t; c < width; c += threads) {
                    real value = x[row * width + c];
                    const real* from = m + first * along_rank + c * along_width;
                    for (int k = 0; k < 8; k++) sums[k] += value * from[k * along_rank];
                }
            } else {
                for (long long c = t; c < width; c += threads) {
                    real value = x[row * width + c];
                    const real* from = m + first * along_rank + c * along_width;
                    for (int k = 0; k < 8; k++)
                        if (k < count) sums[k] += value * from[k * along_rank];
                }
            }
            store_sums(sums, count, z + row * rank + first, scale, shared);
        }
}
""",
)

_COMBINE = RealKernel(
    "low_rank_combine",
    REDUCTIONS
    + r"""
// A block computes a chunk of a row; out may be base.
extern "C" __global__ void KERNEL(const real* base, const real* beta, int has_beta,
        real fixed_beta, const real* z, const real* m, const real* bias, int has_bias,
        const real* dotted, int has_dotted, real* dots, real* out, long long rows,
        long long width, long long rank, long long along_rank, long long along_width,
        long long chunks) {
    __shared__ real own[32];
    __shared__ real shared[THREADS];
    real factor = has_beta ? beta[0] : fixed_beta;
    for (long long block = blockIdx.x; block < rows * chunks; block += gridDim.x) {
        long long row = block / chunks, first = (block % chunks) * CHUNK;
        long long stop = min((long long)width, first + CHUNK);
        __syncthreads();  // the entries before these have been read
        if (threadIdx.x < rank) own[threadIdx.x] = z[row * rank + threadIdx.x];
        __syncthreads();
        real sum = 0;
        for (long long c = first + threadIdx.x; c < stop; c += blockDim.x) {
            long long at = row * width + c;
            real value = base[at], y = factor * value;
            const real* from = m + c * along_width;
            long long k = 0;
            for (; k + 8 <= rank; k += 8)
                for (int i = 0; i < 8; i++) y += own[k + i] * from[(k + i) * along_rank];
            for (; k < rank; k++) y += own[k] * from[k * along_rank];
            if (has_dotted) sum += value * dotted[at];
            out[at] = has_bias ? y + bias[c] : y;
        }
        if (has_dotted) {
            sum = block_sum(sum, shared);
            if (threadIdx.x == 0) dots[block] = sum;
        }
    }
}
""".replace("CHUNK", str(CHUNK)),
)

_GRADIENTS = RealKernel(
    "low_rank_gradients",
    r"""
// All threads together: adds factor^T x for COLUMNS columns of x to `sums`, whose entry (k, c) is
// at k * along_rank + c * along_width. Groups of threads take different rows.
__device__ void add_columns(const real* factor, const real* x, real* sums, long long first_column,
        long long rows, long long width, long long rank, long long along_rank,
        long long along_width, real* shared) {
    int t = threadIdx.x, own = t % COLUMNS, group = t / COLUMNS, groups = THREADS / COLUMNS;
    long long column = first_column + own;
    for (long long first = 0; first < rank; first += 8) {
        int count = (int)min(8LL, rank - first);
        real partial[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (column < width)
            for (long long row = group; row < rows; row += groups) {
                real value = x[row * width + column];
                const real* from = factor + row * rank + first;
                if (count == 8)
                    for (int k = 0; k < 8; k++) partial[k] += value * from[k];
                else
                    for (int k = 0; k < 8; k++)
                        if (k < count) partial[k] += value * from[k];
            }
        __syncthreads();  // the sums before these have been read
        for (int k = 0; k < 8; k++) shared[k * THREADS + t] = partial[k];
        __syncthreads();
        int k = group;  // as many groups as sums: each adds up one
        if (k < count && column < width) {
            real sum = 0;
            for (int g = 0; g < groups; g++) sum += shared[k * THREADS + g * COLUMNS + own];
            sums[(first + k) * along_rank + column * along_width] += sum;
        }
    }
}

extern "C" __global__ void KERNEL(const real* u, const real* x, real* dA, const real* z,
        const real* dy, real* dB, const real* dots, long long n_dots, real* dbeta, long long rows,
        long long d_in, long long d_out, long long rank) {
    __shared__ real shared[8 * THREADS];
    long long in_blocks = (d_in + COLUMNS - 1) / COLUMNS;
    long long out_blocks = (d_out + COLUMNS - 1) / COLUMNS;
    for (long long block = blockIdx.x; block <= in_blocks + out_blocks; block += gridDim.x) {
        if (block < in_blocks)
            add_columns(u, x, dA, block * COLUMNS, rows, d_in, rank, d_in, 1, shared);
        else if (block < in_blocks + out_blocks)
            add_columns(z, dy, dB, (block - in_blocks) * COLUMNS, rows, d_out, rank, 1, rank,
                shared);
        else if (n_dots) {
            real sum = 0;
            for (long long i = threadIdx.x; i < n_dots; i += THREADS) sum += dots[i];
            __syncthreads();
            shared[threadIdx.x] = sum;
            __syncthreads();
            for (int half = THREADS / 2; half > 0; half /= 2) {
                if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
                __syncthreads();
            }
            if (threadIdx.x == 0) dbeta[0] += shared[0];
        }
    }
}
""".replace("COLUMNS", str(_COLUMNS)),
)


class Stored(NamedTuple):
    """A low-rank factor (rank, width) as a kernel reads it: a matrix or its transpose."""

    array: Array
    rank: int
    width: int
    along_rank: int
    along_width: int

    def sizes(self, rows: int) -> tuple[np.int64, ...]:
        """Return the arguments `rows`, `width`, `rank`, `along_rank`, `along_width` of a kernel."""
        sizes = (rows, self.width, self.rank, self.along_rank, self.along_width)
        return tuple(map(np.int64, sizes))


def stored(m: Array, dtype: np.dtype) -> Stored:
    """Return how a kernel reads a low-rank factor (rank, width), in a type."""
    rank, width = m.shape
    if m.T.flags.c_contiguous and not m.flags.c_contiguous:
        return Stored(contiguous(m.T, dtype), rank, width, 1, rank)
    return Stored(contiguous(m, dtype), rank, width, width, 1)


def optional(array: Array | None, other: Array) -> tuple[Array, np.int32]:
    """Return the arguments `x` and `has_x` of a kernel for an array that may be None.

    An array that is None is never read, but the kernel needs some pointer in its place: `other`,
    which also has the type.
    """
    if array is None:
        return other, np.int32(0)
    return contiguous(array, other.dtype), np.int32(1)


def factor_of(beta: Array | float, other: Array) -> tuple[Array, np.int32, np.floating]:
    """Return the arguments `beta`, `has_beta` and `fixed_beta` of a kernel."""
    fixed = isinstance(beta, float)
    return *optional(None if fixed else beta, other), other.dtype.type(beta if fixed else 0)


def in_kernels(x: Array, rank: int) -> bool:
    """Return whether rows x (n, width) go through these kernels at a rank."""
    return is_on_device(x) and x.shape[0] <= MAX_ROWS and rank <= MAX_RANK


def project(x: Array, m: Array, scale: float) -> Array:
    """Return ``scale x m^T``: the read-in with m = A, and its gradient with m = B^T.

    Parameters
    ----------
    x : array, shape (n, width)
    m : array, shape (rank, width)
    scale : float

    Returns
    -------
    array, shape (n, rank)
    """
    (n, width), rank = x.shape, len(m)
    if not in_kernels(x, rank):
        z = product(x, m.T)
        z *= scale
        return z
    x, factor = contiguous(x), stored(m, x.dtype)
    z = array_module(x).empty((n, rank), x.dtype)
    _PROJECT.of(x.dtype).launch_rows(
        n,
        width,
        x,
        factor.array,
        z,
        *factor.sizes(n),
        x.dtype.type(scale),
    )
    return z


def combine(
    base: Array,
    beta: Array | float,
    z: Array,
    m: Array,
    bias: Array | None = None,
    dotted: Array | None = None,
    overwrite: bool = False,
) -> tuple[Array, Array | None]:
    """Return ``beta base + z m + bias``, and the products of base with another array.

    Parameters
    ----------
    base : array, shape (n, width)
    beta : array of shape (1,), or float
    z : array, shape (n, rank)
    m : array, shape (rank, width)
        B^T forward, and A for the gradient of the input.
    bias : array, shape (width,), optional
    dotted : array, shape (n, width), optional
    overwrite : bool, default=False
        Whether the result may replace base.

    Returns
    -------
    y : array, shape (n, width)
    dots : array or None
        Their sum is that of the entries of base times `dotted`.
    """
    (n, width), rank = base.shape, len(m)
    xp = array_module(base)
    if xp is np or rank > MAX_RANK:
        out = base if overwrite else xp.empty_like(base)
        if xp is np and rank <= MAX_COMPILED_RANK and compiled.suits(base):
            return out, _combine_compiled(base, beta, z, m, bias, dotted, out)
        dots = None if dotted is None else dot(dotted, base)

        def share(rows: slice) -> None:
            y = xp.multiply(base[rows], beta, out=out[rows])
            y += product(z[rows], m)
            if bias is not None:
                y += bias

        _by_rows(share, base, rank)
        return out, dots
    base, z, factor = contiguous(base), contiguous(z, base.dtype), stored(m, base.dtype)
    out = base if overwrite else xp.empty_like(base)
    chunks = -(-width // CHUNK)
    dots = None if dotted is None else xp.empty(n * chunks, base.dtype)
    _COMBINE.of(base.dtype).launch_rows(
        n * chunks,
        min(width, CHUNK),
        base,
        *factor_of(beta, base),
        z,
        factor.array,
        *optional(bias, base),
        *optional(dotted, base),
        base if dots is None else dots,
        out,
        *factor.sizes(n),
        np.int64(chunks),
    )
    return out, dots


def _by_rows(share: Callable[[slice], None], base: Array, rank: int) -> None:
    """Do the work on the rows of base (n, width), over threads if it is divided."""
    n = len(base)
    if array_module(base) is np and divides(n, base.size * rank):
        over_rows(share, n)
    else:
        share(slice(0, n))


def _combine_compiled(
    base: np.ndarray,
    beta: np.ndarray | float,
    z: np.ndarray,
    m: np.ndarray,
    bias: np.ndarray | None,
    dotted: np.ndarray | None,
    out: np.ndarray,
) -> np.ndarray | None:
    """Do what `combine` does in a compiled loop; return the sums of base times `dotted` by row."""
    (n, width), dtype = base.shape, base.dtype
    scale = compiled.number_of(beta, base)
    m = np.ascontiguousarray(m)
    added = np.zeros(width, dtype) if bias is None else bias
    other = np.empty((0, width), dtype) if dotted is None else dotted
    sums = np.empty(0 if dotted is None else n, dtype)

    def share(rows: slice) -> None:
        parts = base[rows], scale, z[rows], m, added, other[rows], sums[rows], out[rows]
        compiled.dense_loops().combine(*parts)

    _by_rows(share, base, len(m))
    return None if dotted is None else sums


def add_low_rank_gradients_(
    dA: Array,
    dB: Array,
    dbeta: Array | None,
    u: Array,
    x: Array,
    z: Array,
    dy: Array,
    dots: Array | None,
) -> None:
    """Add ``u^T x`` to dA, ``dy^T z`` to dB, and the sum of `dots`, if given, to dbeta.

    Parameters
    ----------
    dA : array, shape (rank, d_in)
    dB : array, shape (d_out, rank)
    dbeta : array, shape (1,), optional
    u, z : array, shape (n, rank)
    x : array, shape (n, d_in)
    dy : array, shape (n, d_out)
    dots : array, optional
        Of any shape.
    """
    (n, d_in), (d_out, rank) = x.shape, dB.shape
    if not in_kernels(x, rank):
        if dots is not None:
            dbeta += dots.sum()
        add_product_(dA, u.T, x)
        add_product_(dB, dy.T, z)
        return
    blocks = -(-d_in // _COLUMNS) - (-d_out // _COLUMNS) + 1
    dtype = dA.dtype  # inputs of another type are computed with in that of the parameters
    _GRADIENTS.of(dtype).launch_blocks(
        blocks,
        THREADS,
        contiguous(u, dtype),
        contiguous(x, dtype),
        dA,
        contiguous(z, dtype),
        contiguous(dy, dtype),
        dB,
        dA if dots is None else contiguous(dots, dtype),
        np.int64(0 if dots is None else dots.size),
        dA if dbeta is None else dbeta,
        np.int64(n),
        np.int64(d_in),
        np.int64(d_out),
        np.int64(rank),
    )
