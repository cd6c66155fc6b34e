"""The file format; everything in a file is checked before memory is allocated for it.

A file has the safetensors layout, so that any safetensors reader can open it: eight bytes of
header length, a JSON header that says where each tensor is, and the tensors. Its metadata has one
entry, ``deepreservoir``, which is a JSON document. The document's ``sha256`` is that of the whole
file, computed with 64 zeros in its own place: a file with a single flipped bit is rejected.

A quantised tensor (:mod:`deepreservoir.quantised`) is stored as its codes, under its own name. The
scales of all of them are one more tensor, ``quantised.scales``, in the order of the names: those of
an adapter take 16 bytes, and an entry in the header for each would take 90. The document's
``packed`` has the shapes of those with codes of six bits, by name: four codes are packed into three
bytes, so their shapes do not follow from the header.

The container is written here and not by the safetensors package, because that package's NumPy
interface has no bfloat16; reading has to check more than the package does in any case.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .files import write_whole
from .stored_values import (
    DTYPES,
    QUANTISED_DTYPES,
    STORED,
    ArtifactError,
    Stored,
    stored_bytes,
    to_stored,
    values_bytes,
    values_of,
    values_of_codes,
)
from .strict_json import object_of

__all__ = [
    "FORMAT",
    "MAX_BYTES",
    "MAX_HEADER",
    "ArtifactError",
    "Contents",
    "from_bytes",
    "read",
    "to_bytes",
    "write",
]

#: Version of the document; a reader rejects any other.
FORMAT = 1
#: Maximum size of a file in bytes, unless the caller sets another.
MAX_BYTES = 2 << 30
#: Maximum size in bytes of the header: names, shapes and the document.
MAX_HEADER = 8 << 20

_KEY = "deepreservoir"
_NO_HASH = "0" * 64
_SCALES = "quantised.scales"
_PACKED = "packed"
_COMPACT = (",", ":")  # JSON without spaces


@dataclass(frozen=True)
class Contents:
    """The contents of a file.

    Attributes
    ----------
    document : dict
        Plain JSON data.
    tensors : dict of str to ndarray
        Arrays of float32, float64 or uint16; numbers stored in fewer bits are widened when they are
        read.
    dtypes : dict of str to str
        Stored type of each tensor that is not stored in its own type.

    Examples
    --------
    >>> from deepreservoir.container import Contents
    >>> contents = Contents({}, {"codes": np.eye(16, dtype=np.float32)}, {"codes": "int8"})
    >>> contents.kept_as("codes"), contents.nbytes("codes")  # codes, and scales of two bytes
    ('int8', 288)
    """

    document: dict[str, Any]
    tensors: dict[str, np.ndarray]
    dtypes: dict[str, str]

    def kept_as(self, name: str) -> str:
        """Return the stored type of a tensor: its own, or one of fewer bits."""
        return self.dtypes.get(name, self.tensors[name].dtype.name)

    def nbytes(self, name: str) -> int:
        """Return the number of bytes of a tensor in the file, with its scales."""
        return sum(self.bytes_by_type(name).values())

    def bytes_by_type(self, name: str) -> dict[str, int]:
        """Return the bytes of a tensor in the file by stored type; those of scales are "scales"."""
        return stored_bytes(self.tensors[name], self.kept_as(name), self._scale_bytes)

    @cached_property
    def _scale_bytes(self) -> int:
        """Bytes of one scale: four if a scale of any tensor is beyond float16, or else two."""
        kept = ((values, self.kept_as(name)) for name, values in self.tensors.items())
        stored = [to_stored(*each) for each in kept if each[1] in QUANTISED_DTYPES]
        return max((scales.array.itemsize for _, scales in stored), default=2)


# Writing -------------------------------------------------------------------------------------


def to_bytes(contents: Contents) -> bytes:
    """Return the bytes of a file."""
    tensors, header, start = [], {}, 0
    for name, (kind, array) in sorted(_stored_by_name(contents).items()):
        entry = {"dtype": kind, "shape": list(array.shape)}
        header[name] = {**entry, "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
        tensors.append(array.tobytes())
    # The hash comes first, so that its place is the first run of 64 zeros in the file.
    document = {"sha256": _NO_HASH, "format": FORMAT, **contents.document}
    packed = {k: v.shape for k, v in contents.tensors.items() if contents.kept_as(k) == "int6"}
    if packed:
        document[_PACKED] = packed
    text = json.dumps(document, allow_nan=False, separators=_COMPACT)
    head = json.dumps({"__metadata__": {_KEY: text}, **header}, separators=_COMPACT).encode()
    head += b" " * (-len(head) % 8)  # the layout aligns tensors to eight bytes
    if len(head) > MAX_HEADER:
        raise ArtifactError(
            f"the description of the model takes {len(head):,} bytes; a file can hold at most "
            f"{MAX_HEADER:,} in addition to its tensors"
        )
    data = b"".join([len(head).to_bytes(8, "little"), head, *tensors])
    digest = hashlib.sha256(data).hexdigest()
    offset = data.index(_NO_HASH.encode())
    return data[:offset] + digest.encode() + data[offset + 64 :]


def _stored_by_name(contents: Contents) -> dict[str, Stored]:
    """Return the tensors of a file by name."""
    stored, scales = {}, []
    for name, values in sorted(contents.tensors.items()):
        stored[name], *of_codes = to_stored(
            np.asarray(values), contents.kept_as(name), f"tensor {name!r}"
        )
        scales += of_codes
    if scales:
        if _SCALES in stored:
            raise ArtifactError(f"{_SCALES!r} is the name of the scales; no tensor can have it")
        flat = np.concatenate([each.array.reshape(-1) for each in scales])
        stored[_SCALES] = Stored("F16" if flat.itemsize == 2 else "F32", flat)
    return stored


def write(path: str | os.PathLike[str], contents: Contents) -> Path:
    """Write a file, whole or not at all.

    The bytes are written to a temporary file in the same folder, which is then renamed: a full
    disk or a kill leaves the previous file as it was.

    Parameters
    ----------
    path : str or path
        An existing file is replaced.
    contents : Contents

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ArtifactError
        If a value is not finite or does not fit its type.
    OSError
        If the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.container import Contents, read, write
    >>> contents = Contents({"unit": "m"}, {"lengths": np.float32([0.5, 1.0])}, {})
    >>> with TemporaryDirectory() as folder:
    ...     again = read(write(f"{folder}/lengths.safetensors", contents))
    >>> again.document, again.tensors
    ({'unit': 'm'}, {'lengths': array([0.5, 1. ], dtype=float32)})
    """
    path = Path(path)
    write_whole(path, to_bytes(contents))
    return path


# Reading -------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Contents:
    """Read a file, checking every byte.

    Parameters
    ----------
    path : str or path
    max_bytes : int, default=2 GiB
        A larger file is rejected without being read, and one whose values would take more memory
        before they are decoded.

    Returns
    -------
    Contents
        :func:`write` has an example.

    Raises
    ------
    ArtifactError
        If it is not a complete file of this format; the message says why.
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
        return from_bytes(data, max_bytes)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None


