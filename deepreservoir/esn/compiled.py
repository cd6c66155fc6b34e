"""Run a sparse reservoir in one compiled loop, if numba (the extra ``numba``) is installed.

The reference are the products of `Recurrent`, in NumPy; the states differ only by rounding. The
loops read the nonzero weights only, and make no Python call per step. They release the GIL, so
the readout can accumulate one block while the next runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from .threads import spread

# Up to this share of nonzero weights, reading them one by one beats a dense product.
_SHARE = 0.15
# With this many series the dense product is a matrix-matrix product on all cores. It then wins
# from a lower share on, except in large reservoirs, and always wins in very small ones.
_MANY, _SHARE_MANY = 64, 0.07
_SMALL, _LARGE = 32, 2048
_UNITS = 1 << 16  # column indices have 16 bits

# Rows whose weights are read together: one vector register of float32. The loop is bound by
# loads, three per weight if read one by one; so weights are loaded eight at a time, and column
# indices are packed four to a word.
_ROWS = 8
_PER_WORD = 4
#: Series whose states are updated together: one vector register of float32.
LANES = 8
# Up to this many series, running them one after another is faster.
_FEW = 2
# From this many weights times rows on, threads save more than their start costs: about ten
# milliseconds of one core, since the BLAS's own threads keep spinning for a while. A closed loop,
# which runs one step at a time, stays below this.
_THREADED = 1 << 25


@cache
def available() -> bool:
    """Return whether numba can be imported."""
    return find_spec("numba") is not None


def can_run(units: int) -> bool:
    """Return whether the compiled loops can run so many units: numba is installed."""
    return available() and units <= _UNITS


def suits(units: int, n_links: int) -> bool:
    """Return whether to use the compiled loops: they can run, and the weights are sparse."""
    return can_run(units) and n_links <= _SHARE * units**2


def suits_many(units: int, n_links: int) -> bool:
    """Return whether the compiled loops are faster for any number of series."""
    return units > _LARGE or (units >= _SMALL and n_links <= _SHARE_MANY * units**2)


def beats_dense(n_series: int) -> bool:
    """Return whether so few series run faster in the compiled loops than with a dense matrix."""
    return n_series < _MANY


@dataclass(frozen=True)
class Links:
    """Sparse weights in the layouts that the compiled loops read.

    Attributes
    ----------
    one : tuple of ndarray
        For one series, in groups of eight rows of similar length: rows (groups * 8,), where the
        last group is padded with empty rows; columns (length of all groups, 2), four to a word,
        the first in the lowest bits; values (length of all groups, 8), where shorter rows are
        padded with zeros; and starts (groups + 1,), the offset of each group.
    many : tuple of ndarray
        For many series: row pointers, column indices and values of a CSR matrix.
    """

    one: tuple[np.ndarray, ...]
    many: tuple[np.ndarray, ...]


def make_links(matrix: Any) -> Links:
    """Arrange a CSR matrix (units, units) for the compiled loops."""
    units = matrix.shape[0]
    pointers = matrix.indptr.astype(np.int64)
    lengths = np.diff(pointers)
    rows = np.zeros(-(-units // _ROWS) * _ROWS, np.int64)
    rows[:units] = np.argsort(-lengths, kind="stable")
    longest = lengths[rows[::_ROWS]]  # the first row of a group is its longest
    starts = np.concatenate([[0], np.cumsum(longest)])
    columns = matrix.indices.astype(np.uint16)
    # Entry k of the row at position p of group g goes to (starts[g] + k, p).
    position = np.empty(units, np.int64)
    position[rows[:units]] = np.arange(units)
    entry = np.repeat(position, lengths)
    k = np.arange(matrix.nnz) - np.repeat(pointers[:-1], lengths)
    target = (starts[entry // _ROWS] + k, entry % _ROWS)
    grouped_columns = np.zeros((starts[-1], _ROWS), columns.dtype)
    grouped_values = np.zeros((starts[-1], _ROWS), matrix.dtype)
    grouped_columns[target] = columns
    grouped_values[target] = matrix.data
    words = _packed(grouped_columns)
    return Links((rows, words, grouped_values, starts), (pointers, columns, matrix.data.copy()))


def _packed(columns: np.ndarray) -> np.ndarray:
    """Pack 16-bit column indices (n, 8), four to a 64-bit word: (n, 2)."""
    quads = columns.reshape(len(columns), _ROWS // _PER_WORD, _PER_WORD).astype(np.uint64)
    words = quads[:, :, 0]
    for i in range(1, _PER_WORD):
        words = words | quads[:, :, i] << np.uint64(16 * i)
    return words


def run(
    links: Links,
    drive: np.ndarray,
    h: np.ndarray,
    take: np.floating,
    keep: np.floating,
    activation: str,
) -> None:
    """Replace the drive of a block by its states, in place.

    Parameters
    ----------
    links : Links
    drive : ndarray, shape (time, n_series, units)
    h : ndarray, shape (n_series, units)
        State before the first step.
    take, keep : floating, of the same type
        Factors of the nonlinearity and of the previous state.
    activation : {"tanh", "relu", "identity"}
    """
    if len(h) <= _FEW:
        one = _one(activation, drive.dtype.name)
        for i, start in enumerate(h):
            one(*links.one, drive[:, i], start.copy(), take, keep)
        return
    many = _many(activation, drive.dtype.name)

    def run_share(series: slice) -> None:
        many(*links.many, drive[:, series], h[series], take, keep)

    threaded = worth_threads(links, drive.shape[0] * len(h))
    spread(run_share, len(h), LANES) if threaded else run_share(slice(None))


def worth_threads(links: Links, rows: int) -> bool:
    """Return whether this many rows (steps times series) are worth several threads."""
    return rows * len(links.many[1]) >= _THREADED


def _tanh(x: Any) -> Any:
    """Return tanh in float32 to about 2e-7, as a quotient of two polynomials.

    The coefficients are those of Eigen's vectorised tanh. A library function would be called once
    per element; this is a few vector operations.
    """
    f = np.float32
    x = min(max(x, f(-7.90531110763549805)), f(7.90531110763549805))
    s = x * x
    p = s * f(-2.76076847742355e-16) + f(2.00018790482477e-13)
    p = s * p + f(-8.60467152213735e-11)
    p = s * p + f(5.12229709037114e-08)
    p = s * p + f(1.48572235717979e-05)
    p = s * p + f(6.37261928875436e-04)
    p = s * p + f(4.89352455891786e-03)
    q = s * f(1.19825839466702e-06) + f(1.18534705686654e-04)
    q = s * q + f(2.26843463243900e-03)
    q = s * q + f(4.89352518554385e-03)
    return x * p / q


def _relu(x: Any) -> Any:
    return max(x, x * 0)


def _identity(x: Any) -> Any:
    return x


@contextmanager
def _vectors_from_straight_code() -> Iterator[None]:
    """Let numba vectorise straight-line code (SLP), which is off by default."""
    from numba.core import config

    before = config.SLP_VECTORIZE
    config.SLP_VECTORIZE = 1
    try:
        yield
    finally:
        config.SLP_VECTORIZE = before


def _types(activation: str, dtype: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return numba's scalar type, the nonlinearity and the options of compilation."""
    import numba

    curve: Any = {"tanh": _tanh, "relu": _relu, "identity": _identity}[activation]
    if (activation, dtype) == ("tanh", "float64"):
        curve = math.tanh
    else:
        curve = numba.njit(inline="always")(curve)
    # contract: a product and a sum may be fused. No other reordering is allowed.
    options = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    return numba.from_dtype(np.dtype(dtype)), curve, options


