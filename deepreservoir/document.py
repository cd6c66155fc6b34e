"""Parts of a file's JSON document, with every type checked: entries, labels, names."""

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
        If the labels are not numbers, booleans or strings.
    """
    kind, values = labels.dtype.kind, labels.tolist()
    expected = _LABELS.get(kind)
    if expected is None or not all(isinstance(value, expected) for value in values):
        raise ArtifactError(
            "classes must be numbers, booleans or strings to be saved; got "
            f"{labels.dtype} with {values[0]!r}"
        )
    return {"dtype": "O" if kind == "O" else labels.dtype.str, "values": values}


def labels_of(data: Any) -> np.ndarray:
    """Return the labels that :func:`plain_labels` converted to `data`.

    Raises
    ------
    ArtifactError
        If `data` does not have that form, or the labels are not in order.
    """
    fields = entries(data, "classes", {"dtype": str, "values": list})
    dtype = _dtype_of(fields["dtype"])
    expected = _LABELS[dtype.kind]
    values = fields["values"]
    if not values or not all(type(value) is expected for value in values):
        raise ArtifactError(f"classes of dtype {dtype} must be a list of {expected}")
    try:
        # NumPy chooses the width of text: a file must not be able to ask for a large one.
        labels = np.array(values, None if dtype.kind == "U" else dtype)
    except (OverflowError, ValueError) as error:
        raise ArtifactError(f"classes do not fit {dtype}: {error}") from None
    if not np.array_equal(labels, np.unique(labels)):
        raise ArtifactError("classes must be sorted and distinct")
    return labels


def _dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of labels, written as NumPy writes it."""
    match = _DTYPE.fullmatch(name)
    try:
        if match is not None and match["kind"] in _LABELS:
            return np.dtype(name)
    except (TypeError, ValueError):  # an item size that the type cannot have
        pass
    raise ArtifactError(f"classes cannot be of dtype {name!r:.40}")


@contextmanager
def checked(label: str) -> Iterator[None]:
    """Raise an ArtifactError if a check of parameters rejects a value from a file.

    Only calls of such checks belong in the block: they raise a ValueError, a TypeError for a value
    that cannot be compared, or an OverflowError for a number that no float can hold, for invalid
    values and for nothing else.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise ArtifactError(f"{label}: {error}") from error


def entry(data: Any, label: str, name: str, *kinds: type) -> Any:
    """Return an entry of a dict after checking that it has one of these types.

    Raises
    ------
    ArtifactError
        If `data` is not a dict with such an entry; the message calls it `label`.
    """
    if not isinstance(data, dict) or name not in data:
        raise ArtifactError(f"{label} must have the entry {name!r}")
    if type(data[name]) not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ArtifactError(f"{label}, {name}: expected {names}; got {data[name]!r:.80}")
    return data[name]


def entries(
    data: Any, label: str, types: dict[str, Any], absent: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return `data` after checking that it is a dict with exactly these entries and types.

    Parameters
    ----------
    data : object
    label : str
        Name of `data` in error messages.
    types : dict of str to type or tuple of type
        Integers are not accepted as booleans, nor booleans as integers.
    absent : mapping of str to object, optional
        Entries that files of earlier versions lack, each with the value that reproduces those
        versions.

    Raises
    ------
    ArtifactError
    """
    if not isinstance(data, dict):
        raise ArtifactError(
            f"{label} must have the entries {sorted(types)}; got {type(data).__name__}"
        )
    data = {**(absent or {}), **data}
    unknown, missing = sorted(data.keys() - types.keys()), sorted(types.keys() - data.keys())
    if unknown or missing:
        wrong = f"{unknown[0]!r:.60} is unknown" if unknown else f"{missing[0]!r} is missing"
        raise ArtifactError(f"{label} must have the entries {sorted(types)}; {wrong}")
    for name, kinds in types.items():
        entry(data, label, name, *(kinds if isinstance(kinds, tuple) else (kinds,)))
    return data


def names_of(data: Any, label: str) -> np.ndarray | None:
    """Return feature names, (n_features,) of objects, or None if there are none."""
    if data is None:
        return None
    if not isinstance(data, list) or not all(type(name) is str for name in data):
        raise ArtifactError(f"{label} must be a list of names")
    return np.array(data, dtype=object)