def from_bytes(data: bytes, max_bytes: int = MAX_BYTES) -> Contents:
    """Return the contents of a file, given its bytes; see :func:`read`."""
    size = len(data)
    if size < 8:
        raise ArtifactError(f"a file has at least 8 bytes; this one has {size}")
    n = int.from_bytes(data[:8], "little")
    kind = _other_kind(data)
    if kind is not None:
        raise ArtifactError(
            f"not a safetensors file, and so not a model of deepreservoir: it is {kind}"
        )
    if n > MAX_HEADER or 8 + n > size:
        raise ArtifactError(
            f"the header should take {n:,} bytes of a file of {size:,}; the file is truncated, or "
            "not a safetensors file"
        )
    header = object_of(data[8 : 8 + n], "the header")
    document = _document(header.pop("__metadata__", None))
    _check_hash(data, 8 + n, document.pop("sha256", None))
    packed = _packed_shapes(document.pop(_PACKED, {}))
    entries = _layout(header, size - 8 - n)
    needed = sum(values_bytes(kind, math.prod(shape)) for _, kind, shape, _ in entries)
    if needed > max_bytes:
        raise ArtifactError(
            f"the values take {needed:,} bytes in memory; max_bytes allows {max_bytes:,}. Raise "
            "max_bytes for a file that you trust"
        )
    stored = {}
    for name, kind, shape, span in entries:
        raw = memoryview(data)[8 + n + span.start : 8 + n + span.stop]
        stored[name] = Stored(kind, np.frombuffer(raw, STORED[kind]).reshape(shape))
    return Contents(document, *_decoded(stored, packed))


