"""Losses: a value and its hand-written gradient with respect to the outputs.

    value, doutputs = loss(outputs, targets, weights, n)

The value is ``sum_i weights_i loss_i / n``, a scalar of the outputs' array module; on a device it
stays there. By default, weights are ones and n is the number of rows; n is larger if the rows are a
block of those that the loss averages over. A loss has no trained parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from .backend import Array, Device, array_module, device_of, to_device
from .kernels import average_rows, log_softmax, sigmoid, softmax_cross_entropy, softplus


class Loss(Protocol):
    """The interface of losses."""

    def __call__(
        self,
        outputs: Array,
        targets: Array,
        weights: Array | None = None,
        n: float | None = None,
    ) -> tuple[Array, Array]: ...


@lru_cache(maxsize=16)  # spares a copy to the device in every step
def _class_factors(class_weight: tuple[float, ...], device: Device, dtype: np.dtype) -> Array:
    return to_device(np.array(class_weight, dtype), device)


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """Softmax cross-entropy over integer classes, or over given shares of the classes.

    Targets are classes (n,), or each class's share of the target (n, k).

    Parameters
    ----------
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes (Szegedy et al., 2016).
    class_weight : tuple of float, optional
        Factor of each class; with smoothing, of each class's share of the target.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = SoftmaxCrossEntropy()(np.zeros((1, 2)), np.array([1]))
    >>> round(float(value), 4), gradient
    (0.6931, array([[ 0.5, -0.5]]))
    """

    label_smoothing: float = 0.0
    class_weight: tuple[float, ...] | None = None

    def __call__(
        self,
        outputs: Array,
        targets: Array,
        weights: Array | None = None,
        n: float | None = None,
    ) -> tuple[Array, Array]:
        factors = self.class_weight
        if factors is not None:
            factors = _class_factors(factors, device_of(outputs), outputs.dtype)
        if targets.ndim == 2:
            return _against_shares(outputs, targets, weights, self.label_smoothing, factors, n)
        return softmax_cross_entropy(outputs, targets, weights, self.label_smoothing, factors, n)


def _against_shares(
    outputs: Array,
    shares: Array,
    weights: Array | None,
    label_smoothing: float,
    factors: Array | None,
    n: float | None,
) -> tuple[Array, Array]:
    """Return the cross-entropy against shares (n, k) of the target, and its gradient."""
    xp = array_module(outputs)
    wanted = shares * (1 - label_smoothing) + label_smoothing / shares.shape[1]
    if factors is not None:
        wanted *= factors
    log_p = log_softmax(outputs)
    gradient = xp.exp(log_p) * wanted.sum(axis=1, keepdims=True) - wanted
    return average_rows(-(wanted * log_p).sum(axis=1), gradient, weights, n)


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Cross-entropy of one logit per output, against targets 0 or 1; summed over the outputs.

    So each label of several is learned as if it were the only one, at the same learning rate.

    Parameters
    ----------
    positive_weight : float, default=1
        Factor of the positive class.
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the two classes.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = BinaryCrossEntropy()(np.zeros((1, 1)), np.array([[1.0]]))
    >>> round(float(value), 4), gradient
    (0.6931, array([[-0.5]]))
    """

    positive_weight: float = 1.0
    label_smoothing: float = 0.0

    def __call__(
        self,
        outputs: Array,
        targets: Array,
        weights: Array | None = None,
        n: float | None = None,
    ) -> tuple[Array, Array]:
        targets = targets.reshape(outputs.shape)
        half = self.label_smoothing / 2
        positive = (targets * (1 - self.label_smoothing) + half) * self.positive_weight
        negative = (1 - targets) * (1 - self.label_smoothing) + half
        losses = positive * softplus(-outputs) + negative * softplus(outputs)
        gradient = (positive + negative) * sigmoid(outputs) - positive
        return average_rows(losses.sum(axis=1), gradient, weights, n)


@dataclass(frozen=True)
class SquaredError:
    """Squared error, averaged over the outputs of a row.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = SquaredError()(np.array([[3.0]]), np.array([[1.0]]))
    >>> float(value), gradient
    (4.0, array([[4.]]))
    """

    def __call__(
        self,
        outputs: Array,
        targets: Array,
        weights: Array | None = None,
        n: float | None = None,
    ) -> tuple[Array, Array]:
        error = outputs - targets.reshape(outputs.shape)
        return average_rows((error * error).mean(axis=1), 2 * error / error.shape[1], weights, n)


@dataclass(frozen=True)
class Huber:
    """Huber's loss: squared up to `delta`, linear beyond; averaged over the outputs of a row.

    Parameters
    ----------
    delta : float, default=1
        Error above which the loss is linear, in units of the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = Huber()(np.array([[3.0]]), np.array([[1.0]]))
    >>> float(value), gradient
    (1.5, array([[1.]]))
    """

    delta: float = 1.0

    def __call__(
        self,
        outputs: Array,
        targets: Array,
        weights: Array | None = None,
        n: float | None = None,
    ) -> tuple[Array, Array]:
        xp = array_module(outputs)
        error = outputs - targets.reshape(outputs.shape)
        clipped = xp.clip(error, -self.delta, self.delta)
        losses = clipped * (error - 0.5 * clipped)
        return average_rows(losses.mean(axis=1), clipped / error.shape[1], weights, n)
