"""The times of a series: what a column of dates says, and the times that follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..time_steps import TimeStep, find_step
from .cells import EXACT, numbers_of
from .time_formats import (
    DateFormat,
    TimeFormat,
    date_formats,
    offsets,
    unix_format,
)

# Names under which columns of numbers are times.
_TIME_WORDS = re.compile(
    r"date|time|year|month|week|day|hour|minute|second|period|epoch|unix|quarter|stamp|yyyy"
)
_TIME_LETTERS = {"t", "ts", "ds", "yr", "dt"}

_EXAMPLES = "2024-01-31, 31.01.2024, 01/31/2024, Jan 2024, 2024Q1, 2024-01-31T09:30:00+01:00"

Step = TimeStep | float


@dataclass(frozen=True)
class TimeAxis:
    """Equally spaced times of the rows of a series.

    Parameters
    ----------
    name : str
        Name of the column.
    values : ndarray of datetime64[us] or float64, shape (n,)
        Increasing; numbers for a column of numbers that are not dates.
    step : TimeStep or float
    form : TimeFormat, or int
        How the column writes its times; for numbers, the number of decimals.

    Examples
    --------
    >>> axis = time_axis("month", ["1960-10", "1960-11", "1960-12"])
    >>> str(axis)
    'monthly, 3 values from 1960-10 to 1960-12'
    >>> axis.text(axis.after(2))
    ['1961-01', '1961-02']
    """

    name: str
    values: np.ndarray
    step: Step
    form: TimeFormat | int

    def __str__(self) -> str:
        every = self.step if isinstance(self.step, TimeStep) else f"every {self.step:.12g}"
        first, last = self.text(self.values[[0, -1]])
        reading = self.form.reading if isinstance(self.form, TimeFormat) else ""
        read_as = f" (read as {reading})" if reading else ""
        return f"{every}, {len(self.values):,} values from {first} to {last}{read_as}"

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> TimeAxis:
        return replace(self, values=self.values[rows])

    @property
    def has_dates(self) -> bool:
        """Whether the times are dates, and not numbers."""
        return isinstance(self.step, TimeStep)

    def after(self, n: int) -> np.ndarray:
        """Return the `n` times that follow the last one: (n,)."""
        if isinstance(self.step, TimeStep):
            return self.step.after(self.values[-1], n)
        times: np.ndarray = self.values[-1] + self.step * np.arange(1, n + 1)
        return times

    def missing(self) -> np.ndarray:
        """Return the times that are skipped between the first and the last one."""
        if isinstance(self.step, TimeStep):
            return self.step.missing(self.values)
        counts = np.rint(np.diff(self.values) / self.step).astype(np.int64)
        gaps = [
            self.values[i] + self.step * np.arange(1, counts[i]) for i in np.flatnonzero(counts > 1)
        ]
        return np.concatenate([np.empty(0), *gaps])

    @property
    def n_missing(self) -> int:
        """Number of times that are skipped between the first and the last one."""
        if isinstance(self.step, TimeStep):
            return int(self.step.counts(self.values).sum()) - (len(self) - 1)
        return int(np.rint(np.diff(self.values) / self.step).sum()) - (len(self) - 1)

    def text(self, times: np.ndarray) -> list[str]:
        """Return times as the column writes them."""
        if isinstance(self.form, TimeFormat):
            return [self.form.write(time) for time in times]
        return [f"{time:.{self.form}f}" for time in times.tolist()]

    def seasons(self) -> list[int]:
        """Return the numbers of steps in a day, a week and a year, where there are any."""
        return self.step.seasons() if isinstance(self.step, TimeStep) else []


class NotTimes(ValueError):
    """A column does not contain times; the message says why, and `cell` is the index of one."""

    def __init__(self, message: str, cell: int | None = None) -> None:
        super().__init__(message)
        self.cell = cell


def time_axis(name: str, cells: Sequence[str]) -> TimeAxis:
    """Return the times in the cells of a column, in the order of time.

    Parameters
    ----------
    name : str
    cells : sequence of str, length n
        In any order.

    Returns
    -------
    TimeAxis
        Its times increase.

    Raises
    ------
    NotTimes
        If a cell is empty or not a time, if times occur twice, or if their steps are unequal.

    Examples
    --------
    >>> str(time_axis("day", ["2024-01-03", "2024-01-01", "2024-01-02"]))
    'daily, 3 values from 2024-01-01 to 2024-01-03'
    """
    return sorted_axis(name, cells)[0]


def sorted_axis(name: str, cells: Sequence[str]) -> tuple[TimeAxis, np.ndarray]:
    """Return the times in the cells of a column, and the rows in the order of time.

    Of several ways to read the cells, such as day/month and month/day, it is the one by which the
    fewest times are missing.

    Returns
    -------
    axis : TimeAxis
    order : ndarray of int, shape (n,)

    Raises
    ------
    NotTimes
        As in :func:`time_axis`.
    """
    numbers = numbers_of(list(cells))
    if numbers is not None and not np.isfinite(numbers).all():
        bad = int(np.argmin(np.isfinite(numbers)))
        raise NotTimes(f"expected a time in every row; got {cells[bad]!r}", bad)
    readings = _readings(cells) if numbers is None else _readings_of_numbers(name, cells, numbers)
    problem: NotTimes | None = None
    found: list[tuple[TimeAxis, np.ndarray]] = []
    for times, form in readings:
        order = np.argsort(times, kind="stable")
        try:
            step = _checked_step(times, order, cells)
        except NotTimes as error:
            problem = problem or error
        else:
            found.append((TimeAxis(name, times[order], step, form), order))
    if not found:
        assert problem is not None  # there is at least one reading
        raise problem
    return min(found, key=lambda pair: pair[0].n_missing)


def is_time_name(name: str) -> bool:
    """Return whether numbers in a column of this name could be times.

    Examples
    --------
    >>> is_time_name("YEAR"), is_time_name("t"), is_time_name("price")
    (True, True, False)
    """
    lower = name.lower()
    return lower in _TIME_LETTERS or _TIME_WORDS.search(lower) is not None


def counts_evenly(values: np.ndarray, decimals: int = 0) -> bool:
    """Return whether numbers grow or fall by the same amount from row to row.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    decimals : int
        Number of decimals to which they are rounded.
    """
    if len(values) < 3 or values[0] == values[-1]:
        return False
    line = np.linspace(values[0], values[-1], len(values))
    rounding = 1.01 * 10.0**-decimals if decimals else 0.0
    step = abs(values[-1] - values[0]) / (len(values) - 1)
    tolerance = max(min(rounding, 0.2 * step), 1e-9 * np.abs(values).max())
    return bool(np.abs(values - line).max() <= tolerance)


def decimals_of(cells: Sequence[str]) -> int:
    """Return the largest number of decimals of the numbers in cells."""
    plain = (cell for cell in cells if "e" not in cell.lower())
    return max((len(cell.partition(".")[2]) for cell in plain), default=0)


_Readings = list[tuple[np.ndarray, TimeFormat | int]]


def _readings(cells: Sequence[str]) -> _Readings:
    """Return the times that text can be read as, with their formats; at least one."""
    first_bad: int | None = None
    found: _Readings = []
    formats = date_formats(cells)
    for form in formats:
        times, bad = form.read_all(cells)
        if bad is None:
            found += _on_one_clock(times, form, cells)
        elif first_bad is None or bad > first_bad:
            first_bad = bad
    if found:
        return found
    if first_bad is None:
        raise NotTimes(f"expected dates, such as {_EXAMPLES}; got {cells[0]!r}", 0)
    raise NotTimes(
        f"expected a date as in other rows, such as {formats[0].example!r}; got "
        f"{cells[first_bad]!r}",
        first_bad,
    )


def _on_one_clock(times: np.ndarray, form: DateFormat, cells: Sequence[str]) -> _Readings:
    """Return times in UTC and on the clock, if their offsets from UTC differ.

    Hours are regular in UTC only, and days on the clock only, where daylight saving time begins.
    """
    shifts = offsets(cells)
    if not len(shifts) or (shifts == shifts[0]).all():
        return [(times, form)]
    utc = times - shifts.astype("timedelta64[s]")
    last = int(np.argmax(utc))
    form = replace(form, example=cells[last])
    return [(utc, replace(form, shift=int(shifts[last]))), (times, form)]


def _readings_of_numbers(name: str, cells: Sequence[str], numbers: np.ndarray) -> _Readings:
    """Return the times that numbers can be read as: years, dates, Unix time, or the numbers."""
    found: _Readings = []
    # Large numbers under other names are read so too, since float64 would round them.
    if is_time_name(name) or (np.abs(numbers) >= EXACT).any():
        unix = unix_format(numbers, cells)
        for form in [*date_formats(cells), *([unix] if unix else [])]:
            if isinstance(form, DateFormat) and not _is_calendar(form, numbers):
                continue
            times, bad = form.read_all(cells)
            if bad is None:
                found.append((times, form))
    return found or [(numbers, decimals_of(cells))]


def _is_calendar(form: DateFormat, numbers: np.ndarray) -> bool:
    """Return whether numbers such as 2024 or 20240131 are years or dates of recent centuries."""
    per_year = {"%Y": 1, "%Y%m": 100, "%Y%m%d": 10_000}.get(form.pattern)
    if per_year is None:
        return False
    return bool((numbers >= 1500 * per_year).all() and (numbers < 2300 * per_year).all())


def _checked_step(times: np.ndarray, order: np.ndarray, cells: Sequence[str]) -> Step:
    """Return the step between times, or raise NotTimes if they are not equally spaced."""
    rising = times[order]
    same = np.flatnonzero(rising[1:] == rising[:-1])
    if len(same):
        second = max(int(order[i]) for i in (same[0], same[0] + 1))
        hint = ""
        if rising.dtype.kind == "M" and (np.diff(rising) % np.timedelta64(1, "D")).any():
            hint = (
                ". Where clocks are set back, write the offset from UTC, as in "
                "2024-10-27T02:00+01:00"
            )
        raise NotTimes(
            f"the time {cells[second]!r} occurs {1 + _run_of_zeros(np.diff(rising), same[0])} "
            "times, but a series has one row per time; combine these rows, or keep one series of "
            f"several{hint}",
            second,
        )
    if len(times) < 2:
        raise NotTimes("expected at least two times; got one", 0)
    if rising.dtype.kind == "M":
        step = find_step(rising)
        if step is not None:
            return step
    else:
        number = _step_of_numbers(rising, decimals_of(cells))
        if number is not None:
            return number
    raise _unequal(rising, order, cells)


def _run_of_zeros(differences: np.ndarray, start: int) -> int:
    rest = differences[start:] != differences[start]
    return int(np.argmax(rest)) if rest.any() else len(rest)


def _step_of_numbers(rising: np.ndarray, decimals: int) -> float | None:
    """Return the step between numbers, at most 10 % of which may be missing."""
    if counts_evenly(rising, decimals) or len(rising) == 2:
        return float(rising[-1] - rising[0]) / (len(rising) - 1)
    steps = np.diff(rising)
    middle = float(np.median(steps))
    counts = np.rint(steps / middle)
    rounding = 1.01 * 10.0**-decimals if decimals else 0.0
    even = np.abs(steps - counts * middle) <= max(rounding, 1e-6 * middle)
    if even.all() and counts.min() >= 1 and np.mean(counts == 1) >= 0.9:
        return float(rising[-1] - rising[0]) / float(counts.sum())
    return None


def _unequal(rising: np.ndarray, order: np.ndarray, cells: Sequence[str]) -> NotTimes:
    steps = np.diff(rising)
    shortest, longest = int(np.argmin(steps)), int(np.argmax(steps))
    between = " and ".join(
        f"{_length(steps[i])} after {cells[int(order[i])]!r}" for i in (shortest, longest)
    )
    return NotTimes(
        f"the steps between times are unequal, such as {between}; a forecast needs equal steps. "
        "Resample the series to equal steps",
        int(order[longest + 1]),
    )


def _length(step: np.ndarray) -> str:
    """Return the length of a step in the largest unit that is not longer."""
    if step.dtype.kind != "m":
        return f"{step:.6g}"
    seconds = step / np.timedelta64(1, "s")
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = f"{seconds / length:.4g}"
            return f"{count} {unit}" + ("" if count == "1" else "s")
    return f"{seconds:.6g} seconds"
