"""Pieces of a file's JSON document, with every type checked: entries, labels, names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .container import ArtifactError

# Kinds of labels by NumPy's letter, and the Python type of each in JSON.
_LABELS: dict[str, type | tuple[type, ...]] = {
    "i": int,
    "u": int,
    "f": float,
    "b": bool,
    "U": str,
    "O": str,
}
_DTYPE = re.compile(r"[<>|=]?(?P<kind>[a-zA-Z])[0-9]{0,9}")


def plain_labels(labels: np.ndarray) -> dict[str, Any]:
    """Return class labels, (n_classes,), as JSON data.

    Raises
    ------
    ArtifactError
        For labels that are neither numbers, truth values nor text.
    """
    kind, values = labels.dtype.kind, labels.tolist()
    expected = _LABELS.get(kind)
    if expected is None or not all(isinstance(value, expected) for value in values):
        raise ArtifactError(
            "classes must be numbers, truth values or text to be saved; got "
            f"{labels.dtype} with {values[0]!r}"
        )
    return {"dtype": "O" if kind == "O" else labels.dtype.str, "values": values}


def labels_of(data: Any) -> np.ndarray:
    """Return the labels that :func:`plain_labels` made `data` from.

    Raises
    ------
    ArtifactError
        If it made no such data, or the labels are not in order.
    """
    fields = entries(data, "classes", {"dtype": str, "values": list})
    dtype = _dtype_of(fields["dtype"])
    expected = _LABELS[dtype.kind]
    values = fields["values"]
    if not values or not all(type(value) is expected for value in values):
        raise ArtifactError(f"classes of dtype {dtype} must be a list of {expected}")
    try:
        # Text takes the width that it needs: a width is not to be asked for.
        labels = np.array(values, None if dtype.kind == "U" else dtype)
    except (OverflowError, ValueError) as error:
        raise ArtifactError(f"classes do not fit {dtype}: {error}") from None
    if not np.array_equal(labels, np.unique(labels)):
        raise ArtifactError("classes must be in order, and different from each other")
    return labels


def _dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of labels, written as NumPy writes it."""
    match = _DTYPE.fullmatch(name)
    try:
        if match is not None and match["kind"] in _LABELS:
            return np.dtype(name)
    except (TypeError, ValueError):  # a number of bytes that no such type has
        pass
    raise ArtifactError(f"classes cannot be of dtype {name!r:.40}")


@contextmanager
def checked(what: str) -> Iterator[None]:
    """Raise an ArtifactError where a check of parameters refuses what a file holds.

    Only calls of such checks belong inside: they raise a ValueError, or a TypeError for a value
    that cannot be compared, for bad values and for nothing else.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{what}: {error}") from error


def entry(data: Any, what: str, name: str, *kinds: type) -> Any:
    """Return an entry of a dict, of one of these types.

    Raises
    ------
    ArtifactError
        If `data`, which an error calls `what`, is not a dict with such an entry.
    """
    if not isinstance(data, dict) or name not in data:
        raise ArtifactError(f"{what} must have the entry {name!r}")
    if type(data[name]) not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ArtifactError(f"{what}, {name}: expected {names}; got {data[name]!r:.80}")
    return data[name]


def entries(
    data: Any, what: str, types: dict[str, Any], absent: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the entries of `data`, a dict of just these, each of its type.

    Parameters
    ----------
    data : object
    what : str
        What it is called in an error.
    types : dict of str to type or tuple of type
        Integers are not taken for booleans, nor the other way round.
    absent : mapping of str to object, optional
        Entries that files of earlier versions lack, each with the value that reproduces those.

    Raises
    ------
    ArtifactError
    """
    if not isinstance(data, dict):
        raise ArtifactError(
            f"{what} must have the entries {sorted(types)}; got {type(data).__name__}"
        )
    data = {**(absent or {}), **data}
    unknown, missing = sorted(data.keys() - types.keys()), sorted(types.keys() - data.keys())
    if unknown or missing:
        wrong = f"{unknown[0]!r:.60} is unknown" if unknown else f"{missing[0]!r} is missing"
        raise ArtifactError(f"{what} must have the entries {sorted(types)}; {wrong}")
    for name, kinds in types.items():
        entry(data, what, name, *(kinds if isinstance(kinds, tuple) else (kinds,)))
    return data


def names_of(data: Any, what: str) -> np.ndarray | None:
    """Return feature names, (n_features,) of objects, or None where there are none."""
    if data is None:
        return None
    if not isinstance(data, list) or not all(type(name) is str for name in data):
        raise ArtifactError(f"{what} must be a list of names")
    return np.array(data, dtype=object)
