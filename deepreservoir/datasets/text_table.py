"""Read texts from a table: a CSV file with one row per text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .cells import Table
from .sample_column import read_sample_column


@dataclass(frozen=True)
class TextTable:
    """The texts of a table.

    Attributes
    ----------
    texts : list of str
        In the order of the rows, without spaces around them.
    y : ndarray of str, shape (n_texts,), or None
        The target of each text, as written in the file.
    table : Table
        The cells of all columns.
    """

    texts: list[str]
    y: np.ndarray | None
    table: Table


def read_text_table(
    path: Path,
    text: str,
    target: str | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
) -> TextTable:
    """Read a CSV file with one row per text.

    Parameters
    ----------
    path : Path
        A file with a header; it may be compressed with gzip.
    text : str
        The column of the texts.
    target : str, optional
        The column to predict.
    delimiter, encoding : str, optional
        As in :func:`deepreservoir.datasets.read_table`.

    Raises
    ------
    ValueError
        If a column does not exist, or a text or a target is empty. The message has the row.
    """
    table, y = read_sample_column(
        path, "text", text, target, delimiter=delimiter, encoding=encoding
    )
    texts = table.columns[text]
    empty = [row for row, cell in enumerate(texts) if not cell]
    if empty:
        raise ValueError(
            f"{path}, row {table.lines[empty[0]]}, column {text!r}: the text is empty; remove the "
            "row"
        )
    return TextTable(texts, y, table)
