"""Multi-label targets: an indicator matrix, with one logit and one probability per label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import type_of_target

from ...kernels import log_softmax, sigmoid
from ...losses import BinaryCrossEntropy, Loss
from .label_smoothing import without_smoothing
from .targets import Targets


def is_indicator_matrix(y: Any) -> bool:
    """Return whether y has the form of a multi-label target: a matrix with one column per label."""
    return getattr(y, "ndim", 1) == 2 and type_of_target(y) == "multilabel-indicator"


class Indicators(Targets):
    """Any number of labels per sample, under binary cross-entropy summed over the labels.

    Parameters
    ----------
    label_smoothing : float
    class_weight : None
        Weights of classes are only defined for one label per sample.
    n_labels : int, optional
        Number of labels, if it is known before the first targets.

    Examples
    --------
    >>> from deepreservoir.estimators import Indicators
    >>> indicators = Indicators()
    >>> _ = indicators.encode(np.array([[1, 0, 1], [0, 0, 1]]))
    >>> indicators.n_outputs, indicators.decode(np.array([[2.0, -1.0, 0.5]]))
    (3, array([[1, 0, 1]]))
    """

    state_types: ClassVar[Mapping[str, Any]] = {"n_labels": int}
    parameters: ClassVar[tuple[str, ...]] = ("label_smoothing", "class_weight")

    def __init__(
        self, label_smoothing: float = 0.0, class_weight: Any = None, n_labels: int | None = None
    ) -> None:
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self._n_labels = n_labels

    @property
    def out_activation(self) -> str:
        return "logistic"

    @property
    def n_outputs(self) -> int:
        assert self._n_labels is not None, "labels are counted once targets have been encoded"
        return self._n_labels

    @property
    def classes(self) -> np.ndarray:
        """The numbers of the labels, (n_labels,)."""
        return np.arange(self.n_outputs)

    @property
    def loss(self) -> Loss:
        return BinaryCrossEntropy(label_smoothing=self.label_smoothing)

    def encode(self, y: Any) -> np.ndarray:
        if self.class_weight is not None:
            raise ValueError(
                "class_weight weights the classes of samples with one label each, but y is an "
                f"indicator matrix; set class_weight=None; got {self.class_weight!r}"
            )
        if scipy.sparse.issparse(y):
            y = y.toarray()
        if y.ndim != 2:
            raise ValueError(
                f"y must be an indicator matrix with {self.n_outputs} columns, as before; got an "
                f"array of shape {y.shape}"
            )
        if self._n_labels is None:
            self._n_labels = y.shape[1]
        if y.shape[1] != self._n_labels:
            raise ValueError(
                f"y must have {self._n_labels} columns, one for each label; got {y.shape[1]}"
            )
        encoded = y.astype(np.int8)
        if y.dtype.kind not in "biuf" or (encoded != y).any() or not np.isin(encoded, (0, 1)).all():
            raise ValueError(
                "y must be an indicator matrix, 1 for the labels of a sample and 0 for the "
                f"others; got values such as {np.unique(y)[:3].tolist()}"
            )
        return encoded

    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        return encoded.astype(dtype)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return (outputs > 0).astype(np.int64)

    def decision(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def log_probabilities(self, outputs: np.ndarray) -> np.ndarray:
        if self.label_smoothing:  # each label is smoothed on its own
            both = log_softmax(np.stack([np.zeros_like(outputs), outputs], axis=-1))
            return without_smoothing(both, self.label_smoothing)[..., 1]
        # The logarithm of the probability as it is rounded, so that both results agree; that of a
        # small probability does not underflow.
        with np.errstate(divide="ignore"):
            rounded = np.log(sigmoid(outputs))
        return np.where(outputs < -30, outputs, rounded)

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        return float(accuracy_score(encoded, self.decode(outputs), sample_weight=weights))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"n_labels": self.n_outputs}, {}

    def restore(self, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        self._n_labels = plain["n_labels"]
        if self.n_outputs < 2:
            raise ValueError(f"an indicator matrix has at least 2 columns; got {self.n_outputs}")
        return self
