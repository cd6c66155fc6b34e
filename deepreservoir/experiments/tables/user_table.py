"""Models of a user's own table: fit, and save with the columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ...container import Contents
from ...datasets.columns import Columns
from ...datasets.learning_table import LearningTable, TableOptions, learning_table
from ...estimators import DeepReservoirClassifier, DeepReservoirRegressor
from ...user_warnings import warn_user
from ..threads import suitable_threads
from .model_files import save_with_entry
from .references import Reference, references_unless_interrupted


@dataclass(frozen=True)
class FittedTable:
    """A model fitted on a table.

    Attributes
    ----------
    model : Pipeline
        A StandardScaler and a deep estimator.
    columns : Columns
    task : {"classification", "regression"}
    score : float
        Accuracy, or R^2, on the fifth of the rows that was held out.
    held_out : (ndarray, ndarray)
        The held-out rows and their targets.
    references : (Reference, Reference) or None
        The most frequent class or the mean, and a linear model, on the same rows.
    """

    model: Pipeline
    columns: Columns
    task: str
    score: float
    held_out: tuple[np.ndarray, np.ndarray]
    references: tuple[Reference, Reference] | None


def fit_table(
    path: Path,
    target: str,
    checkpoint: Path | None = None,
    *,
    options: TableOptions | None = None,
    on_read: Callable[[LearningTable], None] | None = None,
    **params: Any,
) -> FittedTable:
    """Fit a deep estimator on four fifths of a CSV file's rows.

    Parameters
    ----------
    path : Path
    target : str
        Column to predict.
    checkpoint : Path, optional
        As in the estimators' ``fit``.
    options : TableOptions, optional
        How the file is read; see :func:`deepreservoir.datasets.read_table`.
    on_read : callable, optional
        Called with the table before the model is trained.
    **params
        Parameters of the estimator.

    Returns
    -------
    FittedTable
        With the model and its score on the rows that were held out.

    Raises
    ------
    ValueError
        If the table is invalid, or a parameter is out of range.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rows = [f"{i % 7},{i % 3},{'high' if i % 7 > 3 else 'low'}" for i in range(200)]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("\\n".join(["pressure,speed,state", *rows]))
    ...     fitted = fit_table(path, "state", hidden_layer_sizes=(16,), max_iter=20, random_state=0)
    >>> fitted.task, fitted.columns.target, fitted.model.predict([[6.0, 1.0]])
    ('classification', 'state', array(['high'], dtype='<U4'))
    >>> len(fitted.held_out[0]), [reference.name for reference in fitted.references]
    (40, ['most frequent class', 'logistic regression'])
    """
    read = learning_table(path, target, options or TableOptions())
    if on_read is not None:
        on_read(read)
    for warning in read.warnings:
        warn_user(warning)
    data = read.data
    kind: Any = DeepReservoirRegressor if data.task == "regression" else DeepReservoirClassifier
    model = make_pipeline(StandardScaler(), kind(**params))
    with suitable_threads(data):
        names = {f"{kind.__name__.lower()}__checkpoint": checkpoint}
        model.fit(data.X_train, data.y_train, **names)
        score = float(model.score(data.X_test, data.y_test))
        compared = references_unless_interrupted(model, data)
    return FittedTable(
        model, read.columns, data.task, score, (data.X_test, data.y_test), compared
    )  # fmt: skip


def save_fitted(fitted: FittedTable, path: Path, dtype: str | None = None) -> Contents:
    """Save a model of a table as a file, with the columns that it reads.

    :func:`deepreservoir.experiments.tables.predictions.predict_table` and ``deepreservoir predict``
    read such a file.

    Parameters
    ----------
    fitted : FittedTable
    path : Path
        File to write; an existing one is replaced.
    dtype : {"float16", "bfloat16", "int8", "int6"}, optional
        Type of the stored parameters, as in :func:`deepreservoir.save`. The cost of fewer bits is
        measured on the held-out rows.

    Returns
    -------
    Contents
        The contents of the file. Its document has the columns under ``"table"``.

    Raises
    ------
    ArtifactError
        If `dtype` is unknown, or a parameter is not finite.
    OSError
        If the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rows = [f"{i % 7},{i % 3},{'high' if i % 7 > 3 else 'low'}" for i in range(200)]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("\\n".join(["pressure,speed,state", *rows]))
    ...     fitted = fit_table(path, "state", hidden_layer_sizes=(16,), max_iter=20, random_state=0)
    ...     contents = save_fitted(fitted, Path(folder, "pumps.safetensors"))
    >>> contents.document["table"]["target"]
    'state'
    """
    columns = fitted.columns.to_dict()
    return save_with_entry(fitted.model, fitted.held_out, path, dtype, "table", columns)
