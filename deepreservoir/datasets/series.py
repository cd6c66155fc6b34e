"""Read a series from a CSV file with a header and one row per step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from ..user_warnings import warn_user
from .cells import Table, check_names, number_of
from .column_kinds import warning_of_notation, warning_of_unit
from .notation import notation_in
from .time_axis import TimeAxis, counts_evenly, decimals_of, is_time_name
from .time_column import TimeColumn, find_time_column, time_column
from .time_formats import date_formats

_COUNTS = "counts the rows"
# Names of columns that number the rows; pandas writes an index without a name.
_INDEX_NAMES = {"", "unnamed: 0", "index", "id", "no", "row", "step", "n", "#"}


@dataclass(frozen=True)
class TimeSeries:
    """A series that was read from a table, oldest row first.

    Attributes
    ----------
    values : ndarray of float64, shape (time, n_columns)
    names : tuple of str
    times : TimeAxis or None
        The times of the rows, if a column holds them.
    sorted_from : {"", "newest first", "unordered"}
        The order of the rows in the table, if it is not that of time.
    left_out : dict of str to str
        Columns that are not part of the series and do not hold its times, and the reason.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sales.csv"
    ...     _ = path.write_text("month,sales\\n2024-01,10\\n2024-02,12\\n2024-03,11\\n")
    ...     series = read_time_series(path)
    >>> series.names, series.values.shape, series.times.name, series.left_out
    (('sales',), (3, 1), 'month', {})
    """

    values: np.ndarray
    names: tuple[str, ...]
    times: TimeAxis | None
    sorted_from: str
    left_out: dict[str, str]

    @property
    def unread_times(self) -> str | None:
        """A column that seems to hold the times, in a form that cannot be read; None without."""
        if self.times is not None:
            return None
        texts = (name for name, why in self.left_out.items() if why in ("text", "dates"))
        return next((name for name in texts if is_time_name(name)), None)


def read_series(
    path: str | Path, columns: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a CSV file as one series, oldest row first.

    This is :func:`read_time_series` without the times.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str, optional

    Returns
    -------
    values : ndarray of float64, shape (time, n_columns)
    names : tuple of str

    Raises
    ------
    ValueError
        As in :func:`read_time_series`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s.csv"
    ...     _ = path.write_text("day,level\\n2026-01-01,1.5\\n2026-01-02,2.5\\n")
    ...     read_series(path)
    (array([[1.5],
           [2.5]]), ('level',))
    """
    series = read_time_series(path, columns)
    return series.values, series.names


def read_time_series(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    drop: Sequence[str] = (),
    time: str | None = None,
    header: bool = True,
    delimiter: str = ",",
    encoding: str | None = None,
) -> TimeSeries:
    """Read a CSV file as one series, with the times of its rows.

    Rows are sorted by the column of times, if there is one: dates in one of the common formats,
    years, seconds since 1970, or columns named year, month and day.

    Parameters
    ----------
    path : str or Path
        A file whose series and times have no empty cells; it may be compressed with gzip.
    columns : sequence of str, optional
        Names of the columns to read, in this order. By default all numeric columns are read that
        are neither constant nor count the rows in equal steps.
    drop : sequence of str
        Names of columns to ignore.
    time : str, optional
        Name of the column of times. By default, it is searched for.
    header : bool, default=True
        Whether the first row has the names of the columns. Otherwise they are ``"1"``, ``"2"``, ...
    delimiter : str, default=","
        The character between cells.
    encoding : str, optional
        By default UTF-8.

    Returns
    -------
    TimeSeries

    Raises
    ------
    ValueError
        If the file is not such a table, a column does not exist, a cell is not a finite number,
        the header seems to be a row of the series, or times are missing, repeated or unequally
        spaced. The message says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s.csv"
    ...     _ = path.write_text("day,level\\n2026-01-02,2.5\\n2026-01-01,1.5\\n")
    ...     series = read_time_series(path)
    >>> series.values[:, 0]
    array([1.5, 2.5])
    >>> str(series.times), series.sorted_from
    ('daily, 2 values from 2026-01-01 to 2026-01-02', 'newest first')
    """
    check_names(columns, drop)
    table = Table(Path(path), header=header, delimiter=delimiter, encoding=encoding)
    _check_uses(table, columns or (), drop, time)
    if columns is None and header:
        _check_header(table)
    others = [name for name in table.columns if name not in (*drop, *(columns or ()))]
    if time is not None:
        table.check_filled(time)
    found = find_time_column(table, others) if time is None else time_column(table, time)
    of_time = found.columns if found else ()
    order = found.order if found else np.arange(len(table.lines))
    left_out = {name: "dropped" for name in drop if name not in of_time}
    if columns is None:
        candidates = [name for name in others if name not in of_time]
        numbers, reasons = _numeric_columns(table, candidates, order)
        left_out |= reasons
        if not numbers:
            uses = dict.fromkeys(of_time, "the time") | left_out
            raise ValueError(
                f"{table.path} has no numeric column to forecast; it has "
                + ", ".join(f"{name or '(no name)'} ({uses[name]})" for name in table.columns)
            )
    else:
        numbers = {name: _column(table, name) for name in columns}
        left_out |= {name: "not in the columns" for name in others if name not in of_time}
    values = np.column_stack(list(numbers.values()))[order]
    times = found.axis if found else None
    return TimeSeries(values, tuple(numbers), times, _order_of(found), left_out)


