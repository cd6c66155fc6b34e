"""Matrices as small integers with scales: what a file with ``dtype="int8"`` or ``"int6"`` stores.

A line of a matrix has one scale, its largest absolute value over 127 (int8) or 31 (int6), and its
values are the nearest multiples. A line is a row; of a matrix with fewer than 32 columns and more
rows than columns, such as the injection B of an adapter, it is a column, because a scale per row
would take a fifth of its bytes.

Scales have the precision of float16, eleven bits. With this rule, a matrix that was quantised once
keeps its codes and its values when it is quantised again.
"""

from __future__ import annotations

import math

import numpy as np

#: Bits per code, by the name of the type.
BITS = {"int8": 8, "int6": 6}

#: A matrix with fewer entries is stored in 16 bits: codes and scales would save few of its bytes.
LEAST_ENTRIES = 256

# Rows that are shorter than this have a scale per column instead, if the columns are longer.
_SHORT_ROW = 32

# Scales keep the precision of float16.
_SIGNIFICANT_BITS = 11


def is_quantised(shape: tuple[int, ...]) -> bool:
    """Return whether an array of this shape is quantised, rather than stored in 16 bits.

    Examples
    --------
    >>> is_quantised((8, 784)), is_quantised((512,)), is_quantised((3, 8))
    (True, False, False)
    """
    return len(shape) >= 2 and math.prod(shape) >= LEAST_ENTRIES


def scales_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the scales of a matrix, which broadcast with it.

    Examples
    --------
    >>> scales_shape((8, 784)), scales_shape((512, 8))
    ((8, 1), (1, 8))
    """
    *leading, width = shape
    if len(leading) == 1 and width < min(_SHORT_ROW, leading[0]):
        return (1, width)
    return (*leading, 1)


def packed_bytes(size: int) -> int:
    """Return the number of bytes that `size` codes of six bits take."""
    return -(-size // 4) * 3


def quantise(values: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of a matrix, rounded to nearest, and its scales.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (..., d)
        Finite.
    dtype : {"int8", "int6"}

    Returns
    -------
    codes : ndarray of int8, the shape of `values`
        From -127 to 127, or from -31 to 31; zero throughout a line of zeros.
    scales : ndarray of float16, the shape of :func:`scales_shape`
        float32 if one of them is beyond float16 or below its smallest normal number.

    Raises
    ------
    ValueError
        If a value is beyond the largest of float32.

    Examples
    --------
    >>> codes, scales = quantise(np.float32([[0.5, -1.0, 0.1]]), "int8")
    >>> codes, scales
    (array([[  64, -127,   13]], dtype=int8), array([[0.00787]], dtype=float16))
    """
    levels = largest_code(dtype)
    shape = scales_shape(values.shape)
    axis = tuple(i for i, size in enumerate(shape) if size == 1)
    largest = np.abs(values).max(axis=axis, keepdims=True).astype(np.float64)
    mantissa, exponent = np.frexp(largest / levels)
    unit = 2.0**_SIGNIFICANT_BITS
    exact = np.ldexp(np.rint(mantissa * unit) / unit, exponent)
    exact[exact < np.finfo(np.float32).tiny] = 0.0
    if exact.max() * levels > np.finfo(np.float32).max:
        raise ValueError(f"the largest value, {largest.max():.4g}, does not fit {dtype}")
    # Division by one where a line is zero throughout, or below the smallest normal float32.
    codes = values / np.where(exact == 0, 1.0, exact).astype(values.dtype)
    codes = np.clip(np.rint(codes, out=codes), -levels, levels, out=codes).astype(np.int8)
    with np.errstate(over="ignore", under="ignore"):  # compared below
        short = exact.astype(np.float16)
    return codes, short if (short == exact).all() else exact.astype(np.float32)


def largest_code(dtype: str) -> int:
    """Return the largest code: 127 or 31."""
    return int(2 ** (BITS[dtype] - 1)) - 1


