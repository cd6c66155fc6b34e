"""Forecast a user-supplied series with an echo-state network in closed loop."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend import resolve_device
from ...esn import nrmse, valid_prediction_time
from ...estimators import EchoStateRegressor
from ...moments import moments, scale_of
from ..comparisons.results import write_atomically

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

#: Suffixes of pictures: formats that matplotlib writes without other programs.
PICTURES = ("png", "svg", "pdf", "jpg")

_LEAST_STEPS = 20
_WASHOUT = 100
# A forecast beyond this many standard deviations of the series has diverged.
_FAR = 10.0


@dataclass(frozen=True)
class HeldOut:
    """Quality of the forecast of the last steps, which were held out.

    Attributes
    ----------
    values : ndarray, shape (n_test, n_columns)
        Forecast of the held-out steps.
    nrmse, persistence_nrmse : float
        NRMSE of the forecast, and of repeating the last value before it.
    valid_time, persistence_valid_time : int
        Number of steps until the error first exceeds 0.4 standard deviations.
    """

    values: np.ndarray
    nrmse: float
    persistence_nrmse: float
    valid_time: int
    persistence_valid_time: int


@dataclass(frozen=True)
class Forecast:
    """A series and its forecast.

    Attributes
    ----------
    names : tuple of str
    history : ndarray, shape (time, n_columns)
    values : ndarray, shape (horizon, n_columns)
    held_out : HeldOut or None
    trained : int
        Number of trained parameters.
    penalty : float
        The selected ridge penalty.
    diverged : bool
        Whether the forecast is far outside the range of the series.
    """

    names: tuple[str, ...]
    history: np.ndarray
    values: np.ndarray
    held_out: HeldOut | None
    trained: int
    penalty: float
    diverged: bool


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
    values: np.ndarray,
    horizon: int,
    names: Sequence[str] | None = None,
    *,
    test: int = 0,
    washout: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    **params: Any,
) -> Forecast:
    """Forecast a series and, optionally, evaluate the forecast on held-out rows.

    Columns are standardised. An `EchoStateRegressor` is trained to predict the next row, and
    forecasts by using its outputs as inputs.

    Parameters
    ----------
    values : array-like, shape (time, n_columns)
    horizon : int
        Number of steps to forecast beyond the last row.
    names : sequence of str, optional
    test : int, default=0
        Number of rows at the end that are held out and forecast first. The forecast beyond them
        is from a network fitted to all rows.
    washout : int, optional
        By default 100, or a tenth of the rows if that is less.
    seed : int, default=0
    device : {"cpu", "cuda", "auto"}, default="cpu"
    **params
        Parameters of EchoStateRegressor, which override
        ``deepreservoir.experiments.forecasts.forecast.DEFAULTS``.

    Returns
    -------
    Forecast

    Raises
    ------
    ValueError
        If the series cannot be forecast or a parameter is out of range; raised before any
        training.

    Examples
    --------
    >>> wave = np.sin(np.arange(500) / 5)[:, None]
    >>> forecast = forecast_series(wave, 20, test=100, units=100)
    >>> forecast.values.shape, forecast.held_out.nrmse < 0.01
    ((20, 1), True)
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise ValueError(f"values must be (time, n_columns); got shape {values.shape}")
    columns = tuple(names) if names is not None else tuple(f"x{i}" for i in range(values.shape[1]))
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1; got {horizon}")
    if test == 1 or test < 0:
        raise ValueError(
            f"test must be 0 or at least 2, so that errors can be normalised; got {test}"
        )
    check_series(values, columns, test)
    options = {**DEFAULTS, **params, "random_state": seed, "device": resolve_device(device)}
    held_out = None
    if test:
        held_out = _held_out(values, test, washout, options)
    model, future, diverged = _continue(values, horizon, washout, options)
    readout = model.readout_
    return Forecast(
        columns,
        values,
        future,
        held_out,
        readout.coef.size + readout.intercept.size,
        readout.penalty,
        diverged,
    )


def _continue(
    values: np.ndarray, horizon: int, washout: int | None, options: dict[str, Any]
) -> tuple[EchoStateRegressor, np.ndarray, bool]:
    """Fit to a whole series; return the model, the unscaled forecast, and whether it diverged."""
    steps = min(_WASHOUT, len(values) // 10) if washout is None else washout
    mean, deviation = moments(values)
    scale = scale_of(deviation, mean, len(values))
    scaled = (values - mean) / scale
    model = EchoStateRegressor(washout=steps, **options).fit(scaled[:-1], scaled[1:])
    with np.errstate(over="ignore", invalid="ignore"):
        future = model.forecast(horizon)
        diverged = not (np.abs(future) < _FAR).all()
        return model, future * scale + mean, diverged


def _held_out(
    values: np.ndarray, test: int, washout: int | None, options: dict[str, Any]
) -> HeldOut:
    known, truth = values[:-test], values[-test:]
    _, predictions, _ = _continue(known, test, washout, options)
    persistence = np.repeat(known[-1:], test, axis=0)
    return HeldOut(
        predictions,
        nrmse(truth, predictions),
        nrmse(truth, persistence),
        int(valid_prediction_time(truth, predictions)),
        int(valid_prediction_time(truth, persistence)),
    )


def save_forecast(forecast: Forecast, path: str | Path) -> Path:
    """Write the forecast atomically as a CSV file; step 1 follows the last row of the series."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["step", *forecast.names])
    for step, row in enumerate(forecast.values.tolist(), 1):
        writer.writerow([step, *row])
    write_atomically(Path(path), stream.getvalue())
    return Path(path)


def save_forecast_picture(forecast: Forecast, path: str | Path) -> Path:
    """Plot the end of the series and the forecast, with one panel per column.

    Parameters
    ----------
    forecast : Forecast
    path : str or Path
        Its suffix determines the format, one of `PICTURES`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n, horizon = len(forecast.history), len(forecast.values)
    test = 0 if forecast.held_out is None else len(forecast.held_out.values)
    shown = min(n, max(2 * horizon, 2 * test, 50))
    columns = len(forecast.names)
    figure = Figure(figsize=(9, 1.0 + 2.2 * columns), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(columns, 1, sharex=True))
    past = np.arange(n - shown, n)
    for i, (panel, name) in enumerate(zip(panels, forecast.names, strict=True)):
        panel.plot(past, forecast.history[past, i], color="#6b7280", lw=1.2, label="series")
        if forecast.held_out is not None:
            held = np.arange(n - test, n)
            panel.plot(
                held,
                forecast.held_out.values[:, i],
                color="#c8553d",
                lw=1.2,
                ls="--",
                label="held out, forecast",
            )
        ahead = np.arange(n, n + horizon)
        panel.plot(ahead, forecast.values[:, i], color="#0b6e4f", lw=1.5, label="forecast")
        panel.axvline(n - 0.5, color="#d1d5db", lw=1, zorder=0)
        panel.set_ylabel(name)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False)
    panels[-1].set_xlabel("row")
    path = Path(path)
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix[1:].lower(), dpi=150)
    write_atomically(path, stream.getvalue())
    return path


def check_picture(path: str | Path) -> None:
    """Raise a ValueError if no picture can be written to `path`."""
    path = Path(path)
    try:
        import matplotlib.backends.backend_agg  # noqa: F401
    except ImportError:
        raise ValueError("a picture needs matplotlib: pip install 'deepreservoir[plot]'") from None
    if path.suffix[1:].lower() not in PICTURES:
        raise ValueError(
            f"the name of a picture must end in one of .{', .'.join(PICTURES)}; got {str(path)!r}"
        )
