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
    scoring : {"accuracy", "roc_auc"}, default="accuracy"
        The validation score. ``"roc_auc"``, the area under the ROC curve, is for two classes; it is
        NaN, and such an epoch is not kept, if the validation samples have one class.

    Examples
    --------
    >>> from deepreservoir.estimators import ScoredLabels
    >>> labels = ScoredLabels(scoring="roc_auc")
    >>> encoded = labels.encode(np.array(["no", "yes", "no"]))
    >>> labels.score(np.array([[-1.0], [2.0], [0.5]]), encoded, None)
    1.0
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

    Parameters
    ----------
    label_smoothing, class_weight, classes, scoring
        As for :class:`ScoredLabels`.

    Examples
    --------
    >>> from deepreservoir.estimators import Labels, SoftmaxLabels
    >>> two = np.array(["no", "yes"])
    >>> SoftmaxLabels(classes=two).n_outputs, Labels(classes=two).n_outputs
    (2, 1)
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
