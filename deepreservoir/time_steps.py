"""The step between the times of a series: its length, its gaps, and the times that follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

_SECOND = 1_000_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND
_WEEK, _YEAR = 7 * _DAY, 365.25 * _DAY

# Share of the steps that must be of equal length; the others may only skip times.
_REGULAR = 0.9

_NAMES = {_WEEK: "weekly", _DAY: "daily", _HOUR: "hourly"}
_UNITS = (
    (_DAY, "days"),
    (_HOUR, "hours"),
    (_MINUTE, "minutes"),
    (_SECOND, "seconds"),
    (1000, "milliseconds"),
    (1, "microseconds"),
)
_MONTHS = {1: "monthly", 3: "quarterly", 12: "yearly"}


@dataclass(frozen=True)
class TimeStep:
    """The step between the times of a series.

    Parameters
    ----------
    unit : {"microseconds", "weekdays", "months"}
    size : int
        Number of units, at least 1.
    day : int
        Day of the month, for steps of months. In a shorter month it is the last day, so that 31
        stands for the ends of months.

    Examples
    --------
    >>> import numpy as np
    >>> ends = TimeStep("months", 1, 31)
    >>> ends.after(np.datetime64("2024-01-31"), 2).astype("datetime64[D]")
    array(['2024-02-29', '2024-03-31'], dtype='datetime64[D]')
    >>> str(ends), str(TimeStep("microseconds", 900_000_000))
    ('monthly', 'every 15 minutes')
    """

    unit: Literal["microseconds", "weekdays", "months"]
    size: int
    day: int = 1

    def __str__(self) -> str:
        if self.unit == "weekdays":
            return "every weekday" if self.size == 1 else f"every {self.size} weekdays"
        if self.unit == "months":
            years, rest = divmod(self.size, 12)
            every = f"{self.size} months" if rest else f"{years} years"
            return _MONTHS.get(self.size, f"every {every}")
        for length, words in _UNITS:
            if self.size % length == 0:
                count = self.size // length
                many = f"every {words[:-1]}" if count == 1 else f"every {count:,} {words}"
                return _NAMES.get(self.size, many)
        raise AssertionError("every step is a whole number of microseconds")

    def after(self, last: np.datetime64, n: int) -> np.ndarray:
        """Return the `n` times that follow `last`: datetime64[us], (n,)."""
        steps = np.arange(1, n + 1) * self.size
        last = last.astype("datetime64[us]")
        day = last.astype("datetime64[D]")
        if self.unit == "microseconds":
            times: np.ndarray = last + steps.astype("timedelta64[us]")
            return times
        if self.unit == "weekdays":
            return np.busday_offset(day, steps) + (last - day)
        months = last.astype("datetime64[M]") + steps
        return _days_of(months, self.day) + (last - day)

    def counts(self, times: np.ndarray) -> np.ndarray:
        """Return the number of steps from each time to the next: (n,) -> (n - 1,)."""
        units = {"microseconds": _microseconds, "weekdays": _weekdays, "months": _months}
        return units[self.unit](times) // self.size

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Return the times that are skipped between the first and the last: datetime64[us]."""
        counts = self.counts(times)
        gaps = [self.after(times[i], int(counts[i]) - 1) for i in np.flatnonzero(counts > 1)]
        return np.concatenate([np.array([], "datetime64[us]"), *gaps])

    def seasons(self) -> list[int]:
        """Return the numbers of steps in a day, a week and a year, where they are at least 2."""
        if self.unit == "weekdays":
            lengths = [5 / self.size, 261 / self.size]
        elif self.unit == "months":
            lengths = [12 / self.size]
        else:
            lengths = [length / self.size for length in (_DAY, _WEEK, _YEAR)]
        return sorted({round(n) for n in lengths if n > 1.5 and abs(n - round(n)) < 0.3})


def find_step(times: np.ndarray) -> TimeStep | None:
    """Return the step between increasing times, or None if they are not regular.

    At least 90 % of the steps must have the same length in months, in weekdays or in
    microseconds, and each of the others must be a multiple of it: these are gaps.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n,)
        Strictly increasing.

    Examples
    --------
    >>> import numpy as np
    >>> days = np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[D]")
    >>> find_step(days)
    TimeStep(unit='months', size=1, day=31)
    >>> find_step(np.array(["2024-01-01", "2024-01-02", "2024-01-09"], "datetime64[D]")) is None
    True
    """
    times = times.astype("datetime64[us]")
    if len(times) < 2:
        return None
    kinds: list[tuple[Literal["months", "microseconds", "weekdays"], _Lengths]] = [
        ("months", _months),
        ("microseconds", _microseconds),
        ("weekdays", _weekdays),
    ]
    best, best_share = None, 0.0
    for unit, lengths_of in kinds:
        if unit != "microseconds" and not _fits(times, unit):
            continue
        lengths = lengths_of(times)
        values, counts = np.unique(lengths, return_counts=True)
        size = int(values[np.argmax(counts)])
        if size < 1 or (lengths % size).any() or lengths.min() < 1:
            continue
        share = counts.max() / len(lengths)
        if share >= _REGULAR and share > best_share:
            day = int(_day_of_month(times).max()) if unit == "months" else 1
            best, best_share = TimeStep(unit, size, day), share
    return best


_Lengths = Callable[[np.ndarray], np.ndarray]


def _fits(times: np.ndarray, unit: str) -> bool:
    """Return whether times are all at one time of a day, on weekdays or one day of the month."""
    days = times.astype("datetime64[D]")
    if len(np.unique(times - days)) > 1:
        return False
    if unit == "weekdays":
        return bool(np.is_busday(days).all())
    day = int(_day_of_month(times).max())
    return bool((days == _days_of(days.astype("datetime64[M]"), day)).all())


def _day_of_month(times: np.ndarray) -> np.ndarray:
    first = times.astype("datetime64[M]").astype("datetime64[D]")
    days: np.ndarray = (times.astype("datetime64[D]") - first).astype(np.int64) + 1
    return days


def _days_of(months: np.ndarray, day: int) -> np.ndarray:
    """Return that day of each month, or its last day if it is shorter: datetime64[D]."""
    first = months.astype("datetime64[D]")
    last = (months + 1).astype("datetime64[D]") - 1
    return np.minimum(first + (day - 1), last)


def _microseconds(times: np.ndarray) -> np.ndarray:
    return np.diff(times.astype("datetime64[us]")).astype(np.int64)


def _weekdays(times: np.ndarray) -> np.ndarray:
    days = times.astype("datetime64[D]")
    return np.busday_count(days[:-1], days[1:])


def _months(times: np.ndarray) -> np.ndarray:
    return np.diff(times.astype("datetime64[M]").astype(np.int64))
