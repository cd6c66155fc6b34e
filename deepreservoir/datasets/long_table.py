"""Read series from a long table: a CSV file with one row per series and time."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import numpy as np

from ..inputs import IrregularSeries, irregular_series
from .cells import exact_number
from .dates import EIGHT_DIGITS
from .text_file import cells_of_any_length, open_text

# What stands for a value that was not observed.
_MISSING = frozenset(("", "na", "nan", "n/a", "null", "none", "?"))


@dataclass(frozen=True)
class LongTable:
    """The series of a long table.

    Attributes
    ----------
    series : IrregularSeries
        In the order in which their names appear; the steps of a series are sorted by time.
    names : tuple of str
        The name of each series.
    y : ndarray of str, shape (n_series,), or None
        The target of each series, as written in the file.
    dated : bool
        Whether the times are dates, in seconds, rather than numbers.

    Examples
    --------
    >>> from deepreservoir import irregular_series
    >>> series = irregular_series([[[60.0], [61.0]]], [[0, 2.5]])
    >>> table = LongTable(series, ("Ann",), np.array(["1"]))
    >>> table.names, table.series.lengths.tolist()
    (('Ann',), [2])
    """

    series: IrregularSeries
    names: tuple[str, ...]
    y: np.ndarray | None = None
    dated: bool = False


def read_long_table(
    path: str | Path,
    id: str,
    time: str,
    target: str | None = None,
    channels: Sequence[str] | None = None,
) -> LongTable:
    """Read a CSV file with one row per series and time.

    Rows may be in any order. Empty cells, and NA, NaN, null and ?, stand for values that were not
    observed.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file with a header; it may be compressed with gzip. A first column without a name
        is the index of a data frame, and is left out.
    id : str
        The column that names the series of a row.
    time : str
        The column with the time: numbers, or dates in ISO 8601, which are converted to seconds.
    target : str, optional
        The column to predict. It has one value in all rows of a series; it may be empty in some of
        them.
    channels : sequence of str, optional
        The columns that are measured, in this order. By default all others.

    Returns
    -------
    LongTable

    Raises
    ------
    ValueError
        If a column does not exist, a cell is neither a number nor missing, a time occurs twice in a
        series, or a series has no target, two different ones or no observation. The message says
        where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s.csv"
    ...     _ = path.write_text("who,t,pulse,y\\na,0,60,1\\na,2.5,,1\\nb,1,70,0\\na,3,61,1\\n")
    ...     table = read_long_table(path, "who", "t", "y")
    >>> table.names, table.series.lengths.tolist(), table.y.tolist()
    (('a', 'b'), [3, 1], ['1', '0'])
    >>> table.series[0].gaps().tolist()
    [0.0, 2.5, 0.5]
    """
    path = Path(path)
    columns, lines = _cells(path)
    special = [name for name in (id, time, target) if name is not None]
    if len(set(special)) < len(special):
        raise ValueError(f"id, time and target must be different columns; got {special}")
    measured = list(channels) if channels is not None else [c for c in columns if c not in special]
    for name in (*special, *measured):
        if name not in columns:
            raise ValueError(f"{path} has no column {name!r}; it has {', '.join(columns)}")
    both = [name for name in measured if name in special]
    if both or len(set(measured)) < len(measured):
        raise ValueError(
            f"channels must be different columns, and neither {' nor '.join(map(repr, special))}; "
            f"got {measured}"
        )
    if not measured:
        raise ValueError(f"{path} needs a column besides {', '.join(special)}; it has none")
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(columns[id]):
        if not name:
            raise ValueError(
                f"{path}, row {lines[row]}, column {id!r}: the name of the series is empty"
            )
        rows_of.setdefault(name, []).append(row)
    times, dated = _times(path, columns[time], lines, time)
    values = np.column_stack([_numbers(path, columns[c], lines, c) for c in measured])
    ordered = [_by_time(path, name, rows, times, lines) for name, rows in rows_of.items()]
    _check_observed(path, values, dict(zip(rows_of, ordered, strict=True)))
    y = None
    if target is not None:
        cells = columns[target]
        y = np.array([_target(path, n, cells, rows, lines, target) for n, rows in rows_of.items()])
    made = irregular_series([values[rows] for rows in ordered], [times[rows] for rows in ordered])
    named = IrregularSeries(made.values, made.times, made.bounds, tuple(measured))
    return LongTable(named, tuple(rows_of), y, dated)


def _cells(path: Path) -> tuple[dict[str, list[str]], list[int]]:
    """Return the cells of each column, and the line of each row."""
    try:
        with open_text(path, utf8_only=True) as stream, cells_of_any_length():
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            # The index of a data frame has no name.
            if len(set(header)) < len(header) or "" in header[1:]:
                raise ValueError(f"{path}: every column needs a name of its own; got {header}")
            columns: dict[str, list[str]] = {name: [] for name in header}
            lines: list[int] = []
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise ValueError(
                        f"{path}, row {reader.line_num}: expected {len(header)} cells as in the "
                        f"header, got {len(row)}"
                    )
                lines.append(reader.line_num)
                for name, cell in zip(header, row, strict=True):
                    columns[name].append(cell.strip())
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from None
    if not lines:
        raise ValueError(f"{path} must have a header and at least one row below it")
    columns.pop("", None)
    return columns, lines


def _numbers(path: Path, cells: list[str], lines: list[int], name: str) -> np.ndarray:
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        if cell.lower() in _MISSING:
            values[row] = np.nan
            continue
        number = _number(cell)
        if number is None:
            raise ValueError(
                f"{path}, row {lines[row]}, column {name!r}: expected a finite number, or an empty "
                f"cell if it was not observed; got {cell!r}. Leave the column out: --channels "
                "(channels, in Python)"
            )
        values[row] = number
    return values


def _number(cell: str) -> float | None:
    """Return a finite number; None for another text. Python's own digit groups are not numbers."""
    try:
        value = float(cell) if "_" not in cell else float("nan")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _times(path: Path, cells: list[str], lines: list[int], name: str) -> tuple[np.ndarray, bool]:
    """Return times, and whether they are dates, converted to seconds."""
    numbers = [_number(cell) for cell in cells]
    basic = all(map(EIGHT_DIGITS.fullmatch, cells))  # 20260131
    dates = numbers[0] is None or (basic and None not in map(_seconds, cells))
    times = np.empty(len(cells))
    for row, cell in enumerate(cells):
        found = _seconds(cell) if dates else numbers[row]
        if found is None:
            expected = "a date such as 2026-01-31T12:00" if dates else "a number"
            raise ValueError(
                f"{path}, row {lines[row]}, column {name!r}: expected {expected}, got {cell!r}"
            )
        times[row] = found
    return times, dates


