"""A user's own table: a CSV file with a header, one column of which is the target."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .base import Dataset, split_dataset, standardised

# A column of whole numbers with at most this many distinct values is taken for classes.
_MAX_CLASSES = 20
_LARGEST = 1e30


class Table:
    """The cells of a CSV file by column, and the line of the file that each row stands on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[int] = []
        self.columns: dict[str, list[str]] = {}
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                self._read(csv.reader(stream))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be a text file in UTF-8: {error}") from None
        except csv.Error as error:
            raise ValueError(f"{path} is not a CSV file: {error}") from None
        if not self.lines:
            raise ValueError(f"{path} must have a header and at least one row below it")

    def _read(self, reader: Any) -> None:
        for cells in reader:
            if not cells:
                continue
            if not self.columns:
                self._read_header([cell.strip() for cell in cells])
                continue
            self._check_commas(cells)
            if len(cells) != len(self.columns):
                raise ValueError(
                    f"{self.path}, row {reader.line_num}: expected {len(self.columns)} cells as "
                    f"in the header, got {len(cells)}"
                )
            self.lines.append(reader.line_num)
            for (name, column), cell in zip(self.columns.items(), cells, strict=True):
                if not cell.strip():
                    raise ValueError(
                        f"{self.path}, row {reader.line_num}, column {name!r}: the cell is "
                        "empty; fill it in or leave the row out"
                    )
                column.append(cell.strip())

    def _read_header(self, names: list[str]) -> None:
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{self.path}: every column needs a name of its own; used twice: {twice}"
            )
        self.columns = {name: [] for name in names}

    def _check_commas(self, cells: list[str]) -> None:
        """Raise a ValueError where header and row are each one cell with another separator."""
        (name, *others) = self.columns
        for mark, word in ((";", "semicolons"), ("\t", "tabs")):
            if not others and mark in name and any(mark in cell for cell in cells):
                raise ValueError(
                    f"{self.path}: cells seem to be separated by {word}; separate them by commas, "
                    "and write decimals with a point"
                )

    def finite(self, name: str) -> np.ndarray | None:
        """Return a column as finite numbers, (n,), or None if it holds words."""
        numbers = _numbers(self.columns[name])
        # Beyond float32's range a number is as good as infinite for a network.
        if numbers is not None and not (np.abs(numbers) < _LARGEST).all():
            row = self.lines[int(np.flatnonzero(~(np.abs(numbers) < _LARGEST))[0])]
            raise ValueError(
                f"{self.path}, row {row}, column {name!r}: expected a finite number below "
                f"{_LARGEST:g}"
            )
        return numbers

    def features(self, name: str) -> np.ndarray:
        """Return (n, 1) numbers, or (n, values) indicators of a column of words."""
        numbers = self.finite(name)
        if numbers is not None:
            return numbers[:, None]
        cells = np.array(self.columns[name])
        return (cells[:, None] == np.unique(cells)).astype(np.float64)


def _numbers(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None


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
    if target not in table.columns:
        raise ValueError(f"{path} has no column {target!r}; it has {', '.join(table.columns)}")
    if len(table.columns) == 1:
        raise ValueError(f"{path} needs a column beside the target {target!r}; it has none")
    y, task = _target(table, target)
    X = np.hstack([table.features(name) for name in table.columns if name != target])
    split = split_dataset(path.stem, X, y, task)
    X_train, X_test = standardised(split.X_train, split.X_test)
    return Dataset(split.name, X_train, split.y_train, X_test, split.y_test, task)


def _target(table: Table, name: str) -> tuple[np.ndarray, Literal["classification", "regression"]]:
    """Return the target: labels as they are written, or numbers."""
    numbers = _numbers(table.columns[name])
    if numbers is None:
        return np.array(table.columns[name]), "classification"
    whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
    if whole and len(np.unique(numbers)) <= _MAX_CLASSES:
        return np.array(table.columns[name]), "classification"
    finite = table.finite(name)
    assert finite is not None  # they are numbers
    return finite, "regression"
