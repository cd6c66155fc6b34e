"""Read a table from a CSV file, one column of which is the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..user_warnings import warn_user
from .base import Dataset, standardised
from .learning_table import TableOptions, learning_table


def read_table(
    path: str | Path,
    target: str,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    task: str | None = None,
    missing: str = "error",
    header: bool = True,
    delimiter: str = ",",
    encoding: str | None = None,
) -> Dataset:
    """Read a CSV file as a learning task, with a fifth of its rows held out.

    Each column is taken for one of the following, by all of its cells:

    - numbers, with a point or a comma as the decimal separator, with separators of thousands, and
      with a percent sign or a currency symbol if all cells have it; they are standardised by the
      training rows;
    - dates, which become days since 1970 and the place in the year, the week and the day;
    - a category: text, codes of digits with leading zeros, or whole numbers that float64 does not
      tell apart, such as identifiers of 18 digits; it is one-hot encoded.

    Columns with one value, without values, mostly missing ones and identifiers are left out; the
    last two are not if they are named in `columns`.

    Parameters
    ----------
    path : str or Path
        A text file, which may be compressed with gzip.
    target : str
        Name of the column to predict.
    columns : sequence of str, optional
        Names of the columns to learn from. By default all but the target.
    drop : sequence of str, optional
        Names of columns to leave out.
    task : {"classification", "regression"}, optional
        By default a target that is text, or has at most 20 distinct whole numbers, makes the task
        a classification; any other target makes it a regression.
    missing : {"error", "impute"}, default="error"
        What to do with missing cells: empty ones and words such as ``NA``, ``NULL``, ``n/a`` and
        ``?``. ``"impute"`` takes the mean of the training rows for numbers and dates, and none of
        the categories for a category; rows without a target are left out.
    header : bool, default=True
        Whether the first row has the names of the columns; otherwise they are ``"1"``, ``"2"``
        and so on.
    delimiter : str, default=","
        The character between cells, or ``"tab"``. With ``";"``, a comma in a number is a decimal
        comma where it could also be one between thousands.
    encoding : str, optional
        A codec of Python. By default UTF-8.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the file is not such a table, or a column does not exist. The message says where.

    Warns
    -----
    UserWarning
        If a category has many values, if the order of day and month is ambiguous, if rows without
        a target are left out, if most cells of a column that is not read as numbers are numbers,
        and if the header consists of numbers.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.csv"
    ...     _ = path.write_text("x,kind\\n" + "1,a\\n2,b\\n" * 10)
    ...     read_table(path, "kind").task
    'classification'
    """
    options = TableOptions(columns, drop, task, missing, header, delimiter, encoding)
    read = learning_table(path, target, options)
    for warning in read.warnings:
        warn_user(warning)
    return scaled(read.data)


def scaled(data: Dataset) -> Dataset:
    """Return a data set with its features standardised by the training rows."""
    X_train, X_test = standardised(data.X_train, data.X_test)
    return replace(data, X_train=X_train, X_test=X_test)
