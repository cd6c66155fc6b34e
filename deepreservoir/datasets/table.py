"""A user's own table: a CSV file with a header, one column of which is the target."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from .base import Dataset, split_dataset, standardised
from .cells import Table, numbers_of
from .columns import Columns

# A column of whole numbers with at most this many distinct values is taken for classes.
_MAX_CLASSES = 20


def read_table(path: str | Path, target: str) -> Dataset:
    """Read a CSV file as a task, with a fifth of its rows held out.

    Columns of numbers are standardised by the training rows; columns of words become
    indicators. A target of words, or of at most 20 distinct whole numbers, is a
    classification; any other is a regression.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file with a header, no empty cells.
    target : str
        Name of the column to predict.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the file is not such a table, or has no such column; says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.csv"
    ...     _ = path.write_text("x,kind\\n" + "1,a\\n2,b\\n" * 10)
    ...     read_table(path, "kind").task
    'classification'
    """
    path = Path(path)
    table = Table(path)
    y, task = table_target(table, target)
    split = split_dataset(path.stem, Columns.of(table, target).encode(table), y, task)
    X_train, X_test = standardised(split.X_train, split.X_test)
    return Dataset(split.name, X_train, split.y_train, X_test, split.y_test, task)


def table_target(
    table: Table, name: str
) -> tuple[np.ndarray, Literal["classification", "regression"]]:
    """Return the target: labels as they are written, or numbers.

    Raises
    ------
    ValueError
        If there is no such column, or none beside it.
    """
    if name not in table.columns:
        raise ValueError(f"{table.path} has no column {name!r}; it has {', '.join(table.columns)}")
    if len(table.columns) == 1:
        raise ValueError(f"{table.path} needs a column beside the target {name!r}; it has none")
    numbers = numbers_of(table.columns[name])
    if numbers is None:
        return np.array(table.columns[name]), "classification"
    whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
    if whole and len(np.unique(numbers)) <= _MAX_CLASSES:
        return np.array(table.columns[name]), "classification"
    finite = table.finite(name)
    assert finite is not None  # they are numbers
    return finite, "regression"
