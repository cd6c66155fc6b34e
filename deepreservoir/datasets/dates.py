"""Dates in a table: their format, and the features of a network that they become."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d-%b-%y",
)
_TIMES = (
    "%H:%M",
    "%H:%M:%S",
    "%H:%M:%S.%f",
    "%H:%M%z",
    "%H:%M:%S%z",
    "%H:%M:%S.%f%z",
    "%I:%M %p",
    "%I:%M:%S %p",
)
#: The formats that are recognised.
FORMATS = (
    *_DAYS,
    "%Y-%m",
    "%Y/%m",
    "%Y%m%d",
    *(f"{day}{between}{time}" for day in _DAYS for between in (" ", "T") for time in _TIMES),
)
_ISO_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO = {
    "%Y-%m-%d": re.compile(_ISO_DAY),
    "%Y-%m-%d %H:%M": re.compile(_ISO_DAY + " [0-9]{2}:[0-9]{2}"),
    "%Y-%m-%dT%H:%M": re.compile(_ISO_DAY + "T[0-9]{2}:[0-9]{2}"),
    "%Y-%m-%d %H:%M:%S": re.compile(_ISO_DAY + " [0-9]{2}:[0-9]{2}:[0-9]{2}"),
    "%Y-%m-%dT%H:%M:%S": re.compile(_ISO_DAY + "T[0-9]{2}:[0-9]{2}:[0-9]{2}"),
}
_LIKE_A_DATE = re.compile(r"(?=.*\d\D.*\d).{6,40}")
#: A date of this or the last century without separators.
EIGHT_DIGITS = re.compile(r"(19|20)\d{6}")
_NANOSECONDS = re.compile(r"(?<=\d:\d\d\.\d{6})\d{1,3}")  # beyond those that datetime holds
_TRIED = 50  # cells whose formats are tried on the others
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = 86400.0
_YEAR = 365.2425


@dataclass(frozen=True)
class DateFormat:
    """The format of a column of dates.

    Parameters
    ----------
    text : str
        As for :meth:`datetime.datetime.strptime`. Dates without a time zone are taken as UTC.

    Examples
    --------
    >>> dates = DateFormat("%Y-%m-%d")
    >>> dates.days("1970-02-01")
    31.0
    >>> dates.parts
    ('days', 'year sin', 'year cos', 'week sin', 'week cos')
    """

    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the features of a date: days since 1970, and its place in each cycle."""
        return ("days", *(f"{name} {wave}" for name, _ in self._cycles for wave in ("sin", "cos")))

    @property
    def _cycles(self) -> list[tuple[str, float]]:
        cycles = [("year", _YEAR)]
        cycles += [("week", 7.0)] if "%d" in self.text else []
        return cycles + ([("day", 1.0)] if "%M" in self.text else [])

    def days(self, cell: str) -> float:
        """Return the days from the start of 1970 to a date.

        Raises
        ------
        ValueError
            If the cell is not a date in this format.
        """
        if "%f" in self.text:
            cell = _NANOSECONDS.sub("", cell)
        date = self._iso_date(cell)
        if date is None:
            try:
                date = datetime.strptime(cell, self.text)
            except ValueError:
                if "%b" not in self.text:
                    raise
                date = datetime.strptime(cell, self.text.replace("%b", "%B"))  # month in full
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return (date - _EPOCH).total_seconds() / _SECONDS

    def _iso_date(self, cell: str) -> datetime | None:
        """Return a date in the most common form, which is read many times faster; else None."""
        form = _ISO.get(self.text)
        if form is None or form.fullmatch(cell) is None:
            return None
        try:
            return datetime.fromisoformat(cell)
        except ValueError:  # such as February 30, which the other reader words
            return None

    def features(self, days: np.ndarray) -> np.ndarray:
        """Return the features of dates.

        Parameters
        ----------
        days : ndarray, shape (n,)
            Days since 1970; NaN for missing dates.

        Returns
        -------
        ndarray, shape (n, len(parts))
        """
        columns = [days]
        for _, period in self._cycles:
            angle = 2 * np.pi * days / period
            columns += [np.sin(angle), np.cos(angle)]
        return np.column_stack(columns)


def date_format(cells: Collection[str]) -> tuple[DateFormat | None, bool]:
    """Return the format of dates, or None, and whether day and month could be exchanged.

    Where every date is valid with the month first and with the day first, the month is first.

    Parameters
    ----------
    cells : collection of str
        Distinct cells, without missing ones.

    Examples
    --------
    >>> date_format(["31/01/2020", "01/02/2020"])
    (DateFormat(text='%d/%m/%Y'), False)
    >>> date_format(["02/01/2020", "01/02/2020"])
    (DateFormat(text='%m/%d/%Y'), True)
    """
    if not cells:
        return None, False
    if all(map(EIGHT_DIGITS.fullmatch, cells)):
        form = DateFormat("%Y%m%d")
        return (form if all(_is_date(cell, form) for cell in cells) else None), False
    if not all(map(_LIKE_A_DATE.fullmatch, cells)):
        return None, False
    first = next(iter(cells))
    found = [f for f in map(DateFormat, FORMATS) if _is_date(first, f)]
    found = [f for f in found if all(_is_date(cell, f) for cell in cells)]
    exchanged = [f for f in found if f.text.startswith(("%m", "%d"))]
    return (found[0] if found else None), len(exchanged) > 1


def odd_date(cells: Collection[str]) -> tuple[int, str | None, DateFormat | None]:
    """Return how many cells are dates, the first that is not in their usual format, and that.

    Examples
    --------
    >>> odd_date(["2023-01-31", "2023-02-30", "2023-02-01"])
    (2, '2023-02-30', DateFormat(text='%Y-%m-%d'))
    """
    alike = [cell for cell in cells if _LIKE_A_DATE.fullmatch(cell)]
    tried = alike[:_TRIED]
    formats = [f for f in map(DateFormat, FORMATS) if any(_is_date(cell, f) for cell in tried)]
    fitting = {f: {cell for cell in alike if _is_date(cell, f)} for f in formats}
    if not fitting:
        return 0, None, None
    usual = max(formats, key=lambda form: len(fitting[form]))
    odd = next((cell for cell in cells if cell not in fitting[usual]), None)
    return len(set().union(*fitting.values())), odd, usual


def _is_date(cell: str, form: DateFormat) -> bool:
    try:
        form.days(cell)
    except (ValueError, OverflowError):
        return False
    return True
