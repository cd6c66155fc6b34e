"""Parameters, labels and names as plain JSON data, and back, with every type checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from ..container import ArtifactError
from ..esn.plasticity import IntrinsicPlasticity

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


def plain(value: Any, what: str) -> Any:
    """Return a parameter's value as JSON data; tuples and dictionaries are marked as such.

    A generator of random numbers becomes None: a fitted model has drawn what it needed.

    Raises
    ------
    ArtifactError
        For an object that only a pickle could hold.

    Examples
    --------
    >>> plain((256, 128), "hidden_layer_sizes")
    {'tuple': [256, 128]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not np.isfinite(value):
            raise ArtifactError(f"{what} must be finite to be saved; got {value!r}")
        return value
    if isinstance(value, tuple):
        return {"tuple": [plain(part, what) for part in value]}
    if isinstance(value, list | np.ndarray):
        return [plain(part, what) for part in value]
    if isinstance(value, dict):
        return {"dict": [[plain(k, what), plain(v, what)] for k, v in value.items()]}
    if type(value) is IntrinsicPlasticity:
        return {"plasticity": plain(list(asdict(value).values()), what)}
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return None
    raise ArtifactError(
        f"{what} cannot be saved: a file holds numbers, words and lists of them, and no "
        f"{type(value).__name__} (which would need a pickle)"
    )


def value_of(data: Any, what: str) -> Any:
    """Return the value that :func:`plain` made `data` from.

    Raises
    ------
    ArtifactError
        If it made no such data.

    Examples
    --------
    >>> value_of({"tuple": [256, 128]}, "hidden_layer_sizes")
    (256, 128)
    """
    if isinstance(data, list):
        return [value_of(part, what) for part in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((kind, parts),) = data.items()
        if kind == "tuple" and isinstance(parts, list):
            return tuple(value_of(part, what) for part in parts)
        if kind == "plasticity" and isinstance(parts, list) and len(parts) == 4:
            with checked(what):
                return IntrinsicPlasticity(*parts)
        if kind == "dict" and isinstance(parts, list):
            pairs = [value_of(part, what) for part in parts]
            if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs) and all(
                isinstance(key, bool | int | float | str) for key, _ in pairs
            ):
                return dict(pairs)
    raise ArtifactError(f"{what} must be a value, a list, a tuple or a dict; got {data!r:.80}")


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


def entries(data: Any, what: str, types: dict[str, Any]) -> dict[str, Any]:
    """Return `data` if it is a dict of just these entries, each of its type.

    Parameters
    ----------
    data : object
    what : str
        What it is called in an error.
    types : dict of str to type or tuple of type
        Whole numbers are not taken for truth values, nor the other way round.

    Raises
    ------
    ArtifactError
    """
    if not isinstance(data, dict) or set(data) != set(types):
        found = sorted(data) if isinstance(data, dict) else type(data).__name__
        raise ArtifactError(f"{what} must have the entries {sorted(types)}; got {found}")
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
