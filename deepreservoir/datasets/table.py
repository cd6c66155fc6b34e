"""A user's own table: a CSV file with a header, one column of which is the target."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np

from .base import Dataset, split_dataset, standardised

# A column of whole numbers with at most this many distinct values is taken for classes.
_MAX_CLASSES = 20

Columns = dict[str, list[str]]


def _read_columns(path: Path) -> Columns:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be a text file in UTF-8: {error}") from None
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise ValueError(f"{path} must have a header and at least one row; got {len(lines)} lines")
    header = [name.strip() for name in lines[0]]
    if len(set(header)) != len(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        raise ValueError(f"{path}: every column needs a name of its own; used twice: {twice}")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise ValueError(
                f"{path}, row {number}: expected {len(header)} cells as in the header, "
                f"got {len(line)}"
            )
        for name, cell in zip(header, line, strict=True):
            if not cell.strip():
                raise ValueError(
                    f"{path}, row {number}, column {name!r}: the cell is empty; fill it in or "
                    "leave the row out"
                )
    return {name: [line[i].strip() for line in lines[1:]] for i, name in enumerate(header)}


def _numbers(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


def _features(name: str, cells: list[str]) -> np.ndarray:
    """Return (n, 1) numbers, or (n, values) indicators of a column of words."""
    numbers = _numbers(cells)
    if numbers is None:
        values = sorted(set(cells))
        return (np.array(cells)[:, None] == np.array(values)).astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0]) + 2
        raise ValueError(f"row {row}, column {name!r}: expected a finite number")
    return numbers[:, None]


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
    columns = _read_columns(path)
    if target not in columns:
        raise ValueError(f"{path} has no column {target!r}; it has {', '.join(columns)}")
    if len(columns) == 1:
        raise ValueError(f"{path} needs a column beside the target {target!r}; it has none")
    cells = columns.pop(target)
    numbers = _numbers(cells)
    task: Literal["classification", "regression"] = "classification"
    y = np.array(cells)
    if numbers is not None:
        whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
        if not whole or len(np.unique(numbers)) > _MAX_CLASSES:
            task, y = "regression", _features(target, cells)[:, 0]
    X = np.hstack([_features(name, column) for name, column in columns.items()])
    split = split_dataset(path.stem, X, y, task)
    X_train, X_test = standardised(split.X_train, split.X_test)
    return Dataset(split.name, X_train, split.y_train, X_test, split.y_test, task)
