"""Steps of a leaky reservoir with sparse weights, and their format on a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array, Device, array_module, to_device, to_host
from .cuda import THREADS, RealKernel, contiguous
from .reservoir import (
    CODES,
    CURVE,
    RunKernels,
    fits_run,
    launch_run,
    leaky_,
    make_run_source,
    parts_of_run,
)

# Rows per slice: the threads of a warp, which read adjacent addresses.
_WIDTH = 32

_WEIGHTS = """const long long* __restrict__ starts, const int* __restrict__ lengths,
       const int* __restrict__ columns, const real* __restrict__ values"""

_SOURCE = make_run_source(
    _WEIGHTS,
    """
                const int* column = columns + starts[row / 32] + row % 32;
                const real* value = values + starts[row / 32] + row % 32;
                const int length = lengths[row];
#pragma unroll 4
                for (int k = share; k < length; k += SHARES) x += value[32 * k] * h[column[32 * k]];
""",
)
_SPARSE = RunKernels("leaky_sparse", _SOURCE)

# Above this number of weights, a step of one series is distributed over several blocks of threads
# and needs a launch of its own, unless there are enough series to fill a device.
_LINKS_OF_A_BLOCK = 1 << 18
_SERIES_THAT_FILL = 64

# The grid has `parts` blocks per series. The threads of a block synchronise after each step, but
# blocks do not, so a launch of several steps has one block per series (parts = 1). The previous
# states are read from the array they were written to, so they must not be read through the
# read-only cache (hence no __restrict__).
_WIDE = RealKernel(
    "leaky_sparse_wide",
    CURVE
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

    A slice is a group of 32 rows, padded to its longest row: entry k of row i is at
    ``starts[i // 32] + 32 k + i % 32``, so that adjacent threads read adjacent addresses.

    Attributes
    ----------
    starts : array of int64, shape (slices,)
    lengths : array of int32, shape (units,)
        Number of weights per row, without padding.
    columns : array of int32, shape (entries of all slices,)
    values : array of float32 or float64, like columns
    links : int
        Total number of weights, without padding.
    """

    starts: Array
    lengths: Array
    columns: Array
    values: Array
    links: int

    @property
    def nbytes(self) -> int:
        """Number of bytes in all arrays."""
        parts = (self.starts, self.lengths, self.columns, self.values)
        return sum(int(part.nbytes) for part in parts)

    def toarray(self) -> np.ndarray:
        """Return W on the host: (units, units)."""
        identity = array_module(self.values).eye(len(self.lengths), dtype=self.values.dtype)
        return to_host(sparse_product(self, identity)).T


def to_slices(matrix: Any, device: Device) -> Slices:
    """Convert a CSR matrix (units, units) on the host to slices on a device."""
    units = matrix.shape[0]
    lengths = np.diff(matrix.indptr).astype(np.int32)
    padded = np.zeros(-(-units // _WIDTH) * _WIDTH, np.int64)
    padded[:units] = lengths
    sizes = padded.reshape(-1, _WIDTH).max(axis=1) * _WIDTH
    ends = np.cumsum(sizes)
    starts = ends - sizes
    row = np.repeat(np.arange(units), lengths)
    k = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1].astype(np.int64), lengths)
    target = starts[row // _WIDTH] + _WIDTH * k + row % _WIDTH
    columns = np.zeros(ends[-1], np.int32)
    values = np.zeros(ends[-1], matrix.dtype)
    columns[target] = matrix.indices
    values[target] = matrix.data
    arrays = {"starts": starts, "lengths": lengths, "columns": columns, "values": values}
    placed = {name: to_device(array, device) for name, array in arrays.items()}
    return Slices(**placed, links=int(matrix.nnz))


def leaky_sparse_(
    weights: Any, drive: Array, h: Array, take: np.floating, keep: np.floating, activation: str
) -> None:
    """Replace the drive of a block of steps by its states, in place.

    Parameters
    ----------
    weights : CSR matrix on the host, or Slices on a device
    drive : array, shape (time, n_series, units)
    h : array, shape (n_series, units)
        State before the first step.
    take, keep, activation
        See :func:`leaky_`.
    """
    xp = array_module(drive, h)
    if xp is np:
        if len(h) == 1:  # SciPy multiplies vectors faster
            drive, h = drive[:, 0], h[0]
        for now in drive:
            leaky_(now, (weights @ h.T).T, h, take, keep, activation)
            h = now
        return
    _, n, units = drive.shape
    arrays = (weights.starts, weights.lengths, weights.columns, weights.values)
    if fits_run(units, drive.dtype):
        parts = parts_of_run(n, units, weights.nbytes)
        launch_run(_SPARSE, arrays, drive, contiguous(h), parts, take, keep, activation)
        return
    threads = min(-(-units // 32) * 32, THREADS)
    whole = weights.links <= _LINKS_OF_A_BLOCK or n >= _SERIES_THAT_FILL
    parts = 1 if whole else -(-units // threads)
    kernel, last = _WIDE.of(drive.dtype), contiguous(h)
    for states in (drive,) if whole else drive[:, None]:
        kernel.launch_blocks(
            n * parts, threads, *arrays, last, states, np.int64(len(states)), np.int64(n),
            np.int64(units), np.int64(parts), take, keep, CODES[activation],
        )  # fmt: skip
        last = states[-1]


def sparse_product(weights: Any, h: Array) -> Array:
    """Return ``h W^T`` for a CSR matrix on the host, or for Slices on a device."""
    xp = array_module(h)
    if xp is np:
        return (weights @ h.T).T
    out = xp.zeros((1, *h.shape), h.dtype)
    take, keep = h.dtype.type(1), h.dtype.type(0)
    leaky_sparse_(weights, out, h, take, keep, "identity")
    return out[0]
