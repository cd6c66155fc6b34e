"""Validation of device arrays from users, on the device.

This does for device arrays what scikit-learn's ``validate_data`` does for host arrays. Only the
results of the checks are copied to the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from ...backend import Array, Device, array_module, is_on_device, to_host


def _arrays(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, array) for an array, or for each item of a list with device arrays."""
    if isinstance(value, list | tuple) and any(is_on_device(item) for item in value):
        yield from ((f"{name}[{i}]", item) for i, item in enumerate(value))
    else:
        yield name, value


def place_of(device: Device, **arrays: Any) -> Device:
    """Return the device of a user's arrays, on which the results will be returned as well.

    Parameters
    ----------
    device : {"cpu", "cuda", "cuda:N"}
        Where the estimator computes.
    **arrays : array-like, list of array-like or None
        Arrays by their names in error messages; None is ignored, and so are numbers.

    Returns
    -------
    {"cpu", "cuda", "cuda:N"}
        ``"cuda"`` if all are device arrays.

    Raises
    ------
    TypeError
        If host and device arrays are mixed, or device arrays meet an estimator on the CPU.

    Examples
    --------
    >>> import numpy as np
    >>> place_of("cuda", X=np.zeros((3, 2)), y=[0, 1, 0])
    'cpu'
    """
    named = [
        pair
        for name, value in arrays.items()
        if value is not None and not isinstance(value, Real)
        for pair in _arrays(name, value)
    ]
    on_device = [is_on_device(array) for _, array in named]
    if not any(on_device):
        return "cpu"
    kinds = [f"{name} is a {_kind(array)}" for name, array in named]
    if not all(on_device):
        example = f"{kinds[on_device.index(True)]} and {kinds[on_device.index(False)]}"
        raise TypeError(
            f"all arrays must be of one kind: {example}. Arrays are never moved implicitly; "
            "use deepreservoir.backend.to_device or to_host"
        )
    if device == "cpu":
        raise TypeError(
            f"{kinds[0]}, but the estimator computes on the CPU, and arrays are never moved "
            "implicitly. Set device='cuda', or convert them with deepreservoir.backend.to_host"
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
    """Return a device array in `dtype` and C order after checking that it has finite numbers.

    Parameters
    ----------
    array : device array
    name : str
        Name of the array in error messages.
    ndim : tuple of int
        Allowed numbers of axes.
    dtype : numpy dtype

    Raises
    ------
    ValueError
        If it has another number of axes, no rows or no columns, or contains anything but finite
        real numbers.
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
        As in :func:`checked_array`, or if X has another number of features than in `fit`.
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
        Type of the returned y; None leaves it unchanged, for classes.

    Raises
    ------
    ValueError
        As in :func:`checked_features`, or if X and y differ in their number of rows.
    """
    X = checked_features(estimator, X, reset=reset, dtype=dtype)
    y = checked_array(y, "y", ndim=(1, 2), dtype=y.dtype if y_dtype is None else y_dtype)
    if len(y) != len(X):
        raise ValueError(f"X and y must have the same number of rows; got {len(X)} and {len(y)}")
    return X, y


class ScoredOnHost:
    """Mixin that lets scikit-learn score predictions for rows on a device."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or R^2, as scikit-learn computes it, on the host.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        return float(super().score(*on_host(X, y, sample_weight)))  # type: ignore[misc]


def on_host(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Return X, y and weights on the host, after checking that all are on the same device."""
    place_of("cuda", X=X, y=y, sample_weight=sample_weight)
    X, y, sample_weight = (to_host(a) if is_on_device(a) else a for a in (X, y, sample_weight))
    return X, y, sample_weight