# Each loop has one explicit signature; otherwise numba would compile another variant for arrays
# that happen to be contiguous.


@cache
def _one(activation: str, dtype: str) -> Any:
    """Return the loop for one series, compiled once per process."""
    import numba

    real, f, options = _types(activation, dtype)
    whole = numba.int64[::1]
    signature = numba.void(
        whole, numba.uint64[:, ::1], real[:, ::1], whole, real[:, :], real[:], real, real
    )
    low, by16, by32, by48 = (np.uint64(number) for number in (0xFFFF, 16, 32, 48))

    # Slicing out a group and counting from zero avoids a check for negative indices.
    def one(rows, words, values, starts, drive, h, take, keep):  # type: ignore[no-untyped-def]
        for t in range(len(drive)):
            now = drive[t]
            for g in range(len(starts) - 1):
                word = words[starts[g] : starts[g + 1]]
                value = values[starts[g] : starts[g + 1]]
                a = b = c = d = e = p = q = r = keep * 0
                for k in range(len(value)):
                    first, second = word[k, 0], word[k, 1]
                    a += value[k, 0] * h[first & low]
                    b += value[k, 1] * h[(first >> by16) & low]
                    c += value[k, 2] * h[(first >> by32) & low]
                    d += value[k, 3] * h[first >> by48]
                    e += value[k, 4] * h[second & low]
                    p += value[k, 5] * h[(second >> by16) & low]
                    q += value[k, 6] * h[(second >> by32) & low]
                    r += value[k, 7] * h[second >> by48]
                row = rows[8 * g : 8 * g + 8]
                now[row[0]] += a
                now[row[1]] += b
                now[row[2]] += c
                now[row[3]] += d
                now[row[4]] += e
                now[row[5]] += p
                now[row[6]] += q
                now[row[7]] += r
            for i in range(len(now)):
                now[i] = f(now[i])
            if keep != 0:
                for i in range(len(now)):
                    now[i] = take * now[i] + keep * h[i]
            h = now

    with _vectors_from_straight_code():
        return numba.njit(signature, **options)(one)


