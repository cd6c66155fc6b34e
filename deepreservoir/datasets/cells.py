"""The unconverted cells of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

_LARGEST = 1e30


class Table:
    """The cells of a CSV file by column, and the line number of each row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[int] = []
        self.columns: dict[str, list[str]] = {}
        self._row = 1  # the line on which the current row begins
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                self._read(stream)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be a text file in UTF-8: {error}") from None
        except csv.Error as error:
            raise ValueError(
                f"{path}, row {self._row}: not a row of a CSV file: {error}. A quote that begins a "
                "cell must also end it, and a quote inside is doubled"
            ) from None
        if not self.lines:
            raise ValueError(f"{path} must have a header and at least one row below it")

    def _read(self, stream: Iterable[str]) -> None:
        lines: list[str] = []  # of the current row
        # A blank line is no row, unless a quote is still open before it.
        reader = csv.reader(_noted(chain(stream, ["\n"]), lines))
        for cells in reader:
            if len(lines) > 1:  # cells with line ends, or a quote that is not closed
                list(csv.reader(lines, strict=True))
            lines.clear()
            self._row = reader.line_num + 1
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


def _noted(lines: Iterable[str], into: list[str]) -> Iterator[str]:
    for line in lines:
        into.append(line)
        yield line


def numbers_of(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([number_of(cell) for cell in cells])
    except ValueError:
        return None


def number_of(cell: str) -> float:
    """Return the number that a cell contains, as other readers of CSV files do.

    Unlike Python's float, it takes no underscores and no digits of other alphabets.

    Raises
    ------
    ValueError
        If the cell is not a number.

    Examples
    --------
    >>> number_of(" 1.5e3 ")
    1500.0
    >>> numbers_of(["18_25", "26_35"]) is None
    True
    """
    if "_" in cell or not cell.isascii():
        raise ValueError(f"expected a number; got {cell!r}")
    return float(cell)
