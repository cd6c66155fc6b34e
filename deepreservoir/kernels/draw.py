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
from . import compiled
from .cuda import THREADS, Kernel, RealKernel, contiguous, device_limits

LANES_PER_BLOCK = 16

_MASK = 2**64 - 1
_LANES = 65_536

# From this number of weights on, it pays to copy half a table into shared memory first.
_MANY_WEIGHTS = 1 << 20

# From this number of words on, a compiled loop draws them, if numba has been imported anyway.
_MANY_WORDS = 1 << 9

# Number of threads that share such a copy: as many as a block can have.
_MOST_THREADS = 1024

#: CUDA C for the lanes of a row: Philox 4x64-10 (Salmon et al., 2011) with NumPy's counter.
PHILOX = r"""
__device__ void philox(unsigned long long block, unsigned long long substream,
        unsigned long long key0, unsigned long long key1, unsigned long long* words) {
    // NumPy adds one to the counter before its first block.
    unsigned long long c0 = block + 1, c1 = substream + (c0 == 0), c2 = 0, c3 = 0;
    #pragma unroll
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

# How a table of values is read. Its length tells its form, see `compact_table`.
_LOOK_UPS = {
    "lanes": "return values[lane];",
    "codes": "return values[lane >> shift];",
    "half": r"""
    unsigned lower = (lane >> 15) - 1u;  // all ones for a lane of the lower half
    return __uint_as_float(__float_as_uint(values[(lane ^ lower) & 0x7FFF])
                           ^ (lower & 0x80000000u));""",
}

# Where the values are read from: shared memory serves random reads several times as fast.
_IN_GLOBAL_MEMORY = "const float* values = table;"
_IN_SHARED_MEMORY = r"""SHARED
    for (long long i = threadIdx.x; i < length; i += blockDim.x) values[i] = table[i];"""
_FEW = _IN_SHARED_MEMORY.replace("SHARED", "__shared__ float values[256];")
_MANY = _IN_SHARED_MEMORY.replace("SHARED", "extern __shared__ float values[];")

# Each thread draws sixteen lanes into shared memory. Then the threads side by side look up four
# lanes each, so that a warp writes memory without gaps. The number of blocks of lanes of a launch
# fits 32 bits, since the weights of so many would not fit a device.
_DRAW_SOURCE = r"""
__device__ real look_up(const float* values, unsigned lane, int shift) {LOOK_UP
}

__device__ void put(float* to, float a, float b, float c, float d) {
    *(float4*)to = make_float4(a, b, c, d);
}

__device__ void put(double* to, double a, double b, double c, double d) {
    ((double2*)to)[0] = make_double2(a, b);
    ((double2*)to)[1] = make_double2(c, d);
}

