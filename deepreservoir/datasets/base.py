"""The Dataset class: training rows, held-out rows and the kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import train_test_split

from ..moments import moments, scale_of
from .cells import is_number


@dataclass(frozen=True)
class Dataset:
    """A learning task with a fixed train/test split.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray of float32, shape (n, n_features), or other samples
        Scaled, ready for a network: an IrregularSeries or images, which their estimators scale,
        Nodes, a list of Graph, a list of texts, or Trajectories.
    y_train, y_test : ndarray, shape (n,)
        Labels, or numeric values for a regression; not used for language models and trajectories,
        whose targets they have.
    task : {"classification", "regression", "language", "control"}
    image_shape : (int, int), optional
        Shape of the image in each row of X, if the rows are images.
    metric : {"accuracy", "r2", "roc_auc", "nats", "mse"}, optional
        What held-out rows are scored by; ``"roc_auc"``, the area under the ROC curve, is for two
        classes; ``"nats"``, minus nats per token, for texts; ``"mse"``, minus the mean squared
        error of actions, for trajectories. By default accuracy, or R^2 for a regression.
    features : callable, optional
        From X to a table (n, n_features), for references that read one. By default X is a table.
    parameters : mapping of str to object
        Parameters of estimators that depend on files of this machine, such as the path of a
        vocabulary.

    Examples
    --------
    >>> from deepreservoir import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.task, digits.X_train.shape, digits.X_test.shape, digits.image_shape
    ('classification', (1437, 64), (360, 64), (8, 8))
    """

    name: str
    X_train: Any
    y_train: np.ndarray
    X_test: Any
    y_test: np.ndarray
    task: Literal["classification", "regression", "language", "control"] = "classification"
    image_shape: tuple[int, int] | None = None
    metric: Literal["accuracy", "r2", "roc_auc", "nats", "mse"] | None = None
    features: Callable[[Any], np.ndarray] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        """Number of columns of the samples as a table.

        Raises
        ------
        ValueError
            If they cannot be a table, such as texts or trajectories.
        """
        if self.features is None and len(getattr(self.X_train, "shape", ())) < 2:
            raise ValueError(f"the samples of {self.name} are not rows of a table")
        X = self.X_train if self.features is None else self.table(self.X_train[:1])
        return int(X.shape[1])

    def table(self, X: Any) -> np.ndarray:
        """Return samples as a table, shape (n, n_features): of images, the pixels."""
        table = np.asarray(X if self.features is None else self.features(X))
        return table.reshape(len(table), -1) if table.ndim == 4 else table

    @property
    def scored_by(self) -> str:
        """The metric: as given, and otherwise accuracy or R^2, depending on the task."""
        return self.metric or ("accuracy" if self.task == "classification" else "r2")


def standardised(X_train: np.ndarray, X_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardise features by the training rows; constant features become zero."""
    mean, deviation = moments(X_train.astype(np.float64, copy=False))
    scale = scale_of(deviation, mean, len(X_train))
    train, test = (((X - mean) / scale).astype(np.float32) for X in (X_train, X_test))
    return train, test


def split_dataset(
    name: str, X: np.ndarray, y: np.ndarray, task: Literal["classification", "regression"]
) -> Dataset:
    """Hold out a fifth of the rows, always the same ones, stratified by class if possible."""
    check_rows(name, len(y))
    check_regression_rows(name, len(y), task)
    stratify = None
    if task == "classification":
        labels, counts = np.unique(y, return_counts=True)
        rare = labels[counts < 2]
        if rare.size:
            numeric = all(is_number(str(label)) for label in labels)
            remedy = "; for a target of numbers: --task regression (task, in Python)"
            raise ValueError(
                f"every class of {name} needs at least 2 rows, one to train on and one to hold "
                f"out; classes with a single row: {rare.tolist()[:5]}{remedy if numeric else ''}"
            )
        held_out = -(-len(y) // 5)
        stratify = y if held_out >= len(labels) else None
    else:
        stratify = varied_strata(name, y)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=0, stratify=stratify
    )
    return Dataset(name, X_train, y_train, X_test, y_test, task)


def varied_strata(name: str, y: np.ndarray) -> np.ndarray | None:
    """Return strata with which the held-out fifth of a regression has different targets.

    They are None where it has without strata. Otherwise, the rows with the most frequent target are
    one stratum, and all others another.

    Raises
    ------
    ValueError
        If there are too few other targets.
    """

    def held_out(strata: np.ndarray | None) -> np.ndarray:
        rows = train_test_split(y, test_size=0.2, random_state=0, stratify=strata)
        return np.asarray(rows[1])

    if np.ptp(held_out(None)):
        return None
    values, counts = np.unique(y, return_counts=True)
    common = y == values[counts.argmax()]
    others = int((~common).sum())
    if others < 2 or not np.ptp(held_out(common)):
        differ = "differs" if others == 1 else "differ"
        raise ValueError(
            f"{name}: {others} of {len(y)} targets {differ} from {values[counts.argmax()]:g}. That "
            "is too few to hold some of them out, and R^2 is not defined for equal targets"
        )
    return common


def check_regression_rows(name: str, n: int, task: str) -> None:
    """Raise a ValueError if a regression has not enough rows for a score of those held out."""
    if task == "regression" and n < 6:
        raise ValueError(
            f"{name} needs at least 6 rows for a regression: a fifth of them is held out, and R^2 "
            f"is defined for 2 and more; got {n}"
        )


def check_rows(name: str, n: int) -> None:
    """Raise a ValueError if there are not enough rows to hold one out."""
    if n < 2:
        raise ValueError(
            f"{name} needs at least 2 rows, one to train on and one to hold out; got {n}"
        )
