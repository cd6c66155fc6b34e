"""The picture of a forecast, and what every picture of the command line needs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..comparisons.results import write_atomically
from .results import Forecast

#: Suffixes of pictures: formats that matplotlib writes without other programs.
PICTURES = ("png", "svg", "pdf", "jpg")

_SERIES, _AHEAD, _HELD_OUT, _RULE = "#6b7280", "#0b6e4f", "#c8553d", "#d1d5db"


def save_forecast_picture(forecast: Forecast, path: str | Path, title: str | None = None) -> Path:
    """Plot the end of the series and the forecast with its intervals, one panel per column.

    It needs matplotlib, the extra ``plot``.

    Parameters
    ----------
    forecast : Forecast
    path : str or Path
        File to write. Its suffix determines the format: ``.png``, ``.svg``, ``.pdf`` or ``.jpg``.
    title : str, optional
        Text before the title, such as the name of the series.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If matplotlib cannot write the format.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import forecast_series, save_forecast_picture
    >>> wave = np.sin(np.arange(200) / 7)[:, None]
    >>> forecast = forecast_series(wave, 20, units=50)
    >>> with TemporaryDirectory() as folder:
    ...     save_forecast_picture(forecast, f"{folder}/waves.png", title="Waves").name
    'waves.png'
    """
    from matplotlib import rc_context

    path = Path(path)
    stream = io.BytesIO()
    with rc_context({"text.parse_math": False}):  # a $ in a user's name is shown literally
        _figure(forecast, title).savefig(stream, format=path.suffix[1:].lower(), dpi=150)
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


def _figure(forecast: Forecast, title: str | None) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    history, values = np.asarray(forecast.history), np.asarray(forecast.values)
    n, horizon = len(history), len(values)
    test = 0 if forecast.held_out is None else len(forecast.held_out.values)
    shown = min(n, max(2 * horizon, 2 * test, 50))
    columns = len(forecast.names)
    figure = Figure(figsize=(9, 1.3 + 2.2 * columns), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(columns, 1, sharex=True))
    places = _places(forecast)
    past, ahead = places[n - shown : n], places[n:]
    for i, (panel, name) in enumerate(zip(panels, forecast.names, strict=True)):
        panel.plot(past, history[n - shown :, i], color=_SERIES, lw=1.2, label="series")
        parts = [history[n - shown :, i]]
        if forecast.held_out is not None:
            parts.append(_draw_held_out(panel, places[n - test : n], forecast, i))
        if forecast.lower is not None:
            lower, upper = np.asarray(forecast.lower)[:, i], np.asarray(forecast.upper)[:, i]
            _draw_band(panel, ahead, lower, upper, _AHEAD, _interval(forecast))
        panel.plot(ahead, values[:, i], color=_AHEAD, lw=1.5, label="forecast")
        parts.append(values[:, i])
        panel.axvline(places[n - 1], color=_RULE, lw=1, zorder=0)
        panel.set_ylabel(name)
        panel.spines[["top", "right"]].set_visible(False)
        _limit(panel, parts)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False)
    _label_axis(panels[-1], forecast)
    steps = f"{horizon:,} step{'' if horizon == 1 else 's'}"
    figure.suptitle(f"{title}: forecast of {steps}" if title else f"Forecast of {steps}")
    return figure


def _places(forecast: Forecast) -> np.ndarray:
    """Return the horizontal coordinates of the series and of the forecast after it."""
    n, horizon = len(forecast.history), len(forecast.values)
    if forecast.times is None:
        return np.arange(n + horizon)
    return np.concatenate([forecast.times.values, forecast.times.after(horizon)])


def _label_axis(panel: Any, forecast: Forecast) -> None:
    if forecast.times is None:
        panel.set_xlabel("row")
        return
    panel.set_xlabel(forecast.times.name)
    if forecast.times.has_dates:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _draw_held_out(panel: Any, places: np.ndarray, forecast: Forecast, column: int) -> np.ndarray:
    held_out = forecast.held_out
    assert held_out is not None  # the caller checked
    values: np.ndarray = np.asarray(held_out.values)[:, column]
    half = held_out.half_widths[:, column]
    middle = values[: len(half)]
    _draw_band(panel, places[: len(half)], middle - half, middle + half, _HELD_OUT, None)
    panel.plot(places, values, color=_HELD_OUT, lw=1.2, ls="--", label="held out, forecast")
    return values


def _draw_band(
    panel: Any, places: np.ndarray, lower: np.ndarray, upper: np.ndarray, colour: str, label: Any
) -> None:
    known = np.isfinite(lower) & np.isfinite(upper)
    if known.any():
        panel.fill_between(
            places[known], lower[known], upper[known], color=colour, alpha=0.18, lw=0, label=label
        )


def _interval(forecast: Forecast) -> str:
    assert forecast.interval is not None  # there are intervals
    return f"{100 * forecast.interval:g} % interval"


def _limit(panel: Any, parts: list[np.ndarray]) -> None:
    """Keep very wide intervals from squeezing the lines of a panel."""
    lines = np.concatenate(parts)
    low, high = float(lines.min()), float(lines.max())
    margin = 0.75 * (high - low)
    bottom, top = panel.get_ylim()
    panel.set_ylim(max(bottom, low - margin), min(top, high + margin))
