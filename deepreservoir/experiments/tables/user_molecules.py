"""Models of a user's own molecules in a table: fit, save with the columns, predict others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ... import container
from ...artifact.persist import load_contents, pack
from ...container import MAX_BYTES, ArtifactError, Contents
from ...datasets.molecule_table import read_molecule_table
from ...datasets.molecules import ATOM_CATEGORIES, BOND_CATEGORIES
from ...document import entries
from ...estimators import GINClassifier, GINRegressor
from ...inputs import Graph
from .held_out import held_out, targets_of
from .predictions import Predictions
from .sample_column import check_probabilities, predictions_of

_COLUMNS = {"smiles": str, "target": str}


@dataclass(frozen=True)
class FittedMolecules:
    """A model fitted on a table of molecules.

    Attributes
    ----------
    model : GINClassifier or GINRegressor
    columns : dict
        The columns that were read: ``smiles`` and ``target``.
    task : {"classification", "regression"}
    score : float
        Accuracy, or R^2, on the fifth of the molecules that was held out.
    roc_auc : float or None
        For two classes that both occur there, the area under the ROC curve on the same molecules.
    held_out : (list of Graph, ndarray)
        The held-out molecules and their targets.
    """

    model: Any
    columns: dict[str, str]
    task: str
    score: float
    roc_auc: float | None
    held_out: tuple[list[Graph], np.ndarray]


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
    held = held_out(path, y, task, "molecules")
    train = np.setdiff1d(np.arange(len(y)), held)
    kind: Any = GINClassifier if task == "classification" else GINRegressor
    model = kind(node_categories=ATOM_CATEGORIES, edge_categories=BOND_CATEGORIES, **params)
    model.fit([read.graphs[i] for i in train], y[train], checkpoint=checkpoint)
    X, y = [read.graphs[i] for i in held], y[held]
    columns = {"smiles": smiles, "target": target}
    score, area = float(model.score(X, y)), None
    if task == "classification" and len(model.classes_) == len(np.unique(y)) == 2:
        area = float(roc_auc_score(y == model.classes_[1], model.decision_function(X)))
    return FittedMolecules(model, columns, task, score, area, (X, y))


def save_fitted_molecules(
    fitted: FittedMolecules, path: Path, dtype: str | None = None
) -> Contents:
    """Save a model with the columns that it reads; return the contents of the file."""
    held = {} if dtype is None else dict(zip(("X", "y"), fitted.held_out, strict=True))
    contents = pack(fitted.model, dtype=dtype, **held)
    contents.document["molecules"] = fitted.columns
    container.write(path, contents)
    return contents


def predict_molecule_table(
    model_path: Path,
    data: Path,
    device: str = "cpu",
    max_bytes: int = MAX_BYTES,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
    proba: bool = False,
    keep: Sequence[str] = (),
) -> Predictions:
    """Return a saved model's predictions for the molecules of a CSV file.

    Parameters
    ----------
    model_path, data : Path
    device, max_bytes, delimiter, encoding, proba, keep
        As in :func:`deepreservoir.experiments.tables.predictions.predict_table`.

    Raises
    ------
    ArtifactError
        If the model's file is refused, or the model was not fitted on a table of molecules.
    ValueError
        If the table does not have the column that the model reads, RDKit cannot read a molecule,
        or `proba` is given for a model that predicts numbers.
    ImportError
        If RDKit is not installed.
    """
    contents = container.read(model_path, max_bytes)
    if not reads_molecules(contents):
        raise ArtifactError(f"{model_path} is not a model of molecules from a table")
    columns = entries(contents.document["molecules"], "molecules", _COLUMNS)
    model = load_contents(contents, model_path, device, max_bytes)
    check_probabilities(model, model_path, proba)
    read = read_molecule_table(data, columns["smiles"], delimiter=delimiter, encoding=encoding)
    return predictions_of(model, read.graphs, columns["target"], read.table, proba, keep)


def reads_molecules(contents: Contents) -> bool:
    """Return whether a file has a model that was fitted on a table of molecules."""
    return "molecules" in contents.document
