"""Models of a user's own series in a long table: fit, save with the columns, predict others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact.persist import load_contents
from ...container import MAX_BYTES, Contents
from ...datasets.long_table import read_long_table
from ...document import checked, entries
from ...estimators import CfCClassifier, CfCRegressor
from ...inputs import IrregularSeries
from .held_out import split, targets_of
from .model_files import read_with_entry, save_with_entry
from .predictions import Predictions, check_probabilities, predicted

#: The columns, as an entry of the file.
_ENTRY = "long_table"
_COLUMNS = {"id": str, "time": str, "target": str, "channels": list, "times": str}
_TIMES = ("numbers", "dates")


@dataclass(frozen=True)
class FittedSeries:
    """A model fitted on a long table.

    Attributes
    ----------
    model : CfCClassifier or CfCRegressor
    columns : dict
        The columns that were read: ``id``, ``time``, ``target`` and ``channels``; and ``times``,
        whether times are ``"numbers"`` or ``"dates"``.
    task : {"classification", "regression"}
    score : float
        Accuracy, or R^2, on the fifth of the series that was held out.
    held_out : (IrregularSeries, ndarray)
        The held-out series and their targets.
    """

    model: Any
    columns: dict[str, Any]
    task: str
    score: float
    held_out: tuple[IrregularSeries, np.ndarray]


def fit_long_table(
    path: Path,
    id: str,
    time: str,
    target: str,
    channels: Sequence[str] | None = None,
    checkpoint: Path | None = None,
    **params: Any,
) -> FittedSeries:
    """Fit a closed-form continuous-time network on four fifths of the series of a CSV file.

    Parameters
    ----------
    path, id, time, target, channels : as in :func:`deepreservoir.datasets.read_long_table`
    checkpoint : Path, optional
        As in the estimators' ``fit``.
    **params
        Parameters of the estimator.

    Raises
    ------
    ValueError
        If the table is invalid, or a parameter is out of range.
    """
    table = read_long_table(path, id, time, target, channels)
    assert table.y is not None, "the target has been read"
    y, task = targets_of(table.y)
    train, held = split(path, y, task, "series")
    kind: Any = CfCClassifier if task == "classification" else CfCRegressor
    model = kind(**params).fit(table.series[train], y[train], checkpoint=checkpoint)
    kept = table.series[held], y[held]
    columns = {"id": id, "time": time, "target": target, "channels": list(table.series.names or ())}
    columns["times"] = _TIMES[table.dated]
    return FittedSeries(model, columns, task, float(model.score(*kept)), kept)


def save_fitted_series(fitted: FittedSeries, path: Path, dtype: str | None = None) -> Contents:
    """Save a model with the columns that it reads; return the contents of the file."""
    return save_with_entry(fitted.model, fitted.held_out, path, dtype, _ENTRY, fitted.columns)


def predict_long_table(
    model_path: Path,
    data: Path,
    device: str = "cpu",
    max_bytes: int = MAX_BYTES,
    *,
    proba: bool = False,
) -> Predictions:
    """Return a saved model's predictions for the series of a file, with their names.

    Raises
    ------
    ArtifactError
        If the model's file is refused, or the model was not fitted on a long table.
    ValueError
        If the table does not have the columns that the model reads, its times are dates where
        those of the fit were numbers, or the reverse, or `proba` is given for a model that
        predicts numbers.
    """
    contents = read_with_entry(model_path, max_bytes, _ENTRY, "series from a long table")
    entry = contents.document[_ENTRY]
    if isinstance(entry, dict):  # the first version did not store the kind of times
        entry = {"times": "", **entry}
    columns = entries(entry, _ENTRY, _COLUMNS)
    with checked(_ENTRY):
        if not all(isinstance(name, str) for name in columns["channels"]):
            raise ValueError("channels must be names of columns")
    model = load_contents(contents, model_path, device, max_bytes)
    check_probabilities(model, model_path, proba)
    table = read_long_table(data, columns["id"], columns["time"], channels=columns["channels"])
    if columns["times"] and columns["times"] != _TIMES[table.dated]:
        raise ValueError(
            f"{data}, column {columns['time']!r}: the times are {_TIMES[table.dated]}, but those "
            f"that the model was fitted with are {columns['times']}; write them alike"
        )
    names = {columns["id"]: list(table.names)}
    return predicted(columns["target"], model, table.series, names, proba)


def reads_long_tables(contents: Contents) -> bool:
    """Return whether a file has a model that was fitted on a long table."""
    return _ENTRY in contents.document
