"""The common base of deep classifiers: labels, fitting, and predictions from the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin

from ...backend import Array, array_module
from ...kernels import log_softmax
from .device_input import ScoredOnHost
from .fitting import DeepEstimator
from .parameters import ScaffoldParameters
from .targets import Labels, Targets


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

    _targets: Labels
    _stratify = True

    def new_targets(self) -> Targets:
        return self._new_labels(None)

    def _new_labels(self, classes: np.ndarray | None) -> Labels:
        """Return targets that have not seen any y; `classes` are all labels, if they are known."""
        class_weight = getattr(self, "class_weight", None)
        return Labels(self.label_smoothing, class_weight, type(self).__name__, classes)

    def _adopt_targets(self) -> None:
        self.classes_ = self._targets.classes

    @staticmethod
    def _logits(outputs: np.ndarray) -> np.ndarray:
        """Return the values of `decision_function`; for two classes those of the second, (n,)."""
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    @staticmethod
    def _log_probabilities(outputs: np.ndarray) -> np.ndarray:
        """Return log probabilities, (n, n_classes)."""
        if outputs.shape[1] == 1:
            outputs = np.hstack([np.zeros_like(outputs), outputs])
        return log_softmax(outputs)


class DeepClassifier(ScaffoldParameters, ClassWeightParameters, LabelledEstimator):
    """Base of deep classifiers on one scaffold.

    An architecture's classifier derives from it as a dataclass, adds the architecture's
    parameters, and defines :meth:`~DeepEstimator.network_config`. See "Add an architecture" in the
    documentation.
    """

    _one_scaffold = True

    def fit(self, X: Any, y: Any, sample_weight: Any = None, checkpoint: Any = None) -> Self:
        """Train the adapters on labelled samples.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
            Class labels: numbers or strings.
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

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one pass over more samples, at a constant learning rate.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
        classes : array-like, shape (n_classes,), optional
            All labels that will occur; required on the first call. No call needs samples of every
            class.
        sample_weight : array-like, shape (n_samples,), optional
            Weights of samples and of classes are relative within a call: they have no effect if
            all of its samples have the same weight.

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
        return self._partial_fit(X, y, sample_weight, self._new_labels(np.unique(classes)))

    def decision_function(self, X: Any) -> Array:
        """Return the logits.

        Returns
        -------
        ndarray of float64, shape (n_samples,) for two classes, else (n_samples, n_classes)
        """
        return self._placed(self._decoded(X, self._logits), X)

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each sample, shape (n_samples,)."""
        return self._placed(self._decoded(X, self._predictions), X)

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        return self._targets.decode(outputs)

    def predict_log_proba(self, X: Any) -> Array:
        """Return log probabilities, float64, shape (n_samples, n_classes)."""
        return self._placed(self._decoded(X, self._log_probabilities), X)

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities, float64, shape (n_samples, n_classes), in order of `classes_`."""
        log_p = self.predict_log_proba(X)
        return array_module(log_p).exp(log_p)
