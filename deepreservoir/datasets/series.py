"""Read a series from a CSV file with a header and one row per step."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from .cells import Table, number_of


def read_series(
    path: str | Path, columns: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a CSV file as one series, oldest row first.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file with a header and without empty cells.
    columns : sequence of str, optional
        Names of the columns to read, in this order. By default all numeric columns are read, and
        columns of dates or other text are skipped.

    Returns
    -------
    values : ndarray of float64, shape (time, n_columns)
    names : tuple of str

    Raises
    ------
    ValueError
        If the file is not such a table, a column does not exist, a cell is not a finite number,
        or the header seems to be a row of the series. The message says where.

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
    path = Path(path)
    table = Table(path)
    if columns is None:
        _check_header(table)
        columns_read = {name: _numbers_or_words(table, name) for name in table.columns}
        numbers = {name: column for name, column in columns_read.items() if column is not None}
        if not numbers:
            raise ValueError(f"{path} has no numeric column; it has {', '.join(table.columns)}")
        return np.column_stack(list(numbers.values())), tuple(numbers)
    names = tuple(columns)
    for name in names:
        if name not in table.columns:
            raise ValueError(f"{path} has no column {name!r}; it has {', '.join(table.columns)}")
    return np.column_stack([_column(table, name) for name in names]), names


def _check_header(table: Table) -> None:
    """Raise a ValueError if all column names are numbers, since a row would be lost."""
    if all(_is_number(name) for name in table.columns):
        raise ValueError(
            f"{table.path} seems to have no header: its first row, {', '.join(table.columns)}, "
            "contains only numbers. Add a row of column names above it or, if these are the names, "
            f"select them: --columns {','.join(table.columns)} (columns, in Python)"
        )


def _numbers_or_words(table: Table, name: str) -> np.ndarray | None:
    """Return a numeric column, None for a text column; raise if it mixes the two."""
    column = table.finite(name)
    if column is None and any(_is_number(cell) for cell in table.columns[name]):
        row, cell = _first_word(table, name)
        raise ValueError(
            f"{table.path}, row {row}, column {name!r}: expected a number, as in other rows; got "
            f"{cell!r}. Correct the cell, or list the columns to read without this one: "
            "--columns (columns, in Python)"
        )
    return column


def _column(table: Table, name: str) -> np.ndarray:
    column = table.finite(name)
    if column is None:
        row, cell = _first_word(table, name)
        raise ValueError(
            f"{table.path}, row {row}, column {name!r}: expected a number, got {cell!r}"
        )
    return column


def _first_word(table: Table, name: str) -> tuple[int, str]:
    pairs = zip(table.lines, table.columns[name], strict=True)
    return next((row, cell) for row, cell in pairs if not _is_number(cell))


def _is_number(cell: str) -> bool:
    try:
        return isfinite(number_of(cell))
    except ValueError:
        return False
