"""Dimensions of a reservoir's states: numerical rank, effective rank, participation ratio.

All of them centre the states first, since the readout's intercept absorbs a constant offset.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import ArrayLike


def state_rank(states: ArrayLike) -> int:
    """Return the numerical rank of the centred states.

    This is the number of singular values above ``units * eps`` times the largest one (or times
    the offset of the states, if that is larger), where eps belongs to the dtype of `states`. It is
    an upper bound of any sum of capacities.

    Parameters
    ----------
    states : array-like of real numbers, shape (time, units)
        At least two rows.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the states have a different shape or are not finite.

    Examples
    --------
    >>> state_rank([[1.0, 2.0, 3.0], [2.0, 4.0, 3.0], [4.0, 8.0, 3.0]])
    1
    """
    array, eps = _checked(states)
    return rank_of(_singular_values(array), array, eps)


def effective_rank(states: ArrayLike) -> float:
    """Return the effective rank of the centred states.

    This is the exponential of the entropy of their singular values, normalised to sum to one.

    Parameters
    ----------
    states : array-like of real numbers, shape (time, units)
        At least two rows.

    Returns
    -------
    float
        Between 1 (the states vary in one direction) and the number of units (they vary equally
        in all directions); 0 if the states are constant.

    Raises
    ------
    ValueError
        If the states have a different shape or are not finite.

    References
    ----------
    Roy and Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007.

    Examples
    --------
    >>> round(effective_rank([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]), 6)
    2.0
    """
    values = _singular_values(_checked(states)[0])
    if not values.any():
        return 0.0
    share = values / values.sum()
    return float(np.exp(scipy.special.entr(share).sum()))


def effective_dimension(states: ArrayLike) -> float:
    """Return the participation ratio of the covariance's eigenvalues l, ``(sum l)^2 / sum l^2``.

    Parameters
    ----------
    states : array-like of real numbers, shape (time, units)
        At least two rows.

    Returns
    -------
    float
        Between 1 (all variance is in one direction) and the number of units (it is equal in all
        directions); 0 if the states are constant.

    Raises
    ------
    ValueError
        If the states have a different shape or are not finite.

    References
    ----------
    Abbott, Rajan and Sompolinsky, Interactions between intrinsic and stimulus-evoked activity in
    recurrent neural networks, 2011.

    Examples
    --------
    >>> round(effective_dimension([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]), 6)
    2.0
    """
    array = centred(_checked(states)[0])
    array /= np.abs(array).max() or 1  # fourth powers must neither overflow nor underflow
    covariance = array.T @ array
    spread = (covariance**2).sum()  # sum of the squared eigenvalues
    return float(np.trace(covariance) ** 2 / spread) if spread else 0.0


def centred(states: np.ndarray) -> np.ndarray:
    """Return the states minus their mean, in float64: (time, units)."""
    out = states - states.mean(axis=0, dtype=np.float64)
    out -= out.mean(axis=0)  # the first mean has a rounding error that grows with the run
    return out


def rank_of(values: np.ndarray, states: np.ndarray, eps: float) -> int:
    """Return how many singular values of centred states exceed the states' rounding error.

    The rounding error of a state depends on its magnitude, not on its distance from the mean.
    """
    size = np.sqrt(len(states)) * np.linalg.norm(states.mean(axis=0, dtype=np.float64))
    return int((values > max(values[0], size) * states.shape[1] * eps).sum())


def _singular_values(array: np.ndarray) -> np.ndarray:
    """Return the singular values of the centred states, in descending order."""
    return np.linalg.svd(centred(array), compute_uv=False)


def _checked(states: ArrayLike) -> tuple[np.ndarray, float]:
    """Return the states as float64, and the eps of their original dtype."""
    array = np.asarray(states)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"states must hold real numbers; got an array of {array.dtype}")
    if array.ndim != 2 or len(array) < 2 or array.shape[1] == 0:
        raise ValueError(
            "states must be (time, units) with at least two rows and one unit; got shape "
            f"{array.shape}"
        )
    eps = np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"states must be finite; row {row} holds NaN or infinity")
    return array, float(eps)