def _decoded(
    stored: dict[str, Stored], packed: dict[str, tuple[int, ...]]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the values of the tensors of a file, and their stored types, by name."""
    kinds = {name: DTYPES[each.kind] for name, each in stored.items()}
    coded = {name for name, dtype in kinds.items() if dtype in QUANTISED_DTYPES}
    scales = stored.pop(_SCALES, None) if coded else None
    start, tensors, dtypes = 0, {}, {}
    for name, each in sorted(stored.items()):
        dtypes[name] = kinds[name]
        try:
            if name not in coded:
                tensors[name] = values_of(each)
                continue
            if scales is None:
                raise ValueError(f"the file has no scales, {_SCALES!r}")
            shape = each.array.shape
            if kinds[name] == "int6":
                if name not in packed:
                    raise ValueError(f"{_PACKED} has no shape for it")
                shape = packed.pop(name)
            tensors[name], n_scales = values_of_codes(each, scales, start, shape)
            start += n_scales
        except ValueError as error:
            raise ArtifactError(f"tensor {name!r}: {error}") from None
    if scales is not None and start != scales.array.size:
        raise ArtifactError(
            f"tensor {_SCALES!r} has {scales.array.size:,} scales; the quantised tensors have "
            f"{start:,}"
        )
    if packed:
        raise ArtifactError(
            f"{_PACKED} has a shape for {next(iter(packed))!r:.60}, which is not U8"
        )
    return tensors, dtypes


def _packed_shapes(data: object) -> dict[str, tuple[int, ...]]:
    """Return the shapes of tensors with packed codes, by name."""
    if not isinstance(data, dict) or not all(_are_integers(s, 1, 8) for s in data.values()):
        raise ArtifactError(
            f"{_PACKED} must have shapes by name, each of at most 8 positive integers"
        )
    return {name: tuple(shape) for name, shape in data.items()}


def _other_kind(data: bytes) -> str | None:
    """Return what a file is that people take for a model: compressed, or text."""
    if data.startswith(b"\x1f\x8b"):
        return "compressed with gzip; decompress it first if a model is inside"
    first = data[:256]
    # The length of a header that is no longer than MAX_HEADER ends with zeros, and text has none.
    if b"\0" not in first and all(byte >= 32 or byte in b"\t\r\n" for byte in first):
        return "a text file, such as a table"
    return None


def _document(metadata: object) -> dict[str, Any]:
    if not isinstance(metadata, dict) or not isinstance(metadata.get(_KEY), str):
        raise ArtifactError(
            f"the file has no document under {_KEY!r} in its metadata; it was not saved by "
            "deepreservoir"
        )
    document = object_of(metadata[_KEY], "the document")
    version = document.pop("format", None)
    if type(version) is not int or version != FORMAT:
        raise ArtifactError(
            f"the file is of format {version!r}; this version of deepreservoir reads format "
            f"{FORMAT}"
        )
    return document


def _check_hash(data: bytes, tensors: int, expected: object) -> None:
    if not isinstance(expected, str) or len(expected) != 64 or not expected.isascii():
        raise ArtifactError("the document has no SHA-256 of the file")
    offset = data.find(expected.encode(), 8, tensors)
    sha = hashlib.sha256(data[: max(offset, 0)])
    sha.update(_NO_HASH.encode())
    sha.update(memoryview(data)[offset + 64 :])
    actual = sha.hexdigest()
    if offset < 0 or actual != expected:
        raise ArtifactError(
            f"the file is damaged or was changed: its SHA-256 is {actual}, but its document says "
            f"{expected}"
        )


def _layout(header: Mapping[str, Any], size: int) -> list[tuple[str, str, tuple[int, ...], range]]:
    """Return (name, type, shape, bytes) of each tensor, which together cover all of the data."""
    entries = [_entry(name, entry) for name, entry in header.items()]
    entries.sort(key=lambda entry: entry[3].start)
    end = 0
    for name, kind, shape, span in entries:
        width = STORED[kind].itemsize
        if span.start != end or len(span) != width * math.prod(shape):
            raise ArtifactError(
                f"tensor {name!r}, {kind} of shape {shape}, must take "
                f"{width * math.prod(shape):,} bytes from offset {end}; the header says "
                f"{span.start} to {span.stop}"
            )
        end = span.stop
    if end != size:
        raise ArtifactError(f"the tensors take {end:,} bytes; the file has {size:,}")
    return entries


def _entry(name: str, entry: object) -> tuple[str, str, tuple[int, ...], range]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ArtifactError(
            f"tensor {name!r} must have the entries dtype, shape and data_offsets, and no others"
        )
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in STORED:
        raise ArtifactError(f"tensor {name!r} must be one of {', '.join(STORED)}; got {kind!r}")
    if not _are_integers(shape, 1, 8) or not _are_integers(offsets, 0, 2) or len(offsets) != 2:
        raise ArtifactError(
            f"tensor {name!r} must have a shape of at most 8 positive integers, and two "
            "non-negative offsets, each below 2^62"
        )
    return name, kind, tuple(shape), range(*offsets)


def _are_integers(values: object, least: int, most: int) -> bool:
    """Return whether `values` is a list of at most `most` integers of at least `least`."""
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(value) is int and least <= value < 1 << 62 for value in values)
    )
