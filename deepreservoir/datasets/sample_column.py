"""A table with one sample per row: the column of the samples, and that of their targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .cells import Table, is_missing, is_number


@dataclass(frozen=True)
class SampleTable:
    """The samples of a table.

    Attributes
    ----------
    samples : list
        In the order of the rows.
    y : ndarray of str, shape (n_samples,), or None
        The target of each sample, as written in the file.
    table : Table
        The cells of all columns.
    """

    samples: list[Any]
    y: np.ndarray | None
    table: Table


def read_sample_column(
    path: Path,
    name: str,
    column: str,
    target: str | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
) -> tuple[Table, np.ndarray | None]:
    """Read a CSV file, and check the columns of samples and of targets.

    Parameters
    ----------
    path : Path
        A file with a header; it may be compressed with gzip.
    name : str
        What the column of the samples is called in messages, such as ``"smiles"``.
    column : str
    target : str, optional
    delimiter, encoding : str, optional
        As in :func:`deepreservoir.datasets.read_table`.

    Returns
    -------
    (Table, ndarray of str or None)
        The cells of all columns, and the target of each sample as written in the file.

    Raises
    ------
    ValueError
        If a column does not exist, both are the same, or a target is empty. The message has the
        row.
    """
    table = Table(path, delimiter=delimiter, encoding=encoding)
    table.check_column(column)
    if target is None:
        return table, None
    table.check_column(target)
    if target == column:
        raise ValueError(f"{name} and target must be different columns; got {column!r} twice")
    cells = table.columns[target]
    missing = [row for row, cell in enumerate(cells) if is_missing(cell)]
    # A word such as "none" may be a class beside other words, but not beside numbers.
    of_words = not all(is_number(cell) for cell in cells if not is_missing(cell))
    if of_words:
        missing = [row for row in missing if not cells[row]]
    if missing:
        cell = table.columns[target][missing[0]]
        raise ValueError(
            f"{path}, row {table.lines[missing[0]]}, column {target!r}: the target is "
            f"{f'missing, {cell!r}' if cell else 'empty'}; fill it in or remove the row"
        )
    return table, np.array(table.columns[target])
