"""Steps of a leaky reservoir: what its units hear, the nonlinearity and the leak, in one kernel.

    h[t] = keep h[t-1] + take f(W h[t-1] + drive[t])

With few links in W, one launch does all steps of a block, each series in a block of threads of its
own; with a dense or structured W, a step is the product and one launch for all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array, Device, array_module, to_device, to_host
from .cuda import THREADS, RealKernel, contiguous

_CODES = {"tanh": np.int32(0), "relu": np.int32(1), "identity": np.int32(2)}

# Rows of a slice: threads that run in step, and read side by side.
_WIDTH = 32

# From so many links on, a step of one series is spread over blocks of threads, and so is a launch
# of its own; unless there are enough series to fill a device. Both have yet to be measured on one.
_LINKS_OF_A_BLOCK = 1 << 18
_SERIES_THAT_FILL = 64

_CURVE = """
__device__ inline real curve(real x, int activation) {
    if (activation == 0) return tanh(x);
    if (activation == 1) return x < 0 ? (real)0 : x;   // this way round, NaN stays NaN
    return x;
}
"""

_LEAKY = RealKernel(
    "leaky",
    _CURVE
    + """
extern "C" __global__ void KERNEL(real* drive, const real* x, const real* h, long long n, real take,
                                  real keep, int activation) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        const real y = curve(x[i] + drive[i], activation);
        drive[i] = keep == 0 ? y : take * y + keep * h[i];
    }
}
""",
)

# The grid has `parts` blocks for each series. Threads of a block wait for each other after a step,
# blocks do not: a launch of several steps has one block for a series (parts = 1). The states of the
# step before are read where they were written, so they may not be read through the cache for
# constants (no __restrict__).
_SPARSE = RealKernel(
    "leaky_sparse",
    _CURVE
    + """