def _seconds(cell: str) -> float | None:
    """Return the seconds of a date in ISO 8601 since a fixed one; None for another text."""
    try:
        date = datetime.fromisoformat(cell)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _by_time(
    path: Path, name: str, rows: list[int], times: np.ndarray, lines: list[int]
) -> np.ndarray:
    """Return the rows of a series, the earliest first."""
    ordered = np.array(rows)[np.argsort(times[rows], kind="stable")]
    same = np.flatnonzero(np.diff(times[ordered]) == 0)
    if len(same):
        one, other = ordered[same[0]], ordered[same[0] + 1]
        raise ValueError(
            f"{path}: series {name!r} has the time {times[one]:g} twice, in rows {lines[one]} and "
            f"{lines[other]}; merge them"
        )
    return ordered


def _check_observed(path: Path, values: np.ndarray, rows_of: dict[str, np.ndarray]) -> None:
    for name, rows in rows_of.items():
        if np.isnan(values[rows]).all():
            raise ValueError(f"{path}: series {name!r} has no observation; remove its rows")


def _are_equal(one: str, other: str) -> bool:
    """Return whether two cells are the same text or the same number."""
    try:
        return one == other or exact_number(one) == exact_number(other)
    except ValueError:
        return False


def _target(
    path: Path, name: str, cells: list[str], rows: list[int], lines: list[int], target: str
) -> str:
    given = [row for row in rows if cells[row].lower() not in _MISSING]
    if not given:
        raise ValueError(f"{path}: series {name!r} has no {target!r} in any of its rows")
    for row in given[1:]:
        if not _are_equal(cells[row], cells[given[0]]):
            raise ValueError(
                f"{path}: series {name!r} has two values of {target!r}: {cells[given[0]]!r} in row "
                f"{lines[given[0]]} and {cells[row]!r} in row {lines[row]}; expected one per series"
            )
    return cells[given[0]]
