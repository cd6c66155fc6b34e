"""Closed-loop forecasts from earlier rows of a series: their errors, and prediction intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

from ...moments import moments, scale_of
from .forecasters import Forecaster, Persistence, SeasonalNaive

#: A function that is trained on rows (time, d), and then forecasts from several starts: from rows
#: (time, d), the numbers of rows that are known (n_starts,), and a number of steps, it returns
#: (n_starts, n_steps, d).
Train = Callable[[np.ndarray], Callable[[np.ndarray, np.ndarray, int], np.ndarray]]

_TRAININGS = 4
_WINDOWS = 256
_LEAST_KNOWN = 10


@dataclass(frozen=True)
class Backtest:
    """Forecasts from many rows in the second half of a series.

    The windows are divided into four groups. The forecasts of a group are from a network that was
    trained on the rows before the group.

    Attributes
    ----------
    n_windows : int
    horizon : int
        Number of steps that were forecast, at most the horizon that was asked for.
    half_widths : ndarray, shape (horizon, n_columns)
        Half the width of the prediction interval at each step. It never decreases.
    nrmse : dict of str to float
        Error over all windows and steps by method, ``"network"``, ``"persistence"`` and, if there
        is a season, ``"seasonal"``, in standard deviations of the whole series.

    Examples
    --------
    >>> from deepreservoir.experiments import forecast_series
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> tested = forecast_series(wave, 5, units=50).backtest
    >>> tested.n_windows, tested.half_widths.shape, sorted(tested.nrmse)
    (100, (5, 1), ['network', 'persistence', 'seasonal'])
    """

    n_windows: int
    horizon: int
    half_widths: np.ndarray
    nrmse: dict[str, float]


def measured_horizon(n: int, horizon: int, level: float) -> int:
    """Return for how many of `horizon` steps a series of `n` rows allows intervals.

    The furthest step needs enough windows for the quantile, and no more than half of the windows
    may be too short for it.

    Examples
    --------
    >>> measured_horizon(144, 24, 0.9), measured_horizon(144, 100, 0.9)
    (24, 36)
    """
    windows = n - first_start(n)
    needed = ceil(level / (1 - level) - 1e-9)
    return max(0, min(horizon, windows // 2, windows - needed + 1))


def backtest(
    values: np.ndarray, horizon: int, level: float, train: Train, season: int | None
) -> Backtest | None:
    """Forecast from many rows in the second half of a series.

    Intervals are those of split conformal prediction (Lei et al., 2018) for each step by itself:
    half the width is the quantile of the absolute errors, with a correction for their number.
    The errors of windows that overlap are not independent, so the coverage holds approximately.

    Parameters
    ----------
    values : ndarray of float64, shape (time, n_columns)
    horizon : int
    level : float
        Share of future values that the intervals are to contain, in (0, 1).
    train : callable
        See `Train`.
    season : int, optional
        Number of steps after which the seasonal forecast repeats the series.

    Returns
    -------
    Backtest or None
        None if the series is too short.

    Examples
    --------
    A forecast that repeats the mean of the rows that it was trained on:

    >>> def train(known):
    ...     def forecasts(values, starts, n_steps):
    ...         return np.full((len(starts), n_steps, values.shape[1]), known.mean(axis=0))
    ...     return forecasts
    >>> noise = np.random.default_rng(0).standard_normal((400, 1))
    >>> tested = backtest(noise, 3, 0.9, train, season=None)
    >>> tested.n_windows, tested.nrmse["network"] < tested.nrmse["persistence"]
    (200, True)
    """
    n = len(values)
    steps = measured_horizon(n, horizon, level)
    if steps < 1:
        return None
    first = first_start(n)
    starts = np.arange(first, n, _stride(n - first, steps, level))
    methods: dict[str, Forecaster] = {"persistence": Persistence()}
    if season is not None:
        methods["seasonal"] = SeasonalNaive(season)
    errors = {
        name: np.empty((len(starts), steps, values.shape[1])) for name in ("network", *methods)
    }
    for group in np.array_split(np.arange(len(starts)), _TRAININGS):
        if not len(group):
            continue
        truth = _windows(values, starts[group], steps)
        known = values[: starts[group[0]]]
        forecast = train(known)(values, starts[group], steps)
        errors["network"][group] = forecast - truth
    truth = _windows(values, starts, steps)
    memory = season or 1
    histories = np.stack([values[start - memory : start] for start in starts])
    for name, method in methods.items():
        errors[name][:] = method.forecast(histories, steps) - truth
    mean, deviation = moments(values)
    scale = scale_of(deviation, mean, n)
    measured = {name: _nrmse(error / scale) for name, error in errors.items()}
    return Backtest(len(starts), steps, _half_widths(errors["network"], level), measured)


def first_start(n: int) -> int:
    """Return the first row that is forecast in a backtest of a series of `n` rows."""
    return max(n // 2, _LEAST_KNOWN)


def _stride(windows: int, steps: int, level: float) -> int:
    """Return the distance between starts: few enough windows, but as many as the quantile needs."""
    needed = ceil(level / (1 - level) - 1e-9)
    return max(1, min(windows // _WINDOWS, (windows - steps) // needed))


def _windows(values: np.ndarray, starts: np.ndarray, steps: int) -> np.ndarray:
    """Return the rows after each start, NaN beyond the end: (n_starts, steps, n_columns)."""
    padded = np.concatenate([values, np.full((steps, values.shape[1]), np.nan)])
    return padded[starts[:, None] + np.arange(steps)]


def _half_widths(errors: np.ndarray, level: float) -> np.ndarray:
    """Return the quantile of absolute errors (n_starts, steps, d) at each step: (steps, d)."""
    widths = np.empty(errors.shape[1:])
    for step in range(errors.shape[1]):
        at_step = np.abs(errors[:, step])
        at_step = np.sort(at_step[~np.isnan(at_step).any(axis=1)], axis=0)
        widths[step] = at_step[min(ceil((len(at_step) + 1) * level - 1e-9), len(at_step)) - 1]
    return np.maximum.accumulate(widths, axis=0)


def _nrmse(errors: np.ndarray) -> float:
    with np.errstate(over="ignore"):
        squares = np.nanmean(errors**2, axis=(0, 1))
    return float(np.sqrt(squares).mean())
