"""Simple predictors next to a model: the most frequent class or the mean, and a linear model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import wilcoxon
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
_CHANCE = 0.05  # of signed ranks like these, if neither is better


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
    ranks : {-1, 0, 1}
        Of a regression, which of the two has the smaller errors by the signed ranks of the
        differences, -1 for the reference; 0 if they do not tell.

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
    ranks: int = 0

    @property
    def verdict(self) -> int:
        """1 if the model is better, -1 if it is worse, 0 if the rows do not tell.

        A few large errors make the standard error of a regression large; the ranks may tell then.
        """
        sign = 1 if self.difference > 0 else -1
        if self.error is None:
            return 0
        if abs(self.difference) > _STANDARD_ERRORS * self.error or self.ranks == sign:
            return sign
        return 0


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
        ranks = 0 if classes else _told_by_ranks(gains)
        made.append(Reference(name, score, float(gains.mean()), error, ranks))
    return made[0], made[1]


def _told_by_ranks(gains: np.ndarray) -> int:
    """Return the sign of the gains, (n,), if their signed ranks tell it; else 0."""
    if len(gains) < _FEWEST_ROWS or not gains.any():
        return 0
    return int(np.sign(np.median(gains))) if wilcoxon(gains).pvalue < _CHANCE else 0


def references_unless_interrupted(model: Any, data: Dataset) -> tuple[Reference, Reference] | None:
    """Return :func:`references`, or None after Ctrl-C or an error, which must not lose a model."""
    try:
        return references(model, data)
    except KeyboardInterrupt:
        warn_user("the comparison with simple predictors was interrupted; the model is kept")
    except Exception as error:
        warn_user(f"the comparison with simple predictors failed, and the model is kept: {error}")
    return None


def _losses(model: Any, data: Dataset) -> np.ndarray:
    """Return a loss per held-out row, whose mean is one minus the score."""
    predicted = np.asarray(model.predict(data.X_test))
    if data.task == "classification":
        return (predicted != data.y_test).astype(np.float64)
    variance = float(np.var(data.y_test)) or 1.0
    losses: np.ndarray = (predicted.reshape(-1) - data.y_test) ** 2 / variance
    return losses


def too_few(n: int, purpose: str) -> str | None:
    """Return a sentence if `n` held-out rows are too few for a purpose, and None otherwise."""
    if n >= _FEWEST_ROWS:
        return None
    rows = "1 held-out row is" if n == 1 else f"{n} held-out rows are"
    return f"{rows} too few to {purpose}."


def sentence(simple: Reference, linear: Reference, n: int) -> str:
    """Return how the model compares with the references, and what follows.

    Parameters
    ----------
    simple, linear : Reference
    n : int
        Number of held-out rows.
    """
    few = too_few(n, "compare the model with others")
    if few is not None:
        return few
    known = {"mean": "the mean of the target", "ridge": "ridge regression"}
    common = known.get(simple.name, "the most frequent class")
    straight = known.get(linear.name, linear.name)
    if simple.verdict < 0 or (simple.verdict == 0 and simple.difference <= 0):
        return (
            f"The model is not better than always predicting {common}: the columns may say little "
            "about the target, or the model needs other settings."
        )
    if simple.verdict == 0:
        return (
            f"The held-out rows do not tell the model and always predicting {common} apart "
            f"(difference {simple.difference:+.4f}, standard error {simple.error:.4f}): more rows, "
            "or other columns or settings, may."
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
