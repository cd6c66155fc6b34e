"""The length of the season of a series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import detrend

from ...moments import moments, scale_of

# An autocorrelation below this is not taken for a season.
_CLEAR = 0.3
# Number of steps of a horizon at which seasons are compared.
_STEPS = 20


def season_of(values: np.ndarray, candidates: Sequence[int] = (), horizon: int = 1) -> int | None:
    """Return the number of steps after which a series repeats itself best, or None.

    Besides the candidates, this considers the lag with the highest autocorrelation beyond that of
    neighbouring rows. The result is the one for which repeating the last season for `horizon`
    steps has the least error.

    Parameters
    ----------
    values : ndarray of float64, shape (time, n_columns)
    candidates : sequence of int
        Seasons of the calendar.
    horizon : int

    Returns
    -------
    int or None
        None if the autocorrelation has no clear peak, and no candidate is between 2 and half of
        the number of rows.

    Examples
    --------
    >>> season_of(np.sin(np.arange(100) * 2 * np.pi / 12)[:, None])
    12
    """
    mean, deviation = moments(values)
    scaled = (values - mean) / scale_of(deviation, mean, len(values))
    limit = len(values) // 2
    found = _strongest_lag(scaled)
    lags = {lag for lag in candidates if 2 <= lag <= limit}
    # A peak of a noisy curve that is near a season of the calendar stands for that season.
    if found is not None and all(abs(found - lag) > 0.1 * lag for lag in lags):
        lags.add(found)
    errors = {lag: _error_of(scaled, lag, min(horizon, limit)) for lag in sorted(lags)}
    return min(errors, key=lambda lag: errors[lag]) if errors else None


def _error_of(scaled: np.ndarray, season: int, horizon: int) -> float:
    """Return the mean squared error of repeating the last season for a number of steps."""
    steps = np.unique(np.linspace(1, horizon, min(horizon, _STEPS)).astype(int))
    # A forecast of several seasons is compared with the season before all of them.
    before = season * -(-steps // season)
    before = before[before < len(scaled)]
    return float(np.mean([np.mean((scaled[lag:] - scaled[:-lag]) ** 2) for lag in before]))


def _strongest_lag(scaled: np.ndarray) -> int | None:
    """Return the lag of the highest peak of the autocorrelation, averaged over columns."""
    n = len(scaled)
    flat = detrend(scaled, axis=0)
    spectrum = np.abs(np.fft.rfft(flat, 2 * n, axis=0)) ** 2
    correlation = np.fft.irfft(spectrum, axis=0)[: n // 2 + 1]
    variance = correlation[0]
    varies = variance > 1e-12 * n
    if not varies.any():
        return None
    # Fewer rows overlap at later lags, which makes them weaker: of the multiples of a season,
    # the season itself is the strongest.
    curve = (correlation[:, varies] / variance[varies]).mean(axis=1)
    below = np.flatnonzero(curve < 0)
    if not len(below):
        return None
    inner = curve[1:-1]
    peaks = 1 + np.flatnonzero((inner > curve[:-2]) & (inner >= curve[2:]) & (inner > _CLEAR))
    peaks = peaks[peaks > below[0]]
    if not len(peaks):
        return None
    return int(peaks[np.argmax(curve[peaks])])
