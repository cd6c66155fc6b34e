"""Device arrays as users hand them in: checked where they are, and never moved for it.

What ``validate_data`` of scikit-learn is for the arrays of the host. Only numbers that decide
whether to raise come to the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from ...backend import Array, Device, array_module, is_on_device, to_host


def _arrays(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, array) of an array, or of each in a list where some are of a device."""
    if isinstance(value, list | tuple) and any(is_on_device(item) for item in value):
        yield from ((f"{name}[{i}]", item) for i, item in enumerate(value))
    else:
        yield name, value


def place_of(device: Device, **given: Any) -> Device:
    """Return where the arrays that were given are, by which the results will be too.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Where the estimator computes.
    **given : array-like, list of array-like or None
        By the names that the user knows them by; None was not given.

    Returns
    -------
    {"cpu", "cuda"}
        ``"cuda"`` where all are device arrays.

    Raises
    ------
    TypeError
        If there are arrays of both kinds, or device arrays for an estimator on the CPU.

    Examples
    --------
    >>> import numpy as np
    >>> place_of("cuda", X=np.zeros((3, 2)), y=[0, 1, 0])
    'cpu'
    """
    arrays = [
        pair for name, value in given.items() if value is not None for pair in _arrays(name, value)
    ]
    there = [is_on_device(array) for _, array in arrays]
    if not any(there):
        return "cpu"
    kinds = [f"{name} is a {_kind(array)}" for name, array in arrays]
    if not all(there):
        some = kinds[there.index(True)], kinds[there.index(False)]
        raise TypeError(
            f"all arrays must be of one kind: {some[0]} and {some[1]}. Nothing moves unasked; "
            "use deepreservoir.backend.to_device or to_host"
        )
    if device == "cpu":
        raise TypeError(
            f"{kinds[0]}, but the estimator computes on the CPU, and nothing moves unasked. Set "
            "device='cuda', or give arrays of deepreservoir.backend.to_host"
        )
    return "cuda"


def _kind(array: object) -> str:
    return f"{type(array).__module__.partition('.')[0]}.{type(array).__name__}"


def checked_array(
    array: Array,
    name: str = "X",
    *,
    ndim: tuple[int, ...] = (2,),
    dtype: np.dtype | type = np.float64,
) -> Array:
    """Return a device array in `dtype` and C order, if it holds finite numbers.

    Parameters
    ----------
    array : device array
    name : str
        For the errors.
    ndim : tuple of int
        How many axes it may have.
    dtype : numpy dtype

    Raises
    ------
    ValueError
        If it has other axes, no rows or no columns, or holds anything but finite real numbers.
    """
    if array.ndim not in ndim:
        allowed = " or ".join(str(n) for n in ndim)
        raise ValueError(f"{name} must have {allowed} axes; got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers; got an array of {array.dtype}")
    if 0 in array.shape:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    xp = array_module(array)
    if array.dtype.kind == "f" and not bool(xp.isfinite(array).all()):
        raise ValueError(f"{name} contains NaN or infinity")
    return xp.ascontiguousarray(array, dtype)


def checked_features(
    estimator: BaseEstimator, X: Array, *, reset: bool, dtype: np.dtype | type = np.float64
) -> Array:
    """Return X (n, n_features), checked, and set or check the estimator's number of features.

    Raises
    ------
    ValueError
        As of :func:`checked_array`, or if X has another number of features than in `fit`.
    """
    X = checked_array(X, "X", dtype=dtype)
    return validate_data(estimator, X, reset=reset, skip_check_array=True)


def checked_pair(
    estimator: BaseEstimator,
    X: Array,
    y: Array,
    *,
    reset: bool,
    dtype: np.dtype | type = np.float64,
    y_dtype: np.dtype | type | None = np.float64,
) -> tuple[Array, Array]:
    """Return X (n, n_features) and y (n,) or (n, n_outputs), checked together.

    Parameters
    ----------
    y_dtype : numpy dtype or None
        Of y in the end; None leaves it as it is, for classes.

    Raises
    ------
    ValueError
        As of :func:`checked_features`, or if X and y differ in their number of rows.
    """
    X = checked_features(estimator, X, reset=reset, dtype=dtype)
    y = checked_array(y, "y", ndim=(1, 2), dtype=y.dtype if y_dtype is None else y_dtype)
    if len(y) != len(X):
        raise ValueError(f"X and y must have as many rows as each other; got {len(X)} and {len(y)}")
    return X, y


class ScoredOnHost:
    """What lets scikit-learn score predictions of rows that are on a device."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return accuracy, or R^2, as scikit-learn computes it, on the host.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        return float(super().score(*on_host(X, y, sample_weight)))  # type: ignore[misc]


def on_host(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Return what is to be scored, on the host; all of one kind, or an error that names both."""
    place_of("cuda", X=X, y=y, sample_weight=sample_weight)
    X, y, sample_weight = (to_host(a) if is_on_device(a) else a for a in (X, y, sample_weight))
    return X, y, sample_weight
