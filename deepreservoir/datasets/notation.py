"""How the numbers of a column are written: thousands separators, decimal commas, percent signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from .cells import Table, exact_number, is_number, number_of

_THOUSANDS = (",", ".", " ", "'")
_SPACES = dict.fromkeys(map(ord, "\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}"), " ")
_SIGNS = {ord("\N{MINUS SIGN}"): "-", ord("\N{RIGHT SINGLE QUOTATION MARK}"): "'"}
_PADDED = re.compile(r"[+-]?0\d+")
_SEPARABLE = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}(?:\.\d{3})*")
_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Notation:
    """How numbers are written.

    Parameters
    ----------
    thousands : str, default=""
        The separator of groups of three digits: a comma, a point, a space or an apostrophe.
    decimal : str, default="."
        A point or a comma.
    unit : str, default=""
        A percent sign or a currency symbol, which every number has. The number is that before the
        sign: 5 for ``5%``.

    Examples
    --------
    >>> Notation(thousands=",", unit="$").number("-$2,917,883.50")
    -2917883.5
    """

    thousands: str = ""
    decimal: str = "."
    unit: str = ""

    @property
    def plain(self) -> bool:
        """Whether numbers are written as in Python."""
        return self == PLAIN

    @cached_property
    def _groups(self) -> re.Pattern[str]:
        # A number with a zero before the separator, 0,313, is a fraction.
        separated = rf"[1-9]\d{{0,2}}(?:{re.escape(self.thousands)}\d{{3}})+"
        groups = separated if self.thousands else r"\d+"
        return re.compile(rf"[+-]?(?:{groups}|\d+)(?:{re.escape(self.decimal)}\d*)?")

    def number(self, cell: str) -> float:
        """Return the number that a cell contains.

        Raises
        ------
        ValueError
            If it is not a number in this notation.
        """
        return number_of(self._as_in_python(cell))

    def exact(self, cell: str) -> float | Decimal:
        """Return the number that a cell contains, without rounding of large ones.

        Raises
        ------
        ValueError
            If it is not a number in this notation.
        """
        return exact_number(self._as_in_python(cell))

    def _as_in_python(self, cell: str) -> str:
        text = cell if cell.isascii() else cell.translate(_SPACES | _SIGNS)
        if self.plain:
            return text
        if self.unit:
            text = _without(text, self.unit)
        if self.thousands or self.decimal != ".":
            if not self._groups.fullmatch(text):
                raise ValueError(f"expected a number {self.words()}; got {cell!r}")
            text = text.replace(self.thousands, "").replace(self.decimal, ".")
        return text

    def words(self) -> str:
        """Return a description of what is unusual, or nothing.

        Examples
        --------
        >>> Notation(thousands=".", decimal=",").words()
        'with points between thousands and a decimal comma'
        """
        names = {",": "commas", ".": "points", " ": "spaces", "'": "apostrophes"}
        parts = [f"{names[self.thousands]} between thousands"] if self.thousands else []
        parts += ["a decimal comma"] if self.decimal == "," else []
        parts += [f"the sign {self.unit}"] if self.unit else []
        return f"with {' and '.join(parts)}" if parts else ""


#: Numbers as Python writes them.
PLAIN = Notation()


def _without(text: str, unit: str) -> str:
    sign, rest = ("", text) if text[:1] not in ("+", "-") else (text[0], text[1:])
    before = rest.startswith(unit)
    if before == rest.endswith(unit):  # neither, or both
        raise ValueError(f"expected a number with the sign {unit}; got {text!r}")
    rest = (rest.removeprefix(unit) if before else rest.removesuffix(unit)).strip()
    if sign and rest[:1] in ("+", "-"):
        raise ValueError(f"expected a number with one sign; got {text!r}")
    return sign + rest


def notation_of(
    cells: Collection[str], comma: bool = False, point: bool = False
) -> Notation | None:
    """Return the notation in which all cells are numbers, or None.

    Parameters
    ----------
    cells : collection of str
        Distinct cells, without missing ones.
    comma : bool, default=False
        Whether a comma before three digits is a decimal comma rather than one between thousands,
        as it is in files with semicolons. Points are then between thousands where all of them are
        before three digits, and some numbers below a thousand have none.
    point : bool, default=False
        Whether points before three digits are between thousands, as they are where other columns
        have decimal commas.

    Examples
    --------
    >>> notation_of(["1,250", "980"])
    Notation(thousands=',', decimal='.', unit='')
    >>> notation_of(["1,25", "980"])
    Notation(thousands='', decimal=',', unit='')
    >>> notation_of(["12%", "12"]) is None
    True
    >>> notation_of(["1.250", "980"]).plain, notation_of(["1.250", "980"], comma=True).plain
    (True, False)
    """
    unit = _unit_of(cells)
    pairs = [("", "."), (",", "."), ("", ","), (".", ","), (" ", "."), (" ", ","), ("'", ".")]
    if comma:
        pairs[1:3] = [("", ","), (",", ".")]
    separable = sum(_separable(cell, unit) for cell in cells)
    # Fractions that all have three digits all have a point.
    if separable and (point or (comma and separable < len(cells))):
        pairs.insert(0, (".", ","))
    for thousands, decimal in pairs:
        notation = Notation(thousands, decimal, unit)
        if all(_fits(notation, cell) for cell in cells):
            return notation
    return None


def notation_in(table: Table, cells: Collection[str]) -> Notation | None:
    """Return the notation of the distinct cells of a column, by what its table tells of it."""
    point = table.delimiter != "," and table.has_decimal_commas
    return notation_of(cells, table.delimiter == ";", point)


def ambiguous(cells: Collection[str], notation: Notation, comma: bool = False) -> str | None:
    """Return a cell whose thousands separator could be a decimal one, or the reverse.

    A cell without the comma decides, since fractions that all have three digits all have one.
    Points are decided by a cell with two of them or with a decimal comma.

    Parameters
    ----------
    cells : collection of str
    notation : Notation
        From :func:`notation_of`.
    comma : bool, default=False
        As there.

    Examples
    --------
    >>> ambiguous(["1,313", "980"], notation_of(["1,313", "980"])) is None
    True
    >>> ambiguous(["1,313", "2,250"], notation_of(["1,313", "2,250"]))
    '1,313'
    """
    separable = [cell for cell in cells if _separable(cell, notation.unit)]
    if comma and not notation.thousands and notation.decimal == ".":
        return separable[0] if separable and len(separable) == len(cells) else None
    if notation.thousands == ".":
        decided = any("," in cell or cell.count(".") > 1 for cell in cells)
        return None if decided else separable[0]
    if notation.thousands != "," or notation.unit not in ("", "%"):
        return None
    alike = all(c.count(notation.thousands) == 1 and notation.decimal not in c for c in cells)
    return next(iter(cells)) if alike else None


def _separable(cell: str, unit: str) -> bool:
    """Return whether points of a number could be between thousands."""
    try:
        text = _without(cell, unit) if unit else cell
    except ValueError:
        return False
    return _SEPARABLE.fullmatch(text) is not None


def _fits(notation: Notation, cell: str) -> bool:
    try:
        notation.number(cell)
    except ValueError:
        return False
    return True


def _unit_of(cells: Iterable[str]) -> str:
    """Return the percent sign or the currency symbol of the first cell, or nothing."""
    cell = next(iter(cells), "").lstrip("+-\N{MINUS SIGN}")
    for character in (cell[:1], cell[-1:]):
        if character == "%" or (character and unicodedata.category(character) == "Sc"):
            return character
    return ""


def is_code(cells: Collection[str]) -> bool:
    """Return whether cells are codes of digits, such as ``007``, rather than numbers.

    Examples
    --------
    >>> is_code(["007", "12"]), is_code(["0.7", "12"]), is_code(["0", "12"])
    (True, False, False)
    """
    padded = any(map(_PADDED.fullmatch, cells))
    return padded and all(map(_WHOLE.fullmatch, cells))


def odd_ones(cells: Iterable[str]) -> tuple[int, str | None]:
    """Return how many cells are numbers in any notation, and the first cell that is not."""
    numbers, odd = 0, None
    for cell in cells:
        if is_number(cell) or notation_of([cell]) is not None:
            numbers += 1
        elif odd is None:
            odd = cell
    return numbers, odd
