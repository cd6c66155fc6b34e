"""Validation of series: one, several of equal length, or a list of unequal lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_array

from ...backend import Array, Device, array_module, is_on_device, to_device, to_host
from ..base.device_input import checked_array

_GROUP_SIZE = 1024  # maximum number of series that run together

Kind = Literal["one", "stack", "list"]


@dataclass(frozen=True)
class Series:
    """Series, each (time, width), and the form in which the user passed them.

    Attributes
    ----------
    arrays : list of array, each of shape (time, width)
    kind : {"one", "stack", "list"}
        A 2-D array, a 3-D array, or a list of 2-D arrays.
    place : {"cpu", "cuda", "cuda:N"}
        Where they are.
    names : tuple of str, or None
        Names of the columns of several DataFrames; None if they have none.
    """

    arrays: list[Array]
    kind: Kind
    place: Device = "cpu"
    names: tuple[str, ...] | None = None

    @property
    def width(self) -> int:
        return int(self.arrays[0].shape[1])

    def by_length(
        self, device: Device, in_order: bool = False, most: int = _GROUP_SIZE
    ) -> Iterator[tuple[list[int], Array]]:
        """Yield (indices, array (n_series, time, width)) of series of equal length, on `device`.

        A group has at most `most` series, which bounds the memory for their states. With
        `in_order`, it has only series that follow each other.
        """
        lengths: dict[Any, list[int]] = {}
        number = 0
        for i, array in enumerate(self.arrays):
            number += in_order and i > 0 and len(array) != len(self.arrays[i - 1])
            lengths.setdefault((number, len(array)), []).append(i)
        for same in lengths.values():
            for first in range(0, len(same), most):
                which = same[first : first + most]
                yield which, to_device(stacked(self.arrays, which), device)

    def gather(self, groups: Iterable[tuple[list[int], Array]]) -> list[Array]:
        """Return the results of groups from :meth:`by_length` in the order of the series."""
        by_index: dict[int, Array] = {}
        for which, results in groups:
            by_index |= dict(zip(which, to_device(results, self.place), strict=True))
        return [by_index[i] for i in range(len(self.arrays))]

    def like(self, arrays: Sequence[Array]) -> Any:
        """Return `arrays` in the same form as these series."""
        if self.kind == "one":
            return arrays[0]
        return array_module(*arrays).stack(arrays) if self.kind == "stack" else list(arrays)


def stacked(arrays: Sequence[Array], which: Sequence[int]) -> Array:
    """Stack arrays of equal length to (n_series, time, width); a single one is not copied."""
    if len(which) == 1:
        return arrays[which[0]][None]
    chosen = [arrays[i] for i in which]
    return array_module(*chosen).stack(chosen)


def is_many(X: Any) -> bool:
    """Return whether X is a 3-D array or a list of 2-D arrays.

    Raises
    ------
    ValueError
        If X contains series in another form.
    """
    if isinstance(X, list | tuple):
        if not X:
            raise ValueError("X must contain at least one series; got none")
        axes = [_axes(x) for x in X]
        if 2 in axes and set(axes) != {2}:
            i = next(i for i, n in enumerate(axes) if n != 2)
            raise ValueError(
                f"every series must be a 2-D array (time, features), as others in X are; X[{i}] "
                f"{'is ragged' if axes[i] is None else f'has {axes[i]} axes'}. Reshape series of "
                "one feature: [x.reshape(-1, 1) for x in X]"
            )
        if set(axes) == {1} and len({len(x) for x in X}) > 1:
            raise ValueError(
                "X is a list of 1-D arrays of different lengths, but a series must be a 2-D array "
                "(time, features). Reshape them: [x.reshape(-1, 1) for x in X]"
            )
        return set(axes) == {2}
    if _holds_objects(X) and any(map(_axes, X)):
        raise ValueError(
            f"X is one {type(X).__name__} of arrays; pass a list of 2-D arrays instead: list(X), "
            "or [x.reshape(-1, 1) for x in X] if they are 1-D series of one feature"
        )
    return getattr(X, "ndim", 0) == 3


def _holds_objects(X: Any) -> bool:
    """Return whether X is a vector of objects: an array, or a pandas Series."""
    return getattr(X, "dtype", None) == np.dtype(object) and getattr(X, "ndim", 0) == 1


def listed(X: Any) -> Any:
    """Return a pandas Series of 2-D series as a list of them, and any other X as it is."""
    is_vector = _holds_objects(X) and not isinstance(X, np.ndarray)
    return list(X) if is_vector and 2 in map(_axes, X) else X


def _axes(x: Any) -> int | None:
    """Return the number of axes of an array-like, or None if it is ragged."""
    if is_on_device(x):
        return int(x.ndim)
    try:
        return int(np.ndim(x))
    except ValueError:  # rows of different lengths
        return None


def check_rows(X: Any) -> None:
    """Raise a ValueError if X could be the rows of one series or several 1-D series."""
    if isinstance(X, list | tuple) and any(getattr(x, "ndim", 0) == 1 for x in X):
        raise ValueError(
            "X is a list of 1-D arrays, which could be several series or the rows of one. Pass "
            "several series of one feature as [x.reshape(-1, 1) for x in X], and the rows of one "
            "series as np.stack(X)"
        )


def many_series(X: Any, name: str = "X", width: int | None = None, place: Device = "cpu") -> Series:
    """Return a 3-D array or a list of 2-D arrays as validated series.

    Raises
    ------
    ValueError
        If a series is empty, is not finite, or differs from the others in its number of features
        or in the names of its columns.
    """
    kind: Kind = "list" if isinstance(X, list | tuple) else "stack"
    if place == "cuda" and kind == "stack":
        X = checked_array(X, name, ndim=(3,))
    arrays: list[Array] = []
    names: tuple[str, ...] | None = None
    for i, series in enumerate(X):
        own = names_of_columns(series)
        if names is not None and own is not None and own != names:
            raise ValueError(
                f"{name}[{i}] has the columns {', '.join(own)}, but those before it have "
                f"{', '.join(names)}: all series must have the same columns, in the same order"
            )
        names = names or own
        if place == "cpu":
            array = check_array(series, dtype=np.float64, input_name=f"{name}[{i}]", order="C")
        else:
            array = series if kind == "stack" else checked_array(series, f"{name}[{i}]")
        expected = width if width is not None else (arrays[0].shape[1] if arrays else None)
        if expected is not None and array.shape[1] != expected:
            raise ValueError(
                f"every series must have {expected} features; {name}[{i}] has {array.shape[1]}"
            )
        arrays.append(array)
    if not arrays:
        raise ValueError(f"{name} must contain at least one series; got none")
    return Series(arrays, kind, place, names)


def names_of_columns(series: Any) -> tuple[str, ...] | None:
    """Return the names of the columns of a DataFrame, if all are text; None for other series."""
    names = tuple(series.columns) if hasattr(series, "columns") else ()
    return names if names and all(isinstance(name, str) for name in names) else None


_NOT_NUMBERS = {"U": "text", "S": "text", "c": "complex numbers", "m": "durations", "M": "dates"}


def check_numeric(y: Any, name: str = "y") -> None:
    """Raise a ValueError if targets are not real numbers, even if NumPy could convert them."""
    dtype = y.dtype if hasattr(y, "dtype") else np.asarray(y).dtype
    kind = getattr(dtype, "kind", "")  # some types of pandas have no kind
    if kind in _NOT_NUMBERS:
        raise ValueError(f"{name} must be numbers; got {_NOT_NUMBERS[kind]}, {dtype}")


def many_targets(y: Any, X: Series) -> tuple[list[Array], bool]:
    """Return the targets (time, n_outputs) of each series, and whether all of them are 1-D.

    Raises
    ------
    ValueError
        If y does not match the series and steps of X.
    """
    if not hasattr(y, "__len__"):
        raise ValueError(f"y must have one entry per series of X, {len(X.arrays)}; got {y!r}")
    if len(y) != len(X.arrays):
        raise ValueError(f"y must have one entry per series of X, {len(X.arrays)}; got {len(y)}")
    arrays: list[Array] = []
    axes: list[int] = []
    for i, (target, series) in enumerate(zip(y, X.arrays, strict=True)):
        check_numeric(target, f"y[{i}]")
        array = target if X.place == "cuda" else np.asarray(target, np.float64)
        if array.ndim not in (1, 2) or len(array) != len(series) or not array.size:
            raise ValueError(
                f"y[{i}] must have shape ({len(series)},) or ({len(series)}, n_outputs), one "
                f"target per step of X[{i}]; got {array.shape}"
            )
        if X.place == "cuda":
            array = checked_array(array, f"y[{i}]", ndim=(1, 2))
        elif not np.isfinite(array).all():
            raise ValueError(f"y[{i}] contains NaN or infinity")
        axes.append(array.ndim)
        if axes[i] != axes[0]:
            raise ValueError(
                f"all series must have targets with as many axes; y[0] has {axes[0]} and y[{i}] "
                f"{axes[i]}. Reshape those of one output: y[{i}].reshape(-1, 1), or .ravel()"
            )
        arrays.append(array.reshape(len(array), -1))
    return arrays, axes[0] == 1


def pooled(X: Any, values: Any, skip: int = 0) -> np.ndarray:
    """Concatenate per-step values of one or several series X, on the host.

    The first `skip` steps of each series are left out.
    """
    each = values if is_many(X) else [values]
    parts = [to_host(part) if is_on_device(part) else np.asarray(part) for part in each]
    return np.concatenate([part[skip:] for part in parts])
