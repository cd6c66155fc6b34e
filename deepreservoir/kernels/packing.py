"""Draw and unpack weights that are stored as codes of 1, 2, 4, 8 or 16 bits.

The code of a weight is the top bits of its lane. Codes are packed in little-endian order: the
first weight of a byte is in its lowest bits. Every row starts at a byte boundary. A unit of storage
is one byte, or two bytes for codes of 16 bits.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .cuda import Kernel, RealKernel
from .draw import PHILOX, key_words, lane_rows

_DRAW_CODES = Kernel(
    "draw_codes",
    PHILOX
    + r"""
extern "C" __global__ void KERNEL(unsigned char* codes, long long rows, long long row_bytes,
        long long width, int bits, unsigned long long first_row, unsigned long long key0,
        unsigned long long key1) {
    long long blocks = (width + 15) / 16, stride = (long long)gridDim.x * blockDim.x;
    // A thread packs the sixteen lanes of a block, which fill whole bytes.
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < rows * blocks;
            i += stride) {
        long long row = i / blocks, column = i % blocks * 16;
        long long from = column * bits / 8, stop = min(from + 2 * bits, row_bytes);
        unsigned long long words[4];
        philox(first_row * blocks + i, 0, key0, key1, words);
        int used = 0;
        for (long long at = from; at < stop; at++) {
            int byte = 0;
            for (int shift = 0; shift < 8; shift += bits, used++)
                if (bits == 16)  // the low byte of a code, then the high one
                    byte = lane(words, used / 2) >> (used & 1) * 8;
                else if (column + used < width)
                    byte |= lane(words, used) >> (16 - bits) << shift;
            codes[row * row_bytes + at] = (unsigned char)byte;
        }
    }
}
""",
)

# A thread unpacks four weights, whose codes are within one unit or fill whole units. Where rows are
# not multiples of four weights and of a unit, it unpacks one weight.
_UNPACK_SOURCE = r"""
__device__ void put(float* to, float a, float b, float c, float d) {
    *(float4*)to = make_float4(a, b, c, d);
}

__device__ void put(double* to, double a, double b, double c, double d) {
    ((double2*)to)[0] = make_double2(a, b);
    ((double2*)to)[1] = make_double2(c, d);
}

extern "C" __global__ void KERNEL(const unit* codes, const float* table, real* out,
        long long rows, long long units, long long width) {
    const int per_unit = 8 * sizeof(unit) / BITS, mask = (1 << BITS) - 1;
    STAGE
    if (width % 4 == 0 && width % per_unit == 0) {
        long long fours = rows * width / 4, stride = (long long)gridDim.x * blockDim.x;
        for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < fours;
                i += stride) {
            four code = FOUR;
            put(out + 4 * i, values[code & mask], values[(code >> BITS) & mask],
                values[(code >> 2 * BITS) & mask], values[(code >> 3 * BITS) & mask]);
        }
        return;
    }
    for (long long row = blockIdx.x; row < rows; row += gridDim.x)
        for (long long i = threadIdx.x; i < width; i += blockDim.x)
            out[row * width + i] = values[
                codes[row * units + i / per_unit] >> (i % per_unit * BITS) & mask];
}
"""

# Column 0 of the table has the weight of the lowest code of each unit.
_STAGE = r"""__shared__ float values[1 << BITS];
    for (int i = threadIdx.x; i < 1 << BITS; i += blockDim.x) values[i] = table[i * per_unit];
    __syncthreads();"""

# By bits: the unit of storage, the type that holds four codes, and how these are read.
_FOUR_CODES = {
    1: ("unsigned char", "unsigned", "codes[i >> 1] >> ((i & 1) * 4)"),
    2: ("unsigned char", "unsigned", "codes[i]"),
    4: ("unsigned char", "unsigned", "((const unsigned short*)codes)[i]"),
    8: ("unsigned char", "unsigned", "((const unsigned*)codes)[i]"),
    16: ("unsigned short", "unsigned long long", "((const unsigned long long*)codes)[i]"),
}


def _unpack_kernel(bits: int) -> RealKernel:
    unit, four, read = _FOUR_CODES[bits]
    stage = "const float* values = table;" if bits == 16 else _STAGE
    types = f"typedef {unit} unit;\ntypedef {four} four;\n#define BITS {bits}\n"
    source = _UNPACK_SOURCE.replace("STAGE", stage).replace("FOUR", read)
    return RealKernel(f"unpack_{bits}", types + source)


_UNPACK = {bits: _unpack_kernel(bits) for bits in _FOUR_CODES}


def codes_shape(rows: int, width: int, bits: int) -> tuple[tuple[int, int], np.dtype]:
    """Return the shape and dtype of the packed codes of a (rows, width) matrix."""
    unit = np.dtype(np.uint16 if bits == 16 else np.uint8)
    return (rows, -(-width * bits // 8) // unit.itemsize), unit


def draw_codes_(codes: Array, key: int, start: int, width: int, bits: int) -> None:
    """Draw the packed codes of as many rows as `codes` has, beginning with row `start`.

    Parameters
    ----------
    codes : array of uint8 or uint16, shape (rows, units)
        Array to write to; see :func:`codes_shape`.
    key : int
    start, width : int
    bits : {1, 2, 4, 8, 16}
    """
    rows = len(codes)
    if array_module(codes) is not np:
        row_bytes = codes.shape[1] * codes.dtype.itemsize
        sizes = np.int64(rows), np.int64(row_bytes), np.int64(width), np.int32(bits)
        blocks = rows * -(-width // 16)
        octets = codes.view(np.uint8)
        _DRAW_CODES.launch(blocks, octets, *sizes, np.uint64(start), *key_words(key))
        return
    drawn = lane_rows(key, start, start + rows, width) >> (16 - bits)
    if bits >= 8:
        codes[...] = drawn
        return
    per_byte = 8 // bits
    padding = -width % per_byte
    padded = np.pad(drawn.astype(np.uint8), ((0, 0), (0, padding)))
    groups = padded.reshape(rows, -1, per_byte)
    codes[...] = groups[:, :, 0]
    for i in range(1, per_byte):
        codes |= groups[:, :, i] << (i * bits)


def unpack_table(values: np.ndarray, bits: int) -> np.ndarray:
    """Return the weights in each possible unit of storage: (values of a unit, weights per unit)."""
    if bits >= 8:
        return values[:, None]
    byte = np.arange(256)[:, None]
    shifts = np.arange(8 // bits) * bits
    return values[(byte >> shifts) & (2**bits - 1)]


def unpack(codes: Array, table: Array, width: int, dtype: np.dtype | type = np.float32) -> Array:
    """Return the weights for packed codes.

    Parameters
    ----------
    codes : array of uint8 or uint16, shape (rows, units)
    table : array of float32, shape (256 or 65536, weights per unit)
        From :func:`unpack_table`.
    width : int
        Number of weights per row; the padding in its last unit is dropped.
    dtype : {float32, float64}, default=float32
        Type of the result; the values are float32 numbers in either.

    Returns
    -------
    array, shape (rows, width)
    """
    xp = array_module(codes)
    rows, units = codes.shape
    if xp is not np:
        out = xp.empty((rows, width), dtype)
        sizes = [np.int64(size) for size in (rows, units, width)]
        bits = 8 * codes.dtype.itemsize // table.shape[1]
        _UNPACK[bits].of(out.dtype).launch(-(-out.size // 4), codes, table, out, *sizes)
        return out
    out = np.take(table, codes, axis=0, mode="clip")
    weights = out.reshape(rows, units * table.shape[1])[:, :width]
    return weights.astype(dtype, copy=False)
