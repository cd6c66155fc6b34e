"""Models of samples in a column of a table: split, save with the columns, predict others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact.persist import load_contents
from ...container import MAX_BYTES, Contents
from ...datasets.sample_column import SampleTable
from ...document import entries
from .held_out import split
from .model_files import read_with_entry, save_with_entry
from .predictions import Predictions, check_probabilities, predicted


@dataclass(frozen=True)
class SampleKind:
    """A kind of samples that a table has one of in each row.

    Attributes
    ----------
    name : str
        The samples in messages, and the entry of the columns in a model's file: ``"molecules"``.
    column : str
        The column of the samples, in messages and in that entry: ``"smiles"``.
    read : callable
        Reads a CSV file, given its path and the column, as
        :func:`deepreservoir.datasets.molecule_table.read_molecule_table` does.
    """

    name: str
    column: str
    read: Callable[..., SampleTable]

    def is_read_by(self, contents: Contents) -> bool:
        """Return whether a file has a model that was fitted on a table of such samples."""
        return self.name in contents.document

    def split(
        self, path: Path, samples: list[Any], y: np.ndarray, task: str
    ) -> tuple[tuple[list[Any], np.ndarray], tuple[list[Any], np.ndarray]]:
        """Return the samples and targets to train on, and those that are held out.

        Parameters and errors are those of :func:`deepreservoir.experiments.tables.held_out.split`.
        """
        train, held = (
            ([samples[i] for i in rows], y[rows]) for rows in split(path, y, task, self.name)
        )
        return train, held


@dataclass(frozen=True)
class FittedSamples:
    """A model fitted on a table of samples.

    Attributes
    ----------
    kind : SampleKind
    model : estimator
    columns : dict
        The columns that were read: that of the samples, and ``target``.
    task : {"classification", "regression"}
    score : float
        Accuracy, or R^2, on the fifth of the samples that was held out.
    held_out : (list, ndarray)
        The held-out samples and their targets.
    """

    kind: SampleKind
    model: Any
    columns: dict[str, str]
    task: str
    score: float
    held_out: tuple[list[Any], np.ndarray]


def save_fitted_samples(fitted: FittedSamples, path: Path, dtype: str | None = None) -> Contents:
    """Save a model with the columns that it reads; return the contents of the file."""
    name = fitted.kind.name
    return save_with_entry(fitted.model, fitted.held_out, path, dtype, name, fitted.columns)


def predict_samples(
    kind: SampleKind,
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
    """Return a saved model's predictions for the samples of a CSV file.

    Parameters
    ----------
    kind : SampleKind
    model_path, data : Path
    device, max_bytes, delimiter, encoding, proba, keep
        As in :func:`deepreservoir.experiments.tables.predictions.predict_table`.

    Raises
    ------
    ArtifactError
        If the model's file is refused, or the model was not fitted on a table of such samples.
    ValueError
        If the table does not have a column, a sample cannot be read, or `proba` is given for a
        model that predicts numbers.
    ImportError
        If the library that reads the samples is not installed.
    """
    contents = read_with_entry(model_path, max_bytes, kind.name, f"{kind.name} from a table")
    types = {kind.column: str, "target": str}
    columns = entries(contents.document[kind.name], kind.name, types)
    model = load_contents(contents, model_path, device, max_bytes)
    check_probabilities(model, model_path, proba)
    read = kind.read(data, columns[kind.column], delimiter=delimiter, encoding=encoding)
    for name in keep:
        read.table.check_column(name)
    kept = {name: read.table.columns[name] for name in keep}
    return predicted(columns["target"], model, read.samples, kept, proba)
