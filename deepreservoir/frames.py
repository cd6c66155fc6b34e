"""The rows of pandas DataFrames: their labels, and the labels that follow.

pandas is never imported here: what is a DataFrame comes from a pandas that is loaded already.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .time_steps import TimeStep, find_step
from .user_warnings import warn_user


def is_frame(X: Any) -> bool:
    """Return whether X is a pandas DataFrame or Series."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame | pandas.Series)


def column_names(X: Any) -> list[Any]:
    """Return the names of the columns of a DataFrame, or that of a Series, which may be None."""
    return [X.name] if X.ndim == 1 else list(X.columns)


def framed(values: np.ndarray, index: Any, columns: Sequence[Any] | None) -> Any:
    """Return values (n, n_columns) as a DataFrame with these labels."""
    return sys.modules["pandas"].DataFrame(values, index=index, columns=columns)


@dataclass(frozen=True)
class RowLabels:
    """What continues the index of a DataFrame.

    Parameters
    ----------
    last : pandas Index of length 1
    step : a pandas offset, a TimeStep, the difference between two labels, or None
        For periods, their difference in ordinals. None if the labels have no equal steps, and
        cannot be continued.

    Examples
    --------
    >>> import pandas as pd
    >>> labels = RowLabels.of(pd.date_range("2024-01-31", periods=3, freq="ME", name="month"))
    >>> [str(time.date()) for time in labels.after(2)]
    ['2024-04-30', '2024-05-31']
    """

    last: Any
    step: Any

    @classmethod
    def of(cls, index: Any) -> RowLabels:
        """Return what continues an index."""
        return cls(index[-1:], _step_of(index))

    def after(self, n: int, skip: int = 0) -> Any:
        """Return the index of the `n` rows that follow, after the next `skip` ones.

        If the labels cannot be continued, this warns, and the rows are numbered from 1.
        """
        pandas = sys.modules["pandas"]
        last, name, total = self.last[0], self.last.name, n + skip
        if self.step is None:
            warn_user(
                f"the index of the series has no equal steps, so it cannot be continued after "
                f"{last!s}; the rows of the forecast are numbered from 1"
            )
            return pandas.RangeIndex(1, n + 1, name="step")
        if isinstance(self.last, pandas.PeriodIndex):
            ordinals = self.last.asi8[0] + self.step * np.arange(1, total + 1)
            index = pandas.PeriodIndex.from_ordinals(ordinals, freq=self.last.freq, name=name)
        elif isinstance(self.last, pandas.DatetimeIndex):
            index = self._dates_after(total)
        elif isinstance(self.last, pandas.TimedeltaIndex):
            labels = self.last.to_numpy()[0] + self.step * np.arange(1, total + 1)
            index = pandas.TimedeltaIndex(labels, name=name)
        else:
            labels = last + self.step * np.arange(1, total + 1)
            index = pandas.Index(labels, name=name)
            if index.dtype.kind == "i":
                start, step = int(labels[0]), int(self.step)
                index = pandas.RangeIndex(start, start + step * total, step, name=name)
        return index[skip:]

    def _dates_after(self, n: int) -> Any:
        pandas = sys.modules["pandas"]
        last = self.last
        if not isinstance(self.step, TimeStep):
            return pandas.date_range(last[0], periods=n + 1, freq=self.step, name=last.name)[1:]
        on_clock = _is_of_days(self.step)
        start = last.tz_localize(None) if on_clock else _in_utc(last)
        times = self.step.after(start.to_numpy()[0], n)
        dates = pandas.DatetimeIndex(times, name=last.name).as_unit(last.unit)
        if not on_clock and last.tz is not None:
            return dates.tz_localize("UTC").tz_convert(last.tz)
        return dates.tz_localize(last.tz, ambiguous=np.ones(n, bool), nonexistent="shift_forward")


def _step_of(index: Any) -> Any:
    """Return the step between the labels of an index, or None."""
    pandas = sys.modules["pandas"]
    if isinstance(index, pandas.PeriodIndex):
        return None if index.hasnans else _even_step(index.asi8)
    if isinstance(index, pandas.DatetimeIndex):
        if index.freq is not None:
            return index.freq
        if index.hasnans or len(index) < 2:
            return None
        if not index.is_monotonic_increasing or index.has_duplicates:
            return None
        clock = index.tz_localize(None)
        step = None if clock.has_duplicates else find_step(clock.to_numpy())
        if step is not None and _is_of_days(step):
            return step
        return find_step(_in_utc(index).to_numpy())
    numeric = isinstance(index, pandas.TimedeltaIndex) or (
        not isinstance(index, pandas.MultiIndex) and index.dtype.kind in "iuf"
    )
    return _even_step(index.to_numpy()) if numeric else None


def _in_utc(index: Any) -> Any:
    """Return times without a time zone: in UTC if they have one, else as they are."""
    return index if index.tz is None else index.tz_convert("UTC").tz_localize(None)


def _is_of_days(step: TimeStep) -> bool:
    """Return whether a step is in days of a clock, one of which may have 23 or 25 hours."""
    return step.unit != "microseconds" or step.size % 86_400_000_000 == 0


def _even_step(labels: np.ndarray) -> Any:
    """Return the difference between successive numbers if it is always the same, else None."""
    steps = np.diff(labels)
    if not len(steps) or steps[0] == steps[0] * 0:
        return None
    return steps[0] if np.all(np.abs(steps - steps[0]) <= 1e-9 * np.abs(steps[0])) else None
