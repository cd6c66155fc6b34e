"""Models of a user's own table: fit, save with the columns, predict other rows."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ... import container
from ...artifact.persist import load_contents, pack
from ...container import MAX_BYTES, Contents
from ...datasets.base import split_dataset
from ...datasets.cells import Table
from ...datasets.columns import Columns
from ...datasets.table import table_target
from ...estimators import DeepReservoirClassifier, DeepReservoirRegressor
from .frame import frame_of, reads_frame


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
    """

    model: Pipeline
    columns: Columns
    task: str
    score: float
    held_out: tuple[np.ndarray, np.ndarray]


def fit_table(
    path: Path, target: str, checkpoint: Path | None = None, **params: Any
) -> FittedTable:
    """Fit a deep estimator on four fifths of a CSV file's rows.

    Parameters
    ----------
    path : Path
    target : str
        Column to predict.
    checkpoint : Path, optional
        As in the estimators' ``fit``.
    **params
        Parameters of the estimator.

    Raises
    ------
    ValueError
        If the table is invalid, or a parameter is out of range.
    """
    table = Table(path)
    y, task = table_target(table, target)
    columns = Columns.of(table, target)
    data = split_dataset(path.stem, columns.encode(table), y, task)
    kind = DeepReservoirClassifier if task == "classification" else DeepReservoirRegressor
    model = make_pipeline(StandardScaler(), kind(**params))
    model.fit(data.X_train, data.y_train, **{f"{kind.__name__.lower()}__checkpoint": checkpoint})
    score = float(model.score(data.X_test, data.y_test))
    return FittedTable(model, columns, task, score, (data.X_test, data.y_test))


def save_fitted(fitted: FittedTable, path: Path, dtype: str | None = None) -> Contents:
    """Save a model with the columns that it reads; return the contents of the file."""
    held_out = {} if dtype is None else dict(zip(("X", "y"), fitted.held_out, strict=True))
    contents = pack(fitted.model, dtype=dtype, **held_out)
    contents.document["table"] = fitted.columns.to_dict()
    container.write(path, contents)
    return contents


def predict_table(
    model_path: Path, data: Path, device: str = "cpu", max_bytes: int = MAX_BYTES
) -> tuple[str, np.ndarray]:
    """Return the target's name and a saved model's predictions for the rows of a CSV file.

    A model that was not fitted on a table selects the columns by its feature names; without
    feature names, it reads all columns in order. A pipeline that was fitted on a data frame, and
    begins with a ColumnTransformer, an encoder or an imputer, gets its columns as a data frame.

    Raises
    ------
    ArtifactError
        If the model's file is refused.
    ValueError
        If the table does not have the columns that the model reads.
    """
    contents = container.read(model_path, max_bytes)
    model = load_contents(contents, model_path, device, max_bytes)
    table = Table(data)
    if reads_frame(model):
        return "prediction", np.asarray(model.predict(frame_of(model, table)))
    if "table" in contents.document:
        columns = Columns.from_dict(contents.document["table"], model_path)
    else:
        columns = _columns_of(model, table)
    X = columns.encode(table)
    if X.shape[1] != model.n_features_in_:
        raise ValueError(
            f"the model reads {model.n_features_in_} features; {data} gives {X.shape[1]}: "
            f"{', '.join(columns.feature_names[:20])}"
        )
    return columns.target, np.asarray(model.predict(X))


def _columns_of(model: Any, table: Table) -> Columns:
    names = getattr(model, "feature_names_in_", None)
    features = list(table.columns) if names is None else [str(name) for name in names]
    return Columns("prediction", dict.fromkeys(features))


def predictions_csv(name: str, values: np.ndarray) -> str:
    """Return predictions as the text of a CSV file, one row per prediction."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=os.linesep)
    several = values.ndim == 2 and values.shape[1] > 1
    writer.writerow([f"{name}.{i}" for i in range(values.shape[1])] if several else [name])
    rows = values.reshape(len(values), -1)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return repr(float(value)) if isinstance(value, float | np.floating) else value