@cache
def _many(activation: str, dtype: str) -> Any:
    """Return the loop for many series, eight at a time, compiled once per process."""
    import numba

    real, f, options = _types(activation, dtype)
    signature = numba.void(
        numba.int64[::1],
        numba.uint16[::1],
        real[::1],
        real[:, :, :],
        real[:, :],
        real,
        real,
    )

    def many(pointers, columns, values, drive, start, take, keep):  # type: ignore[no-untyped-def]
        n_series, units = start.shape
        h, new = np.zeros((units, 8), start.dtype), np.zeros((units, 8), start.dtype)
        for first in range(0, n_series, 8):
            used = min(8, n_series - first)
            if used < 8:  # lanes without a series compute zeros
                h[:], new[:] = 0, 0
            for n in range(used):
                for i in range(units):
                    h[i, n] = start[first + n, i]
            for t in range(len(drive)):
                for n in range(used):
                    for i in range(units):
                        new[i, n] = drive[t, first + n, i]
                for i in range(units):
                    index = columns[pointers[i] : pointers[i + 1]]
                    value = values[pointers[i] : pointers[i + 1]]
                    a = b = c = d = e = p = q = r = keep * 0
                    for k in range(len(value)):
                        w = value[k]
                        row = h[index[k]]
                        a += w * row[0]
                        b += w * row[1]
                        c += w * row[2]
                        d += w * row[3]
                        e += w * row[4]
                        p += w * row[5]
                        q += w * row[6]
                        r += w * row[7]
                    now = new[i]
                    now[0] += a
                    now[1] += b
                    now[2] += c
                    now[3] += d
                    now[4] += e
                    now[5] += p
                    now[6] += q
                    now[7] += r
                # One flat array, so that the nonlinearity fills vector registers.
                x, old = new.reshape(units * 8), h.reshape(units * 8)
                for i in range(units * 8):
                    x[i] = f(x[i])
                if keep != 0:
                    for i in range(units * 8):
                        x[i] = take * x[i] + keep * old[i]
                for n in range(used):
                    for i in range(units):
                        drive[t, first + n, i] = new[i, n]
                h, new = new, h

    with _vectors_from_straight_code():
        return numba.njit(signature, **options)(many)
