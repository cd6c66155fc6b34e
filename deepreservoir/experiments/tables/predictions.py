"""Predictions of a saved model for the rows of a user's table."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import container
from ...artifact.persist import load_contents
from ...container import MAX_BYTES
from ...datasets.cells import Table
from ...datasets.columns import Column, Columns
from ...datasets.learning_table import TableOptions
from ...user_warnings import warn_user
from .frame import frame_of, reads_frame


@dataclass(frozen=True)
class Predictions:
    """Predictions for the rows of a table.

    Attributes
    ----------
    target : str
        Name of the predicted column.
    values : ndarray, shape (n,) or (n, n_outputs)
    kept : dict of str to list of str
        Columns of the table that are written before the predictions.
    classes : ndarray or None
        The classes of `probabilities`.
    probabilities : ndarray of shape (n, n_classes), or None

    Examples
    --------
    >>> predictions = Predictions("state", np.array(["low", "high"]), {"pump": ["A", "B"]})
    >>> predictions.to_csv().splitlines()
    ['pump,state', 'A,low', 'B,high']
    """

    target: str
    values: np.ndarray
    kept: dict[str, list[str]] = field(default_factory=dict)
    classes: np.ndarray | None = None
    probabilities: np.ndarray | None = None

    def to_csv(self) -> str:
        """Return the text of a CSV file, one row per prediction.

        If the target's column is kept, that of the predictions has another name.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=os.linesep)
        values = self.values.reshape(len(self.values), -1)
        several = values.shape[1] > 1
        target = self.target
        while target in self.kept:
            target += "_predicted"
        names = [f"{target}.{i}" for i in range(values.shape[1])] if several else [target]
        parts: list[Iterable[Sequence[Any]]] = [zip(*self.kept.values(), strict=True)]
        parts = parts if self.kept else []
        parts.append(values)
        if self.classes is not None and self.probabilities is not None:
            for label in self.classes:
                name = f"{target}={label}"
                while name in self.kept:
                    name += "_predicted"
                names.append(name)
            parts.append(self.probabilities)
        writer.writerow([*self.kept, *names])
        for row in zip(*parts, strict=True):
            writer.writerow([_cell(value) for part in row for value in part])
        return text.getvalue()


def _cell(value: Any) -> Any:
    return repr(float(value)) if isinstance(value, float | np.floating) else value


def predict_table(
    model_path: Path,
    data: Path,
    device: str = "cpu",
    max_bytes: int = MAX_BYTES,
    *,
    header: bool | None = None,
    delimiter: str = ",",
    encoding: str | None = None,
    missing: str | None = None,
    proba: bool = False,
    keep: Sequence[str] = (),
) -> Predictions:
    """Return a saved model's predictions for the rows of a CSV file.

    A model that was not fitted on a table selects the columns by its feature names; without
    feature names, it reads all columns in order. A pipeline that was fitted on a data frame, and
    begins with a ColumnTransformer, an encoder or an imputer, gets its columns as a data frame.

    Parameters
    ----------
    model_path, data : Path
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
    max_bytes : int, default=2 GiB
    header : bool, optional
        Whether the first row has the names of the columns. By default it has, unless the model
        was fitted on a table without a header.
    delimiter, encoding : str, optional
        As in :func:`deepreservoir.datasets.read_table`.
    missing : {"error", "impute"}, optional
        What to do with missing cells. By default what was done when the model was fitted.
    proba : bool, default=False
        Also return the probabilities of the classes.
    keep : sequence of str
        Columns of the table to return with the predictions.

    Returns
    -------
    Predictions
        One for each row of the table, in its order.

    Raises
    ------
    ArtifactError
        If the model's file is refused.
    ValueError
        If the table does not have the columns that the model reads, or `proba` is given for a
        model that predicts numbers.

    Warns
    -----
    UserWarning
        If a category has values that the training rows did not have, or if the first row has only
        numbers, `header` is not given, and the model has no feature names.

    Examples
    --------
    >>> from deepreservoir.experiments.tables.user_table import fit_table, save_fitted
    >>> from tempfile import TemporaryDirectory
    >>> rows = [f"{i % 7},{i % 3},{'high' if i % 7 > 3 else 'low'}" for i in range(200)]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("\\n".join(["pressure,speed,state", *rows]))
    ...     fitted = fit_table(path, "state", hidden_layer_sizes=(16,), max_iter=20, random_state=0)
    ...     model = Path(folder, "pumps.safetensors")
    ...     _ = save_fitted(fitted, model)
    ...     found = predict_table(model, path, proba=True, keep=["pressure"])
    >>> found.values[:2], found.probabilities.shape, list(found.kept)
    (array(['low', 'low'], dtype='<U4'), (200, 2), ['pressure'])
    """
    contents = container.read(model_path, max_bytes)
    model = load_contents(contents, model_path, device, max_bytes)
    if not hasattr(model, "predict"):
        raise ValueError(
            f"{model_path} holds a {type(model).__name__}, which does not predict rows of a table; "
            "the command `generate` is for language models"
        )
    check_probabilities(model, model_path, proba)
    columns = None
    if "table" in contents.document:
        columns = Columns.from_dict(contents.document["table"], model_path)
    named = columns is None or columns.names is None if header is None else header
    options = TableOptions(header=named, delimiter=delimiter, encoding=encoding)
    table = options.open(data)
    for name in keep:
        table.check_column(name)
    kept = {name: table.columns[name] for name in keep}
    if reads_frame(model):
        return predicted("prediction", model, frame_of(model, table), kept, proba)
    if columns is None:
        columns = _columns_of(model, table, header is None)
    elif columns.names is not None and not table.header:
        _name_by_place(table, columns.names, columns.target)
    columns = replace(columns, missing=missing or columns.missing)
    X = _features(columns, table, model, model_path)
    return predicted(columns.target, model, X, kept, proba)


