"""How a file stores the values of one array: in their own type, in 16 bits, or quantised.

A stored array has a type of the safetensors layout. Codes of eight bits have the type I8 and the
shape of their array. Four codes of six bits are packed into three bytes, of type U8 in one
dimension, so that the shape must be known from elsewhere.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import quantised

#: Types in which trained parameters may be stored besides their own: numbers of 16 bits, and codes
#: of eight or six bits with scales, for matrices.
SHORT_DTYPES = ("float16", "bfloat16")
QUANTISED_DTYPES = tuple(quantised.BITS)

#: Type in the layout -> dtype of the stored array; bfloat16 is the upper half of a float32.
STORED: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "U16": np.dtype("<u2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
_TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "uint16": "U16",
    "int8": "I8",
    "int6": "U8",
}
#: Type in the layout -> name of the type of the values.
DTYPES = {kind: dtype for dtype, kind in _TYPES.items()}


# Characters of the message of an ArtifactError.
_LONGEST = 1_000


class ArtifactError(ValueError):
    """A file that cannot be trusted, read or written; the message says where and why.

    Messages repeat values of a file, which may be of any length: the middle of a message of more
    than a thousand characters is left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from deepreservoir import load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.safetensors")
    ...     _ = path.write_bytes(b"not a model")
    ...     try:
    ...         load(path)
    ...     except ArtifactError as error:
    ...         print(str(error).removeprefix(f"{folder}/").split(",")[0])
    model.safetensors: not a safetensors file
    """

    def __init__(self, message: str = "") -> None:
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 4 :]}"
        super().__init__(message)


class Stored(NamedTuple):
    """An array of a file.

    Attributes
    ----------
    kind : str
        Its type in the safetensors layout.
    array : ndarray
    """

    kind: str
    array: np.ndarray


def stored_dtypes(dtype: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the types in which a trained array of this type and shape may be stored.

    Examples
    --------
    >>> stored_dtypes("float32", (512,))
    ('float32', 'float16', 'bfloat16')
    >>> stored_dtypes("float32", (8, 784))
    ('float32', 'float16', 'bfloat16', 'int8', 'int6')
    """
    more = QUANTISED_DTYPES if quantised.is_quantised(shape) else ()
    return (dtype, *SHORT_DTYPES, *more)


def to_stored(values: np.ndarray, dtype: str, label: str = "the array") -> list[Stored]:
    """Return the arrays that a file has for values: one, or codes and scales.

    Parameters
    ----------
    values : ndarray of float32 or float64
    dtype : {"float64", "float32", "float16", "bfloat16", "int8", "int6"}
    label : str
        Name of the array in error messages.

    Raises
    ------
    ArtifactError
        If a value is not finite, or is beyond the largest of `dtype`.

    Examples
    --------
    >>> [each.kind for each in to_stored(np.ones((16, 64)), "int8")]
    ['I8', 'F16']
    """
    if dtype not in QUANTISED_DTYPES:
        return [Stored(_TYPES[dtype], encode(values, dtype, label))]
    codes, scales = _quantise(values, dtype, label)
    kind = _TYPES[scales.dtype.name]
    return [
        Stored(_TYPES[dtype], quantised.pack(codes) if dtype == "int6" else codes),
        Stored(kind, scales.astype(STORED[kind])),
    ]


def values_of(stored: Stored) -> np.ndarray:
    """Return the values of a stored array without scales: float64, float32 or uint16.

    Raises
    ------
    ValueError
        If one of them is not finite.
    """
    values = decode(stored.array, DTYPES[stored.kind])
    if not np.isfinite(values).all():
        raise ValueError("it contains a value that is not finite")
    return values


def values_of_codes(
    codes: Stored, scales: Stored, start: int, shape: tuple[int, ...]
) -> tuple[np.ndarray, int]:
    """Return the values of stored codes, and how many scales they have.

    Parameters
    ----------
    codes : Stored
    scales : Stored, of one axis
        Scales of several arrays.
    start : int
        Position of the first scale of these codes.
    shape : tuple of int
        Shape of the values.

    Returns
    -------
    values : ndarray of float32, of `shape`
    n_scales : int

    Raises
    ------
    ValueError
        If they are not what :func:`to_stored` returns for an array of this shape.
    """
    dtype = DTYPES[codes.kind]
    if not quantised.is_quantised(shape):
        raise ValueError(f"an array of shape {shape} must not be stored as {dtype}")
    if scales.kind not in ("F16", "F32") or scales.array.ndim != 1:
        raise ValueError(
            f"the scales must be F16 or F32, of one axis; got {scales.kind} of shape "
            f"{scales.array.shape}"
        )
    unpacked = quantised.unpack(codes.array, shape) if dtype == "int6" else codes.array
    by_line = quantised.scales_shape(shape)
    n_scales = math.prod(by_line)
    own = scales.array[start : start + n_scales]
    if len(own) < n_scales:
        raise ValueError(f"it must have {n_scales:,} scales; the file has {len(own):,} for it")
    wide = decode(own.reshape(by_line), DTYPES[scales.kind])
    return quantised.dequantise(unpacked, wide, dtype), n_scales


