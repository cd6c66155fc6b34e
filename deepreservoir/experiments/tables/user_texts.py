"""Models of a user's own texts in a table, compared with a linear model of their words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets import Dataset
from ...datasets.text_table import read_text_table
from ...estimators import TextTransformerClassifier
from .held_out import targets_of
from .references import Reference, references_unless_interrupted
from .sample_column import FittedSamples, SampleKind

TEXTS = SampleKind("texts", "text", read_text_table)


@dataclass(frozen=True)
class FittedTexts(FittedSamples):
    """A classifier fitted on a table of texts.

    Attributes
    ----------
    references : (Reference, Reference) or None
        The most frequent class, and logistic regression on TF-IDF of words, on the held-out texts.
    """

    references: tuple[Reference, Reference] | None


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
    train, held = TEXTS.split(path, read.samples, y, task)
    model = TextTransformerClassifier(**params).fit(*train, checkpoint=checkpoint)
    compared = references_unless_interrupted(model, Dataset(path.stem, *train, *held))
    columns = {TEXTS.column: text, "target": target}
    return FittedTexts(TEXTS, model, columns, task, float(model.score(*held)), held, compared)