extern "C" __global__ void KERNEL(const long long* starts, const int* lengths, const int* columns,
                                  const real* values, const real* start, real* states,
                                  long long time, long long n, long long units, long long parts,
                                  real take, real keep, int activation) {
    const long long series = blockIdx.x / parts;
    const long long first = blockIdx.x % parts * blockDim.x + threadIdx.x;
    const real* h = start + series * units;
    for (long long t = 0; t < time; ++t) {
        real* now = states + (t * n + series) * units;
        for (long long i = first; i < units; i += parts * blockDim.x) {
            const int* column = columns + starts[i / 32] + i % 32;
            const real* value = values + starts[i / 32] + i % 32;
            real x = 0;
            for (int k = 0; k < lengths[i]; ++k) x += value[32 * k] * h[column[32 * k]];
            const real y = curve(x + now[i], activation);
            now[i] = keep == 0 ? y : take * y + keep * h[i];
        }
        __syncthreads();
        h = now;
    }
}
""",
)


@dataclass(frozen=True)
class Slices:
    """Sparse weights W (units, units), in the order in which the threads of a device read them.

    Thirty-two rows are a slice, as wide as its longest row: entry k of row i is at
    ``starts[i // 32] + 32 k + i % 32``, so that threads side by side read side by side.

    Attributes
    ----------
    starts : array of int64, shape (slices,)
    lengths : array of int32, shape (units,)
        Links of each row; a shorter row is filled up.
    columns : array of int32, shape (numbers of all slices,)
    values : array of float32 or float64, like columns
    links : int
        How many there are, without what rows are filled up with.
    """

    starts: Array
    lengths: Array
    columns: Array
    values: Array
    links: int

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        parts = (self.starts, self.lengths, self.columns, self.values)
        return sum(int(part.nbytes) for part in parts)

    def toarray(self) -> np.ndarray:
        """Return W on the host: (units, units)."""
        one = array_module(self.values).eye(len(self.lengths), dtype=self.values.dtype)
        return to_host(sparse_product(self, one)).T


def to_slices(matrix: Any, device: Device) -> Slices:
    """Arrange a CSR matrix (units, units) of the host in slices, on a device."""
    units = matrix.shape[0]
    lengths = np.diff(matrix.indptr).astype(np.int32)
    padded = np.zeros(-(-units // _WIDTH) * _WIDTH, np.int64)
    padded[:units] = lengths
    sizes = padded.reshape(-1, _WIDTH).max(axis=1) * _WIDTH
    ends = np.cumsum(sizes)
    starts = ends - sizes
    row = np.repeat(np.arange(units), lengths)
    k = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1].astype(np.int64), lengths)
    where = starts[row // _WIDTH] + _WIDTH * k + row % _WIDTH
    columns = np.zeros(ends[-1], np.int32)
    values = np.zeros(ends[-1], matrix.dtype)
    columns[where] = matrix.indices
    values[where] = matrix.data
    arrays = {"starts": starts, "lengths": lengths, "columns": columns, "values": values}
    placed = {name: to_device(array, device) for name, array in arrays.items()}
    return Slices(**placed, links=int(matrix.nnz))


def leaky_(
    drive: Array, x: Array, h: Array, take: np.floating, keep: np.floating, activation: str
) -> None:
    """Turn the drive of a step into its states, in place; what is heard, x = W h, is scratch.

    Parameters
    ----------
    drive, x, h : array of float32 or float64, shape (n_series, units) or (units,)
        `h` are the states before.
    take, keep : floating, of the same type
        The leak rate, and one less it.
    activation : {"tanh", "relu", "identity"}
    """
    xp = array_module(drive, x, h)
    if xp is not np:
        _LEAKY.of(drive.dtype).launch(
            drive.size, drive, contiguous(x), contiguous(h), np.int64(drive.size), take, keep,
            _CODES[activation],
        )  # fmt: skip
        return
    drive += x
    if activation == "tanh":
        np.tanh(drive, out=drive)
    elif activation == "relu":
        np.maximum(drive, np.zeros(drive.shape[-1:], drive.dtype), out=drive)
    if keep != 0:
        drive *= take
        np.multiply(h, keep, out=x)
        drive += x


def leaky_sparse_(
    weights: Any, drive: Array, h: Array, take: np.floating, keep: np.floating, activation: str
) -> None:
    """Turn the drive of a block of steps into their states, in place.

    Parameters
    ----------
    weights : CSR matrix on the host, Slices on a device
    drive : array, shape (time, n_series, units)
    h : array, shape (n_series, units)
        States before the first step.
    take, keep, activation
        As of :func:`leaky_`.
    """
    xp = array_module(drive, h)
    if xp is np:
        x = np.empty_like(h)
        for now in drive:
            x[...] = (weights @ h.T).T
            leaky_(now, x, h, take, keep, activation)
            h = now
        return
    _, n, units = drive.shape
    threads = min(-(-units // 32) * 32, THREADS)
    whole = weights.links <= _LINKS_OF_A_BLOCK or n >= _SERIES_THAT_FILL
    parts = 1 if whole else -(-units // threads)
    kernel, last = _SPARSE.of(drive.dtype), contiguous(h)
    arrays = (weights.starts, weights.lengths, weights.columns, weights.values)
    for states in (drive,) if whole else drive[:, None]:
        kernel.launch_blocks(
            n * parts, threads, *arrays, last, states, np.int64(len(states)), np.int64(n),
            np.int64(units), np.int64(parts), take, keep, _CODES[activation],
        )  # fmt: skip
        last = states[-1]


def sparse_product(weights: Any, h: Array) -> Array:
    """Return ``h W^T``: a CSR matrix with arrays of the host, Slices with those of a device."""
    xp = array_module(h)
    if xp is np:
        return (weights @ h.T).T
    out = xp.zeros((1, *h.shape), h.dtype)
    one, nothing = h.dtype.type(1), h.dtype.type(0)
    leaky_sparse_(weights, out, h, one, nothing, "identity")
    return out[0]
