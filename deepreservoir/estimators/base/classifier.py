"""What the deep classifiers share: labels, their loss, and what outputs say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ...kernels import log_softmax
from ...losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from .data import Data
from .device_input import ScoredOnHost
from .fitting import BaseDeepReservoir


class BaseDeepClassifier(ScoredOnHost, ClassifierMixin, BaseDeepReservoir):
    """Base of the deep classifiers; `__init__` is theirs, and stores parameters only."""

    _stratify = True

    class_weight: Any = None  # of a classifier that has no such parameter
    label_smoothing: float

    def _encode(
        self, y: np.ndarray, classes: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if classes is None:
            self.classes_, codes = np.unique(y, return_inverse=True)
        else:
            unknown = np.setdiff1d(y, classes)
            if unknown.size:
                raise ValueError(
                    f"y holds classes that were not there before: {unknown.tolist()}; "
                    f"expected only {classes.tolist()}"
                )
            self.classes_, codes = classes, np.searchsorted(classes, y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in y; "
                f"got 1 class: {self.classes_[0]!r}"
            )
        if self.class_weight is None:
            return codes, None
        by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        return codes, by_class[codes]

    def _prepare_targets(self, data: Data) -> None:
        present = np.unique(data.y)
        if len(present) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes; got 1 class with "
                f"a positive weight: {self.classes_[present[0]]!r}"
            )

    def _targets(self, y: np.ndarray, dtype: np.dtype) -> np.ndarray:
        return y.astype(dtype) if len(self.classes_) == 2 else y

    def _n_outputs(self, y: np.ndarray) -> int:
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _loss(self) -> Loss:
        if len(self.classes_) == 2:
            return BinaryCrossEntropy(label_smoothing=self.label_smoothing)
        return SoftmaxCrossEntropy(label_smoothing=self.label_smoothing)

    def _validation_score(self, outputs: np.ndarray, data: Data) -> float:
        return float(accuracy_score(data.y, _codes(outputs), sample_weight=data.weights))

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes_[_codes(outputs)]

    @staticmethod
    def _logits(outputs: np.ndarray) -> np.ndarray:
        """Return what `decision_function` does: of two classes the second one's, (n,)."""
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    @staticmethod
    def _log_probabilities(outputs: np.ndarray) -> np.ndarray:
        """Return log probabilities, (n, n_classes)."""
        if outputs.shape[1] == 1:
            outputs = np.hstack([np.zeros_like(outputs), outputs])
        return log_softmax(outputs)


def _codes(outputs: np.ndarray) -> np.ndarray:
    """Return the class index of each row of logits."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(np.intp)
    return outputs.argmax(axis=1)