def dequantise(codes: np.ndarray, scales: np.ndarray, dtype: str) -> np.ndarray:
    """Return the values of codes and scales.

    Parameters
    ----------
    codes : ndarray of int8, shape (..., d)
    scales : ndarray of float16 or float32, the shape of :func:`scales_shape`
    dtype : {"int8", "int6"}

    Returns
    -------
    ndarray of float32, the shape of `codes`

    Raises
    ------
    ValueError
        If they are not what :func:`quantise` can return.

    Examples
    --------
    >>> codes, scales = quantise(np.float32([[0.5, -1.0, 0.1]]), "int8")
    >>> dequantise(codes, scales, "int8")
    array([[ 0.50390625, -0.99993896,  0.10235596]], dtype=float32)
    """
    expected = scales_shape(codes.shape)
    if scales.shape != expected:
        raise ValueError(
            f"the scales of a matrix of shape {codes.shape} must have shape {expected}; got "
            f"{scales.shape}"
        )
    wide = scales.astype(np.float32)
    if not np.isfinite(wide).all() or (wide < 0).any():
        raise ValueError("the scales must be finite and not negative")
    levels = largest_code(dtype)
    outside = (codes < -levels) | (codes > levels)
    if outside.any():
        raise ValueError(
            f"codes of {dtype} must be from {-levels} to {levels}; got {codes[outside][0]}"
        )
    if (codes[np.broadcast_to(wide == 0, codes.shape)] != 0).any():
        raise ValueError("codes of a line whose scale is zero must be zero")
    with np.errstate(over="ignore"):  # detected below
        values: np.ndarray = codes * wide
    if not np.isfinite(values).all():
        raise ValueError("a value is beyond the largest of float32")
    return values


def pack(codes: np.ndarray) -> np.ndarray:
    """Return codes of six bits as bytes, four codes in three bytes.

    Codes are taken in row-major order, in two's complement. The first of four has the lowest bits
    of a little-endian number of 24 bits; zeros fill up the last four.

    Parameters
    ----------
    codes : ndarray of int8, of any shape
        From -32 to 31.

    Returns
    -------
    ndarray of uint8, shape (packed_bytes(codes.size),)

    Examples
    --------
    >>> pack(np.int8([1, 2, -1]))
    array([129, 240,   3], dtype=uint8)
    """
    flat = np.zeros(-(-codes.size // 4) * 4, np.uint32)
    flat[: codes.size] = codes.reshape(-1).view(np.uint8) & 63
    four = flat.reshape(-1, 4)
    words = four[:, 0] | four[:, 1] << 6 | four[:, 2] << 12 | four[:, 3] << 18
    return words.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].reshape(-1)


def unpack(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the codes that :func:`pack` wrote.

    Parameters
    ----------
    packed : ndarray of uint8, shape (packed_bytes(size),)
        With `size` the number of codes, the product of `shape`.
    shape : tuple of int

    Returns
    -------
    ndarray of int8, of `shape`
        From -32 to 31.

    Raises
    ------
    ValueError
        If the number of bytes is not that of the shape, or the codes that fill up the last four are
        not zero.

    Examples
    --------
    >>> unpack(np.uint8([129, 240, 3]), (3,))
    array([ 1,  2, -1], dtype=int8)
    """
    size = math.prod(shape)
    if packed.shape != (packed_bytes(size),):
        raise ValueError(
            f"codes of six bits of shape {shape} take {packed_bytes(size):,} bytes; got shape "
            f"{packed.shape}"
        )
    words = np.zeros((len(packed) // 3, 4), np.uint8)
    words[:, :3] = packed.reshape(-1, 3)
    numbers = words.view("<u4")  # (groups, 1)
    codes = (numbers >> np.arange(0, 24, 6).astype(np.uint32) & 63).astype(np.int8).reshape(-1)
    if codes[size:].any():
        raise ValueError("the codes after the last one must be zero")
    return ((codes[:size] ^ 32) - 32).reshape(shape)
