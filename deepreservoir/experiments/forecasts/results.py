"""What a forecast of a series is: values, intervals, and its quality on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...datasets.time_axis import TimeAxis
from .backtest import Backtest


@dataclass(frozen=True)
class Score:
    """Quality of one forecast of the held-out steps.

    Attributes
    ----------
    nrmse : float
    valid_time : int
        Number of steps until the error first exceeds 0.4 standard deviations.
    """

    nrmse: float
    valid_time: int


@dataclass(frozen=True)
class HeldOut:
    """Quality of the forecast of the last steps, which were held out.

    Attributes
    ----------
    values : ndarray, shape (n_test, n_columns)
        Forecast of the held-out steps; a DataFrame if the series is one.
    half_widths : ndarray, shape (n, n_columns)
        Half the widths of the prediction intervals at the first n steps.
    coverage : float or None
        Share of the held-out values that their prediction intervals contain.
    nrmse : float
        NRMSE of the forecast.
    valid_time : int
        Number of steps until its error first exceeds 0.4 standard deviations.
    persistence, seasonal : Score, or None for no season
        Of the last value before the held-out steps, repeated, and of the last season.

    Examples
    --------
    >>> from deepreservoir.experiments import forecast_series
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> held_out = forecast_series(wave, 5, test=30, units=50).held_out
    >>> held_out.values.shape, held_out.nrmse < held_out.persistence.nrmse
    ((30, 1), True)
    """

    values: Any
    half_widths: np.ndarray
    coverage: float | None
    nrmse: float
    valid_time: int
    persistence: Score
    seasonal: Score | None

    @property
    def persistence_nrmse(self) -> float:
        """NRMSE of the last value before the held-out steps, repeated."""
        return self.persistence.nrmse

    @property
    def persistence_valid_time(self) -> int:
        """Number of steps until the error of the repeated last value exceeds 0.4."""
        return self.persistence.valid_time


@dataclass(frozen=True)
class Forecast:
    """A series and its forecast.

    Attributes
    ----------
    names : tuple of str
    history : ndarray, shape (time, n_columns)
        The series in the order of time; a DataFrame if the series is one.
    values : ndarray, shape (horizon, n_columns)
        A DataFrame, whose index continues that of the series, if the series is one.
    held_out : HeldOut or None
    trained : int
        Number of trained parameters.
    penalty : float
        The selected ridge penalty.
    diverged : bool
        Whether the forecast is far outside the range of the series.
    times : TimeAxis or None
        The times of the series.
    season : int or None
        Number of steps after which the series repeats itself best.
    interval : float or None
        Level of the prediction intervals.
    lower, upper : ndarray, shape (horizon, n_columns), or None
        Ends of the prediction intervals, NaN at steps that no earlier row can be forecast for;
        DataFrames if the series is one.
    backtest : Backtest or None
        Forecasts from earlier rows, from which the intervals are.

    Examples
    --------
    >>> from deepreservoir.experiments import forecast_series
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> forecast = forecast_series(wave, 5, units=50)
    >>> forecast.names, forecast.values.shape, forecast.interval
    (('x0',), (5, 1), 0.9)
    """

    names: tuple[str, ...]
    history: Any
    values: Any
    held_out: HeldOut | None
    trained: int
    penalty: float
    diverged: bool
    times: TimeAxis | None = None
    season: int | None = None
    interval: float | None = None
    lower: Any = None
    upper: Any = None
    backtest: Backtest | None = None
