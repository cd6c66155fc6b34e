"""Pieces of a file's JSON document, with every type checked: entries, labels, names."""

from __future__ import annotations

from collections.abc import Mapping
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
    try:
        dtype = np.dtype(fields["dtype"])
        expected = _LABELS[dtype.kind]
    except (TypeError, ValueError, KeyError):
        raise ArtifactError(f"classes cannot be of dtype {fields['dtype']!r:.40}") from None
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
        value = data[name]
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        if type(value) not in wanted:
            names = " or ".join(kind.__name__ for kind in wanted)
            raise ArtifactError(f"{what}, {name}: expected {names}; got {value!r:.80}")
    return data


def names_of(data: Any, what: str) -> np.ndarray | None:
    """Return feature names, (n_features,) of objects, or None where there are none."""
    if data is None:
        return None
    if not isinstance(data, list) or not all(type(name) is str for name in data):
        raise ArtifactError(f"{what} must be a list of names")
    return np.array(data, dtype=object)