def values_bytes(kind: str, size: int) -> int:
    """Return the bytes in memory of the values of a stored array, at most.

    Parameters
    ----------
    kind : str
        Type of the stored array.
    size : int
        Number of its entries.
    """
    if kind == "U8":
        size = -(-size // 3) * 4
    return size * (8 if kind == "F64" else 4)


def stored_bytes(values: np.ndarray, dtype: str, scale_bytes: int = 2) -> dict[str, int]:
    """Return the bytes that values take in a file by type; those of scales are "scales".

    Parameters
    ----------
    values : ndarray
    dtype : str
        Stored type.
    scale_bytes : int, default=2
        Bytes of one scale.

    Examples
    --------
    >>> stored_bytes(np.ones((16, 64)), "int6")
    {'int6': 768, 'scales': 32}
    """
    if dtype not in QUANTISED_DTYPES:
        return {dtype: values.size * STORED[_TYPES[dtype]].itemsize}
    size = values.size if dtype == "int8" else quantised.packed_bytes(values.size)
    return {dtype: size, "scales": math.prod(quantised.scales_shape(values.shape)) * scale_bytes}


def rounded(values: np.ndarray, dtype: str, label: str = "the array") -> np.ndarray:
    """Return values as they are read from a file that stores them as `dtype`.

    Parameters
    ----------
    values : ndarray of float32 or float64
    dtype : {"float64", "float32", "float16", "bfloat16", "int8", "int6"}
    label : str
        Name of the array in error messages.

    Raises
    ------
    ArtifactError
        If a value is not finite, or is beyond the largest of `dtype`.

    Examples
    --------
    >>> rounded(np.float32([[1.0, 0.1]]), "int6")
    array([[0.9999695 , 0.09677124]], dtype=float32)
    """
    if dtype in QUANTISED_DTYPES:
        return quantised.dequantise(*_quantise(values, dtype, label), dtype)
    return decode(encode(values, dtype, label), dtype)


def encode(values: np.ndarray, dtype: str, label: str = "the array") -> np.ndarray:
    """Return `values` in their stored form, little-endian.

    Parameters
    ----------
    values : ndarray of float32, float64 or uint16
    dtype : {"float64", "float32", "float16", "bfloat16", "uint16"}
        Integers are stored as "uint16", and no other values are.
    label : str
        Name of the array in error messages.

    Raises
    ------
    ArtifactError
        If a value is not finite, or is beyond the largest of `dtype`.

    Examples
    --------
    >>> encode(np.float32([1.0, 0.1]), "bfloat16")
    array([16256, 15821], dtype=uint16)
    """
    _check_finite(values, label)
    if dtype == "bfloat16":
        bits = values.astype("<f4").view("<u4")
        # Round to nearest, ties to even, as hardware does.
        stored = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    else:
        with np.errstate(over="ignore"):  # detected below
            stored = values.astype(STORED[_TYPES[dtype]])
    if not np.isfinite(decode(stored, dtype)).all():
        largest = float(np.abs(values).max())
        raise ArtifactError(
            f"{label}: the largest value, {largest:.4g}, does not fit {dtype}; save with "
            "dtype='bfloat16', which has the range of float32, or with the model's own dtype"
        )
    return stored


def decode(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Return values that were stored under `dtype`: its own type, float32 for 16 bits.

    Examples
    --------
    >>> decode(encode(np.float32([0.1]), "float16"), "float16")
    array([0.09997559], dtype=float32)
    """
    if dtype == "bfloat16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(dtype if dtype in ("float64", "uint16") else np.float32)


def _quantise(values: np.ndarray, dtype: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    _check_finite(values, label)
    try:
        return quantised.quantise(values, dtype)
    except ValueError as error:
        raise ArtifactError(f"{label}: {error}; save with the model's own dtype") from None


def _check_finite(values: np.ndarray, label: str) -> None:
    if not np.isfinite(values).all():
        raise ArtifactError(
            f"{label}: a value is not finite; only models with finite values can be saved"
        )
