"""Mean and deviation of the columns of a table, safe from rounding, overflow and underflow."""

from __future__ import annotations

import numpy as np

# Squares of numbers between these limits neither overflow nor lose digits to underflow.
_SMALLEST, _LARGEST = 1e-100, 1e100


def moments(values: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation along the first axis.

    Columns whose squares would overflow or underflow are first divided by a power of two.

    Parameters
    ----------
    values : ndarray of float64, shape (n, ...)
    weights : ndarray, shape (n,), optional

    Returns
    -------
    mean, deviation : ndarray, shape (...)

    Examples
    --------
    >>> mean, deviation = moments(np.array([[1.0, 1e-200], [3.0, 3e-200]]))
    >>> mean.tolist(), deviation.tolist()
    ([2.0, 2e-200], [1.0, 1e-200])
    """
    unit = _units(values)
    if unit is not None:
        values = values / unit
    mean = np.average(values, axis=0, weights=weights)
    deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    return (mean, deviation) if unit is None else (mean * unit, deviation * unit)


def _units(values: np.ndarray) -> np.ndarray | None:
    """Return the power of two to divide each column by, or None if there is no need."""
    largest = np.abs(values).max(axis=0)
    extreme = ((largest > _LARGEST) | (largest < _SMALLEST)) & (largest > 0)
    if not np.any(extreme):
        return None
    return np.where(extreme, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)


def scale_of(deviation: np.ndarray, mean: np.ndarray, n: int) -> np.ndarray:
    """Return what to divide centred columns by: their deviation, or 1 for constant columns.

    A column is constant if its deviation is within the rounding error of a mean of `n` values, as
    in scikit-learn's StandardScaler: the computed mean of n times 0.1 is not always 0.1.

    Parameters
    ----------
    deviation, mean : ndarray
        From :func:`moments`.
    n : int
        Number of rows.

    Examples
    --------
    >>> values = np.array([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]])
    >>> mean, deviation = moments(values)
    >>> scale_of(deviation, mean, len(values)).round(3).tolist()
    [1.0, 1.633]
    """
    eps = np.finfo(np.float64).eps
    return np.where(deviation > n * eps * np.abs(mean), deviation, 1.0)