def _order_of(found: TimeColumn | None) -> str:
    if found is None or (np.diff(found.order) > 0).all():
        return ""
    return "newest first" if (np.diff(found.order) < 0).all() else "unordered"


def _check_uses(
    table: Table, columns: Sequence[str], drop: Sequence[str], time: str | None
) -> None:
    for name in (*columns, *drop, *(() if time is None else (time,))):
        if name not in table.columns:
            raise ValueError(
                f"{table.path} has no column {name!r}; it has {', '.join(table.columns)}"
            )
    both = [name for name in columns if name in drop or name == time]
    if both:
        raise ValueError(
            f"column {both[0]!r} cannot be forecast and also be "
            f"{'dropped' if both[0] in drop else 'the time'}; name it only once"
        )
    if time in drop:
        raise ValueError(f"column {time!r} cannot be the time and also be dropped")


def _check_header(table: Table) -> None:
    """Raise a ValueError if all column names are numbers, since a row would be lost."""
    if table.header_is_numbers:
        names = list(filter(None, table.columns))
        raise ValueError(
            f"{table.path} seems to have no header: its first row, {', '.join(names)}, "
            "contains only numbers. If it is a row of the series: --no-header (header, in Python), "
            "or add a row of column names above it. If these are the names, select them: "
            f"--columns {','.join(names)} (columns, in Python)"
        )


def _numeric_columns(
    table: Table, names: Sequence[str], order: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the columns to forecast, if there are any, and why the others are left out.

    A column that counts the rows is left out, but not if only its values suggest it and there is
    no other column.
    """
    numbers: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    straight: dict[str, np.ndarray] = {}
    for name in names:
        cells = table.columns[name]
        if not any(cells):
            left_out[name] = "empty"
            continue
        column = _numbers_or_words(table, name)
        if column is None:
            left_out[name] = "dates" if date_formats(cells) else "text"
            warning = warning_of_unit(name, dict.fromkeys(cells))
            if warning is not None:
                warn_user(warning)
        else:
            reason = _why_not(name, column[order], cells)
            if reason:
                left_out[name] = reason
                if reason == _COUNTS and not _is_index_name(name):
                    straight[name] = column
            else:
                numbers[name] = column
    if not numbers and straight:
        numbers = straight
        left_out = {name: reason for name, reason in left_out.items() if name not in straight}
    if numbers:
        return numbers, left_out
    constant = [name for name, reason in left_out.items() if reason == "constant"]
    if constant:
        raise ValueError(
            f"{table.path}: column {constant[0]!r} is constant, so there is nothing to forecast"
        )
    words = ("dates", "text", "empty")
    counting = [name for name, reason in left_out.items() if reason not in words]
    if counting:
        raise ValueError(
            f"{table.path} has no column to forecast: {counting[0]!r} {left_out[counting[0]]}. To "
            f"forecast it nevertheless, name it: --columns {counting[0]} (columns, in Python)"
        )
    return numbers, left_out


def _why_not(name: str, values: np.ndarray, cells: Sequence[str]) -> str:
    """Return why a numeric column is not to be forecast, or an empty text."""
    if (values == values[0]).all():
        return "constant"
    if counts_evenly(values, decimals_of(cells)):
        return _COUNTS
    steps = np.diff(values)
    if is_time_name(name) and len(values) > 2 and ((steps > 0).all() or (steps < 0).all()):
        return "a time with unequal steps"
    return ""


def _is_index_name(name: str) -> bool:
    return name.lower() in _INDEX_NAMES or is_time_name(name)


def _numbers_or_words(table: Table, name: str) -> np.ndarray | None:
    """Return a numeric column, None for a text column; raise if it mixes the two."""
    cells = table.columns[name]
    if "" in cells and notation_in(table, dict.fromkeys(filter(None, cells))) is not None:
        table.check_filled(name, f", or leave the column out: --drop {name!r} (drop, in Python)")
    column = _finite(table, name)
    if column is None and not date_formats(cells) and any(_is_number(cell) for cell in cells):
        row, cell = _first_word(table, name)
        raise ValueError(
            f"{table.path}, row {row}, column {name!r}: expected a number, as in other rows; got "
            f"{cell!r}. Correct the cell, or list the columns to read without this one: "
            "--columns (columns, in Python)"
        )
    return column


def _finite(table: Table, name: str) -> np.ndarray | None:
    """Return a column as finite numbers (n,), however they are written; None if it has text."""
    cells = table.columns[name]
    notation = notation_in(table, dict.fromkeys(cells))
    if notation is None or notation.plain:
        return table.finite(name)
    warning = warning_of_notation(table, name, dict.fromkeys(cells), notation)
    if warning is not None:
        warn_user(warning)
    numbers = np.array([notation.number(cell) for cell in cells])
    table.check_finite(name, numbers)
    return numbers


def _column(table: Table, name: str) -> np.ndarray:
    table.check_filled(name)
    column = _finite(table, name)
    if column is None:
        row, cell = _first_word(table, name)
        raise ValueError(
            f"{table.path}, row {row}, column {name!r}: expected a number, got {cell!r}"
        )
    return column


def _first_word(table: Table, name: str) -> tuple[int, str]:
    pairs = zip(table.lines, table.columns[name], strict=True)
    return next((row, cell) for row, cell in pairs if cell and not _is_number(cell))


def _is_number(cell: str) -> bool:
    try:
        return isfinite(number_of(cell))
    except ValueError:
        return False
