"""Which column of a table holds the times of its rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from .cells import Table, numbers_of
from .time_axis import (
    NotTimes,
    TimeAxis,
    counts_evenly,
    decimals_of,
    is_time_name,
    sorted_axis,
)
from .time_formats import date_formats, unix_format

# Columns that together are dates.
_PARTS = (("year", "month", "day"), ("year", "month"))


@dataclass(frozen=True)
class TimeColumn:
    """The times of the rows of a table.

    Attributes
    ----------
    axis : TimeAxis
    order : ndarray of int, shape (n,)
        The rows in the order of time.
    columns : tuple of str
        The columns that hold the times: one, or several for year, month and day.
    """

    axis: TimeAxis
    order: np.ndarray
    columns: tuple[str, ...]


def time_column(table: Table, name: str) -> TimeColumn:
    """Return the times in a column of a table.

    Raises
    ------
    ValueError
        If the column does not exist, or does not hold equally spaced times in each row. The
        message says where.
    """
    if name not in table.columns:
        raise ValueError(f"{table.path} has no column {name!r}; it has {', '.join(table.columns)}")
    try:
        return TimeColumn(*sorted_axis(name, table.columns[name]), (name,))
    except NotTimes as error:
        raise _refusal(table, name, error, "") from None


def find_time_column(table: Table, among: Collection[str]) -> TimeColumn | None:
    """Return the first column of equally spaced times, or None if no column holds times.

    Text is taken for times if most of its cells are dates; numbers are, if the column's name
    says so and they are years, dates, seconds since 1970 or grow by equal steps.

    Parameters
    ----------
    table : Table
    among : collection of str
        Names of the columns to look at.

    Raises
    ------
    ValueError
        If there are times, but not equally spaced ones in each row. The message says where.
    """
    refused: tuple[str, NotTimes] | None = None
    for name, cells in table.columns.items():
        if name not in among:
            continue
        numbers = numbers_of(cells)
        if not (date_formats(cells) if numbers is None else _may_be_times(name, cells, numbers)):
            continue
        try:
            return TimeColumn(*sorted_axis(name, cells), (name,))
        except NotTimes as error:
            # Numbers such as 1 to 12 for the months repeat, and are not the time of a row.
            if numbers is None or unix_format(numbers):
                refused = refused or (name, error)
    parts = _from_parts(table, among)
    if parts is None and refused is not None:
        remedy = f". To ignore the times: --drop {refused[0]} (drop, in Python)"
        raise _refusal(table, *refused, remedy)
    return parts


def _may_be_times(name: str, cells: Sequence[str], numbers: np.ndarray) -> bool:
    if not is_time_name(name):
        return False
    steady = bool((np.diff(numbers) > 0).all() or (np.diff(numbers) < 0).all())
    return bool(
        date_formats(cells)
        or unix_format(numbers)
        or (steady and counts_evenly(numbers, decimals_of(cells)))
    )


def _from_parts(table: Table, among: Collection[str]) -> TimeColumn | None:
    """Return the dates in columns named year, month and day, if they are equally spaced."""
    by_part = {name.lower(): name for name in reversed(list(table.columns)) if name in among}
    for parts in _PARTS:
        columns = tuple(by_part[part] for part in parts if part in by_part)
        if len(columns) < len(parts):
            continue
        numbers = [numbers_of(table.columns[column]) for column in columns]
        if any(values is None or not _are_whole(values) for values in numbers):
            continue
        rows = zip(*(values.astype(int) for values in numbers if values is not None), strict=True)
        cells = [f"{row[0]:04d}" + "".join(f"-{part:02d}" for part in row[1:]) for row in rows]
        try:
            return TimeColumn(*sorted_axis("-".join(columns), cells), columns)
        except NotTimes:
            continue
    return None


def _are_whole(values: np.ndarray) -> bool:
    return bool((np.abs(values) < 10_000).all() and (values == np.rint(values)).all())


def _refusal(table: Table, name: str, error: NotTimes, remedy: str) -> ValueError:
    where = "" if error.cell is None else f", row {table.lines[error.cell]}"
    return ValueError(f"{table.path}{where}, column {name!r}: {error}{remedy}")
