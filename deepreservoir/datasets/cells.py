"""The unconverted cells of a CSV file."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import chain
from math import isfinite
from pathlib import Path

import numpy as np

from .text_file import cells_of_any_length, open_text

#: Numbers beyond the range of float32 would become infinite in a network.
LARGEST = 1e30

#: Whole numbers below are exact in float64.
EXACT = 2.0**53

# What stands for a missing value, in lower case: pandas' words, and the question mark of Weka.
_MISSING = frozenset(
    {"", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan"}
    | {"<na>", "n/a", "na", "null", "nan", "none", "?"}
)


_COMMA_NUMBER = re.compile(r"[+-]?\d[\d.]*(?:,\d+)?")
_FRACTION = re.compile(r"[+-]?\d[\d.]*,(?:\d{1,2}|\d{4,})")

# What Excel writes into the first line of some files.
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)


class Table:
    """The cells of a CSV file by column, and the line number of each row.

    Parameters
    ----------
    path : Path
        A text file; it may be compressed with gzip.
    header : bool, default=True
        Whether the first row has the names of the columns. Otherwise they are ``"1"``, ``"2"``, ...
    delimiter : str, default=","
        The character between cells; ``"tab"`` is another name of the tab.
    encoding : str, optional
        By default UTF-8.

    Attributes
    ----------
    columns : dict of str to list of str
        The cells of each column, without spaces around them.
    lines : list of int
        The line of the file on which each row ends.

    Raises
    ------
    ValueError
        If the file is not such a table. The message says where.
    """

    def __init__(
        self,
        path: Path,
        *,
        header: bool = True,
        delimiter: str = ",",
        encoding: str | None = None,
    ) -> None:
        self.path, self.header, self.delimiter = path, header, checked_delimiter(delimiter)
        self.lines: list[int] = []
        self.columns: dict[str, list[str]] = {}
        self._row = 1  # the line on which the current row begins
        try:
            with open_text(path, encoding) as stream, cells_of_any_length():
                self._read(stream)
        except csv.Error as error:
            raise ValueError(
                f"{path}, row {self._row}: not a row of a CSV file: {error}. A quote that begins a "
                "cell must also end it, and a quote inside is doubled"
            ) from None
        if not self.lines:
            head = "a header and at least one row below it" if header else "at least one row"
            raise ValueError(f"{path} must have {head}")

    @cached_property
    def has_decimal_commas(self) -> bool:
        """Whether a column has numbers with commas that can only be decimal commas."""
        return any(map(_has_decimal_comma, self.columns.values()))

    def _read(self, stream: Iterable[str]) -> None:
        lines: list[str] = []  # of the current row
        stream = self._without_separator(stream)
        separator = self.delimiter
        columns: list[list[str]] = []
        # A blank line is no row, unless a quote is still open before it.
        reader = csv.reader(_noted(chain(stream, ["\n"]), lines), delimiter=separator)
        for cells in reader:
            if len(lines) > 1:  # cells with line ends, or a quote that is not closed
                list(csv.reader(lines, delimiter=separator, strict=True))
            lines.clear()
            self._row = reader.line_num + 1
            if not cells:
                continue
            cells = [cell.strip() for cell in cells]
            if not columns:
                self._read_header(cells)
                columns = list(self.columns.values())
                if self.header:
                    continue
            self._check_delimiter(cells)
            if len(cells) != len(columns):
                first = "the header" if self.header else "the first row"
                raise ValueError(
                    f"{self.path}, row {reader.line_num}: expected {len(columns)} cells as in "
                    f"{first}, got {len(cells)}{self._notes_above(cells)}"
                )
            self.lines.append(reader.line_num)
            for column, cell in zip(columns, cells, strict=True):
                column.append(cell)

    def _without_separator(self, stream: Iterable[str]) -> Iterator[str]:
        """Return the lines, with the separator that Excel writes above the header taken from them.

        The line is left blank, so that the others keep their numbers.
        """
        lines = iter(stream)
        first = next(lines, "")
        named = _SEPARATOR.fullmatch(first.rstrip("\r\n"))
        if named is None:
            return chain([first], lines)
        if self.delimiter == ",":  # the default; another one was named by the user
            self.delimiter = checked_delimiter(named[1])
        return chain(["\n"], lines)

    def _read_header(self, cells: list[str]) -> None:
        names = cells if self.header else [str(i + 1) for i in range(len(cells))]
        if len(set(names)) != len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{self.path}: every column needs a unique name; used more than once: {repeated}"
                f"{self._no_header(names)}"
            )
        self.columns = {name: [] for name in names}

    def _no_header(self, names: Iterable[str]) -> str:
        """Return a remedy if the first row seems to be data."""
        if self.header and any(map(is_number, names)):
            return (
                ". The first row seems to be data; if there is no header: --no-header (header, in "
                "Python)"
            )
        return ""

    def _notes_above(self, cells: list[str]) -> str:
        """Return a remedy if the first row seems to be a note above the header."""
        first = next(iter(self.columns), "")
        if first.startswith("#") or (len(self.columns) == 1 < len(cells) and not self.lines):
            return f". If the first row, {first!r:.40}, is a note above the header, remove it"
        return ""

    def _check_delimiter(self, cells: list[str]) -> None:
        """Raise a ValueError if the first row and another use a separator that was not named."""
        (name, *others) = self.columns
        if others:
            return
        kinds = {";": ("semicolons", "';'"), "\t": ("tabs", "tab"), "|": ("bars", "'|'")}
        kinds[","] = ("commas", "','")
        for separator, (word, option) in kinds.items():
            in_name = not self.header or separator in name
            if separator != self.delimiter and in_name and any(separator in c for c in cells):
                if separator == "," and not self.header:
                    continue  # it may be the comma of a decimal number
                raise ValueError(
                    f"{self.path}: cells seem to be separated by {word}; name the separator: "
                    f"--delimiter {option} (delimiter, in Python)"
                )

    def check_column(self, name: str, why: str = "") -> None:
        """Raise a ValueError if the table has no column of this name."""
        if name in self.columns:
            return
        raise ValueError(
            f"{self.path} has no column {name!r}{why}; it has {self.names()}"
            f"{self._no_header(self.columns)}"
        )

    def check_filled(self, name: str, remedy: str = "") -> None:
        """Raise a ValueError if a cell of a column is empty."""
        cells = self.columns[name]
        if "" in cells:
            raise ValueError(
                f"{self.path}, row {self.lines[cells.index('')]}, column {name!r}: the cell is "
                f"empty; fill it in or remove the row{remedy}"
            )

    def names(self) -> str:
        """Return the names of the columns for a message."""
        names = list(self.columns)
        if not self.header and len(names) > 2:
            return f"the columns 1 to {len(names)}"
        more = f" and {len(names) - 40} more" if len(names) > 40 else ""
        return ", ".join(names[:40]) + more

    @property
    def header_is_numbers(self) -> bool:
        """Whether the names of all columns are numbers, as the cells of a row would be."""
        named = list(filter(None, self.columns))  # a comma at the end of a line is followed by none
        return self.header and bool(named) and all(map(is_number, named))

    def note_on_header(self) -> str | None:
        """Return a warning if the first row may not be a header."""
        if not self.header_is_numbers:
            return None
        return (
            f"the first row of {self.path}, {self.names()}, has only numbers and is taken for the "
            "names of the columns; if it is data: --no-header (header=False, in Python)"
        )

    def finite(self, name: str) -> np.ndarray | None:
        """Return a column as finite numbers (n,), or None if it contains text."""
        numbers = numbers_of(self.columns[name])
        if numbers is not None:
            self.check_finite(name, numbers)
        return numbers

    def check_finite(self, name: str, numbers: np.ndarray, missing: bool = False) -> None:
        """Raise a ValueError for the first of a column's numbers that is too large or not finite.

        Parameters
        ----------
        name : str
        numbers : ndarray, shape (n,)
        missing : bool, default=False
            Whether NaN stands for a missing value, which is allowed.
        """
        right = np.abs(numbers) < LARGEST
        if missing:
            right |= np.isnan(numbers)
        if not right.all():
            row = self.lines[int(np.flatnonzero(~right)[0])]
            raise ValueError(
                f"{self.path}, row {row}, column {name!r}: expected a finite number below "
                f"{LARGEST:g}"
            )


def _has_decimal_comma(cells: Iterable[str]) -> bool:
    """Return whether all cells are numbers, some of which can only have a decimal comma.

    Examples
    --------
    >>> _has_decimal_comma(["1.000,25", "3"]), _has_decimal_comma(["1,250", "3"])
    (True, False)
    """
    values = {cell for cell in cells if not is_missing(cell)}
    if not any(map(_FRACTION.fullmatch, values)):
        return False
    return all(map(_COMMA_NUMBER.fullmatch, values))


def checked_delimiter(delimiter: str) -> str:
    r"""Return the character that separates cells, or raise a ValueError.

    Examples
    --------
    >>> checked_delimiter("tab")
    '\t'
    """
    character = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(character) != 1 or character in '"\r\n' or character.isalnum():
        raise ValueError(
            f"delimiter must be one character that is neither a letter, a digit nor a quote, such "
            f"as ',' or ';', or 'tab'; got {delimiter!r}"
        )
    return character


def check_names(columns: Sequence[str] | None, drop: Sequence[str]) -> None:
    """Raise a ValueError if columns are not names, are named twice, or none are to be read."""
    for what, names in (("columns", columns), ("drop", drop)):
        if isinstance(names, str):
            raise ValueError(f"{what} must be a sequence of names; got {names!r}")
    if columns is not None and not len(columns):
        raise ValueError("columns must have at least one name, or be None for all; got none")
    twice = [name for name, count in Counter(columns or ()).items() if count > 1]
    if twice:
        raise ValueError(f"column {twice[0]!r} is named twice in columns; name it only once")


def _noted(lines: Iterable[str], into: list[str]) -> Iterator[str]:
    for line in lines:
        into.append(line)
        yield line


def is_missing(cell: str) -> bool:
    """Return whether a cell stands for a missing value.

    Examples
    --------
    >>> is_missing("n/a"), is_missing("?"), is_missing("0"), is_missing("no")
    (True, True, False, False)
    """
    return len(cell) < 10 and cell.lower() in _MISSING


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, a finite one or not."""
    try:
        number_of(cell)
    except ValueError:
        return False
    return True


