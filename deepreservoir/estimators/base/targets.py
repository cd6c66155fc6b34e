"""Targets: from a user's y to the form that the loss takes, and from outputs to predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ...backend import Array
from ...document import labels_of, plain_labels
from ...inputs import Batch, Target
from ...kernels import log_softmax
from ...losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from ...moments import moments, scale_of
from ...training import take_target
from .label_checks import check_one_kind
from .label_smoothing import without_smoothing

# Larger targets leave no room for a prediction beyond them.
_LARGEST = 1e300


class Targets(ABC):
    """The targets of a network: they are encoded, compared by a loss, and decoded again.

    Attributes
    ----------
    n_outputs : int
        Width of the head; available once `encode` has seen targets.
    state_types : mapping of str to type
        Entries of the JSON data that :meth:`state` returns, and their types. The names of arrays
        begin with ``target.``.
    parameters : tuple of str
        Names of the attributes that the estimator's parameters set, and not `fit`.
    """

    state_types: ClassVar[Mapping[str, Any]] = {}
    parameters: ClassVar[tuple[str, ...]] = ()

    @property
    def out_activation(self) -> str:
        """Function of the outputs that :meth:`decode` implies, by scikit-learn's name."""
        return "identity"

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Width of the head."""

    @property
    @abstractmethod
    def loss(self) -> Loss:
        """The training loss; it is called with blocks of rows."""

    @abstractmethod
    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return encoded targets, (n, ...).

        The first call learns properties such as the class labels; later calls raise for targets
        that do not agree with them.
        """

    def check_continued(self, y: np.ndarray) -> None:
        """Raise if a `fit` with these targets could not continue from an earlier one."""
        return

    def with_parameters_of(self, new: Targets) -> Self:
        """Return these fitted targets with the parameters of new ones of the same class."""
        targets = copy(self)
        for name in self.parameters:
            setattr(targets, name, getattr(new, name))
        return targets

    def sample_weights(
        self, encoded: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return the weights that the targets assign to samples, such as class weights.

        `weights` are those of the user; a sample of weight k counts as k samples.
        """
        return None

    def fit(self, encoded: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn statistics such as mean and scale from the targets of the training samples."""
        return self

    @abstractmethod
    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        """Return encoded targets in the form that the loss takes."""

    def take(self, y: Array, index: Any, batch: Batch, weights: Array | None) -> Target:
        """Return the target of the samples at `index`.

        Parameters
        ----------
        y : array
            The :meth:`loss_values`, on the network's device.
        index : array of int, or slice
        batch : Batch
            The batch of these samples, from which the targets of a decoder are taken.
        weights : array, shape (n,), optional
        """
        return take_target(y, index, batch, weights)

    @abstractmethod
    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return predictions for outputs (m, n_outputs), which are float64 on the host."""

    @abstractmethod
    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        """Return the validation score of outputs; higher is better."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the fitted state: JSON data, and arrays by name."""

    @abstractmethod
    def restore(self, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Restore the state that :meth:`state` returned.

        Raises
        ------
        ValueError
            If the state does not belong to such targets.
        """


class Labels(Targets):
    """Class labels, under cross-entropy: one logit for two classes, else one per class.

    A single class leaves nothing to learn: it is predicted for every sample.

    Parameters
    ----------
    label_smoothing : float
    class_weight : dict, "balanced" or None
        Keys are labels, or their text, as in files that have no other keys.
    classes : ndarray, shape (n_classes,), optional
        All classes that will occur, if they are known; not all of them must be in the first
        training set.

    Examples
    --------
    >>> from deepreservoir.estimators import Labels
    >>> labels = Labels()
    >>> labels.encode(np.array(["cat", "dog", "owl", "cat"])), labels.n_outputs
    (array([0, 1, 2, 0]), 3)
    >>> labels.decode(np.array([[0.1, 2.0, -1.0]]))
    array(['dog'], dtype='<U3')
    """

    state_types: ClassVar[Mapping[str, Any]] = {"classes": dict}
    parameters: ClassVar[tuple[str, ...]] = ("label_smoothing", "class_weight")

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        classes: np.ndarray | None = None,
    ) -> None:
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self._classes = classes

    @property
    def classes(self) -> np.ndarray:
        """The sorted labels, (n_classes,)."""
        assert self._classes is not None, "labels are known once targets have been encoded"
        return self._classes

    @property
    def out_activation(self) -> str:
        return "logistic" if len(self.classes) <= 2 and self.n_outputs == 1 else "softmax"

    @property
    def n_outputs(self) -> int:
        return 1 if len(self.classes) <= 2 else len(self.classes)

    @property
    def loss(self) -> Loss:
        if len(self.classes) == 2:
            return BinaryCrossEntropy(label_smoothing=self.label_smoothing)
        return SoftmaxCrossEntropy(label_smoothing=self.label_smoothing)

    def found_in(self, y: np.ndarray) -> np.ndarray:
        """Return the classes of a first training set."""
        return np.unique(y)

    def encode(self, y: np.ndarray) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_one_kind(y)
        check_classification_targets(y)
        if self._classes is None:
            self._classes = self.found_in(y)
        else:
            unknown = np.setdiff1d(y, self._classes)
            if unknown.size:
                raise ValueError(
                    f"y contains classes that earlier calls did not have: {unknown.tolist()}; "
                    f"expected only {self._classes.tolist()}"
                )
        return np.searchsorted(self.classes, y)

    def check_continued(self, y: np.ndarray) -> None:
        found = np.unique(column_or_1d(y))
        if not np.array_equal(found, self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes}, `y` has {found}. Use partial_fit for "
                "samples of some of the classes, or set warm_start=False"
            )

    def sample_weights(
        self, encoded: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            return self._balanced(encoded, weights)[encoded]
        by_class = compute_class_weight(
            self._weights_by_label(), classes=self.classes, y=self.classes[encoded]
        )
        if not (np.isfinite(by_class).all() and (by_class >= 0).all()):
            raise ValueError(
                f"the weights in class_weight must be finite and not negative; got "
                f"{self.class_weight!r}"
            )
        return by_class[encoded]

    def _weights_by_label(self) -> Any:
        """Return the given weights; keys that are text stand for the labels of the same text."""
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        labels = {str(label): label for label in self.classes.tolist()}
        return {
            labels.get(key, key) if isinstance(key, str) else key: weight
            for key, weight in self.class_weight.items()
        }

    def _balanced(self, encoded: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """Return the weight of each class, with which the classes that occur count the same."""
        # Negative weights are refused later.
        counted = None if weights is None else np.maximum(weights, 0)
        totals = np.bincount(encoded, counted, minlength=len(self.classes))
        present = totals > 0
        return totals.sum() / (present.sum() * np.where(present, totals, 1))

    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        return encoded.astype(dtype) if len(self.classes) == 2 else encoded

    def codes(self, outputs: np.ndarray) -> np.ndarray:
        """Return the class index of each row of logits."""
        if outputs.shape[1] == 1 and len(self.classes) == 2:
            return (outputs[:, 0] > 0).astype(np.intp)
        return outputs.argmax(axis=1)

    def decision(self, outputs: np.ndarray) -> np.ndarray:
        """Return the logits; for two classes those of the second, (n,), for one class zeros."""
        if len(self.classes) == 1:
            return np.zeros_like(outputs[:, 0])
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def log_probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return log probabilities, (n, n_classes)."""
        if outputs.shape[1] == 1 and len(self.classes) == 2:
            outputs = np.hstack([np.zeros_like(outputs), outputs])
        return without_smoothing(log_softmax(outputs), self.label_smoothing)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[self.codes(outputs)]

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        return float(accuracy_score(encoded, self.codes(outputs), sample_weight=weights))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"classes": plain_labels(self.classes)}, {}

    def restore(self, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        self._classes = labels_of(plain["classes"])
        return self


class Numbers(Targets):
    """Numeric targets, one or several per sample, standardised internally.

    Parameters
    ----------
    loss : Loss
        The loss on standardised targets.

    Attributes
    ----------
    mean, scale : ndarray, shape (n_outputs,)
        Mean and standard deviation of the training targets.
    ndim : int
        Number of axes of a user's y: 1 or 2.

    Examples
    --------
    >>> from deepreservoir.estimators import Numbers
    >>> from deepreservoir.losses import SquaredError
    >>> numbers, y = Numbers(SquaredError()), np.array([10.0, 20.0, 30.0])
    >>> numbers.fit(numbers.encode(y), None).mean
    array([20.])
    >>> numbers.decode(np.zeros((1, 1)))
    array([20.])
    """

    state_types: ClassVar[Mapping[str, Any]] = {"target_ndim": int}
    parameters: ClassVar[tuple[str, ...]] = ("_loss",)

    mean: np.ndarray
    scale: np.ndarray

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self.ndim = 1
        self._width = 1

    @property
    def n_outputs(self) -> int:
        return self._width

    @property
    def loss(self) -> Loss:
        return self._loss

    def encode(self, y: np.ndarray) -> np.ndarray:
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"y must be numeric for a regressor; got dtype {y.dtype}, with values such as "
                f"{y.ravel()[0]!r}. Use a classifier for labels"
            )
        width = 1 if y.ndim == 1 else y.shape[1]
        if not hasattr(self, "mean"):
            self._width = width
        elif width != self._width:
            raise ValueError(
                f"y must have {self._width} targets per sample, as in the first training set; "
                f"got {width}"
            )
        return y.astype(np.float64)

    def fit(self, encoded: np.ndarray, weights: np.ndarray | None) -> Self:
        y = encoded.reshape(len(encoded), -1)
        largest = float(np.abs(y).max())
        if largest > _LARGEST:
            raise ValueError(
                f"y must be at most {_LARGEST:g} in absolute value, so that predictions are "
                f"finite; got {largest:g}. Divide y by a constant"
            )
        self.mean, deviation = moments(y, weights)
        self.scale = scale_of(deviation, self.mean, len(y))
        self.ndim = encoded.ndim
        return self

    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        return ((encoded.reshape(len(encoded), -1) - self.mean) / self.scale).astype(dtype)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        values = outputs * self.scale + self.mean
        return values[:, 0] if self.ndim == 1 else values

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        targets = self.loss_values(encoded, np.dtype(np.float64))
        return float(r2_score(targets, outputs, sample_weight=weights))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"target_ndim": self.ndim}, {"target.mean": self.mean, "target.scale": self.scale}

    def restore(self, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        for name in ("target.mean", "target.scale"):
            if name not in tensors:
                raise ValueError(f"the file has no tensor {name!r}")
            if tensors[name].dtype != np.float64:
                raise ValueError(f"tensor {name!r} must be float64; got {tensors[name].dtype}")
        self.mean, self.scale = tensors["target.mean"], tensors["target.scale"]
        if self.mean.shape != self.scale.shape or self.mean.ndim != 1:
            raise ValueError("target.mean and target.scale must be vectors of the same length")
        self.ndim, self._width = plain["target_ndim"], len(self.mean)
        if not (self.scale > 0).all():
            raise ValueError("tensor 'target.scale' must be positive")
        if self.ndim not in (1, 2) or (self.ndim == 1 and self._width > 1):
            raise ValueError(f"{self._width} targets cannot have {self.ndim} dimensions")
        return self
