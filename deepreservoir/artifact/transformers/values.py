"""Values of transformers as JSON data: parameters, and arrays of categories or fill values."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...container import ArtifactError
from ...document import entries
from ..values import plain, value_of

_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
_NOT_FINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
# Kinds of arrays of values by NumPy's letter: numbers, booleans, text and objects.
_ARRAYS: dict[str, tuple[type, ...]] = {
    "i": (int,),
    "u": (int,),
    "f": (float,),
    "b": (bool,),
    "U": (str,),
}
_OBJECTS: tuple[type, ...] = (int, float, bool, str, type(None))


def plain_parameter(value: Any, label: str) -> Any:
    """Return a transformer's parameter as JSON data.

    In addition to what :func:`deepreservoir.artifact.values.plain` takes, it may contain dtypes,
    NaN and infinity.

    Raises
    ------
    ArtifactError
        For an object that only a pickle could store.

    Examples
    --------
    >>> plain_parameter([np.nan, np.float32], "drop")
    [{'float': 'nan'}, {'dtype': 'float32'}]
    """
    return plain(value, label, _marked)


def value_of_parameter(data: Any, label: str) -> Any:
    """Return the value that :func:`plain_parameter` converted to `data`.

    Raises
    ------
    ArtifactError
        If `data` does not have the form that it returns.
    """
    return value_of(data, label, {"dtype": _dtype_of, "float": _float_of})


def _marked(value: Any) -> dict[str, str] | None:
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(float(value))}
    if isinstance(value, type | np.dtype) and value is not type(None):
        try:
            name = np.dtype(value).name
        except TypeError:  # another class
            return None
        return {"dtype": name} if _DTYPE.fullmatch(name) else None
    return None


def _dtype_of(name: Any) -> type:
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        raise ArtifactError(f"expected the name of a type of numbers; got {name!r:.60}")
    return np.dtype(name).type


def _float_of(name: Any) -> float:
    if not isinstance(name, str) or name not in _NOT_FINITE:
        raise ArtifactError(f"expected one of {', '.join(_NOT_FINITE)}; got {name!r:.60}")
    return _NOT_FINITE[name]


def plain_array(array: np.ndarray, label: str) -> dict[str, Any]:
    """Return an array of values, (n,), as JSON data.

    Raises
    ------
    ArtifactError
        If they are not numbers, booleans, strings, None or NaN.

    Examples
    --------
    >>> plain_array(np.array(["a", "b", None], dtype=object), "categories")
    {'dtype': 'object', 'values': ['a', 'b', None]}
    """
    if array.dtype.kind not in (*_ARRAYS, "O"):
        raise ArtifactError(
            f"{label} must be numbers, booleans or strings to be saved; got an array of "
            f"{array.dtype}"
        )
    # NumPy chooses the width of text again: a file must not be able to ask for a large one.
    dtype = {"U": "str", "O": "object"}.get(array.dtype.kind, array.dtype.name)
    return {"dtype": dtype, "values": [plain_parameter(v, label) for v in array.tolist()]}


def array_of(data: Any, label: str) -> np.ndarray:
    """Return the array that :func:`plain_array` converted to `data`.

    Raises
    ------
    ArtifactError
        If `data` does not have the form that it returns.
    """
    fields = entries(data, label, {"dtype": str, "values": list})
    values = [value_of_parameter(value, label) for value in fields["values"]]
    if fields["dtype"] == "object":
        dtype, allowed = np.dtype(object), _OBJECTS
    else:
        dtype = np.dtype(str if fields["dtype"] == "str" else _dtype_of(fields["dtype"]))
        allowed = _ARRAYS[dtype.kind]
    if not all(type(value) in allowed for value in values):
        raise ArtifactError(f"{label} of type {fields['dtype']} has a value of another type")
    try:
        return np.array(values, dtype)
    except (OverflowError, ValueError) as error:
        raise ArtifactError(f"{label} do not fit {dtype}: {error}") from None
