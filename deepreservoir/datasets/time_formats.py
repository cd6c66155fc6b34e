"""How a column writes its times: reading them into datetime64, and writing others alike."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

# Patterns of dates for Python's strptime by their form: "Y" for four digits, "8" for eight and so
# on, "d" for one or two, "b" for the name of a month. Where a form has two, the steps decide.
_DATES: dict[str, tuple[str, ...]] = {
    "Y-d-d": ("%Y-%m-%d",),
    "Y/d/d": ("%Y/%m/%d",),
    "Y.d.d": ("%Y.%m.%d",),
    "8": ("%Y%m%d",),
    "d.d.Y": ("%d.%m.%Y",),
    "d.d.d": ("%d.%m.%y",),
    "d/d/Y": ("%d/%m/%Y", "%m/%d/%Y"),
    "d-d-Y": ("%d-%m-%Y", "%m-%d-%Y"),
    "d/d/d": ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d"),
    "d-d-d": ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    "d b Y": ("%d {b} %Y",),
    "d-b-Y": ("%d-{b}-%Y",),
    "d-b-d": ("%d-{b}-%y",),
    "b d, Y": ("{b} %d, %Y",),
    "Y-d": ("%Y-%m",),
    "Y/d": ("%Y/%m",),
    "6": ("%Y%m",),
    "YMd": ("%YM%m",),
    "d/Y": ("%m/%Y",),
    "d-Y": ("%m-%Y",),
    "b Y": ("{b} %Y",),
    "b-Y": ("{b}-%Y",),
    "b d": ("{b} %y",),
    "b-d": ("{b}-%y",),
    "Y b": ("%Y {b}",),
    "Y-b": ("%Y-{b}",),
    "Y-Wd": ("%G-W%V",),
    "YWd": ("%GW%V",),
    "YQd": ("%YQ%q",),
    "Y-Qd": ("%Y-Q%q",),
    "Y Qd": ("%Y Q%q",),
    "Qd Y": ("Q%q %Y",),
    "Qd-Y": ("Q%q-%Y",),
    "Y": ("%Y",),
}
_READ_AS = {"%d/%m": "day/month", "%m/%d": "month/day", "%d-%m": "day-month", "%m-%d": "month-day"}

_MONTH_NAMES = re.compile(
    r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(uary|ruary|ch|il|e|y|ust|tember|ober|ember)?",
    re.IGNORECASE,
)
_MOMENT = re.compile(
    r"(?P<date>.*?[\dA-Za-z])"
    r"(?:(?P<separator>T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})"
    r"(?P<fraction>\.\d+)?)?(?P<half> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
)
_QUARTER = re.compile(r"Q([1-4])(?!\d)")
# Numbers of seconds since 1970 between 1973 and 5138, and of its fractions.
_UNIX = {"s": (1e8, 1e11), "ms": (1e11, 1e14), "us": (1e14, 1e17), "ns": (1e17, 1e20)}


class TimeFormat(ABC):
    """How a column writes its times."""

    #: What a message calls the reading where dates have more than one, such as "day/month".
    reading = ""

    @abstractmethod
    def read(self, cell: str) -> datetime:
        """Return the time in a cell.

        Raises
        ------
        ValueError
            If the cell is not written in this format.
        """

    @abstractmethod
    def write(self, time: np.datetime64) -> str:
        """Return the text of a time."""

    def read_all(self, cells: Sequence[str]) -> tuple[np.ndarray, int | None]:
        """Return the times (n,), datetime64[us], and the first cell that is not one, if any."""
        times = np.empty(len(cells), "datetime64[us]")
        for i, cell in enumerate(cells):
            try:
                times[i] = np.datetime64(self.read(cell).replace(tzinfo=None), "us")
            except (ValueError, OverflowError):
                return times, i
        return times, None


@dataclass(frozen=True)
class DateFormat(TimeFormat):
    """Dates as text, with or without a time of day and an offset from UTC.

    Parameters
    ----------
    pattern : str
        Of the date, for strptime; ``%q`` is the quarter.
    example : str
        A cell, whose digits, separators and offset others are written with.
    shift : int
        Offset of the written times from those that are computed with, in seconds.

    Examples
    --------
    >>> form = DateFormat("%d.%m.%Y", "1.2.2024 9:30")
    >>> form.read("2.2.2024 9:30")
    datetime.datetime(2024, 2, 2, 9, 30)
    >>> form.write(np.datetime64("2024-02-03T09:30"))
    '3.2.2024 9:30'
    """

    pattern: str
    example: str
    shift: int = 0

    @property
    def reading(self) -> str:  # type: ignore[override]
        """Which of day and month comes first, where both orders are in use."""
        head = self.pattern[:5]
        return _READ_AS.get(head, "") if len(_DATES[_form(_date_of(self.example))]) > 1 else ""

    def read_all(self, cells: Sequence[str]) -> tuple[np.ndarray, int | None]:
        """Return the times and the first cell that is not one; years of two digits go together.

        Python reads the years 00 to 68 as 2000 to 2068, so that 1968 would come after 1969.
        """
        times, bad = super().read_all(cells)
        if "%y" in self.pattern and bad is None and len(times):
            years = times.astype("datetime64[Y]").astype(np.int64) + 1970
            earlier = np.where(years >= 2000, years - 100, years)
            if np.ptp(earlier) < np.ptp(years):
                century = np.datetime64("2000") - np.datetime64("1900")
                months = times.astype("datetime64[M]")
                moved = np.where(years >= 2000, months - century, months)
                times = moved.astype("datetime64[us]") + (times - months)
        return times, bad

    def read(self, cell: str) -> datetime:
        """Return the time in a cell, as it is on the clock there."""
        moment = _MOMENT.fullmatch(cell)
        ours = _MOMENT.fullmatch(self.example)
        if moment is None or ours is None or bool(moment["hour"]) != bool(ours["hour"]):
            raise ValueError(f"not a time in this format: {cell!r}")
        if bool(moment["zone"]) != bool(ours["zone"]):
            raise ValueError(f"with and without an offset from UTC: {cell!r}")
        return _read_date(moment["date"], self.pattern) + _time_of_day(moment)

    def write(self, time: np.datetime64) -> str:
        """Return the text of a time, written as the example is."""
        moment = (time + np.timedelta64(self.shift, "s")).astype("datetime64[us]").astype(datetime)
        ours = _MOMENT.fullmatch(self.example)
        assert ours is not None  # the format was found from it
        quarter = str((moment.month + 2) // 3)
        date = moment.strftime(self.pattern.replace("%q", quarter))
        if not _is_padded(ours["date"]):
            date = re.sub(r"(?<!\d)0(\d)", r"\1", date)
        if ours["date"].isupper():
            date = date.upper()
        if not ours["hour"]:
            return date
        hour = "%I" if ours["half"] else "%H"
        clock = moment.strftime(f"{hour}:%M" + (":%S" if ours["second"] else ""))
        if ours["fraction"]:
            clock += f".{moment.microsecond:06d}"[: len(ours["fraction"])]
        if len(ours["hour"]) == 1 and clock[0] == "0":
            clock = clock[1:]
        half = ""
        if ours["half"]:
            half = ours["half"][:-2] + moment.strftime("%p")
        return f"{date}{ours['separator']}{clock}{half}{ours['zone'] or ''}"


@dataclass(frozen=True)
class UnixFormat(TimeFormat):
    """Times as the number of seconds since 1970, or of milli-, micro- or nanoseconds.

    Parameters
    ----------
    unit : {"s", "ms", "us", "ns"}
    rest : int, default=0
        The nanoseconds beyond whole microseconds that all times have.

    Examples
    --------
    >>> UnixFormat("s").write(np.datetime64("2024-01-01"))
    '1704067200'
    """

    unit: str
    rest: int = 0

    def read(self, cell: str) -> datetime:
        """Return the time in a cell, in UTC."""
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[self.unit]
        whole, _, fraction = cell.partition(".")
        if not whole.isdecimal() or not (fraction or "0").isdecimal():
            raise ValueError(f"not a number of seconds: {cell!r}")
        microseconds = int(whole) * 10**6 // per_second
        microseconds += round(float("0." + (fraction or "0")) * 10**6 / per_second)
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)

    def write(self, time: np.datetime64) -> str:
        """Return the number of a time."""
        count = int(time.astype("datetime64[us]").astype(np.int64))
        if self.unit == "ns":
            return str(count * 1000 + self.rest)
        if self.unit == "us":
            return str(count)
        text = f"{count / {'s': 10**6, 'ms': 10**3}[self.unit]:.6f}"
        return text.rstrip("0").rstrip(".")


def date_formats(cells: Sequence[str]) -> list[DateFormat]:
    """Return the formats in which most of the cells could be dates: none, one or several."""
    sample: dict[str, str] = {}
    forms: Counter[str] = Counter()
    for cell in cells:
        form = _form(_date_of(cell))
        if form in _DATES:
            forms[form] += 1
            short = sample.get(form)
            # A cell with single digits, such as 1/2/2024, shows that they are not padded.
            if short is None or (_is_padded(_date_of(short)) and not _is_padded(_date_of(cell))):
                sample[form] = cell
    if not forms:
        return []
    form, count = forms.most_common(1)[0]
    if 2 * count < len(cells):
        return []
    name = _MONTH_NAMES.search(sample[form])
    whole = name is not None and bool(name[2])
    if name is not None and name[1].lower() == "may":  # the same in full and abbreviated
        whole = any(re.search("[a-z]{4}", cell, re.IGNORECASE) for cell in cells)
    return [
        DateFormat(pattern.replace("{b}", "%B" if whole else "%b"), sample[form])
        for pattern in _DATES[form]
    ]


def unix_format(values: np.ndarray, cells: Sequence[str] = ()) -> UnixFormat | None:
    """Return the format of numbers that are seconds since 1970, or fractions of them.

    Parameters
    ----------
    values : ndarray, shape (n,)
    cells : sequence of str, length n
        Where they were read from, if the format is to write others like them.
    """
    for unit, (low, high) in _UNIX.items():
        if len(values) and low <= values.min() and values.max() < high:
            ends = {cell.partition(".")[0][-3:] for cell in cells} if unit == "ns" else set()
            end = ends.pop() if len(ends) == 1 else ""
            return UnixFormat(unit, int(end) if end.isdecimal() else 0)
    return None


def offsets(cells: Sequence[str]) -> np.ndarray:
    """Return the offsets from UTC that are written in cells, in seconds: (n,)."""
    found = np.zeros(len(cells), np.int64)
    for i, cell in enumerate(cells):
        moment = _MOMENT.fullmatch(cell)
        written = moment["zone"] if moment else None
        zone = re.fullmatch(r" ?([+-])(\d{2}):?(\d{2})", written or "")
        if zone is not None:
            seconds = 3600 * int(zone[2]) + 60 * int(zone[3])
            found[i] = -seconds if zone[1] == "-" else seconds
    return found


def _date_of(cell: str) -> str:
    moment = _MOMENT.fullmatch(cell)
    return moment["date"] if moment else cell


def _form(date: str) -> str:
    """Return the form of a date, a key of `_DATES`."""
    date = _MONTH_NAMES.sub("b", date)
    lengths = {1: "d", 2: "d", 4: "Y", 6: "6", 8: "8"}
    return re.sub(r"\d+", lambda digits: lengths.get(len(digits[0]), "?"), date)


def _is_padded(text: str) -> bool:
    """Return whether no number in the text has a single digit."""
    return not re.search(r"(?<![\dQ])\d(?!\d)", text)


def _read_date(text: str, pattern: str) -> datetime:
    if "%q" in pattern:
        quarter = _QUARTER.search(text)
        if quarter is None:
            raise ValueError(f"not a quarter: {text!r}")
        month = f"{3 * int(quarter[1]) - 2}"
        text, pattern = text.replace(quarter[0], month), pattern.replace("Q%q", "%m")
        if "%Y%m" in pattern:
            text, pattern = f"{text[:4]}-{month}", "%Y-%m"
    if "%V" in pattern:
        text, pattern = text + " 1", pattern + " %u"  # the Monday of the week
    return datetime.strptime(text, pattern)


def _time_of_day(moment: re.Match[str]) -> timedelta:
    if not moment["hour"]:
        return timedelta()
    hour, minute, second = (int(moment[name] or 0) for name in ("hour", "minute", "second"))
    if moment["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"not an hour before or after noon: {hour}")
        hour = hour % 12 + (12 if moment["half"].strip().lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"not a time of day: {moment[0]}")
    micro = round(float("0" + moment["fraction"]) * 1e6) if moment["fraction"] else 0
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)
