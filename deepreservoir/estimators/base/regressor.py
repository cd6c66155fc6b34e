"""The common base of deep regressors: numeric targets, fitting, predicting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from ...backend import Array
from ...losses import Huber, SquaredError
from .device_input import ScoredOnHost
from .fitting import DeepEstimator
from .parameters import ScaffoldParameters
from .targets import Numbers, Targets
from .training_plan import takes_steps

# Between these, means and deviations of targets fit float32, with room for extrapolation.
_SMALLEST_SINGLE, _LARGEST_SINGLE = 1e-30, 1e30


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

    Its own parameters, of training, of the frozen weights and of adapters, are described at
    :class:`~deepreservoir.DeepReservoirRegressor`.
    """

    _targets: Numbers
    _one_scaffold = True
    _y_numeric = True

    def new_targets(self) -> Targets:
        squared = self.loss == "squared_error"
        return Numbers(SquaredError() if squared else Huber(self.huber_delta))

    def _current_targets(self, y: np.ndarray) -> Targets:
        targets = cast(Numbers, super()._current_targets(y))
        targets.ndim = y.ndim  # predictions have the form of the latest y
        return targets

    def _adopt_targets(self) -> None:
        self.y_mean_, self.y_scale_ = self._targets.mean, self._targets.scale

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        checkpoint: Any = None,
        *,
        eval_set: Any = None,
        callback: Any = None,
        parts: int | None = None,
        workers: int | None = None,
        cluster: str | None = None,
    ) -> Self:
        """Train the adapters on samples and their numeric targets.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
            Or what the class reads instead of a table, such as images, graphs or texts: see its
            description.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
            Weight of each sample in the loss; a sample of weight zero has no effect.
        checkpoint : str or path, optional
            Checkpoint, rewritten every 10 seconds. If the process is killed, the same call
            continues from it, with the same bits; it is removed when training has ended.
        eval_set : tuple (X_val, y_val) or (X_val, y_val, sample_weight), optional
            Held-out samples whose loss and score are recorded after every epoch, in `history_`.
            With `early_stopping`, they take the place of the part of X that is held out otherwise.
            In a pipeline, the steps before do not transform them: pass them as this step reads X.
        callback : callable, optional
            Called after every epoch with an :class:`~deepreservoir.training.EpochEnd`: the number
            of the epoch, its losses and scores, and the network. Training ends if it returns True
            or raises StopIteration. If it raises another exception, the model keeps what was
            trained, and the exception is raised.
        parts : int, optional
            Number of parts that each batch is cut into, which must divide `batch_size`. The parts
            are computed with one BLAS thread each, and their gradients summed in order, so that
            the result depends on `parts` and not on who computes them. By default as many as
            `workers`; without either, batches are whole.
        workers : int, optional
            Number of processes on this machine that compute the parts; this process by default.
        cluster : str, optional
            Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``, whose workers compute
            the parts instead. It needs `parts`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or an argument is invalid; raised before training.
        TrainingDiverged
            If the loss or a weight is no longer finite.
        MemoryError
            If the training would need more memory than is free, with what would help: raised
            before training on the host, and by the allocation that fails on a device.

        Warns
        -----
        UserWarning
            If Ctrl-C or a failing callback ended training early; the model is usable.
        """
        divided = (parts, workers, cluster)
        return self._fit(X, y, sample_weight, checkpoint, eval_set, callback, divided)

    @available_if(takes_steps)
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
        """Return the prediction for each sample, in the units of y.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
            Or what `fit` accepts instead of a table.

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
            As y in the latest `fit` or `partial_fit`. float64, or float32 if X is and the targets
            are well within its range.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not have the features of `fit`.
        """
        return self._placed(self._decoded_reals(X, self._predictions), X)

    def _result_dtype(self, given: Any) -> np.dtype[Any]:
        largest = max(float(np.abs(self.y_mean_).max()), float(self.y_scale_.max()))
        fits = largest < _LARGEST_SINGLE and float(self.y_scale_.min()) > _SMALLEST_SINGLE
        return super()._result_dtype(given if fits else None)

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        return self._targets.decode(outputs)

    def _predictions_for(self, given: Any, outputs: np.ndarray) -> np.ndarray:
        return self._predictions(outputs).astype(self._result_dtype(given), copy=False)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
