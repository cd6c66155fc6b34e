"""Random lanes, and frozen weights looked up from a table of values by lane.

The layout is that of :mod:`deepreservoir.scaffold.streams`; keys and substreams are plain integers
here. The host and every device draw the same bytes: lanes come from integer arithmetic, and the
tables of values are scaled on the host.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from ..backend import Array, array_module
from .cuda import Kernel, contiguous

LANES_PER_BLOCK = 16

_MASK = 2**64 - 1

#: CUDA C for the lanes of a row: Philox 4x64-10 (Salmon et al., 2011) with NumPy's counter.
PHILOX = r"""
__device__ void philox(unsigned long long block, unsigned long long substream,
        unsigned long long key0, unsigned long long key1, unsigned long long* words) {
    // NumPy adds one to the counter before its first block.
    unsigned long long c0 = block + 1, c1 = substream + (c0 == 0), c2 = 0, c3 = 0;
    for (int round = 0; round < 10; round++) {
        unsigned long long high0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0);
        unsigned long long low0 = 0xD2E7470EE14C6C93ULL * c0;
        unsigned long long high1 = __umul64hi(0xCA5A826395121157ULL, c2);
        unsigned long long low1 = 0xCA5A826395121157ULL * c2;
        c0 = high1 ^ c1 ^ key0;
        c1 = low1;
        c2 = high0 ^ c3 ^ key1;
        c3 = low0;
        key0 += 0x9E3779B97F4A7C15ULL;
        key1 += 0xBB67AE8584CAA73BULL;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

// Lane i of words in a row: 16 bits, little end first.
__device__ int lane(const unsigned long long* words, long long i) {
    return (int)(words[i >> 2] >> ((i & 3) * 16)) & 0xFFFF;
}

// All threads together: into shared memory, the lanes of the columns from `first` on, 16 for
// each thread. `row_block` is the block that the row starts on.
__device__ void stage_lanes(unsigned long long* words, long long first, long long width,
        unsigned long long row_block, unsigned long long substream, unsigned long long key0,
        unsigned long long key1) {
    long long column = first + 16 * (long long)threadIdx.x;
    __syncthreads();  // the lanes before these have been read
    if (column < width)
        philox(row_block + column / 16, substream, key0, key1, words + 4 * threadIdx.x);
    __syncthreads();
}
"""

# All threads of a block together: one row of weights.
_DRAW_ROW = r"""
__device__ void draw_row(const float* table, float* out, long long width,
        unsigned long long row, unsigned long long key0, unsigned long long key1,
        unsigned long long* words) {
    long long blocks = (width + 15) / 16, staged = 16 * (long long)blockDim.x;
    for (long long first = 0; first < width; first += staged) {
        stage_lanes(words, first, width, row * blocks, 0, key0, key1);
        long long stop = min(staged, width - first);
        for (long long i = threadIdx.x; i < stop; i += blockDim.x)
            out[first + i] = table[lane(words, i)];
    }
}
"""

_DRAW = Kernel(
    "draw",
    PHILOX
    + _DRAW_ROW
    + r"""
extern "C" __global__ void KERNEL(const float* table, float* out, long long rows,
        long long width, unsigned long long first_row, unsigned long long key0,
        unsigned long long key1) {
    __shared__ unsigned long long words[4 * THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        draw_row(table, out + row * width, width, first_row + row, key0, key1, words);
}
""",
)

_DRAW_AT = Kernel(
    "draw_at",
    PHILOX
    + _DRAW_ROW
    + r"""
extern "C" __global__ void KERNEL(const float* table, const long long* index, float* out,
        long long rows, long long width, unsigned long long key0, unsigned long long key1) {
    __shared__ unsigned long long words[4 * THREADS];
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        draw_row(table, out + row * width, width, index[row], key0, key1, words);
}
""",
)


def key_words(key: int) -> tuple[np.uint64, np.uint64]:
    """Return the two 64-bit words of a 128-bit key, the low one first."""
    return np.uint64(key & _MASK), np.uint64(key >> 64)


# The generator of each thread: setting its state takes a fraction of the time of making one.
_OF_THREAD = threading.local()


def random_words(key: int, counter: int, n: int) -> np.ndarray:
    """Return n words of the Philox stream of a key, on the host: uint64, shape (n,).

    They are those of ``np.random.Philox(key=key, counter=counter).random_raw(n)``.

    Parameters
    ----------
    key : int
        Of 128 bits.
    counter : int
        Of 256 bits: the number of blocks, of four words each, that are skipped.
    n : int
    """
    generator = getattr(_OF_THREAD, "generator", None)
    if generator is None:
        generator = _OF_THREAD.generator = np.random.Philox(0)
        _OF_THREAD.state = generator.state  # a copy; its buffer has been read to the end
    state = _OF_THREAD.state
    for name, value in (("key", key), ("counter", counter)):
        words = state["state"][name]
        for i in range(len(words)):
            words[i] = (value >> (64 * i)) & _MASK
    generator.state = state
    drawn: np.ndarray = generator.random_raw(n)
    return drawn


def lane_rows(key: int, start: int, stop: int, width: int, substream: int = 0) -> np.ndarray:
    """Draw rows [start, stop) of a matrix of lanes with `width` columns, on the host.

    Returns
    -------
    ndarray of uint16, shape (stop - start, width)
        A view, which is contiguous if `width` is a multiple of 16.
    """
    rows, blocks = stop - start, -(-width // LANES_PER_BLOCK)
    counter = int(start) * blocks + (int(substream) << 64)  # NumPy integers would overflow
    words = random_words(key, counter, rows * blocks * 4)
    lanes = words.astype("<u8", copy=False).view("<u2")
    return lanes.reshape(rows, blocks * LANES_PER_BLOCK)[:, :width]


def draw_rows(
    table: Array, key: int, start: int, stop: int, width: int, out: Array | None = None
) -> Array:
    """Draw rows [start, stop) of a matrix whose entries are ``table[lane]``.

    Parameters
    ----------
    table : array of float32, shape (65536,)
        The value of each lane.
    key : int
    start, stop, width : int
    out : array of float32, shape (stop - start, width), optional
        Array to write to.

    Returns
    -------
    array of float32, shape (stop - start, width)
    """
    xp = array_module(table)
    if out is None:
        out = xp.empty((stop - start, width), np.float32)
    if xp is not np:
        rows = stop - start
        sizes = np.int64(rows), np.int64(width), np.uint64(start)
        _DRAW.launch_rows(rows, width, table, out, *sizes, *key_words(key))
        return out
    # Work in strips, so that lanes stay in the L2 cache between the draw and the look-up.
    strip = max(1, 262_144 // width)
    for first in range(start, stop, strip):
        last = min(first + strip, stop)
        lanes = lane_rows(key, first, last, width)
        # All lanes are in range; mode="wrap" only saves NumPy a check and a copy.
        np.take(table, lanes, out=out[first - start : last - start], mode="wrap")
    return out


def consecutive(rows: np.ndarray) -> Iterator[range]:
    """Yield the runs of consecutive integers in `rows`, which ascend without repetition.

    Examples
    --------
    >>> list(consecutive(np.array([2, 3, 4, 9])))
    [range(2, 5), range(9, 10)]
    """
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        if len(run):
            yield range(int(run[0]), int(run[-1]) + 1)


def draw_rows_at(table: Array, key: int, index: Array, width: int) -> Array:
    """Draw single rows of a matrix whose entries are ``table[lane]``.

    On the host a row that is named several times is drawn once, and consecutive rows are drawn
    together; on a device every row is a block of one launch.

    Parameters
    ----------
    table : array of float32, shape (65536,)
        The value of each lane.
    key : int
    index : array of int64, shape (n,)
        Rows to draw, not negative, in any order and with or without repetition.
    width : int

    Returns
    -------
    array of float32, shape (n, width)
    """
    xp = array_module(table, index)
    if xp is not np:
        out = xp.empty((len(index), width), np.float32)
        sizes = np.int64(len(index)), np.int64(width)
        parts = table, contiguous(index), out
        _DRAW_AT.launch_rows(len(index), width, *parts, *sizes, *key_words(key))
        return out
    rows, inverse = np.unique(index, return_inverse=True)
    drawn, at = np.empty((len(rows), width), np.float32), 0
    for run in consecutive(rows):
        draw_rows(table, key, run.start, run.stop, width, drawn[at : at + len(run)])
        at += len(run)
    return drawn[inverse]
