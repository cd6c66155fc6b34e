"""The encoding of the columns of a table as features: what each column is, and its categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .cells import Table, is_missing
from .dates import FORMATS, DateFormat
from .notation import PLAIN, Notation

#: What to do with missing cells.
MISSING = ("error", "impute")

_MOST_VALUES = 1 << 28  # of a table of features, 2 GiB in float64


@dataclass(frozen=True)
class Column:
    """A column of a table and the features that it becomes.

    Parameters
    ----------
    name : str
    words : tuple of str, optional
        The categories of a category, in order; every category becomes one feature. A cell that is
        none of them is zero in all of these features.
    notation : Notation
        How the numbers of a numeric column are written.
    dates : DateFormat, optional
        The format of a column of dates.
    """

    name: str
    words: tuple[str, ...] | None = None
    notation: Notation = PLAIN
    dates: DateFormat | None = None

    @property
    def kind(self) -> Literal["number", "category", "date"]:
        """What the column is."""
        if self.words is not None:
            return "category"
        return "number" if self.dates is None else "date"

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        if self.words is not None:
            return [f"{self.name}={word}" for word in self.words]
        if self.dates is not None:
            return [f"{self.name} {part}" for part in self.dates.parts]
        return [self.name]

    def numbers(self, table: Table) -> np.ndarray:
        """Return a column of numbers, or the days of dates: float64, (n,), NaN if missing.

        Raises
        ------
        ValueError
            If a cell is of another kind, or not a finite number.
        """
        value_of = self.notation.number if self.dates is None else self.dates.days
        cells = table.columns[self.name]
        known = {cell: self._value(value_of, cell, table) for cell in dict.fromkeys(cells)}
        values = np.array([known[cell] for cell in cells])
        table.check_finite(self.name, values, missing=True)
        return values

    def _value(self, value_of: Callable[[str], float], cell: str, table: Table) -> float:
        if is_missing(cell):
            return np.nan
        try:
            return value_of(cell)
        except (ValueError, OverflowError):
            expected = f"a number {self.notation.words()}".strip()
            if self.dates is not None:
                expected = f"a date such as {example_date(self.dates)}"
            row = table.lines[table.columns[self.name].index(cell)]
            raise ValueError(
                f"{table.path}, row {row}, column {self.name!r}: expected {expected}, got {cell!r}"
            ) from None

    def encode(self, table: Table) -> np.ndarray:
        """Return the features of the rows of a table: float64, (n, n_features), NaN if missing."""
        if self.words is None:
            values = self.numbers(table)
            return values[:, None] if self.dates is None else self.dates.features(values)
        places = {word: i for i, word in enumerate(self.words)}
        found = np.array([places.get(cell, -1) for cell in table.columns[self.name]])
        features = np.zeros((len(found), len(places)))
        rows = np.flatnonzero(found >= 0)
        features[rows, found[rows]] = 1
        return features

    def unseen(self, table: Table) -> dict[str, int]:
        """Return the values that are none of the categories, with the number of their rows."""
        if self.words is None:
            return {}
        known = frozenset(self.words)
        cells = (c for c in table.columns[self.name] if c not in known and not is_missing(c))
        return dict(Counter(cells))

    def missing(self, table: Table) -> list[int]:
        """Return the indices of the rows in which the column has no value."""
        known = frozenset(self.words or ())  # older files have categories such as NA
        cells = table.columns[self.name]
        return [i for i, c in enumerate(cells) if is_missing(c) and c not in known]


def example_date(dates: DateFormat) -> str:
    """Return a date in a format, for a message."""
    from datetime import datetime

    return datetime(2026, 1, 31, 12, 30).strftime(dates.text.replace("%z", "Z"))


@dataclass(frozen=True)
class Columns:
    """The columns of a table, encoded as features of a model.

    Parameters
    ----------
    target : str
        Name of the target column.
    features : tuple of Column
    missing : {"error", "impute"}, default="error"
        What to do with missing cells: refuse them, or take the mean of the training rows for
        numbers and dates, and none of the categories for a category.
    means : tuple of float, optional
        Mean of each feature over the training rows.
    names : tuple of str, optional
        The names of all columns of a table without a header, in their order.

    Examples
    --------
    >>> columns = Columns("price", (Column("size"), Column("kind", ("flat", "house"))))
    >>> columns.feature_names
    ['size', 'kind=flat', 'kind=house']
    """

    target: str
    features: tuple[Column, ...]
    missing: str = "error"
    means: tuple[float, ...] | None = field(default=None, repr=False)
    names: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        return [name for column in self.features for name in column.feature_names]

    def encode(self, table: Table) -> np.ndarray:
        """Return the features of the rows of a table: float64, (n, n_features), NaN if missing.

        Raises
        ------
        ValueError
            If a column is missing, a cell is not of the kind of its column, or a cell is missing
            and `missing` is ``"error"``.
        """
        for column in self.features:
            table.check_column(column.name, ", which the model needs")
        if self.missing == "error":
            self.check_missing(table)
        self._check_size(len(table.lines))
        return np.hstack([column.encode(table) for column in self.features])

    def check_missing(self, table: Table) -> None:
        """Raise a ValueError if a cell is missing."""
        gaps = {column.name: rows for column in self.features if (rows := column.missing(table))}
        if not gaps:
            return
        name, rows = next(iter(gaps.items()))
        total = sum(map(len, gaps.values()))
        more = ""
        if total > 1:
            where = "this column" if len(gaps) == 1 else f"{len(gaps)} columns"
            more = f"; {total:,} cells of {where} are missing"
        raise ValueError(
            f"{missing_cell(table, name, rows[0])}{more}. Fill them in, or use the mean of the "
            "training rows: --missing impute (missing='impute', in Python)"
        )

    def _check_size(self, n: int) -> None:
        width = len(self.feature_names)
        if n * width > _MOST_VALUES:
            widest = max(self.features, key=lambda column: len(column.words or ()))
            raise ValueError(
                f"the columns would become {width:,} features of {n:,} rows, more than "
                f"{_MOST_VALUES:,} values; column {widest.name!r} has "
                f"{len(widest.words or ()):,} categories: leave it out with --drop (drop, in "
                "Python)"
            )

    def with_means(self, X: np.ndarray) -> Columns:
        """Return a copy with the means of training rows `X`, of shape (n, n_features)."""
        known = ~np.isnan(X)
        means = np.where(known, X, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return replace(self, means=tuple(means.tolist()))

    def filled(self, X: np.ndarray) -> np.ndarray:
        """Return the rows with the means in place of missing values."""
        if self.means is None:
            return X
        return np.where(np.isnan(X), np.array(self.means), X)

    def to_dict(self) -> dict[str, Any]:
        """Return a description that can be written as JSON."""
        words = [[c.name, None if c.words is None else list(c.words)] for c in self.features]
        kinds: dict[str, dict[str, str]] = {}
        for column in self.features:
            if column.dates is not None:
                kinds[column.name] = {"date": column.dates.text}
            elif column.words is None and not column.notation.plain:
                kinds[column.name] = dict(_differences(column.notation))
        reading: dict[str, Any] = {"missing": self.missing}
        reading |= {"kinds": kinds} if kinds else {}
        reading |= {"means": list(self.means)} if self.means is not None else {}
        reading |= {"names": list(self.names)} if self.names is not None else {}
        return {"target": self.target, "columns": words, "reading": reading}

    @classmethod
    def from_dict(cls, data: Any, path: Path) -> Columns:
        """Return the columns described by the result of :meth:`to_dict`.

        Files that were written before `data` had the entry ``"reading"`` have numbers and
        categories only.

        Raises
        ------
        ValueError
            If `data`, which was read from `path`, is not such a description.
        """
        try:
            return cls._from_dict(data)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError(
                f"{path}: the description of the table's columns is malformed"
            ) from None

    @classmethod
    def _from_dict(cls, data: Any) -> Columns:
        target = _text(data["target"])
        reading = data.get("reading", {})
        known = {"missing", "kinds", "means", "names"}
        if set(data) - {"target", "columns", "reading"} or set(reading) - known:
            raise ValueError
        kinds = reading.get("kinds", {})
        columns = tuple(_column(name, words, kinds) for name, words in _list(data["columns"]))
        if not columns or set(kinds) - {column.name for column in columns}:
            raise ValueError
        missing = reading.get("missing", "error")
        if missing not in MISSING:
            raise ValueError
        means, names = reading.get("means"), reading.get("names")
        made = cls(target, columns, missing)
        if means is not None:
            means = tuple(float(mean) for mean in _list(means) if type(mean) in (int, float))
            if len(means) != len(made.feature_names):
                raise ValueError
        if names is not None:
            names = tuple(map(_text, _list(names)))
        return replace(made, means=means, names=names)


def missing_cell(table: Table, name: str, row: int) -> str:
    """Return the place of a missing cell, and what it contains."""
    cell = table.columns[name][row]
    content = f"{cell!r} stands for a missing value" if cell else "the cell is empty"
    return f"{table.path}, row {table.lines[row]}, column {name!r}: {content}"


def _differences(notation: Notation) -> Iterable[tuple[str, str]]:
    """Yield the fields of a notation that are not those of plain numbers."""
    for name in ("thousands", "decimal", "unit"):
        if getattr(notation, name) != getattr(PLAIN, name):
            yield name, getattr(notation, name)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError
    return value


def _column(name: Any, words: Any, kinds: dict[str, Any]) -> Column:
    name, kind = _text(name), kinds.get(name, {})
    if words is not None:
        return Column(name, tuple(map(_text, _list(words))))
    if "date" in kind:
        if kind["date"] not in FORMATS:
            raise ValueError
        return Column(name, dates=DateFormat(kind["date"]))
    if kind.get("thousands", "") not in ("", ",", ".", " ", "'") or len(kind.get("unit", "")) > 1:
        raise ValueError
    if kind.get("decimal", ".") not in (".", ","):
        raise ValueError
    return Column(name, notation=Notation(**kind))
