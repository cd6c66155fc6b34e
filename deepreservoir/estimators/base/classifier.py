"""The common base of deep classifiers: labels, fitting, and predictions from the logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from ...backend import Array, array_module
from .device_input import ScoredOnHost
from .fitting import DeepEstimator
from .multilabel_targets import Indicators, is_indicator_matrix
from .parameters import ScaffoldParameters
from .targets import Labels, Targets
from .training_plan import takes_steps


@dataclass(kw_only=True, eq=False, repr=False)
class LabelParameters:
    """How labels enter the loss."""

    label_smoothing: float = 0.0


@dataclass(kw_only=True, eq=False, repr=False)
class ClassWeightParameters:
    """How classes are weighted."""

    class_weight: dict[Any, float] | str | None = None


class LabelledEstimator(LabelParameters, ScoredOnHost, ClassifierMixin, DeepEstimator):
    """Base of estimators whose targets are labels."""

    _targets: Labels | Indicators
    _stratify = True

    def new_targets(self) -> Targets:
        return self._new_labels(None)

    def _new_labels(self, classes: np.ndarray | None) -> Labels:
        """Return targets that have not seen any y; `classes` are all labels, if they are known."""
        return Labels(self.label_smoothing, getattr(self, "class_weight", None), classes)

    def _adopt_targets(self) -> None:
        self.classes_ = self._targets.classes

    def _logits(self, outputs: np.ndarray) -> np.ndarray:
        """Return the values of `decision_function`."""
        return self._targets.decision(outputs)

    def _log_probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return log probabilities, (n, n_classes)."""
        return self._targets.log_probabilities(outputs)


class DeepClassifier(ScaffoldParameters, ClassWeightParameters, LabelledEstimator):
    """Base of deep classifiers on one scaffold.

    An architecture's classifier derives from it as a dataclass, adds the architecture's
    parameters, and defines :meth:`~DeepEstimator.network_config`. See "Add an architecture" in the
    documentation.

    Its own parameters, of training, of the frozen weights and of adapters, are described at
    :class:`~deepreservoir.DeepReservoirClassifier`.
    """

    _one_scaffold = True

    def targets_for(self, y: np.ndarray, classes: Any = None) -> Targets:
        """Return targets that have not seen any y, of the form of this one."""
        if is_indicator_matrix(y):
            n_labels = None if classes is None else len(classes)
            return Indicators(self.label_smoothing, self.class_weight, n_labels)
        return self._new_labels(classes)

    def saved_targets(self, fitted: Mapping[str, Any]) -> Targets:
        if "n_labels" in fitted:
            return Indicators(self.label_smoothing, self.class_weight)
        return self.new_targets()

    def _stratified(self, targets: Targets) -> bool:
        return isinstance(targets, Labels)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

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
        """Train the adapters on labelled samples.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
            Or what the class reads instead of a table, such as images, graphs or texts: see its
            description.
        y : array-like, shape (n_samples,) or (n_samples, n_labels)
            Class labels: numbers or strings. Or an indicator matrix of zeros and ones, if a sample
            may have any number of labels; `classes_` are then the numbers of its columns.
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
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one pass over more samples, at a constant learning rate.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_labels)
        classes : array-like, shape (n_classes,), optional
            All labels that will occur, or the numbers of the columns of an indicator matrix;
            required on the first call. No call needs samples of every class.
        sample_weight : array-like, shape (n_samples,), optional
            Weights of samples and of classes are relative within a call: they have no effect if
            all of its samples have the same weight. ``class_weight="balanced"`` balances the
            classes that occur in a call.

        Returns
        -------
        self
        """
        if hasattr(self, "network_"):
            expected = self.classes_
            if classes is not None and not np.array_equal(np.unique(classes), expected):
                raise ValueError(
                    f"classes must be those of the first call, {expected.tolist()}; "
                    f"got {np.unique(classes).tolist()}"
                )
            return self._partial_fit(X, y, sample_weight)
        if classes is None:
            raise ValueError(
                "classes must be given on the first call of partial_fit: all labels that "
                "will occur, such as classes=[0, 1, 2]"
            )
        labels = np.unique(classes)
        return self._partial_fit(X, y, sample_weight, lambda y: self.targets_for(y, labels))

    def decision_function(self, X: Any) -> Array:
        """Return the logits.

        Returns
        -------
        ndarray of float64, shape (n_samples,) for two classes, else (n_samples, n_classes)
            float32 if X is; zeros of shape (n_samples,) for one class.
        """
        return self._placed(self._decoded_reals(X, self._logits), X)

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each sample.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
            Or what `fit` accepts instead of a table.

        Returns
        -------
        ndarray, shape (n_samples,)
            Labels, of the type of `classes_`. After a fit on an indicator matrix, an indicator
            matrix of int64, shape (n_samples, n_labels), with 1 for each label whose probability
            is above a half.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not have the features of `fit`.
        """
        return self._placed(self._decoded(X, self._predictions), X)

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        return self._targets.decode(outputs)

    def _predictions_for(self, given: Any, outputs: np.ndarray) -> np.ndarray:
        """Return predictions from outputs; labels do not depend on the type of X."""
        return self._predictions(outputs)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : as in :meth:`predict`

        Returns
        -------
        ndarray, shape (n_samples, n_classes) or (n_samples, n_labels)
            Of the type, and in the order, of :meth:`predict_proba`.
        """
        return self._placed(self._decoded_reals(X, self._log_probabilities), X)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, without the smoothing of labels in training.

        Parameters
        ----------
        X : as in :meth:`predict`

        Returns
        -------
        ndarray, shape (n_samples, n_classes), float32 if X is float32, otherwise float64
            In the order of `classes_`. After a fit on an indicator matrix, one probability per
            label, shape (n_samples, n_labels); those of a sample do not sum to one.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not have the features of `fit`.
        """
        log_p = self.predict_log_proba(X)
        return array_module(log_p).exp(log_p)
