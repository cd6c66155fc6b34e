"""Models of a user's own molecules in a table, which predict classes or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ...datasets.molecule_table import read_molecule_table
from ...datasets.molecules import ATOM_CATEGORIES, BOND_CATEGORIES
from ...estimators import GINClassifier, GINRegressor
from .held_out import targets_of
from .sample_column import FittedSamples, SampleKind

MOLECULES = SampleKind("molecules", "smiles", read_molecule_table)


@dataclass(frozen=True)
class FittedMolecules(FittedSamples):
    """A classifier or regressor fitted on a table of molecules.

    Attributes
    ----------
    roc_auc : float or None
        For two classes that both occur among the held-out molecules, the area under the ROC curve
        on these.
    """

    roc_auc: float | None


def fit_molecule_table(
    path: Path,
    smiles: str,
    target: str,
    checkpoint: Path | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
    **params: Any,
) -> FittedMolecules:
    """Fit a graph isomorphism network on four fifths of the molecules of a CSV file.

    Parameters
    ----------
    path, smiles, target, delimiter, encoding
        As in :func:`deepreservoir.datasets.molecule_table.read_molecule_table`.
    checkpoint : Path, optional
        As in the estimators' ``fit``.
    **params
        Parameters of the estimator.

    Raises
    ------
    ValueError
        If the table is invalid, or a parameter is out of range.
    ImportError
        If RDKit is not installed.
    """
    read = read_molecule_table(path, smiles, target, delimiter=delimiter, encoding=encoding)
    assert read.y is not None, "the target has been read"
    y, task = targets_of(read.y)
    train, held = MOLECULES.split(path, read.samples, y, task)
    kind: Any = GINClassifier if task == "classification" else GINRegressor
    model = kind(node_categories=ATOM_CATEGORIES, edge_categories=BOND_CATEGORIES, **params)
    model.fit(*train, checkpoint=checkpoint)
    columns = {MOLECULES.column: smiles, "target": target}
    score, area = float(model.score(*held)), None
    if task == "classification" and len(model.classes_) == len(np.unique(held[1])) == 2:
        area = float(roc_auc_score(held[1] == model.classes_[1], model.decision_function(held[0])))
    return FittedMolecules(MOLECULES, model, columns, task, score, held, area)
