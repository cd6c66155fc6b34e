"""What a file may hold, checked before anything is allocated for it.

A file is in the safetensors layout, so that any safetensors reader opens it: eight bytes of
header length, a JSON header that says where each tensor lies, the tensors. Its metadata has one
entry, ``deepreservoir``, which is a JSON document. The document's ``sha256`` is that of the whole
file, computed with 64 zeros in its own place: one flipped bit anywhere, and the file is refused.

The container is written here and not by the safetensors package, whose NumPy face has no
bfloat16; reading must check more than that package does in any case.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .files import write_whole

#: Version of the document; a reader refuses any other.
FORMAT = 1
#: What a file may ask for, in bytes, unless the caller says otherwise.
MAX_BYTES = 2 << 30
#: Levels of lists and objects in a document.
MAX_DEPTH = 32
#: Bytes of the header: names, shapes and the document.
MAX_HEADER = 8 << 20

_KEY = "deepreservoir"
_NO_HASH = "0" * 64

# Name in a file -> how its numbers are kept; bfloat16 is kept as the upper half of a float32.
_STORED: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}
_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}

#: Further types in which trained parameters may be stored.
SHORT_DTYPES = ("float16", "bfloat16")


class ArtifactError(ValueError):
    """A file that cannot be trusted, read or written; the message says where and why."""


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes
    ----------
    document : dict
        Plain JSON data.
    tensors : dict of str to ndarray
        Numbers in float32 or float64; what is kept in 16 bits is widened when it is read.
    dtypes : dict of str to str
        Type that a tensor is kept in, where that is not its own.
    """

    document: dict[str, Any]
    tensors: dict[str, np.ndarray]
    dtypes: dict[str, str]

    def kept_as(self, name: str) -> str:
        """Return the type that a tensor is kept in: float64, float32, float16 or bfloat16."""
        return self.dtypes.get(name, self.tensors[name].dtype.name)

    def nbytes(self, name: str) -> int:
        """Return the bytes that a tensor takes in the file."""
        return self.tensors[name].size * _STORED[_NAMES[self.kept_as(name)]].itemsize


# Numbers in 16 bits ------------------------------------------------------------------------


def encode(values: np.ndarray, dtype: str, what: str = "the array") -> np.ndarray:
    """Return `values` as they are kept under `dtype`, little end first.

    Parameters
    ----------
    values : ndarray of float32 or float64
    dtype : {"float64", "float32", "float16", "bfloat16"}
    what : str
        What it is called in an error.

    Raises
    ------
    ArtifactError
        If a value is not finite, or is beyond the largest of `dtype`.

    Examples
    --------
    >>> encode(np.float32([1.0, 0.1]), "bfloat16")
    array([16256, 15821], dtype=uint16)
    """
    if not np.isfinite(values).all():
        raise ArtifactError(
            f"{what}: a value is not finite; a model that is saved must be of numbers"
        )
    if dtype == "bfloat16":
        bits = values.astype("<f4").view("<u4")
        # To the nearest, ties to even: as hardware rounds.
        kept = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    else:
        with np.errstate(over="ignore"):  # found below
            kept = values.astype(_STORED[_NAMES[dtype]])
    if not np.isfinite(decode(kept, dtype)).all():
        largest = float(np.abs(values).max())
        raise ArtifactError(
            f"{what}: the largest value, {largest:.4g}, does not fit {dtype}; save with "
            "dtype='bfloat16', which has the range of float32, or with the model's own dtype"
        )
    return kept


def decode(kept: np.ndarray, dtype: str) -> np.ndarray:
    """Return numbers that were kept under `dtype`: float64 from float64, else float32.

    Examples
    --------
    >>> decode(encode(np.float32([0.1]), "float16"), "float16")
    array([0.09997559], dtype=float32)
    """
    if dtype == "bfloat16":
        return (kept.astype(np.uint32) << 16).view(np.float32)
    return kept.astype(np.float64 if dtype == "float64" else np.float32)


# Writing -------------------------------------------------------------------------------------


def to_bytes(contents: Contents) -> bytes:
    """Return the bytes of a file."""
    tensors, header, start = [], {}, 0
    for name, values in sorted(contents.tensors.items()):
        dtype = contents.kept_as(name)
        kept = encode(np.asarray(values), dtype, f"tensor {name!r}")
        entry = {"dtype": _NAMES[dtype], "shape": list(kept.shape)}
        header[name] = {**entry, "data_offsets": [start, start + kept.nbytes]}
        start += kept.nbytes
        tensors.append(kept.tobytes())
    # The hash stands first, so that the first 64 zeros of the file are its place.
    document = {"sha256": _NO_HASH, "format": FORMAT, **contents.document}
    text = json.dumps(document, allow_nan=False)
    head = json.dumps({"__metadata__": {_KEY: text}, **header}).encode()
    head += b" " * (-len(head) % 8)  # as the layout has it: tensors begin on eight bytes
    if len(head) > MAX_HEADER:
        raise ArtifactError(
            f"the model's description takes {len(head):,} bytes; a file holds at most "
            f"{MAX_HEADER:,} beside its tensors"
        )
    data = b"".join([len(head).to_bytes(8, "little"), head, *tensors])
    digest = hashlib.sha256(data).hexdigest()
    where = data.index(_NO_HASH.encode())
    return data[:where] + digest.encode() + data[where + 64 :]


def write(path: str | os.PathLike[str], contents: Contents) -> Path:
    """Write a file, whole or not at all.

    The bytes go to a file of another name in the same folder, which then takes the name: a full
    disk or a kill leaves what was there before.

    Raises
    ------
    ArtifactError
        If a value is not finite or does not fit its type.
    OSError
        If the folder cannot be written to.
    """
    path = Path(path)
    write_whole(path, to_bytes(contents))
    return path


