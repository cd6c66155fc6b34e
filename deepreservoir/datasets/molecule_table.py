"""Read molecules from a table: a CSV file with one row per molecule and its SMILES."""

from __future__ import annotations

from pathlib import Path

from .molecules import graphs_of
from .sample_column import SampleTable, read_sample_column


def read_molecule_table(
    path: Path,
    smiles: str,
    target: str | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
) -> SampleTable:
    """Read a CSV file with one row per molecule. This needs RDKit, the extra ``molecules``.

    Parameters
    ----------
    path : Path
        A file with a header; it may be compressed with gzip.
    smiles : str
        The column with the SMILES of the molecules.
    target : str, optional
        The column to predict.
    delimiter, encoding : str, optional
        As in :func:`deepreservoir.datasets.read_table`.

    Returns
    -------
    SampleTable
        Its samples are of type Graph, as from :func:`read_smiles`.

    Raises
    ------
    ValueError
        If a column does not exist, RDKit cannot read a molecule, or a target is empty. The message
        has the row.
    ImportError
        If RDKit is not installed.
    """
    table, y = read_sample_column(
        path, "smiles", smiles, target, delimiter=delimiter, encoding=encoding
    )
    graphs = graphs_of(
        table.columns[smiles], lambda row: f"{path}, row {table.lines[row]}, column {smiles!r}:"
    )
    return SampleTable(graphs, y, table)
