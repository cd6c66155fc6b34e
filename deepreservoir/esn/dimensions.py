"""How many directions a reservoir's states vary in: by rounding, by entropy, by variance.

All are of centred states, since a constant offset is the intercept of the readout.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import ArrayLike


def state_rank(states: ArrayLike) -> int:
    """Return how many independent directions the states vary in, as far as rounding tells.

    The number of singular values of the centred states above ``units * eps`` of the largest one
    (or of the offset, where that is larger), with the eps of the states' own dtype. It bounds
    every sum of capacities.

    Parameters
    ----------
    states : array-like of real numbers, shape (time, units)
        Two rows at least.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the states have another shape or are not finite numbers.

    Examples
    --------
    >>> state_rank([[1.0, 2.0, 3.0], [2.0, 4.0, 3.0], [4.0, 8.0, 3.0]])
    1
    """
    array, eps = _checked(states)
    return rank_of(_singular_values(array), array, eps)


def effective_rank(states: ArrayLike) -> float:
    """Return the exponential of the entropy of the centred states' normalised singular values.

    Parameters
    ----------
    states : array-like of real numbers, shape (time, units)
        Two rows at least.

    Returns
    -------
    float
        From 1, all in one direction, to the number of units, the same in all; 0 where the states
        do not vary.

    Raises
    ------
    ValueError
        If the states have another shape or are not finite numbers.

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
    """Return the participation ratio of the covariance's eigenvalues, ``(sum l)^2 / sum l^2``.

    Parameters
    ----------
    states : array-like of real numbers, shape (time, units)
        Two rows at least.

    Returns
    -------
    float
        From 1, all variance in one direction, to the number of units, the same in all; 0 where
        the states do not vary.

    Raises
    ------
    ValueError
        If the states have another shape or are not finite numbers.

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
    array /= np.abs(array).max() or 1  # squares of squares must neither overflow nor vanish
    covariance = array.T @ array
    spread = (covariance**2).sum()  # of the eigenvalues' squares
    return float(np.trace(covariance) ** 2 / spread) if spread else 0.0


def centred(states: np.ndarray) -> np.ndarray:
    """Return states less their mean, in float64: (time, units)."""
    out = states - states.mean(axis=0, dtype=np.float64)
    out -= out.mean(axis=0)  # the first mean was rounded, by more the longer the run
    return out


def rank_of(values: np.ndarray, states: np.ndarray, eps: float) -> int:
    """Return how many singular values of centred states stand out of the states' rounding.

    What a state was rounded to depends on its size, not on how far it is from its mean.
    """
    size = np.sqrt(len(states)) * np.linalg.norm(states.mean(axis=0, dtype=np.float64))
    return int((values > max(values[0], size) * states.shape[1] * eps).sum())


def _singular_values(array: np.ndarray) -> np.ndarray:
    """Return those of centred states: (time, units) -> (min(time, units),), the largest first."""
    return np.linalg.svd(centred(array), compute_uv=False)


def _checked(states: ArrayLike) -> tuple[np.ndarray, float]:
    """Return states as float64, and the rounding of the dtype they came in."""
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
