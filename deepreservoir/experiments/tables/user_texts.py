"""Models of a user's own texts in a table: fit, save with the columns, predict others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import container
from ...artifact.persist import load_contents, pack
from ...container import MAX_BYTES, ArtifactError, Contents
from ...datasets import Dataset
from ...datasets.text_table import read_text_table
from ...document import entries
from ...estimators import TextTransformerClassifier
from .held_out import held_out, targets_of
from .predictions import Predictions
from .references import Reference, references
from .sample_column import predictions_of

_COLUMNS = {"text": str, "target": str}


@dataclass(frozen=True)
class FittedTexts:
    """A model fitted on a table of texts.

    Attributes
    ----------
    model : TextTransformerClassifier
    columns : dict
        The columns that were read: ``text`` and ``target``.
    score : float
        Accuracy on the fifth of the texts that was held out.
    held_out : (list of str, ndarray)
        The held-out texts and their labels.
    references : (Reference, Reference)
        The most frequent class, and logistic regression on TF-IDF of words, on the same texts.
    """

    model: TextTransformerClassifier
    columns: dict[str, str]
    score: float
    held_out: tuple[list[str], np.ndarray]
    references: tuple[Reference, Reference]


def fit_text_table(
    path: Path,
    text: str,
    target: str,
    checkpoint: Path | None = None,
    *,
    delimiter: str = ",",
    encoding: str | None = None,
    **params: Any,
) -> FittedTexts:
    """Fit a Transformer encoder on four fifths of the texts of a CSV file.

    Parameters
    ----------
    path, text, target, delimiter, encoding
        As in :func:`deepreservoir.datasets.text_table.read_text_table`.
    checkpoint : Path, optional
        As in the estimators' ``fit``.
    **params
        Parameters of :class:`deepreservoir.TextTransformerClassifier`.

    Raises
    ------
    ValueError
        If the table is invalid, the target consists of numbers that are not classes, or a
        parameter is out of range.
    ImportError
        If tokenizers is not installed.
    """
    read = read_text_table(path, text, target, delimiter=delimiter, encoding=encoding)
    assert read.y is not None, "the target has been read"
    y, task = targets_of(read.y)
    if task == "regression":
        raise ValueError(
            f"{path}, column {target!r}: texts are classified, and the target must have at most 20 "
            "different whole numbers, or words; it has other numbers. Use another column"
        )
    held = held_out(path, y, task, "texts")
    train = np.setdiff1d(np.arange(len(y)), held)
    (X_train, y_train), (X_test, y_test) = (
        ([read.texts[i] for i in rows], y[rows]) for rows in (train, held)
    )
    model = TextTransformerClassifier(**params).fit(X_train, y_train, checkpoint=checkpoint)
    compared = references(model, Dataset(path.stem, X_train, y_train, X_test, y_test))
    columns = {"text": text, "target": target}
    score = float(model.score(X_test, y_test))
    return FittedTexts(model, columns, score, (X_test, y_test), compared)


def save_fitted_texts(fitted: FittedTexts, path: Path, dtype: str | None = None) -> Contents:
    """Save a model with the columns that it reads; return the contents of the file."""
    held = {} if dtype is None else dict(zip(("X", "y"), fitted.held_out, strict=True))
    contents = pack(fitted.model, dtype=dtype, **held)
    contents.document["texts"] = fitted.columns
    container.write(path, contents)
    return contents


def predict_text_table(
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
    """Return a saved model's predictions for the texts of a CSV file.

    Parameters
    ----------
    model_path, data : Path
    device, max_bytes, delimiter, encoding, proba, keep
        As in :func:`deepreservoir.experiments.tables.predictions.predict_table`.

    Raises
    ------
    ArtifactError
        If the model's file is refused, or the model was not fitted on a table of texts.
    ValueError
        If the table does not have the column that the model reads, or a text is empty.
    ImportError
        If tokenizers is not installed.
    """
    contents = container.read(model_path, max_bytes)
    if not reads_texts(contents):
        raise ArtifactError(f"{model_path} is not a model of texts from a table")
    columns = entries(contents.document["texts"], "texts", _COLUMNS)
    model = load_contents(contents, model_path, device, max_bytes)
    read = read_text_table(data, columns["text"], delimiter=delimiter, encoding=encoding)
    return predictions_of(model, read.texts, columns["target"], read.table, proba, keep)


def reads_texts(contents: Contents) -> bool:
    """Return whether a file has a model that was fitted on a table of texts."""
    return "texts" in contents.document