# Reading -------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Contents:
    """Read a file, every byte of which is checked.

    Parameters
    ----------
    path : str or path
    max_bytes : int, default=2 GiB
        A larger file is refused unread.

    Raises
    ------
    ArtifactError
        If it is not a whole file of this format; says why.
    OSError
        If it cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > max_bytes:
            raise ArtifactError(
                f"{path}: the file is {size:,} bytes; max_bytes allows {max_bytes:,}. Raise "
                "max_bytes for a file that you trust"
            )
        data = stream.read(size)
    try:
        return from_bytes(data)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None


def from_bytes(data: bytes) -> Contents:
    """Return what the bytes of a file hold; see :func:`read`."""
    size = len(data)
    if size < 8:
        raise ArtifactError(f"a file has at least 8 bytes; this one has {size}")
    n = int.from_bytes(data[:8], "little")
    if n > MAX_HEADER or 8 + n > size:
        raise ArtifactError(
            f"the header is said to take {n:,} bytes of a file of {size:,}; it is cut off, or "
            "not a safetensors file"
        )
    header = _json(data[8 : 8 + n], "the header")
    document = _document(header.pop("__metadata__", None))
    _check_hash(data, 8 + n, document.pop("sha256", None))
    tensors, dtypes = {}, {}
    for name, dtype, shape, where in _layout(header, size - 8 - n):
        raw = data[8 + n + where.start : 8 + n + where.stop]
        values = decode(np.frombuffer(raw, _STORED[_NAMES[dtype]]), dtype).reshape(shape)
        if not np.isfinite(values).all():
            raise ArtifactError(f"tensor {name!r} holds a value that is not finite")
        tensors[name], dtypes[name] = values, dtype
    return Contents(document, tensors, dtypes)


def _json(text: bytes | str, what: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ArtifactError(f"{what} names an entry twice")
        return found

    def no_constant(name: str) -> NoReturn:
        raise ArtifactError(f"{what} holds {name}, which is no number that a file may hold")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else no_constant(digits)

    try:
        value = json.loads(
            text, object_pairs_hook=unique, parse_constant=no_constant, parse_float=finite
        )
    except ArtifactError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ArtifactError(f"{what} must be a JSON object; got {type(value).__name__}")
    _check_depth(value, what)
    return value


def _check_depth(value: dict[str, Any], what: str) -> None:
    """Raise an ArtifactError for data nested so deeply that walking through it could fail."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        items = [item.values() if isinstance(item, dict) else item for item in level]
        level = [inner for some in items for inner in some if isinstance(inner, dict | list)]
        if not level:
            return
    raise ArtifactError(f"{what} is nested more than {MAX_DEPTH} levels deep")


def _document(metadata: object) -> dict[str, Any]:
    if not isinstance(metadata, dict) or not isinstance(metadata.get(_KEY), str):
        raise ArtifactError(
            f"the file has no document under {_KEY!r} in its metadata; it was not saved by "
            "deepreservoir"
        )
    document = _json(metadata[_KEY], "the document")
    version = document.pop("format", None)
    if version != FORMAT or isinstance(version, bool):
        raise ArtifactError(
            f"the file is of format {version!r}; this version of deepreservoir reads format "
            f"{FORMAT}"
        )
    return document


def _check_hash(data: bytes, tensors: int, expected: object) -> None:
    if not isinstance(expected, str) or len(expected) != 64 or not expected.isascii():
        raise ArtifactError("the document has no SHA-256 of the file")
    where = data.find(expected.encode(), 8, tensors)
    sha = hashlib.sha256(data[: max(where, 0)])
    sha.update(_NO_HASH.encode())
    sha.update(memoryview(data)[where + 64 :])
    found = sha.hexdigest()
    if where < 0 or found != expected:
        raise ArtifactError(
            f"the file is damaged or was changed: its SHA-256 is {found}, the document says "
            f"{expected}"
        )


def _layout(header: Mapping[str, Any], size: int) -> list[tuple[str, str, tuple[int, ...], range]]:
    """Return (name, dtype, shape, bytes) of each tensor; together they are all of the data."""
    entries = [_entry(name, entry) for name, entry in header.items()]
    entries.sort(key=lambda entry: entry[3].start)
    end = 0
    for name, dtype, shape, where in entries:
        width = _STORED[_NAMES[dtype]].itemsize
        if where.start != end or len(where) != width * math.prod(shape):
            raise ArtifactError(
                f"tensor {name!r}, {dtype} of shape {shape}, must take the bytes from {end} on "
                f"and {width * math.prod(shape):,} of them; the header says {where.start} to "
                f"{where.stop}"
            )
        end = where.stop
    if end != size:
        raise ArtifactError(f"the tensors take {end:,} bytes; the file has {size:,}")
    return entries


def _entry(name: str, entry: object) -> tuple[str, str, tuple[int, ...], range]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ArtifactError(f"tensor {name!r} must have dtype, shape and data_offsets, no more")
    names = {code: dtype for dtype, code in _NAMES.items()}
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in names:
        raise ArtifactError(f"tensor {name!r} must be one of {', '.join(names)}; got {dtype!r}")
    if not _whole_numbers(shape, 1, 8) or not _whole_numbers(offsets, 0, 2) or len(offsets) != 2:
        raise ArtifactError(
            f"tensor {name!r} must have a shape of at most 8 positive whole numbers, and two "
            "offsets, each below 2^62"
        )
    return name, names[dtype], tuple(shape), range(*offsets)


def _whole_numbers(values: object, least: int, most: int) -> bool:
    """Say whether `values` is a list of at most `most` whole numbers of at least `least`."""
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(value) is int and least <= value < 1 << 62 for value in values)
    )
