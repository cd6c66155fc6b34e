"""The predictions of the best estimator of a search, as methods of the search."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.metrics import check_scoring
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted


def _best_has(name: str) -> Any:
    def check(self: BestModel) -> bool:
        if not self.refit:
            raise AttributeError(f"{name} needs refit=True: with refit=False no model is kept")
        return hasattr(getattr(self, "best_estimator_", self.estimator), name)

    return available_if(check)


class BestModel(MetaEstimatorMixin, BaseEstimator):
    """Base class of a search that keeps the best estimator as `best_estimator_`, with `refit`."""

    estimator: Any
    scoring: Any
    refit: bool
    best_estimator_: Any

    @_best_has("predict")
    def predict(self, X: Any) -> Any:
        """Return the predictions of `best_estimator_`."""
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    @_best_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities from `best_estimator_`."""
        check_is_fitted(self)
        return self.best_estimator_.predict_proba(X)

    @_best_has("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:
        """Return the log probabilities from `best_estimator_`."""
        check_is_fitted(self)
        return self.best_estimator_.predict_log_proba(X)

    @_best_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Return the decision function of `best_estimator_`."""
        check_is_fitted(self)
        return self.best_estimator_.decision_function(X)

    @_best_has("score")
    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the score of `best_estimator_`: by `scoring`, or accuracy or R^2 without it.

        Parameters
        ----------
        X, y : as in fit
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        float
        """
        check_is_fitted(self)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if self.scoring is None:
            return float(self.best_estimator_.score(X, y, **weights))
        scorer = check_scoring(self.best_estimator_, self.scoring)
        return float(scorer(self.best_estimator_, X, y, **weights))

    @property
    def classes_(self) -> np.ndarray:
        """Class labels."""
        return self._of_best("classes_")

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in fit."""
        return int(self._of_best("n_features_in_"))

    def _of_best(self, name: str) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                f"{type(self).__name__} has {name} only after a fit with refit=True"
            )
        return getattr(self.best_estimator_, name)

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False  # the folds are stratified by class
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags
