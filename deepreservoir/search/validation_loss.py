"""Losses on held-out rows: the loss, the folds, and confidence intervals of differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import check_scoring, log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils.validation import _num_samples

from ..checks import check_integer, is_finite_number

#: model, X, y -> loss; smaller is better.
ValidationLoss = Callable[[Any, Any, Any], float]


def _log_loss(model: Any, X: Any, y: Any) -> float:
    return float(log_loss(y, model.predict_proba(X), labels=model.classes_))


def _squared_error(model: Any, X: Any, y: Any) -> float:
    return float(mean_squared_error(y, model.predict(X)))


def _minus(scorer: Any, model: Any, X: Any, y: Any) -> float:
    return -float(scorer(model, X, y))


def validation_loss(estimator: Any, scoring: Any, X: Any, y: Any) -> ValidationLoss:
    """Return the loss of an estimator on rows that it was not fitted on.

    Parameters
    ----------
    estimator : classifier or regressor
    scoring : str or callable, or None
        Minus this score; None for log loss, or squared error averaged over rows and outputs.
    X, y : as in the estimator's fit

    Raises
    ------
    ValueError
        If there is no such scoring, or it does not suit these targets.
    """
    if scoring is None:
        if is_regressor(estimator):
            return _squared_error
        if is_classifier(estimator) and hasattr(estimator, "predict_proba"):
            return _log_loss
        raise ValueError(
            "scoring must be given for an estimator that is neither a regressor nor a classifier "
            f"with predict_proba; got scoring=None for {type(estimator).__name__}"
        )
    if not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(
            "scoring must be one name, such as 'accuracy', or a function (estimator, X, y) -> "
            f"score, where higher is better; got {scoring!r}"
        )
    scorer = check_scoring(estimator, scoring)
    if isinstance(scoring, str):  # a function may depend on the estimator
        dummy = DummyClassifier(strategy="prior") if is_classifier(estimator) else DummyRegressor()
        try:
            value = float(scorer(dummy.fit(X, y), X, y))
        except ValueError as error:
            raise ValueError(
                f"scoring={scoring!r} does not suit this task: {error}. Choose another, or None"
            ) from None
        if not np.isfinite(value):
            raise ValueError(
                f"scoring={scoring!r} does not suit this task: guessing scores {value}. "
                "Choose another, or None"
            )
    return partial(_minus, scorer)


def folds(
    cv: Any,
    X: Any,
    y: Any,
    classifier: bool,
    seed: int,
    groups: Any = None,
    in_order: bool = False,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (training rows, held-out rows) of each fold.

    Parameters
    ----------
    cv : int, splitter or iterable
        An integer is the number of folds of shuffled rows, stratified by class for a classifier.
    X, y : as in the estimator's fit
    classifier : bool
    seed : int
        Seed of the shuffling.
    groups : array-like, shape (n_samples,), optional
        For a splitter that keeps groups of rows together.
    in_order : bool, default=False
        Whether an integer `cv` cuts X into consecutive blocks, and does not shuffle it.

    Raises
    ------
    ValueError
        If the folds are impossible, or a class is missing from the training rows of one.
    """
    n = _num_samples(X)
    if cv is None or isinstance(cv, int | float | np.number):
        check_integer("cv", cv, 2)
        if cv > n:
            got = "1 sample" if n == 1 else f"{n} samples"
            raise ValueError(f"{cv} folds need at least as many rows; got {got}. Lower cv")
        if classifier:
            classes, counts = np.unique(y, return_counts=True)
            if counts.min() < cv:
                rare = classes.tolist()[counts.argmin()]
                raise ValueError(
                    f"{cv} folds need at least {cv} rows of every class; class {rare!r} has "
                    f"{counts.min()}. Lower cv, or leave the class out"
                )
        kind = StratifiedKFold if classifier else KFold
        cv = KFold(cv) if in_order else kind(cv, shuffle=True, random_state=seed)
    try:
        splits = [(np.asarray(a), np.asarray(b)) for a, b in check_cv(cv).split(X, y, groups)]
    except TypeError as error:
        raise ValueError(
            f"cv must be a number of folds, a splitter such as KFold(5), or a list of (training "
            f"rows, held-out rows); got {cv!r}: {error}"
        ) from None
    if not splits or not all(_are_rows(side, n) for split in splits for side in split):
        raise ValueError(
            f"cv must yield pairs of training rows and held-out rows, neither of them empty, with "
            f"indices from 0 to {n - 1}; got {cv!r}"
        )
    if classifier:
        y = np.asarray(y)
        for i, (train, _) in enumerate(splits):
            missing = np.setdiff1d(y, y[train])
            if missing.size:
                raise ValueError(
                    f"the training rows of every fold must include every class; those of fold {i} "
                    f"lack {missing.tolist()[:5]}. Choose another cv"
                )
    return splits


def _are_rows(rows: np.ndarray, n: int) -> bool:
    whole = rows.ndim == 1 and rows.dtype.kind in "iu" and rows.size > 0
    return whole and rows.min() >= 0 and bool(rows.max() < n)


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


def interval(values: np.ndarray, confidence: float) -> Interval:
    """Return the mean of values with Student's confidence interval (Student, 1908).

    Examples
    --------
    >>> result = interval(np.array([1.0, 2.0, 3.0]), 0.95)
    >>> [round(value, 3) for value in result]
    [2.0, -0.484, 4.484]
    """
    n, mean = values.size, float(values.mean())
    if n == 1:  # one value has no spread
        return Interval(mean, -np.inf, np.inf)
    error = float(values.std(ddof=1)) / n**0.5
    half = float(student_t.ppf(0.5 + confidence / 2, n - 1)) * error
    return Interval(mean, mean - half, mean + half)


def check_open(name: str, value: Any, below: float) -> None:
    """Raise a ValueError unless `value` is a number above 0 and below a limit."""
    if not is_finite_number(value) or not 0 < value < below:
        limit = "finite" if below == float("inf") else f"below {below:g}"
        raise ValueError(f"{name} must be a number above 0 and {limit}; got {value!r}")
