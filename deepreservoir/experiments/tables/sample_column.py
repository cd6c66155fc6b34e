"""Predictions for samples in a column of a table, one per row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.cells import Table
from .predictions import Predictions


def check_probabilities(model: Any, path: Path, proba: bool) -> None:
    """Raise a ValueError if probabilities are asked for, and the model predicts numbers."""
    if proba and not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{path} predicts numbers, which have no probabilities; leave out --proba "
            "(proba, in Python)"
        )


def predictions_of(
    model: Any, X: Any, target: str, table: Table, proba: bool, keep: Sequence[str]
) -> Predictions:
    """Return the predictions for samples, with columns of their table.

    Parameters
    ----------
    model : estimator
    X : samples
        One for each row of the table.
    target : str
        The name of the predictions.
    table : Table
    proba : bool
        Whether to return the probabilities of the classes too.
    keep : sequence of str
        Columns of the table to return with the predictions.

    Raises
    ------
    ValueError
        If the table does not have a column.
    """
    for name in keep:
        table.check_column(name)
    return Predictions(
        target,
        np.asarray(model.predict(X)),
        {name: table.columns[name] for name in keep},
        np.asarray(model.classes_) if proba else None,
        np.asarray(model.predict_proba(X)) if proba else None,
    )
