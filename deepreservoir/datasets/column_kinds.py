"""What the columns of a table are taken for: numbers, categories, dates, or none of these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..printable import printable
from .cells import EXACT, Table, is_missing
from .columns import Column, example_date
from .dates import date_format, odd_date
from .notation import Notation, ambiguous, is_code, notation_in, odd_ones

#: A category with more values than this is reported with a warning.
MANY_VALUES = 50

_SHOWN = 6  # categories that a summary lists
_FEW_NUMBERS = 20  # a column of words may have so many numbers among them
_MOSTLY = 0.9  # share of cells, or of different values
_NUMBER_AND_UNIT = re.compile(r"[+-]?\d[\d.,]* ?(?P<unit>[^\W\d_]{1,5}|%|°[CF]?)")
_ID_NAME = re.compile(
    r"(?i:id|uuid|guid|index|row|row ?names?|row[ _]?(nr|no|number)|unnamed: \d+|)"
    r"|(?i:.*[ _.-](id|uuid|guid))|.*[a-z]I[dD]"
)


@dataclass(frozen=True)
class Taken:
    """What a column is taken for.

    Attributes
    ----------
    name : str
    words : str
        A description, such as ``"number, 20 to 199"``.
    column : Column or None
        None for a column that is left out.
    warning : str or None
    """

    name: str
    words: str
    column: Column | None = None
    warning: str | None = None


def taken_for(table: Table, name: str, chosen: bool = False) -> Taken:
    """Return what a column of a table is taken for.

    Parameters
    ----------
    table : Table
    name : str
    chosen : bool, default=False
        Whether the column was chosen by its name. It is then left out only if it has the same
        value in every row.

    Raises
    ------
    ValueError
        If almost all cells are numbers or dates, but not all: the message names the first that is
        not.
    """
    counts = Counter(table.columns[name])
    values = {cell: n for cell, n in counts.items() if not is_missing(cell)}
    present, total = sum(values.values()), len(table.lines)
    if not values:
        return Taken(name, "left out: it has no values")
    gaps = f", {total - present:,} of {total:,} missing" if present < total else ""
    if len(values) == 1 and not gaps:
        return Taken(name, f"left out: the same value in every row, {_shown(values)}")
    if 2 * present < total and not chosen:
        return Taken(name, f"left out: mostly missing, {total - present:,} of {total:,} cells")
    if len(values) == 1:  # a mark: what counts is whether it is there
        column = Column(name, tuple(values))
        return Taken(name, f"category of 1 value: {_shown(values)}{gaps}", column)
    kind = _dates(name, values) or _numbers(table, name, values, present, chosen)
    kind = kind or _categories(table, name, values, present, chosen)
    return Taken(name, kind.words + gaps * (kind.column is not None), kind.column, kind.warning)


def _numbers(
    table: Table, name: str, values: dict[str, int], present: int, chosen: bool
) -> Taken | None:
    notation = None if is_code(values) else notation_in(table, values)
    if notation is None:
        return None
    column = Column(name, notation=notation)
    numbers = column.numbers(table)
    numbers = numbers[~np.isnan(numbers)]
    if (np.abs(numbers) >= EXACT).any() and _are_long_codes(values, notation):
        return None
    whole = bool((numbers == np.round(numbers)).all())
    if whole and present == len(values) and _ID_NAME.fullmatch(name) and not chosen:
        return Taken(name, "left out: an identifier, different in every row")
    also = f" {notation.words()}" if notation.words() else ""
    warning = warning_of_notation(table, name, values, notation)
    words = f"number{also}, {_figure(numbers.min())} to {_figure(numbers.max())}"
    return Taken(name, words, column, warning)


def _are_long_codes(values: Collection[str], notation: Notation) -> bool:
    """Return whether different whole numbers are the same number in float64."""
    numbers = {notation.exact(value) for value in values}
    whole = {number for number in numbers if number == round(number)}
    return len(set(map(float, whole))) < len(whole)


def warning_of_notation(
    table: Table, name: str, values: Collection[str], notation: Notation
) -> str | None:
    """Return a warning if the numbers of a column could be meant in another notation."""
    unclear = ambiguous(values, notation, table.delimiter == ";")
    if unclear is None:
        return None
    if notation.plain:
        return (
            f"column {name!r}: numbers such as {unclear} are read as fractions; write them without "
            "points if these are between thousands"
        )
    return (
        f"column {name!r}: numbers such as {unclear} are read with "
        f"{'commas' if notation.thousands == ',' else 'points'} between thousands; write them "
        "without, or with a decimal point, if a fraction is meant"
    )


def _dates(name: str, values: Collection[str]) -> Taken | None:
    found, exchangeable = date_format(values)
    if found is None:
        return None
    warning = None
    if exchangeable:
        first = next(iter(values))
        warning = (
            f"column {name!r}: dates such as {first} are read with the "
            f"{'month' if found.text.startswith('%m') else 'day'} first; write them as "
            "2026-01-31 if the other order is meant"
        )
    days = {value: found.days(value) for value in values}
    ends = min(days, key=days.__getitem__), max(days, key=days.__getitem__)
    words = f"date, {ends[0]} to {ends[1]}, {len(found.parts)} features"
    return Taken(name, words, Column(name, dates=found), warning)


def _categories(
    table: Table, name: str, values: dict[str, int], present: int, chosen: bool
) -> Taken:
    odd = odd_cell(values)
    if odd is not None:
        raise ValueError(
            f"{place_of(table, name, odd[0])}: expected {odd[1]}, as in other rows; got "
            f"{odd[0]!r}. Correct the cell, or leave the column out: --drop {name!r} (drop, in "
            "Python)"
        )
    warning = warning_of_unit(name, values)
    word = word_among_numbers(values)
    if word is not None:
        warning = (
            f"{place_of(table, name, word)}: {word!r} is not a number, although most cells are, so "
            "the column is not read as numbers. If it is to be, correct the cell or leave it "
            f"empty; to leave the column out: --drop {name!r} (drop, in Python)"
        )
    if len(values) >= _MOSTLY * present and not chosen:
        many = "in every row" if len(values) == present else "in nearly every row"
        words = f"left out: an identifier or free text, different {many}"
        return Taken(name, words, warning=warning)
    column = Column(name, tuple(sorted(values)))
    code = "codes with leading zeros" if is_code(values) else "values"
    words = f"category of {len(values):,} {code}: {_shown(values)}"
    if len(values) > MANY_VALUES and warning is None:
        warning = (
            f"column {name!r} is taken for a category of {len(values):,} {code}, each of which "
            "becomes a feature; if it is an identifier or free text, leave it out: --drop "
            f"{name!r} (drop, in Python)"
        )
    return Taken(name, words, column, warning)


def odd_cell(values: Collection[str]) -> tuple[str, str] | None:
    """Return the first cell that is not of the kind of nearly all others, and that kind.

    Parameters
    ----------
    values : collection of str
        Distinct cells, without missing ones.
    """
    enough = max(_FEW_NUMBERS + 1, _MOSTLY * len(values))
    numbers, odd = odd_ones(values)
    if odd is not None and numbers >= enough:
        return odd, "a number"
    dates, odd, form = odd_date(values)
    if odd is not None and form is not None and dates >= enough:
        return odd, f"a date such as {example_date(form)}"
    return None


def word_among_numbers(values: Collection[str]) -> str | None:
    """Return the first cell that is not a number, if more than half of the cells are.

    Parameters
    ----------
    values : collection of str
        Distinct cells, without missing ones.

    Examples
    --------
    >>> word_among_numbers(["1.5", "<1", "2"]), word_among_numbers(["1.5", "<1"])
    ('<1', None)
    """
    numbers, odd = odd_ones(values)
    return odd if 2 * numbers > len(values) else None


def place_of(table: Table, name: str, cell: str) -> str:
    """Return where a cell of a column first occurs, for a message."""
    row = table.lines[table.columns[name].index(cell)]
    return f"{table.path}, row {row}, column {name!r}"


def with_unit(values: Collection[str]) -> str | None:
    """Return a cell of a column of numbers that end in one unit, such as ``5.0 km``."""
    found = [match for match in map(_NUMBER_AND_UNIT.fullmatch, values) if match]
    units = {match["unit"] for match in found}
    if len(found) < _MOSTLY * len(values) or len(values) < _FEW_NUMBERS or len(units) != 1:
        return None
    return found[0][0]


def warning_of_unit(name: str, values: Collection[str]) -> str | None:
    """Return a warning if the cells of a column seem to be numbers and their unit."""
    example = with_unit(values)
    if example is None:
        return None
    return (
        f"column {name!r}: cells such as {example!r} seem to be a number and its unit; remove the "
        "unit for them to be read as numbers"
    )


def _shown(values: Collection[str]) -> str:
    words = [printable(value) for value in sorted(values)[:_SHOWN]]
    words = [w if len(w) <= 20 else w[:19] + "…" for w in words]
    return ", ".join(words) + (", ..." if len(values) > _SHOWN else "")


def _figure(number: float) -> str:
    """Return a number with at most six digits, and with commas between thousands."""
    if number.is_integer() and abs(number) < 1e15:
        return f"{number:,.0f}"
    return f"{number:,.6g}"


def summary_lines(taken: Sequence[Taken]) -> list[str]:
    """Return a table of the columns and what each is taken for, one line each.

    In a wide table, numbers without a remark share one line.
    """
    rows = [(printable(t.name) or "(unnamed)", t.words) for t in taken]
    if len(rows) > 20:
        plain = [t for t in taken if t.words.startswith("number, ") and "missing" not in t.words]
        if len(plain) > 5:
            rows = [row for row, t in zip(rows, taken, strict=True) if t not in plain]
            rows.append((f"{len(plain)} others", f"numbers: {_few([t.name for t in plain])}"))
    width = max(len(name) for name, _ in rows)
    return [f"{name:{width}}  {words}" for name, words in rows]


def _few(names: Sequence[str]) -> str:
    names = [printable(name) for name in names]
    if len(names) <= 8:
        return ", ".join(names)
    return f"{', '.join(names[:4])}, ..., {names[-1]}"
