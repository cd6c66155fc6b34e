"""Metrics of forecasts: normalised error and valid prediction time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..moments import moments


def _pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth and prediction as float64 (time, outputs), and each output's deviation."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    for name, array in (("y_true", true), ("y_pred", pred)):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold real numbers; got an array of {array.dtype}")
        if array.ndim not in (1, 2) or array.size == 0:
            raise ValueError(
                f"{name} must be (time,) or (time, outputs) with at least one row and one "
                f"output; got shape {array.shape}"
            )
    if true.shape != pred.shape:
        raise ValueError(
            f"y_true and y_pred must have the same shape; got {true.shape} and {pred.shape}"
        )
    true, pred = (array.astype(np.float64).reshape(len(array), -1) for array in (true, pred))
    if not np.isfinite(true).all():
        row = int(np.flatnonzero(~np.isfinite(true).all(axis=1))[0])
        raise ValueError(f"y_true must be finite; row {row} holds NaN or infinity")
    constant = np.flatnonzero(true.min(axis=0) == true.max(axis=0))
    if constant.size:
        raise ValueError(
            f"every output of y_true must vary, because errors are divided by its standard "
            f"deviation; output {constant[0]} is constant over {len(true)} rows"
        )
    return true, pred, moments(true)[1]


def _scaled_squares(true: np.ndarray, pred: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the squared normalised errors, infinite wherever a prediction is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = ((pred - true) / spread) ** 2
    return np.where(np.isnan(squares), np.inf, squares)


def nrmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the root mean square error divided by the standard deviation of the truth.

    The error of each output is ``sqrt(mean((y_true - y_pred)**2)) / std(y_true)``, with the
    standard deviation over all rows (``ddof=0``); the mean over outputs is returned. A perfect
    forecast scores 0; predicting the mean of an output scores 1.

    Parameters
    ----------
    y_true, y_pred : array-like of real numbers, shape (time,) or (time, outputs)

    Returns
    -------
    float
        Infinite if a prediction is not finite, as when a forecast has diverged.

    Raises
    ------
    ValueError
        If the shapes differ or have the wrong number of dimensions, or an output of `y_true` is
        constant or not finite.

    Examples
    --------
    >>> nrmse([1.0, 3.0], [2.0, 2.0])
    1.0
    """
    squares = _scaled_squares(*_pair(y_true, y_pred))
    return float(np.sqrt(squares.mean(axis=0)).mean())


def valid_prediction_time(
    y_true: ArrayLike, y_pred: ArrayLike, dt: float = 1.0, threshold: float = 0.4
) -> float:
    """Return the time until a forecast's normalised error first exceeds a threshold.

    The error of row t is ``sqrt(mean_i(((y_true[t, i] - y_pred[t, i]) / s_i)**2))`` over the
    outputs i, with s_i the standard deviation of ``y_true[:, i]`` (Vlachas et al. 2020);
    the default threshold is that of Pathak et al. (2018). Row 0 is the first forecast row, one
    `dt` after the last known row, so k valid rows are a time of ``k dt``. Errors after the first
    crossing do not matter. Divide by a Lyapunov time to compare systems.

    Parameters
    ----------
    y_true, y_pred : array-like of real numbers, shape (time,) or (time, outputs)
        The standard deviation is computed from these rows, so they should cover the attractor.
        A prediction that is not finite exceeds any threshold.
    dt : float
        Time between rows.
    threshold : float
        Largest normalised error that counts as valid.

    Returns
    -------
    float
        In the units of `dt`: 0 if the first row already exceeds the threshold, and
        ``len(y_true) * dt``, a lower bound, if no row does.

    Raises
    ------
    ValueError
        If the shapes differ or have the wrong number of dimensions, an output of `y_true` is
        constant or not finite, or `dt` or `threshold` is not positive.

    References
    ----------
    Pathak et al., Hybrid forecasting of chaotic processes, Chaos 28, 041101, 2018. Vlachas et
    al., Backpropagation algorithms and reservoir computing in recurrent neural networks for
    the forecasting of complex spatiotemporal dynamics, Neural Networks 126, 2020.

    Examples
    --------
    >>> truth = [0.0, 1.0, 0.0, 1.0]
    >>> valid_prediction_time(truth, [0.1, 0.9, 0.5, 1.0], dt=0.02)
    0.04
    """
    for name, value in (("dt", dt), ("threshold", threshold)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive finite number; got {value!r}")
    squares = _scaled_squares(*_pair(y_true, y_pred))
    failed = np.flatnonzero(np.sqrt(squares.mean(axis=1)) > threshold)
    return float(dt * (failed[0] if failed.size else len(squares)))
