"""Validation of sample weights: of the steps of series, or of whole series."""

from __future__ import annotations

from collections.abc import Mapping, Set
from numbers import Real
from typing import Any

import numpy as np

from ...backend import is_on_device, to_host
from .series import Series

_LARGEST = 1e100


def weights_of_series(sample_weight: Any, n_series: int, some: bool = True) -> np.ndarray | None:
    """Return the weight of each series, (n_series,), on the host; None for None.

    Parameters
    ----------
    sample_weight : number, array-like or None
    n_series : int
    some : bool, default=True
        Whether at least one must be positive.

    Raises
    ------
    ValueError
        If the weights do not match the series, or are negative, not finite, or all zero.
    """
    if sample_weight is None:
        return None
    weights = _checked(sample_weight, n_series, "sample_weight", "series")
    if some:
        _check_positive([weights])
    return weights


def weights_of_steps(
    sample_weight: Any, series: Series, some: bool = True
) -> list[np.ndarray] | None:
    """Return the weights (time,) of the steps of each series, on the host; None for None.

    Parameters
    ----------
    sample_weight : number, array-like or None
        For one series (time,). For several, one number per series, or (time,) for each of them.
    series : Series
    some : bool, default=True
        Whether at least one must be positive.

    Raises
    ------
    ValueError
        If the weights do not match the series, or are negative, not finite, or all zero.
    """
    if sample_weight is None:
        return None
    lengths = [len(array) for array in series.arrays]
    if series.kind == "one":
        each = [sample_weight]
    elif isinstance(sample_weight, Real) or getattr(sample_weight, "ndim", None) == 0:
        each = [sample_weight] * len(lengths)
    elif isinstance(sample_weight, Mapping | Set) or hasattr(sample_weight, "columns"):
        raise ValueError(
            "sample_weight must be a list or an array with an entry per series of X; got a "
            f"{type(sample_weight).__name__}"
        )
    else:
        each = list(sample_weight)
    if len(each) != len(lengths):
        raise ValueError(
            f"sample_weight must have one entry per series of X, {len(lengths)}; got {len(each)}"
        )
    names = ["sample_weight"]
    if series.kind != "one":
        names = [f"sample_weight[{i}]" for i in range(len(lengths))]
    each_with = zip(each, lengths, names, strict=True)
    weights = [_checked(one, n, name, "steps") for one, n, name in each_with]
    if some:
        _check_positive(weights)
    return weights


def _checked(value: Any, n: int, name: str, what: str) -> np.ndarray:
    """Return weights (n,) from an array, or from one number for all."""
    try:
        given = np.asarray(to_host(value) if is_on_device(value) else value)
        if given.dtype.kind == "c":
            raise TypeError("complex numbers have no order")
        weights = given.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, one for each of {n} {what}") from None
    if weights.ndim == 0:
        weights = np.full(n, float(weights))
    if weights.shape != (n,):
        raise ValueError(
            f"{name} must have shape ({n},), one weight for each of {n} {what}, or be one number; "
            f"got the shape {weights.shape}"
        )
    if not np.isfinite(weights).all():
        raise ValueError(f"{name} contains NaN or infinity")
    if (weights < 0).any():
        raise ValueError(f"{name} must not be negative; got {float(weights.min())!r}")
    beyond = (weights > 0) & ~((weights >= 1 / _LARGEST) & (weights <= _LARGEST))
    if beyond.any():
        raise ValueError(
            f"{name} must be 0 or from {1 / _LARGEST:g} to {_LARGEST:g}, so that sums of their "
            f"squares are finite; got {float(weights[beyond][0])!r}. Divide all weights by the "
            "largest"
        )
    return weights


def _check_positive(weights: list[np.ndarray]) -> None:
    if not any((one > 0).any() for one in weights):
        raise ValueError("sample_weight must be positive for at least one sample; got only zeros")
