"""Read molecules from a table: a CSV file with one row per molecule and its SMILES."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..inputs import Graph
from .cells import Table
from .molecules import graphs_of
from .sample_column import read_sample_column


@dataclass(frozen=True)
class MoleculeTable:
    """The molecules of a table.

    Attributes
    ----------
    graphs : list of Graph
        As from :func:`read_smiles`, in the order of the rows.
    y : ndarray of str, shape (n_molecules,), or None
        The target of each molecule, as written in the file.
    table : Table
        The cells of all columns.
    """

    graphs: list[Graph]
    y: np.ndarray | None
    table: Table


def read_molecule_table(
    path: Path,
    smiles: str,
    target: str | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
) -> MoleculeTable:
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
    return MoleculeTable(graphs, y, table)
