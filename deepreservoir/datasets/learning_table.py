"""A user's table as a learning task: which columns are features, and what the target is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..printable import printable
from .base import Dataset, check_rows, split_dataset
from .cells import Table, check_names, is_missing, one_spelling
from .column_kinds import (
    Taken,
    odd_cell,
    place_of,
    summary_lines,
    taken_for,
    warning_of_notation,
    with_unit,
    word_among_numbers,
)
from .columns import MISSING, Column, Columns, missing_cell
from .dates import date_format
from .notation import Notation, is_code, notation_in, notation_of
from .text_file import stem_of

TASKS = ("classification", "regression")

# A target of whole numbers with at most this many distinct values is treated as class labels.
_MAX_CLASSES = 20


@dataclass(frozen=True)
class TableOptions:
    """How a table is read.

    The fields are the parameters of :func:`deepreservoir.datasets.read_table` of the same names.

    Parameters
    ----------
    columns : sequence of str, optional
        Names of the columns to learn from. By default all but the target.
    drop : sequence of str, default=()
        Names of columns to leave out.
    task : {"classification", "regression"}, optional
        By default it follows from the target.
    missing : {"error", "impute"}, default="error"
        What to do with missing cells.
    header : bool, default=True
        Whether the first row has the names of the columns.
    delimiter : str, default=","
        The character between cells, or ``"tab"``.
    encoding : str, optional
        A codec of Python. By default UTF-8.

    Examples
    --------
    >>> options = TableOptions(drop=["id"], missing="impute", delimiter=";")
    >>> options.check()  # raises a ValueError for an unknown value
    """

    columns: Sequence[str] | None = None
    drop: Sequence[str] = ()
    task: str | None = None
    missing: str = "error"
    header: bool = True
    delimiter: str = ","
    encoding: str | None = None

    def check(self) -> None:
        """Raise a ValueError if an option has an unknown value."""
        if self.task not in (*TASKS, None):
            raise ValueError(f"task must be one of {TASKS} or None; got {self.task!r}")
        if self.missing not in MISSING:
            raise ValueError(f"missing must be one of {MISSING}; got {self.missing!r}")
        check_names(self.columns, self.drop)

    def open(self, path: Path) -> Table:
        """Return the cells of a file."""
        return Table(
            path,
            header=self.header,
            delimiter=self.delimiter,
            encoding=self.encoding,
        )


@dataclass(frozen=True)
class LearningTable:
    """A table as a learning task.

    Attributes
    ----------
    data : Dataset
        The rows, split but not scaled: float64, without missing values.
    columns : Columns
        The encoding of the features.
    taken : tuple of Taken
        What each column is taken for, the target first.
    warnings : tuple of str
    """

    data: Dataset
    columns: Columns
    taken: tuple[Taken, ...]
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return a summary of the columns, one line each."""
        return summary_lines(self.taken)


def learning_table(path: str | Path, target: str, options: TableOptions) -> LearningTable:
    """Read a table as a learning task; see :func:`read_table` for the options.

    Raises
    ------
    ValueError
        If the file is not such a table, or a column does not exist. The message says where.
    """
    options.check()
    path = Path(path)
    table = options.open(path)
    names, chosen = _feature_names(table, target, options)
    notes = _remove_rows_without_target(table, target, options)
    check_rows(stem_of(path), len(table.lines))
    y, task, words = _target(table, target, options)
    taken = [taken_for(table, name, chosen) for name in names]
    features = tuple(t.column for t in taken if t.column is not None)
    if not features:
        reasons = "; ".join(f"{t.name!r} is {t.words}" for t in taken[:5])
        raise ValueError(
            f"{path} has no column to predict {target!r} from: {reasons}. Name columns to use: "
            "--columns (columns, in Python)"
        )
    all_names = None if options.header else tuple(table.columns)
    columns = Columns(target, features, options.missing, names=all_names)
    split = split_dataset(stem_of(path), columns.encode(table), y, task)
    columns = columns.with_means(split.X_train)
    data = replace(
        split, X_train=columns.filled(split.X_train), X_test=columns.filled(split.X_test)
    )
    notes += _note_on_target(table, target) if task == "regression" else []
    notes += [t.warning for t in taken if t.warning is not None]
    on_header = table.note_on_header()
    notes += [] if on_header is None else [on_header]
    return LearningTable(data, columns, (Taken(target, words), *taken), tuple(notes))


def _feature_names(table: Table, target: str, options: TableOptions) -> tuple[list[str], bool]:
    """Return the names of the columns to learn from, and whether they were chosen by name."""
    table.check_column(target)
    for name in (*(options.columns or ()), *options.drop):
        table.check_column(name)
    if target in options.drop or target in (options.columns or ()):
        raise ValueError(
            f"column {target!r} is the target; it cannot be among the columns to learn from, nor "
            "be left out"
        )
    chosen = options.columns is not None
    names = list(table.columns if options.columns is None else options.columns)
    names = [name for name in names if name != target and name not in options.drop]
    if not names:
        raise ValueError(
            f"{table.path} needs another column besides the target {target!r}; it has none"
            + (" that is not left out" if options.drop else "")
        )
    return names, chosen


