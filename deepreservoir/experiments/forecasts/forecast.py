"""Forecast a user-supplied series with an echo-state network in closed loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...backend import resolve_device
from ...checks import check_choice, check_integer, is_finite_number, is_integer
from ...datasets.time_axis import TimeAxis
from ...esn import nrmse, valid_prediction_time
from ...estimators import EchoStateRegressor
from ...estimators.echo.base import READOUTS
from ...frames import RowLabels, framed
from ...moments import moments, scale_of
from ...user_warnings import warn_user
from .backtest import backtest, first_start
from .forecasters import Persistence, SeasonalNaive
from .frames import series_of
from .results import Forecast, HeldOut, Score
from .season import season_of

#: Reasonable parameters for most series; the penalty is selected automatically.
DEFAULTS: dict[str, Any] = {
    "units": 500,
    "spectral_radius": 0.9,
    "leak_rate": 0.7,
    "input_scaling": 0.5,
    "bias_scaling": 0.3,
    "ridge": tuple(10.0**power for power in range(-10, 5)),
    # Generalised cross-validation is unreliable with fewer rows than units.
    "validation_fraction": 0.2,
    "dtype": "float64",
}

_LEAST_STEPS = 20
_WASHOUT = 100
# A forecast beyond this many standard deviations of the series has diverged.
_FAR = 10.0
# Bound of the errors of a diverging forecast, in standard deviations.
_BOUND = 1e6


def check_series(values: np.ndarray, names: Sequence[str], test: int = 0) -> None:
    """Raise a ValueError if the series cannot be forecast with `test` held-out rows."""
    n_train = len(values) - test
    if n_train < _LEAST_STEPS:
        raise ValueError(
            f"a forecast needs at least {_LEAST_STEPS} rows to train on; got {len(values)}"
            + (f", of which {test} are held out" if test else "")
        )
    for name, column in zip(names, values[:n_train].T, strict=True):
        if column.min() == column.max():
            raise ValueError(
                f"column {name!r} is constant, so there is nothing to forecast; remove it"
            )
    if test:
        for name, column in zip(names, values[n_train:].T, strict=True):
            if column.min() == column.max():
                raise ValueError(
                    f"column {name!r} is constant over the last {test} rows, so errors cannot be "
                    "normalised; hold out more rows, or remove the column"
                )


def forecast_series(
    values: Any,
    horizon: int,
    names: Sequence[str] | None = None,
    *,
    test: int = 0,
    interval: float | None = 0.9,
    times: TimeAxis | None = None,
    washout: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    **params: Any,
) -> Forecast:
    """Forecast a series and, optionally, evaluate the forecast on held-out rows.

    Columns are standardised. An `EchoStateRegressor` is trained to predict the next row, and
    forecasts by using its outputs as inputs. Prediction intervals are from the errors of such
    forecasts of the second half of the series, by networks trained on the rows before
    (:func:`~deepreservoir.experiments.forecasts.backtest.backtest`).

    Parameters
    ----------
    values : array-like, shape (time, n_columns), or pandas DataFrame or Series
        A DataFrame is sorted by its index, if that holds times.
    horizon : int
        Number of steps to forecast beyond the last row.
    names : sequence of str, optional
        By default the names of the columns of a DataFrame, or x0, x1 and so on.
    test : int, default=0
        Number of rows at the end that are held out and forecast first. The forecast beyond them
        is from a network fitted to all rows.
    interval : float or None, default=0.9
        Share of the future values that the prediction intervals are to contain, each step and
        column by itself, in (0, 1). None computes no intervals, and no errors of earlier
        forecasts.
    times : TimeAxis, optional
        The times of an array's rows.
    washout : int, optional
        By default 100, or a tenth of the rows if that is less.
    seed : int, default=0
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
    **params
        Parameters of EchoStateRegressor, which override
        ``deepreservoir.experiments.forecasts.forecast.DEFAULTS``.

    Returns
    -------
    Forecast

    Raises
    ------
    ValueError
        If the series is too short, contains constant columns or values that are not finite, or is
        a DataFrame whose times are missing, repeated or unequally spaced; or if a parameter is
        out of range.

    Warns
    -----
    UserWarning
        If the last row is far outside those before it, or the forecast leaves the range of the
        series, in which case it has no intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> months = pd.date_range("2020-01-01", periods=60, freq="MS")
    >>> sales = pd.Series(2 + np.sin(np.arange(60) * np.pi / 6), months, name="sales")
    >>> found = forecast_series(sales, 3, units=50)
    >>> found.values.round(1)
                sales
    2025-01-01    2.0
    2025-02-01    2.5
    2025-03-01    2.9
    >>> str(found.times), found.season
    ('monthly, 60 values from 2020-01-01 to 2024-12-01', 12)
    """
    index = None
    if times is None:
        values, given, times, index = series_of(values)
        names = names or given
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise ValueError(
            f"series must be an array of finite numbers (time, n_columns); got shape {values.shape}"
        )
    columns = tuple(names) if names is not None else tuple(f"x{i}" for i in range(values.shape[1]))
    if len(columns) != values.shape[1]:
        raise ValueError(
            f"names must name each of {values.shape[1]} columns; got {len(columns)}: "
            f"{', '.join(map(str, columns))}"
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"series must have finite numbers; row {row} of column {columns[column]!r} is "
            f"{values[row, column]}. Fill missing values in, for example with interpolate()"
        )
    check_integer("horizon", horizon, 1)
    if not is_integer(test) or test == 1 or test < 0:
        raise ValueError(
            f"test must be 0 or at least 2, so that errors can be normalised; got {test!r}"
        )
    if interval is not None and not (is_finite_number(interval) and 0 < interval < 1):
        raise ValueError(f"interval must be a share between 0 and 1, such as 0.9; got {interval!r}")
    check_series(values, columns, test)
    options = {**_defaults_for(params), **params, "random_state": seed}
    options["device"] = resolve_device(device)
    network = _Network(washout, options)
    seasons = () if times is None else times.seasons()
    held_out = _held_out(values, test, network, interval, seasons) if test else None
    model, future, diverged = network.continued(values, horizon)
    season = season_of(values[: first_start(len(values))], seasons, horizon)
    tested = None
    if interval is not None:
        tested = backtest(values, horizon, interval, network.train, season)
    _warn_of_ends(values, columns)
    if diverged:
        warn_user(
            "the forecast leaves the range of the series, and has no intervals; try a lower "
            "spectral_radius or input_scaling, or a shorter horizon"
        )
    half = np.full_like(future, np.nan)
    if tested is not None and not diverged:
        half[: tested.horizon] = tested.half_widths
    lower, upper = future - half, future + half
    if index is not None:
        ahead = RowLabels.of(index).after(horizon)
        future, lower, upper = (framed(part, ahead, columns) for part in (future, lower, upper))
        values = framed(values, index, columns)
        if held_out is not None:
            inside = framed(held_out.values, index[-test:], columns)
            held_out = HeldOut(**{**vars(held_out), "values": inside})
    readout = model.readout_
    return Forecast(
        columns,
        values,
        future,
        held_out,
        readout.coef.size + readout.intercept.size,
        readout.penalty,
        diverged,
        times,
        season,
        interval,
        None if interval is None else lower,
        None if interval is None else upper,
        tested,
    )


def _defaults_for(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that apply beside parameters of the user.

    Raises
    ------
    ValueError
        If they have the random state, which is an argument of its own here, or another readout
        than those of this package.
    """
    if "random_state" in params:
        raise ValueError(
            f"the seed of a forecast is seed={params['random_state']!r}, in place of random_state"
        )
    ridge, readout = params.get("ridge", DEFAULTS["ridge"]), params.get("readout", "ridge")
    check_choice("readout", readout, READOUTS)
    chosen = np.size(ridge) > 1 and readout == "ridge"
    # Held-out rows only choose among penalties.
    return {k: v for k, v in DEFAULTS.items() if chosen or k != "validation_fraction"}


