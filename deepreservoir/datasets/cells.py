"""The unconverted cells of a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = 1e30


class Table:
    """The cells of a CSV file by column, and the line number of each row."""

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
                        "empty; fill it in or remove the row"
                    )
                column.append(cell.strip())

    def _read_header(self, names: list[str]) -> None:
        if len(set(names)) != len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{self.path}: every column needs a unique name; used more than once: {repeated}"
            )
        self.columns = {name: [] for name in names}

    def _check_commas(self, cells: list[str]) -> None:
        """Raise a ValueError if the header and the row use another separator than commas."""
        (name, *others) = self.columns
        for separator, word in ((";", "semicolons"), ("\t", "tabs")):
            if not others and separator in name and any(separator in cell for cell in cells):
                raise ValueError(
                    f"{self.path}: cells seem to be separated by {word}; use commas, and a point "
                    "for decimals"
                )

    def finite(self, name: str) -> np.ndarray | None:
        """Return a column as finite numbers (n,), or None if it contains text."""
        numbers = numbers_of(self.columns[name])
        # Numbers beyond the range of float32 would become infinite in a network.
        if numbers is not None and not (np.abs(numbers) < _LARGEST).all():
            row = self.lines[int(np.flatnonzero(~(np.abs(numbers) < _LARGEST))[0])]
            raise ValueError(
                f"{self.path}, row {row}, column {name!r}: expected a finite number below "
                f"{_LARGEST:g}"
            )
        return numbers


def numbers_of(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return None
