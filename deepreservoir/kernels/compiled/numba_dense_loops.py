"""Loops of dense layers: random words, dropout after ReLU, and the sum of the two paths."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .options import compiled, compiled_exactly, inlined

# Random words: Philox 4x64-10 (Salmon et al., 2011) with NumPy's counter ------------------

_MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)


@intrinsic
def _high(typing: Any, a: Any, b: Any) -> Any:
    """Return the upper 64 bits of the product of two words; numba has no type for all 128."""

    def build(context: Any, builder: Any, signature: Any, factors: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(factor, wide) for factor in factors))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), build


@compiled_exactly
def _round(c0, c1, c2, c3, key0, key1):  # type: ignore[no-untyped-def]
    m0, m1 = _MULTIPLIERS
    return _high(m1, c2) ^ c1 ^ key0, m1 * c2, _high(m0, c0) ^ c3 ^ key1, m0 * c0


@compiled_exactly
def _two_blocks(c0, c1, key0, key1):  # type: ignore[no-untyped-def]
    """Return the 8 words that follow a counter; two blocks at once keep the processor busy."""
    w0, w1 = _WEYL
    zero, one = np.uint64(0), np.uint64(1)
    a0 = c0 + one  # NumPy adds one to the counter before its first block
    a1 = c1 + (one if a0 < c0 else zero)
    b0 = a0 + one
    b1 = a1 + (one if b0 < a0 else zero)
    a2, a3, b2, b3 = zero, zero, zero, zero
    for _ in range(10):
        a0, a1, a2, a3 = _round(a0, a1, a2, a3, key0, key1)
        b0, b1, b2, b3 = _round(b0, b1, b2, b3, key0, key1)
        key0 += w0
        key1 += w1
    return a0, a1, a2, a3, b0, b1, b2, b3


@compiled_exactly
def random_words(c0, c1, key0, key1, out):  # type: ignore[no-untyped-def]
    """Fill out (n,) with the words of the stream of a key, from a 128-bit counter on."""
    zero, one, two = np.uint64(0), np.uint64(1), np.uint64(2)
    whole = len(out) // 8 * 8
    for i in range(0, whole, 8):
        a0, a1, a2, a3, b0, b1, b2, b3 = _two_blocks(c0, c1, key0, key1)
        out[i], out[i + 1], out[i + 2], out[i + 3] = a0, a1, a2, a3
        out[i + 4], out[i + 5], out[i + 6], out[i + 7] = b0, b1, b2, b3
        c1 += one if c0 + two < c0 else zero
        c0 += two
    if whole < len(out):
        last = _two_blocks(c0, c1, key0, key1)
        for i in range(whole, len(out)):
            out[i] = last[i - whole]


# ReLU and dropout ---------------------------------------------------------------------------

# Blocks of lanes that are drawn at once: their words stay in the first level of the cache.
_BLOCKS = 512


def _lanes(words, start, stop, blocks, threshold, substream, key0, key1):  # type: ignore[no-untyped-def]
    """Draw rows [start, stop) of a mask into words, and return their lanes."""
    if threshold:
        used = words[: 4 * blocks * (stop - start)]
        random_words(np.uint64(start * blocks), substream, key0, key1, used)
    return words.view(np.uint16)


def _relu_dropout_row(row, bias, lanes, threshold, scale, to):  # type: ignore[no-untyped-def]
    """Write ``max(row + bias, 0)`` times the mask of the lanes into a row."""
    # Of rows that are sliced out, no index is checked for being negative.
    for j in range(len(to)):
        value = row[j] + bias[j]
        to[j] = np.float32(0) if value <= 0 else value  # NaN stays NaN
    if threshold:
        for j in range(len(to)):
            to[j] *= scale if lanes[j] >= threshold else np.float32(0)


# A call for each row would take as long as the work on a narrow one.
_lanes = inlined(_lanes)
_relu_dropout_row = inlined(_relu_dropout_row)


@compiled_exactly
def relu_dropout(x, bias, threshold, scale, substream, key0, key1, out):  # type: ignore[no-untyped-def]
    """Write ``max(x + bias, 0)`` times a dropout mask into out (n, width).

    Nothing is drawn if the threshold is zero. A row of the mask takes a whole number of blocks of
    16 lanes from a substream of a key.
    """
    n, width = x.shape
    blocks = (width + 15) // 16
    chunk = max(1, _BLOCKS // blocks) if threshold else n  # rows whose lanes are drawn at once
    words = np.empty(4 * blocks * min(chunk, n) if threshold else 0, np.uint64)
    for start in range(0, n, chunk):
        stop = min(start + chunk, n)
        lanes = _lanes(words, start, stop, blocks, threshold, substream, key0, key1)
        for i in range(start, stop):
            own = lanes[16 * blocks * (i - start) :]
            _relu_dropout_row(x[i], bias, own, threshold, scale, out[i])


@compiled_exactly
def relu_dropout_backward(dy, y, scale, out):  # type: ignore[no-untyped-def]
    """Write the gradient below a ReLU and dropout whose output was y; all arrays (n,)."""
    for i in range(len(dy)):
        out[i] = dy[i] * scale * (np.float32(1) if y[i] > 0 else np.float32(0))


# Low-rank path --------------------------------------------------------------------------------


def _add_low_rank(row, z, i, m):  # type: ignore[no-untyped-def]
    """Add row i of ``z m`` to a row (width,)."""
    rank, width = m.shape
    for r in range(0, rank - 3, 4):
        z0, z1, z2, z3 = z[i, r], z[i, r + 1], z[i, r + 2], z[i, r + 3]
        for j in range(width):
            row[j] += z0 * m[r, j] + z1 * m[r + 1, j] + z2 * m[r + 2, j] + z3 * m[r + 3, j]
    for r in range(rank // 4 * 4, rank):
        z0 = z[i, r]
        for j in range(width):
            row[j] += z0 * m[r, j]


_add_low_rank = inlined(_add_low_rank)


@compiled
def combine(base, beta, z, m, bias, dotted, sums, out):  # type: ignore[no-untyped-def]
    """Write ``beta base + z m + bias`` into out (n, width), which may be base.

    The sums (n,) of the rows of base times dotted are written too, unless they have no entries.
    """
    n, width = base.shape
    row = np.empty(width, np.float32)
    for i in range(n):
        if len(sums):
            total = np.float32(0)
            for j in range(width):
                total += base[i, j] * dotted[i, j]
            sums[i] = total
        for j in range(width):
            row[j] = base[i, j] * beta + bias[j]
        _add_low_rank(row, z, i, m)
        for j in range(width):
            out[i, j] = row[j]


# An adapted layer with ReLU and dropout ----------------------------------------------------------


@compiled
def adapted_relu(base, beta, z, scaling, B, bias, threshold, scale, substream, key0, key1, out):  # type: ignore[no-untyped-def]
    """Write ``max(beta base + s z B^T + bias, 0)`` times a dropout mask into out (n, width).

    The mask is that of `relu_dropout`. out may be base (n, width), z (n, rank) becomes s z, and a
    bias without entries is zero.
    """
    (n, width), rank = base.shape, B.shape[1]
    m, row = np.ascontiguousarray(B.T), np.empty(width, np.float32)
    added = bias if len(bias) else np.zeros(width, np.float32)
    blocks = (width + 15) // 16
    chunk = max(1, _BLOCKS // blocks) if threshold else n
    words = np.empty(4 * blocks * min(chunk, n) if threshold else 0, np.uint64)
    for start in range(0, n, chunk):
        stop = min(start + chunk, n)
        lanes = _lanes(words, start, stop, blocks, threshold, substream, key0, key1)
        for i in range(start, stop):
            given = base[i]
            for r in range(rank):
                z[i, r] *= scaling
            for j in range(width):
                row[j] = given[j] * beta
            _add_low_rank(row, z, i, m)
            own = lanes[16 * blocks * (i - start) :]
            _relu_dropout_row(row, added, own, threshold, scale, out[i])


@compiled
def adapted_input_gradient_(g, beta, u, scaling, A, x):  # type: ignore[no-untyped-def]
    """Replace g (n, width) by ``beta g + s u A`` and u (n, rank) by s u; return the sum of g x."""
    n, width = g.shape
    row, total = np.empty(width, np.float32), np.float32(0)
    for i in range(n):
        grad, along = g[i], x[i]
        for r in range(len(A)):
            u[i, r] *= scaling
        own = np.float32(0)
        for j in range(width):
            own += grad[j] * along[j]
            row[j] = grad[j] * beta
        total += own
        _add_low_rank(row, u, i, A)
        for j in range(width):
            grad[j] = row[j]
    return total