def _warn_of_ends(values: np.ndarray, columns: Sequence[str]) -> None:
    """Warn if the last row, from which a forecast starts, is far outside all rows before it."""
    lowest, highest = values[:-1].min(axis=0), values[:-1].max(axis=0)
    beyond = np.maximum(lowest - values[-1], values[-1] - highest)
    far = np.flatnonzero(beyond > highest - lowest)
    if far.size:
        j = int(far[0])
        warn_user(
            f"the last value of {columns[j]!r}, {values[-1, j]:g}, is far outside those before it, "
            f"which are from {lowest[j]:g} to {highest[j]:g}: the forecast starts from it, and its "
            "intervals come from starts within the range. If it is an outlier, leave the row out"
        )


class _Network:
    """The network of a forecast, which is trained on different rows; it is drawn only once."""

    def __init__(self, washout: int | None, options: dict[str, Any]) -> None:
        self.washout, self.options = washout, options
        self._first: EchoStateRegressor | None = None

    def fitted(self, values: np.ndarray) -> tuple[EchoStateRegressor, np.ndarray, np.ndarray]:
        """Return a model of the standardised rows, their mean and their scale."""
        steps = min(_WASHOUT, len(values) // 10) if self.washout is None else self.washout
        mean, deviation = moments(values)
        scale = scale_of(deviation, mean, len(values))
        scaled = (values - mean) / scale
        # Plasticity makes the reservoir depend on the rows, and every fit has noise of its own.
        if self._first is None or self.options.get("plasticity") or self.options.get("noise"):
            model = EchoStateRegressor(washout=steps, **self.options)
            self._first = model.fit(scaled[:-1], scaled[1:])
        else:
            model = self._first.retrained(scaled[:-1], scaled[1:], steps)
        return model, mean, scale

    def continued(
        self, values: np.ndarray, horizon: int
    ) -> tuple[EchoStateRegressor, np.ndarray, bool]:
        """Fit to a whole series; return the model, the forecast, and whether it diverged."""
        model, mean, scale = self.fitted(values)
        with np.errstate(over="ignore", invalid="ignore"):
            future = model.forecast(horizon)
            diverged = not (np.abs(future) < _FAR).all()
            return model, future * scale + mean, diverged

    def train(self, known: np.ndarray) -> Any:
        """Return a function that forecasts from several starts; see `backtest.Train`."""
        model, mean, scale = self.fitted(known)

        def forecasts(values: np.ndarray, starts: np.ndarray, n_steps: int) -> np.ndarray:
            with np.errstate(over="ignore", invalid="ignore"):
                found = model.historical_forecasts(n_steps, (values - mean) / scale, starts)
            found = np.clip(np.nan_to_num(found, nan=_BOUND), -_BOUND, _BOUND)
            return found * scale + mean

        return forecasts


def _held_out(
    values: np.ndarray,
    test: int,
    network: _Network,
    interval: float | None,
    seasons: Sequence[int],
) -> HeldOut:
    known, truth = values[:-test], values[-test:]
    _, predictions, _ = network.continued(known, test)
    season = season_of(known[: first_start(len(known))], seasons, test)
    persistence = _score(truth, Persistence().forecast(known[None], test)[0])
    seasonal = None
    if season is not None:
        seasonal = _score(truth, SeasonalNaive(season).forecast(known[None], test)[0])
    half, coverage = np.empty((0, values.shape[1])), None
    if interval is not None:
        tested = backtest(known, test, interval, network.train, season)
        if tested is not None:
            half = tested.half_widths
            inside = np.abs(predictions - truth)[: len(half)] <= half
            coverage = float(inside.mean())
    own = _score(truth, predictions)
    return HeldOut(predictions, half, coverage, own.nrmse, own.valid_time, persistence, seasonal)


def _score(truth: np.ndarray, forecast: np.ndarray) -> Score:
    return Score(nrmse(truth, forecast), int(valid_prediction_time(truth, forecast)))
