"""The forecast as a CSV file, and what it amounts to in sentences."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..comparisons.results import write_atomically
from .results import Forecast, HeldOut

# Errors closer to each other than this share are called equal.
_EQUAL = 0.02


def forecast_csv(forecast: Forecast) -> str:
    """Return the forecast as the text of a CSV file, one row per future step.

    The first column is the time of the step, written as in the series, or ``step``, which is 1
    for the first step after the last row. The ends of the prediction intervals are in columns
    ``NAME_lower`` and ``NAME_upper``, whose cells are empty where there is no interval.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    str
        With a header, and a line feed after each row.

    Examples
    --------
    >>> from deepreservoir.experiments import forecast_csv, forecast_series
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> forecast = forecast_series(wave, 2, names=["tide"], units=50)
    >>> for line in forecast_csv(forecast).splitlines():
    ...     print(line)
    step,tide,tide_lower,tide_upper
    1,-0.2927...,-0.2927...,-0.2927...
    2,-0.4258...,-0.4258...,-0.4258...
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    horizon = len(forecast.values)
    if forecast.times is None:
        name = _unused("step", forecast.names)
        steps = [str(step) for step in range(1, horizon + 1)]
    else:
        name, steps = forecast.times.name, forecast.times.text(forecast.times.after(horizon))
    header, columns = [name, *forecast.names], [np.asarray(forecast.values)]
    if forecast.lower is not None:
        for i, column in enumerate(forecast.names):
            header += [_unused(f"{column}_{end}", header) for end in ("lower", "upper")]
            columns += [np.asarray(end)[:, [i]] for end in (forecast.lower, forecast.upper)]
    writer.writerow(header)
    for step, row in zip(steps, np.hstack(columns).tolist(), strict=True):
        writer.writerow([step, *("" if np.isnan(value) else value for value in row)])
    return stream.getvalue()


def _unused(name: str, taken: Collection[str]) -> str:
    """Return a name that no other column has."""
    while name in taken:
        name += "_"
    return name


def save_forecast(forecast: Forecast, path: str | Path) -> Path:
    """Write the forecast atomically as a CSV file; :func:`forecast_csv` describes its columns.

    Parameters
    ----------
    forecast : Forecast
    path : str or Path
        File to write; an existing one is replaced. Its folder is created if necessary.

    Returns
    -------
    Path
        Path of the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import forecast_series, save_forecast
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> forecast = forecast_series(wave, 12, units=50, interval=None)
    >>> with TemporaryDirectory() as folder:
    ...     path = save_forecast(forecast, f"{folder}/waves.csv")
    ...     path.name, len(path.read_text().splitlines())
    ('waves.csv', 13)
    """
    write_atomically(Path(path), forecast_csv(forecast))
    return Path(path)


def conclusions(forecast: Forecast) -> list[str]:
    """Return in sentences whether the network forecasts better than a repetition of the series.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    list of str
        A sentence about the held-out rows, if there are any, and one about the forecasts from
        earlier rows, if there are intervals. Errors that differ by less than 2 % count as equal.

    Examples
    --------
    >>> from deepreservoir.experiments import forecast_series
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> (sentence,) = conclusions(forecast_series(wave, 20, units=50))
    >>> sentence[:54]
    'In 100 forecasts from rows in the second half of the s'
    """
    season = forecast.season
    found = []
    held_out, tested = forecast.held_out, forecast.backtest
    if held_out is not None:
        errors = _errors_of(held_out)
        found.append(f"On the held-out rows, {_comparison(errors, season)}")
    if tested is not None:
        where = (
            f"In {tested.n_windows:,} forecasts from rows in the second half of the series, "
            f"{_steps(tested.horizon)} each, "
        )
        found.append(where + _comparison(tested.nrmse, season))
    return found


def _errors_of(held_out: HeldOut) -> dict[str, float]:
    errors = {"network": held_out.nrmse, "persistence": held_out.persistence.nrmse}
    if held_out.seasonal is not None:
        errors["seasonal"] = held_out.seasonal.nrmse
    return errors


def _comparison(errors: dict[str, float], season: int | None) -> str:
    """Return a sentence, without its beginning, that compares errors of the three methods."""
    others = {name: error for name, error in errors.items() if name != "network"}
    words = {
        "persistence": "the last value repeated",
        "seasonal": f"the last season of {season} rows repeated",
    }
    best = min(others, key=lambda name: others[name])
    network, other = errors["network"], others[best]
    rest = " and ".join(f"{words[name]} ({others[name]:.3g})" for name in others)
    if network < (1 - _EQUAL) * other:
        return f"the network has a smaller error ({network:.3g} standard deviations) than {rest}."
    if other < (1 - _EQUAL) * network:
        return (
            f"{words[best]} has a smaller error ({other:.3g} standard deviations) than the "
            f"network ({network:.3g}): it is the better forecast of this series."
        )
    return (
        f"the network ({network:.3g} standard deviations) is not better than {words[best]} "
        f"({other:.3g})."
    )


def _steps(n: int) -> str:
    return f"{n:,} step" + ("" if n == 1 else "s")
