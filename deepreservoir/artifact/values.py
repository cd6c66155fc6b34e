"""Conversion of parameter values to plain JSON data, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..container import ArtifactError
from ..document import checked
from ..esn.plasticity import IntrinsicPlasticity


def plain(value: Any, label: str, further: Callable[[Any], Any] | None = None) -> Any:
    """Return a parameter's value as JSON data; tuples and dictionaries are marked as such.

    A random number generator becomes None: a fitted model no longer needs it.

    Parameters
    ----------
    value : object
    label : str
        Name of the parameter in error messages.
    further : callable, optional
        Converts further kinds of values, to an object with one entry, and returns None for
        others.

    Raises
    ------
    ArtifactError
        For an object that only a pickle could store.

    Examples
    --------
    >>> plain((256, 128), "hidden_layer_sizes")
    {'tuple': [256, 128]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    marked = None if further is None else further(value)
    if marked is not None:
        return marked
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if value == float("inf"):
            return {"number": "inf"}  # JSON has no infinity
        if not np.isfinite(value):
            raise ArtifactError(f"{label} must be finite to be saved; got {value!r}")
        return value
    if isinstance(value, tuple):
        return {"tuple": [plain(part, label, further) for part in value]}
    if isinstance(value, list | np.ndarray):
        return [plain(part, label, further) for part in value]
    if isinstance(value, dict):
        pairs = value.items()
        return {"dict": [[plain(k, label, further), plain(v, label, further)] for k, v in pairs]}
    if type(value) is IntrinsicPlasticity:
        return {"plasticity": plain(list(asdict(value).values()), label)}
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return None
    raise ArtifactError(
        f"{label} cannot be saved: a file can hold numbers, strings and lists of them, but not a "
        f"{type(value).__name__}, which would need a pickle"
    )


def value_of(
    data: Any, label: str, further: Mapping[str, Callable[[Any], Any]] | None = None
) -> Any:
    """Return the value that :func:`plain` converted to `data`.

    Parameters
    ----------
    data : object
    label : str
        Name of the parameter in error messages.
    further : mapping of str to callable, optional
        Functions that convert further kinds of values back, by the name of the entry.

    Raises
    ------
    ArtifactError
        If `data` does not have the form that it returns.

    Examples
    --------
    >>> value_of({"tuple": [256, 128]}, "hidden_layer_sizes")
    (256, 128)
    """
    if isinstance(data, list):
        return [value_of(part, label, further) for part in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((kind, parts),) = data.items()
        if further is not None and kind in further:
            return further[kind](parts)
        if kind == "tuple" and isinstance(parts, list):
            return tuple(value_of(part, label, further) for part in parts)
        if kind == "number" and parts == "inf":
            return float("inf")
        if kind == "plasticity" and isinstance(parts, list) and len(parts) == 4:
            with checked(label):
                return IntrinsicPlasticity(*parts)
        if kind == "dict" and isinstance(parts, list):
            pairs = [value_of(part, label, further) for part in parts]
            if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs) and all(
                isinstance(key, bool | int | float | str) for key, _ in pairs
            ):
                return dict(pairs)
    raise ArtifactError(f"{label} must be a value, a list, a tuple or a dict; got {data!r:.80}")
