"""Class labels whose validation score can be the area under the ROC curve."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import roc_auc_score

from ...losses import Loss, SoftmaxCrossEntropy
from .targets import Labels

SCORINGS = ("accuracy", "roc_auc")


class ScoredLabels(Labels):
    """Labels whose validation score is the accuracy or, for two classes, the area under the ROC.

    Parameters
    ----------
    label_smoothing, class_weight, classes
        As for :class:`Labels`.
    scoring : {"accuracy", "roc_auc"}
        The validation score. ``"roc_auc"``, the area under the ROC curve, is for two classes; it is
        NaN, and such an epoch is not kept, if the validation samples have one class.
    """

    parameters: ClassVar[tuple[str, ...]] = (*Labels.parameters, "scoring")

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        classes: np.ndarray | None = None,
        scoring: str = "accuracy",
    ) -> None:
        super().__init__(label_smoothing, class_weight, classes)
        self.scoring = scoring

    def encode(self, y: np.ndarray) -> np.ndarray:
        encoded = super().encode(y)
        if self.scoring == "roc_auc" and len(self.classes) != 2:
            raise ValueError(
                f"scoring='roc_auc' is for two classes; got {len(self.classes)} classes in y. Use "
                "scoring='accuracy'"
            )
        return encoded

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        if self.scoring == "accuracy":
            return super().score(outputs, encoded, weights)
        if len(np.unique(encoded)) < 2:  # undefined
            return float("nan")
        return float(roc_auc_score(encoded, self.decision(outputs), sample_weight=weights))


class SoftmaxLabels(ScoredLabels):
    """Class labels under softmax cross-entropy, with one logit per class also for two classes.

    The parameters are those of :class:`ScoredLabels`.
    """

    @property
    def n_outputs(self) -> int:
        return len(self.classes)

    @property
    def loss(self) -> Loss:
        return SoftmaxCrossEntropy(label_smoothing=self.label_smoothing)

    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        return encoded

    def decision(self, outputs: np.ndarray) -> np.ndarray:
        if len(self.classes) == 2:
            return outputs[:, 1] - outputs[:, 0]
        return super().decision(outputs)