def one_spelling(cells: Sequence[str], numbers: Sequence[float | Decimal]) -> list[str]:
    """Return cells in which equal numbers are written alike: 1.0 as 1, if both occur.

    Parameters
    ----------
    cells : sequence of str
    numbers : sequence of float or Decimal
        What each cell contains, from :func:`exact_number`: long labels may be equal in float64.

    Examples
    --------
    >>> one_spelling(["1.0", "2", "1"], [1.0, 2.0, 1.0])
    ['1', '2', '1']
    """
    spelling: dict[float | Decimal, str] = {}
    distinct = dict(zip(cells, numbers, strict=True)).items()
    for cell, number in sorted(distinct, key=lambda pair: (len(pair[0]), pair[0])):
        spelling.setdefault(number, cell)
    return [spelling[number] for number in numbers]


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


def exact_number(cell: str) -> float | Decimal:
    """Return the number that a cell contains, as a Decimal from 2**53 on.

    Different whole numbers of that size may be the same number in float64.

    Raises
    ------
    ValueError
        If the cell is not a number.

    Examples
    --------
    >>> exact_number("1.5"), exact_number("9007199254740993")
    (1.5, Decimal('9007199254740993'))
    """
    number = number_of(cell)
    return Decimal(cell.strip()) if abs(number) >= EXACT and isfinite(number) else number