__device__ void look_up_four(const float* values, unsigned long long word, int shift, real* to) {
    unsigned low = (unsigned)word, high = (unsigned)(word >> 32);
    put(to, look_up(values, low & 0xFFFF, shift), look_up(values, low >> 16, shift),
        look_up(values, high & 0xFFFF, shift), look_up(values, high >> 16, shift));
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS) KERNEL(const float* table,
        long long length, int shift, real* out, long long rows, long long width, FIRST,
        unsigned long long key0, unsigned long long key1) {
    __shared__ ulonglong2 drawn[2 * MOST_THREADS];
    const unsigned long long* words = (const unsigned long long*)drawn;
    VALUES
    unsigned blocks = (unsigned)((width + 15) / 16);
    long long total = rows * blocks;
    bool whole = width % 16 == 0, aligned = width % 4 == 0;
    for (long long tile = (long long)blockIdx.x * blockDim.x; tile < total;
            tile += (long long)gridDim.x * blockDim.x) {
        __syncthreads();  // the words before these have been read
        long long i = tile + threadIdx.x;
        if (i < total) {
            unsigned long long lanes[4];
            philox(COUNTER, 0, key0, key1, lanes);
            drawn[2 * threadIdx.x] = make_ulonglong2(lanes[0], lanes[1]);
            drawn[2 * threadIdx.x + 1] = make_ulonglong2(lanes[2], lanes[3]);
        }
        __syncthreads();
        int n_words = 4 * (int)min((long long)blockDim.x, total - tile);
        if (whole) {
            real* to = out + 16 * tile;
            for (int at = threadIdx.x; at < n_words; at += blockDim.x)
                look_up_four(values, words[at], shift, to + 4 * at);
            continue;
        }
        for (int at = threadIdx.x; at < n_words; at += blockDim.x) {
            unsigned block = (unsigned)tile + at / 4, row = block / blocks;
            long long column = 16LL * (block - row * blocks) + 4 * (at % 4);
            real* to = out + row * width + column;
            if (aligned && column < width)
                look_up_four(values, words[at], shift, to);
            else
                for (int j = 0; j < 4 && column + j < width; j++)
                    to[j] = look_up(values, (unsigned)(words[at] >> 16 * j) & 0xFFFF, shift);
        }
    }
}
"""

# The row of a block, as a parameter of the kernel, and the block's number among all lanes.
_CONSECUTIVE = "unsigned long long first_row", "first_row * blocks + i"
_BY_INDEX = "const long long* index", "index[(unsigned)i / blocks] * blocks + (unsigned)i % blocks"


def _source(form: str, values: str, rows: tuple[str, str], threads: int = THREADS) -> str:
    source = PHILOX + _DRAW_SOURCE.replace("LOOK_UP", _LOOK_UPS[form]).replace("VALUES", values)
    source = source.replace("FIRST", rows[0]).replace("COUNTER", rows[1])
    return source.replace("MOST_THREADS", str(threads))


_VALUES = {"lanes": _IN_GLOBAL_MEMORY, "codes": _FEW, "half": _IN_GLOBAL_MEMORY}
_DRAW = {
    form: RealKernel(f"draw_{form}", _source(form, values, _CONSECUTIVE))
    for form, values in _VALUES.items()
}
_DRAW_SHARED_HALF = RealKernel(
    "draw_shared_half", _source("half", _MANY, _CONSECUTIVE, _MOST_THREADS)
)
_DRAW_AT = {
    form: Kernel(f"draw_at_{form}", _source(form, values, _BY_INDEX))
    for form, values in _VALUES.items()
}


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
    if n >= _MANY_WORDS and counter < 1 << 128 and compiled.ready():
        out = np.empty(n, np.uint64)
        compiled.dense_loops().random_words(*key_words(counter), *key_words(key), out)
        return out
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


def compact_table(values: np.ndarray) -> np.ndarray:
    """Return what a device needs of a family's values, in the form that is read fastest.

    Parameters
    ----------
    values : ndarray of float32, shape (2**bits,)
        The value of each code; the code of a weight is the top bits of its lane.

    Returns
    -------
    ndarray of float32
        The upper half if there are 65,536 values and the lower half mirrors them, bit by bit with
        the other sign: shape (32768,). Otherwise `values`.

    Examples
    --------
    >>> compact_table(np.array([-1.0, 1.0], np.float32))
    array([-1.,  1.], dtype=float32)
    """
    half = _LANES // 2
    if len(values) == _LANES and values[:half].tobytes() == (-values[: half - 1 : -1]).tobytes():
        return values[half:]
    return values


def _form(table: Array) -> tuple[str, int]:
    """Return the form of a table on a device, and by how much a lane is shifted to its code."""
    n = len(table)
    if n == _LANES:
        return "lanes", 0
    if n == _LANES // 2:
        return "half", 0
    if n > 256 or n & (n - 1):
        raise ValueError(
            f"a table of weights must have 65,536 values, 32,768 (the upper half of a mirrored "
            f"table), or a power of two up to 256; got {n}"
        )
    return "codes", 17 - n.bit_length()


def draw_rows(
    table: Array,
    key: int,
    start: int,
    stop: int,
    width: int,
    out: np.ndarray | None = None,
    dtype: np.dtype | type = np.float32,
) -> Array:
    """Draw rows [start, stop) of a matrix whose entries are ``table[lane]``.

    Parameters
    ----------
    table : array of float32, shape (65536,)
        The value of each lane; on a device also what :func:`compact_table` returns.
    key : int
    start, stop, width : int
    out : ndarray of float32, shape (stop - start, width), optional
        Array on the host to write to.
    dtype : {float32, float64}, default=float32
        Type of a new array; the values are float32 numbers in either.

    Returns
    -------
    array, shape (stop - start, width)
    """
    xp = array_module(table)
    if out is None:
        out = xp.empty((stop - start, width), dtype)
    if xp is not np:
        _draw_on_device(table, key, start, out)
        return out
    # Work in strips, so that lanes stay in the L2 cache between the draw and the look-up.
    strip = max(1, 262_144 // width)
    for first in range(start, stop, strip):
        last = min(first + strip, stop)
        lanes = lane_rows(key, first, last, width)
        # All lanes are in range; mode="wrap" only saves NumPy a check and a copy.
        np.take(table, lanes, out=out[first - start : last - start], mode="wrap")
    return out


def _draw_on_device(table: Array, key: int, start: int, out: Array) -> None:
    rows, width = out.shape
    form, shift = _form(table)
    sizes = np.int64(rows), np.int64(width), np.uint64(start)
    arguments = (table, np.int64(len(table)), np.int32(shift), out, *sizes, *key_words(key))
    blocks = rows * -(-width // LANES_PER_BLOCK)
    if form == "half" and out.size >= _MANY_WEIGHTS:
        limits = device_limits()
        if limits.shared_bytes >= table.nbytes + 32 * _MOST_THREADS:
            grid = min(-(-blocks // _MOST_THREADS), limits.multiprocessors)
            kernel = _DRAW_SHARED_HALF.of(out.dtype)
            kernel.launch_blocks(grid, _MOST_THREADS, *arguments, shared_bytes=table.nbytes)
            return
    _DRAW[form].of(out.dtype).launch(blocks, *arguments)


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
        The value of each lane; on a device also what :func:`compact_table` returns.
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
        form, shift = _form(table)
        sizes = np.int64(len(table)), np.int32(shift)
        parts = out, np.int64(len(index)), np.int64(width), contiguous(index)
        blocks = len(index) * -(-width // LANES_PER_BLOCK)
        _DRAW_AT[form].launch(blocks, table, *sizes, *parts, *key_words(key))
        return out
    rows, inverse = np.unique(index, return_inverse=True)
    drawn, at = np.empty((len(rows), width), np.float32), 0
    for run in consecutive(rows):
        draw_rows(table, key, run.start, run.stop, width, drawn[at : at + len(run)])
        at += len(run)
    return drawn[inverse]