def check_probabilities(model: Any, path: Path, proba: bool) -> None:
    """Raise a ValueError if probabilities are asked for, and the model predicts numbers."""
    if proba and not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{path} predicts numbers, which have no probabilities; leave out --proba "
            "(proba, in Python)"
        )


def predicted(
    target: str, model: Any, X: Any, kept: dict[str, list[str]], proba: bool
) -> Predictions:
    """Return a model's predictions for samples.

    Parameters
    ----------
    target : str
        Name of the predictions.
    model : estimator
    X : samples
    kept : dict of str to list of str
        Columns that are written before the predictions.
    proba : bool
        Whether to return the probabilities of the classes too.
    """
    with warnings.catch_warnings():
        # The columns were selected by these names.
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        return Predictions(
            target,
            np.asarray(model.predict(X)),
            kept,
            np.asarray(model.classes_) if proba else None,
            np.asarray(model.predict_proba(X)) if proba else None,
        )


def _columns_of(model: Any, table: Table, assumed_header: bool) -> Columns:
    names = getattr(model, "feature_names_in_", None)
    note = table.note_on_header() if names is None and assumed_header else None
    if note is not None:
        warn_user(note)
    features = list(table.columns) if names is None else [str(name) for name in names]
    return Columns("prediction", tuple(map(Column, features)))


def _name_by_place(table: Table, names: Sequence[str], target: str) -> None:
    """Name the columns of a table without a header as those that the model was fitted on.

    The target may be absent: the columns after it are then one place further to the left.
    """
    found = len(table.columns)
    if found == len(names) - 1:
        others = [name for name in names if name != target]
        table.columns = dict(zip(others, table.columns.values(), strict=True))
    elif found != len(names):
        raise ValueError(
            f"{table.path} must have {len(names)} columns, or {len(names) - 1} without the target "
            f"{target!r}, as the table that the model was fitted on; it has {found}"
        )


def _features(columns: Columns, table: Table, model: Any, model_path: Path) -> np.ndarray:
    X = columns.encode(table)
    if columns.means is None and np.isnan(X).any():
        raise ValueError(
            f"{model_path} has no means of the training rows to take for missing cells; fill them "
            "in, or fit the model again"
        )
    if X.shape[1] != model.n_features_in_:
        raise ValueError(
            f"the model reads {model.n_features_in_} features; {table.path} gives {X.shape[1]}: "
            f"{', '.join(columns.feature_names[:20])}"
        )
    for column in columns.features:
        unseen = column.unseen(table)
        if unseen:
            warn_user(_unseen_words(table, column, unseen))
    return columns.filled(X)


def _unseen_words(table: Table, column: Column, unseen: dict[str, int]) -> str:
    shown = [f"{value!r} ({_rows(n)})" for value, n in list(unseen.items())[:5]]
    if len(unseen) > 5:
        shown.append(f"{len(unseen) - 5:,} other values ({_rows(sum(list(unseen.values())[5:]))})")
    return (
        f"{table.path}, column {column.name!r}: the model was not fitted on the value"
        f"{'s' if len(unseen) > 1 else ''} {', '.join(shown)}; predicted as none of the categories"
    )


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n:,} rows"
