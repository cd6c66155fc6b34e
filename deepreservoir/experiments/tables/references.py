"""Simple predictors next to a model: the most frequent class or the mean, and a linear model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ...datasets import Dataset
from ...user_warnings import warn_user
from ..comparisons.words import LinearInWords

_PENALTIES = tuple(10.0**k for k in range(-2, 5))
_FEWEST_ROWS = 10  # to compare on
_STANDARD_ERRORS = 2.0  # of a paired difference that is not due to chance


@dataclass(frozen=True)
class Reference:
    """A simple predictor, compared with a model on the same held-out rows.

    Attributes
    ----------
    name : str
    score : float
        Accuracy, or R^2.
    difference : float
        The score of the model minus that of the reference.
    error : float or None
        Standard error of the difference, from the pairs of held-out rows; None for a single row.

    Examples
    --------
    >>> Reference("logistic regression", score=0.92, difference=0.03, error=0.01).verdict
    1
    >>> Reference("logistic regression", score=0.92, difference=0.03, error=0.02).verdict
    0
    """

    name: str
    score: float
    difference: float
    error: float | None

    @property
    def verdict(self) -> int:
        """1 if the model is better, -1 if it is worse, 0 if the rows do not tell."""
        if self.error is None or abs(self.difference) <= _STANDARD_ERRORS * self.error:
            return 0
        return 1 if self.difference > 0 else -1


def references(model: Any, data: Dataset) -> tuple[Reference, Reference]:
    """Fit the simple predictors on the training rows, and compare the model with them.

    Parameters
    ----------
    model : estimator
        It is fitted on the training rows.
    data : Dataset
        The features need not be scaled; the samples may be texts.

    Returns
    -------
    (Reference, Reference)
        The most frequent class or the mean; logistic or ridge regression, for texts on TF-IDF.
    """
    classes = data.task == "classification"
    simple: Any = DummyClassifier() if classes else DummyRegressor()
    linear: Any = LogisticRegression(max_iter=200) if classes else RidgeCV(_PENALTIES)
    linear = make_pipeline(StandardScaler(), linear)
    words = ("most frequent class", "logistic regression") if classes else ("mean", "ridge")
    if isinstance(data.X_train[0], str):
        linear, words = LinearInWords(), (words[0], "logistic regression on TF-IDF of words")
    losses = _losses(model, data)
    made = []
    for name, each in zip(words, (simple, linear), strict=True):
        with warnings.catch_warnings():
            # After 200 iterations it is a sufficient reference.
            warnings.simplefilter("ignore", ConvergenceWarning)
            each.fit(data.X_train, data.y_train)
        gains = _losses(each, data) - losses
        error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else None
        score = float(each.score(data.X_test, data.y_test))
        made.append(Reference(name, score, float(gains.mean()), error))
    return made[0], made[1]


def references_unless_interrupted(model: Any, data: Dataset) -> tuple[Reference, Reference] | None:
    """Return :func:`references`, or None after Ctrl-C, which must not lose a trained model."""
    try:
        return references(model, data)
    except KeyboardInterrupt:
        warn_user("the comparison with simple predictors was interrupted; the model is kept")
        return None


def _losses(model: Any, data: Dataset) -> np.ndarray:
    """Return a loss per held-out row, whose mean is one minus the score."""
    predicted = np.asarray(model.predict(data.X_test))
    if data.task == "classification":
        return (predicted != data.y_test).astype(np.float64)
    variance = float(np.var(data.y_test)) or 1.0
    losses: np.ndarray = (predicted.reshape(-1) - data.y_test) ** 2 / variance
    return losses


def sentence(simple: Reference, linear: Reference, n: int) -> str:
    """Return how the model compares with the references, and what follows.

    Parameters
    ----------
    simple, linear : Reference
    n : int
        Number of held-out rows.
    """
    if n < _FEWEST_ROWS:
        rows = "1 held-out row is" if n == 1 else f"{n} held-out rows are"
        return f"{rows} too few to compare the model with others."
    known = {"mean": "the mean of the target", "ridge": "ridge regression"}
    common = known.get(simple.name, "the most frequent class")
    straight = known.get(linear.name, linear.name)
    if simple.verdict <= 0:
        return (
            f"The model is not better than always predicting {common}: the columns may say little "
            "about the target, or the model needs other settings."
        )
    if linear.verdict > 0:
        return f"The model is better than {straight} on the same rows."
    if linear.verdict < 0:
        return (
            f"{straight.capitalize()} is better than the model on the same rows, and simpler: use "
            "it, or change the settings of the model."
        )
    return (
        f"The held-out rows do not tell the model and {straight} apart (difference "
        f"{linear.difference:+.4f}, standard error {linear.error:.4f}): the linear model is "
        "simpler."
    )
