"""Read a table from a CSV file with a header, one column of which is the target."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from .base import Dataset, split_dataset, standardised
from .cells import Table, numbers_of
from .columns import Columns

# A target of whole numbers with at most this many distinct values is treated as class labels.
_MAX_CLASSES = 20


def read_table(path: str | Path, target: str) -> Dataset:
    """Read a CSV file as a learning task, with a fifth of its rows held out.

    Numeric columns are standardised by the training rows, and text columns are one-hot encoded.
    A target that is text, or has at most 20 distinct whole numbers, makes the task a
    classification; any other target makes it a regression.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file with a header and without empty cells.
    target : str
        Name of the column to predict.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the file is not such a table, or the column does not exist. The message says where.

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
    """Return the target: labels as written in the file, or numbers.

    Raises
    ------
    ValueError
        If the column does not exist, or is the only one.
    """
    if name not in table.columns:
        raise ValueError(f"{table.path} has no column {name!r}; it has {', '.join(table.columns)}")
    if len(table.columns) == 1:
        raise ValueError(
            f"{table.path} needs another column besides the target {name!r}; it has none"
        )
    numbers = numbers_of(table.columns[name])
    if numbers is None:
        return np.array(table.columns[name]), "classification"
    whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
    if whole and len(np.unique(numbers)) <= _MAX_CLASSES:
        return np.array(table.columns[name]), "classification"
    finite = table.finite(name)
    assert finite is not None  # the cells are numbers
    return finite, "regression"
