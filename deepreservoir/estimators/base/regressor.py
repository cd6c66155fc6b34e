"""The common base of deep regressors: numeric targets, fitting, predicting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from ...backend import Array
from ...losses import Huber, SquaredError
from .device_input import ScoredOnHost
from .fitting import DeepEstimator
from .parameters import ScaffoldParameters
from .targets import Numbers, Targets


@dataclass(kw_only=True, eq=False, repr=False)
class RegressionParameters:
    """The loss of a regressor."""

    loss: str = "squared_error"
    huber_delta: float = 1.0


class DeepRegressor(
    ScaffoldParameters, RegressionParameters, ScoredOnHost, RegressorMixin, DeepEstimator
):
    """Base of deep regressors on one scaffold.

    An architecture's regressor derives from it as a dataclass, adds the architecture's
    parameters, and defines :meth:`~DeepEstimator.network_config`. See "Add an architecture" in the
    documentation.
    """

    _targets: Numbers
    _one_scaffold = True
    _y_numeric = True

    def new_targets(self) -> Targets:
        squared = self.loss == "squared_error"
        return Numbers(SquaredError() if squared else Huber(self.huber_delta))

    def _adopt_targets(self) -> None:
        self.y_mean_, self.y_scale_ = self._targets.mean, self._targets.scale

    def fit(self, X: Any, y: Any, sample_weight: Any = None, checkpoint: Any = None) -> Self:
        """Train the adapters on samples and their numeric targets.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
            Weight of each sample in the loss; a sample of weight zero has no effect.
        checkpoint : str or path, optional
            Checkpoint, rewritten every 10 seconds. If the process is killed, the same call
            continues from it, with the same bits; it is removed when training has ended.

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If Ctrl-C ended training early; the model is usable.
        """
        return self._fit(X, y, sample_weight, checkpoint)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one pass over more samples, at a constant learning rate.

        Targets are standardised by the mean and standard deviation of the first call.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Return predictions, float64, shape (n_samples,) or (n_samples, n_outputs)."""
        return self._placed(self._decoded(X, self._predictions), X)

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        return self._targets.decode(outputs)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
