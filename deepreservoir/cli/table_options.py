"""The options with which all commands read a table, and the data set that they name."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import click

from ..datasets import DATASETS, Dataset, load_dataset
from ..datasets.column_kinds import Taken
from ..datasets.columns import MISSING
from ..datasets.learning_table import TASKS, LearningTable, TableOptions, learning_table
from ..datasets.table import scaled
from ..user_warnings import warn_user


class Names(click.ParamType):
    """Comma-separated names of columns; a name that contains a comma is quoted."""

    name = "column,column,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        rows = list(csv.reader(StringIO(str(value), newline=""), skipinitialspace=True))
        if len(rows) != 1 or not rows[0]:
            self.fail(
                "expected names such as a,b, in quotes if they have a comma or a line break; got "
                f"{value!r}",
                param,
                ctx,
            )
        return tuple(name.strip() for name in rows[0])


_FORMAT = (
    click.option("--delimiter", metavar="CHARACTER", default=",", show_default=True,
                 help="Character between cells, or tab."),
    click.option("--encoding", metavar="CODEC", help="Encoding of the file.  [default: utf-8]"),
)  # fmt: skip

_READING = (
    click.option("--columns", type=Names(), help="Columns to learn from.  [default: all others]"),
    click.option("--drop", type=Names(), default=(), help="Columns to leave out."),
    click.option(
        "--task",
        type=click.Choice(TASKS),
        help="What to predict.  [default: classes if the target is text or has at most 20 "
        "distinct whole numbers]",
    ),
    click.option(
        "--missing",
        type=click.Choice(MISSING),
        default="error",
        show_default=True,
        help="Missing cells: refuse them, or take the mean.",
    ),
    click.option(
        "--no-header",
        is_flag=True,
        help="The first row is data; columns are called 1, 2 and so on.",
    ),
    *_FORMAT,
)


def format_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe the format of a CSV file."""
    for option in reversed(_FORMAT):
        command = option(command)
    return command


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that a table is read with; the command gets them as `options`."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        columns: tuple[str, ...] | None,
        drop: tuple[str, ...],
        task: str | None,
        missing: str,
        no_header: bool,
        delimiter: str,
        encoding: str | None,
        **others: Any,
    ) -> Any:
        options = TableOptions(columns, drop, task, missing, not no_header, delimiter, encoding)
        return command(*args, options=options, **others)

    result: Callable[..., Any] = wrapped
    for option in reversed(_READING):
        result = option(result)
    return result


def dataset_or_table(
    name: str, target: str | None, options: TableOptions, also: Iterable[str] = ()
) -> Dataset:
    """Return a data set by its name, or the table in a CSV file, with a summary of its columns.

    Parameters
    ----------
    name : str
    target : str or None
        Column of the CSV file to predict.
    options : TableOptions
        How the CSV file is read.
    also : iterable of str
        Other names that the command accepts, for the message.
    """
    if name in DATASETS:
        refuse_table_options(name, target, options)
        return load_dataset(name)
    if not Path(name).is_file():
        raise click.UsageError(
            f"DATASET must be one of {', '.join((*DATASETS, *also))} or a CSV file; the file "
            f"{name} does not exist"
        )
    if target is None:
        raise click.UsageError(f"a CSV file needs --target COLUMN; name a column of {name}")
    read = learning_table(name, target, options)
    # Not with the results, which may be redirected to a file.
    echo_columns(read, err=True)
    for warning in read.warnings:
        warn_user(warning)
    return scaled(read.data)


def refuse_table_options(name: str, target: str | None, options: TableOptions) -> None:
    """Raise an error if options for CSV files are given for a named data set."""
    if target is not None:
        raise click.UsageError(f"--target is for CSV files; {name} has its own target")
    if options != TableOptions():
        raise click.UsageError(
            f"options that describe a CSV file are not for {name}: --columns, --drop, --task, "
            "--missing, --no-header, --delimiter, --encoding"
        )


def echo_columns(read: LearningTable, err: bool = False) -> None:
    """Print what the columns of a table were taken for."""
    rows = len(read.data.y_train) + len(read.data.y_test)
    used = sum(isinstance(each, Taken) and each.column is not None for each in read.taken)
    click.echo(f"{rows:,} rows, {read.data.n_features:,} features from {used:,} columns:", err=err)
    for line in read.lines():
        click.echo(f"  {line}", err=err)
