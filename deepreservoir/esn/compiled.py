"""The run of a sparse reservoir as one compiled loop, where numba (the extra ``numba``) is.

The reference is `Reservoir._run`, in NumPy; the states differ by rounding alone. Sparse weights
are read where NumPy multiplies by a matrix of mostly zeros, no call is made per step, and
Python's lock is released, so that the readout gathers one block while the next is run.
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

# Up to this share of links, reading them one by one beats a dense product.
_SHARE = 0.15
# From so many series on the dense product is one of matrices, on all cores, and wins from a lower
# share on, but for large reservoirs; and always in very small ones.
_MANY, _SHARE_MANY = 64, 0.07
_SMALL, _LARGE = 32, 2048
_UNITS = 1 << 16  # columns are numbered in 16 bits

# Rows whose links are read side by side: one vector register of float32. A step waits for loads,
# three a link where they are read one by one: weights are loaded eight at a time, and columns
# four to a word.
_ROWS = 8
_PER_WORD = 4
#: Series whose states are updated side by side: one vector register of float32.
LANES = 8
# Up to so many, one after another is faster.
_FEW = 2
# From so many links times rows on, threads save more than it takes to start them beside those of
# the BLAS, which spin for a while: some ten milliseconds of one core. A closed loop, which hands in
# a step at a time, stays below.
_THREADED = 1 << 25


@cache
def available() -> bool:
    """Say whether numba can be imported."""
    return find_spec("numba") is not None


def suits(units: int, n_links: int) -> bool:
    """Say whether weights are for the compiled loops: numba is there, and few links are."""
    return available() and units <= _UNITS and n_links <= _SHARE * units**2


def suits_many(units: int, n_links: int) -> bool:
    """Say whether they are for the compiled loops however many series run side by side."""
    return units > _LARGE or (units >= _SMALL and n_links <= _SHARE_MANY * units**2)


def beats_dense(n_series: int) -> bool:
    """Say whether so few series run faster by links than by a dense matrix, where both are."""
    return n_series < _MANY


@dataclass(frozen=True)
class Links:
    """Sparse weights, in the orders in which the compiled loops read them.

    Attributes
    ----------
    one : tuple of ndarray
        For one series, eight rows of like length side by side: rows (groups * 8,), those that are
        missing in the last group being any, without a link; columns (length of all groups, 2),
        four to a word, the first lowest, and values (length of all groups, 8), shorter rows
        filled up with zeros; and starts (groups + 1,), where each group begins.
    many : tuple of ndarray
        For many series: row pointers, columns and values, as in a CSR matrix.
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
    longest = lengths[rows[::_ROWS]]  # the first of a group is its longest
    starts = np.concatenate([[0], np.cumsum(longest)])
    columns = matrix.indices.astype(np.uint16)
    # Entry k of the row at place p of group g goes to (starts[g] + k, p).
    place = np.empty(units, np.int64)
    place[rows[:units]] = np.arange(units)
    entry = np.repeat(place, lengths)
    k = np.arange(matrix.nnz) - np.repeat(pointers[:-1], lengths)
    where = (starts[entry // _ROWS] + k, entry % _ROWS)
    grouped_columns = np.zeros((starts[-1], _ROWS), columns.dtype)
    grouped_values = np.zeros((starts[-1], _ROWS), matrix.dtype)
    grouped_columns[where] = columns
    grouped_values[where] = matrix.data
    words = _packed(grouped_columns)
    return Links((rows, words, grouped_values, starts), (pointers, columns, matrix.data.copy()))


def _packed(columns: np.ndarray) -> np.ndarray:
    """Return columns, (n, 8) in 16 bits, four to a 64-bit word: (n, 2)."""
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
    """Turn the drive of a block into its states, in place.

    Parameters
    ----------
    links : Links
    drive : ndarray, shape (time, n_series, units)
    h : ndarray, shape (n_series, units)
        State before the first step.
    take, keep : floating, of the same type
        Factors of the nonlinearity and of the state before.
    activation : {"tanh", "relu", "identity"}
    """
    if len(h) <= _FEW:
        one = _one(activation, drive.dtype.name)
        for i, start in enumerate(h):
            one(*links.one, drive[:, i], start.copy(), take, keep)
        return
    many = _many(activation, drive.dtype.name)

    def run_some(some: slice) -> None:
        many(*links.many, drive[:, some], h[some], take, keep)

    threaded = worth_threads(links, drive.shape[0] * len(h))
    spread(run_some, len(h), LANES) if threaded else run_some(slice(None))


def worth_threads(links: Links, rows: int) -> bool:
    """Say whether so many rows (steps times series) are work enough for several threads."""
    return rows * len(links.many[1]) >= _THREADED


def _tanh(x: Any) -> Any:
    """Return tanh in float32 to about 2e-7, as a quotient of polynomials.

    The coefficients are those of Eigen's vectorised tanh. Library calls would be made element
    by element; this is a few vector operations.
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
    """Let numba turn a run of like statements into vector instructions, which it leaves off."""
    from numba.core import config

    before = config.SLP_VECTORIZE
    config.SLP_VECTORIZE = 1
    try:
        yield
    finally:
        config.SLP_VECTORIZE = before


def _types(activation: str, dtype: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return numba's number type, the nonlinearity, and how loops are compiled."""
    import numba

    curve: Any = {"tanh": _tanh, "relu": _relu, "identity": _identity}[activation]
    if (activation, dtype) == ("tanh", "float64"):
        curve = math.tanh
    else:
        curve = numba.njit(inline="always")(curve)
    # contract: a product and a sum may be one instruction. Nothing may be reordered.
    options = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    return numba.from_dtype(np.dtype(dtype)), curve, options


# Each loop is compiled for one signature, which also keeps numba from compiling another for
# arrays that happen to be contiguous.


@cache
def _one(activation: str, dtype: str) -> Any:
    """Return the loop for one series, compiled once a process."""
    import numba

    real, f, options = _types(activation, dtype)
    whole = numba.int64[::1]
    signature = numba.void(
        whole, numba.uint64[:, ::1], real[:, ::1], whole, real[:, :], real[:], real, real
    )
    low, by16, by32, by48 = (np.uint64(number) for number in (0xFFFF, 16, 32, 48))

    # Slices of a group, and counting from zero, spare a look at each index for a minus sign.
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
    """Return the loop for many series, eight side by side, compiled once a process."""
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
            if used < 8:  # places without a series run along, at zero
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
                # All numbers in a row, so that the nonlinearity fills vector registers.
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