def _remove_rows_without_target(table: Table, target: str, options: TableOptions) -> list[str]:
    """Remove rows without a target from the table; return a note, if there are any."""
    cells = table.columns[target]
    gaps = [i for i, cell in enumerate(cells) if is_missing(cell)]
    if not gaps:
        return []
    if options.missing == "error":
        raise ValueError(
            f"{missing_cell(table, target, gaps[0])}, and the target cannot be missing. Fill it "
            "in, or leave out rows without a target: --missing impute (missing='impute', in Python)"
        )
    kept = [i for i, cell in enumerate(cells) if not is_missing(cell)]
    if not kept:
        raise ValueError(f"{table.path}: the target {target!r} has no values")
    table.lines[:] = [table.lines[i] for i in kept]
    for column in table.columns.values():
        column[:] = [column[i] for i in kept]
    rows = "1 row has" if len(gaps) == 1 else f"{len(gaps):,} rows have"
    left_out = "is" if len(gaps) == 1 else "are"
    return [f"{rows} no value of the target {target!r} and {left_out} left out"]


def _note_on_target(table: Table, target: str) -> list[str]:
    """Return a note if the numbers of the target could be meant in another notation."""
    cells = dict.fromkeys(table.columns[target])
    notation = notation_in(table, cells)
    warning = None if notation is None else warning_of_notation(table, target, cells, notation)
    return [] if warning is None else [warning]


def _target(
    table: Table, name: str, options: TableOptions
) -> tuple[np.ndarray, Literal["classification", "regression"], str]:
    """Return the target, labels as written in the file or numbers; the task, and a description."""
    cells = table.columns[name]
    values = dict.fromkeys(cells)
    notation = None if is_code(values) else notation_in(table, values)
    few = notation is not None and _are_classes(list(values), notation)
    if options.task is None and notation is None:
        _check_words(table, name, values)
    if options.task == "classification" or (options.task is None and (notation is None or few)):
        if notation is not None:
            cells = one_spelling(cells, [notation.exact(cell) for cell in cells])
            values = dict.fromkeys(cells)
        words = f"target: {len(values):,} classes: {_some(values)}"
        if few and options.task is None:
            words += "; to predict numbers instead: --task regression"
        _check_classes(table, name, values, notation is not None)
        return np.array(cells), "classification", words
    if notation is None:
        odd = next(cell for cell in values if notation_of([cell]) is None or is_code(values))
        row = table.lines[cells.index(odd)]
        raise ValueError(
            f"{table.path}, row {row}, column {name!r}: a regression needs numbers as its target; "
            f"got {odd!r}"
        )
    numbers = Column(name, notation=notation).numbers(table)
    if len(values) == 1:
        raise ValueError(
            f"{table.path}: the target {name!r} is {cells[0]} in every row; there is nothing to "
            "predict"
        )
    also = f" {notation.words()}" if notation.words() else ""
    words = f"target: number{also}, {numbers.min():,.6g} to {numbers.max():,.6g}"
    return numbers, "regression", words


def _check_words(table: Table, name: str, values: dict[str, None]) -> None:
    """Raise a ValueError if a target that is not of numbers does not seem to be of classes."""
    odd = None if is_code(values) else odd_cell(values)
    as_classes = "if the values are classes: --task classification (task, in Python)"
    if odd is not None:
        raise ValueError(
            f"{place_of(table, name, odd[0])}: expected {odd[1]} as the target, as in other rows; "
            f"got {odd[0]!r}. Correct the cell or leave it empty; {as_classes}"
        )
    unit = with_unit(values)
    if unit is not None:
        raise ValueError(
            f"{table.path}: the cells of the target {name!r}, such as {unit!r}, seem to be numbers "
            f"and their unit; remove the unit for a regression; {as_classes}"
        )
    if date_format(values)[0] is not None:
        raise ValueError(
            f"{table.path}: the target {name!r} is a column of dates. Write numbers, such as days, "
            f"in their place; to predict the next rows of a series, use deepreservoir forecast; "
            f"{as_classes}"
        )


def _are_classes(values: list[str], notation: Notation) -> bool:
    """Return whether numbers are few whole ones, and so class labels."""
    if len(values) > 2 * _MAX_CLASSES:  # 1 and 1.0 are two cells and one number
        return False
    numbers = {notation.exact(value) for value in values}
    finite = all(abs(float(number)) < 1e300 for number in numbers)
    return finite and all(n == round(n) for n in numbers) and len(numbers) <= _MAX_CLASSES


def _check_classes(table: Table, name: str, values: dict[str, None], numeric: bool) -> None:
    """Raise a ValueError if there is one class, or if most classes have a single row."""
    if len(values) == 1:
        raise ValueError(
            f"{table.path}: the target {name!r} is {next(iter(values))!r} in every row; a "
            "classification needs at least 2 classes"
        )
    if len(values) > 0.5 * len(table.lines) and len(values) > 2:
        remedy = " For a target of numbers: --task regression (task, in Python)" if numeric else ""
        word = None if numeric else word_among_numbers(values)
        if word is not None:
            remedy = (
                f" Most are numbers, but not {word!r} in row "
                f"{table.lines[table.columns[name].index(word)]}: correct the cell or leave it "
                "empty for a regression"
            )
        raise ValueError(
            f"{table.path}: the target {name!r} has {len(values):,} different values in "
            f"{len(table.lines):,} rows, too many for classes, of which every one needs several "
            f"rows.{remedy}"
        )


def _some(values: dict[str, None]) -> str:
    return ", ".join(map(printable, sorted(values)[:6])) + (", ..." if len(values) > 6 else "")
