"""Read texts from a table: a CSV file with one row per text."""

from __future__ import annotations

from pathlib import Path

from .sample_column import SampleTable, read_sample_column


def read_text_table(
    path: Path,
    text: str,
    target: str | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
) -> SampleTable:
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

    Returns
    -------
    SampleTable
        Its samples are of type str, without spaces around them.

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
    return SampleTable(texts, y, table)
