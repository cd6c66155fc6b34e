"""Validation of a network on held-out samples, between epochs."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from typing import Any

from ..backend import Array, to_device
from ..inputs import Batch, Inputs
from ..losses import Loss
from ..network import Network
from ..optim import WeightAverage
from .frozen_products import FrozenProducts
from .plan import TakeTarget, Validate, take_target


def _undecoded(outputs: Array) -> Array:
    return outputs


def validator(
    inputs: Inputs,
    y: Array,
    loss: Loss,
    score: Callable[[Array], float],
    products: FrozenProducts | None = None,
    *,
    weights: Array | None = None,
    decode: Callable[[Array], Array] = _undecoded,
    take: TakeTarget = take_target,
) -> Validate:
    """Return a function network -> (loss, score) on held-out samples.

    The score is NaN if the loss is not finite.
    Outputs are decoded one chunk at a time, so that they are never in memory as a whole.

    Parameters
    ----------
    inputs : Inputs
    y : array, shape (n, ...)
        Encoded targets in the form that the loss takes.
    loss : Loss
    score : callable
        Decoded outputs of all samples -> score; higher is better.
    products : FrozenProducts, optional
        Frozen products of these inputs.
    weights : array, shape (n,), optional
        Weights of the samples in the loss, with mean one.
    decode : callable, optional
        Outputs -> what the score needs; the outputs themselves by default.
    take : callable, optional
        Like :attr:`TrainingSet.take_target`.

    Returns
    -------
    callable
        Network -> (loss, score): the weighted mean of the loss over the held-out samples, and the
        score.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import MLPConfig, Network
    >>> from deepreservoir.inputs import Table
    >>> from deepreservoir.losses import SquaredError
    >>> X = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    >>> y = X[:, :1]
    >>> network = Network(MLPConfig(4, 1, (16,), rank=2), seed=0)
    >>> def score(outputs):
    ...     return -float(np.abs(outputs - y).max())
    >>> validate = validator(Table(X, np.float32), y, SquaredError(), score)
    >>> loss, worst = validate(network)
    >>> loss > 0, worst < 0
    (True, True)
    """

    def validate(network: Network) -> tuple[float, float]:
        on_device = to_device(y, network.device)
        of_samples = None if weights is None else to_device(weights, network.device)
        values, sizes = [], []

        def judge(outputs: Array, index: Any, batch: Batch) -> Array:
            target = take(on_device, index, batch, of_samples)
            rows = outputs.reshape(-1, outputs.shape[-1])
            targets = target.y.reshape(len(rows), *target.y.shape[outputs.ndim - 1 :])
            values.append(float(loss(rows, targets, target.weights, target.n)[0]))
            sizes.append(target.n)
            return decode(outputs)

        frozen = None if products is None else products.of(network)
        decoded = network.evaluate(inputs, judge, frozen)
        mean = sum(v * n for v, n in zip(values, sizes, strict=True)) / sum(sizes)
        # The score may be a metric that refuses outputs that are not finite.
        return mean, score(decoded) if isfinite(mean) else nan

    return validate


class averaged:
    """Put the averaged weights into the network within a with block, if there are any."""

    def __init__(self, network: Network, average: WeightAverage | None) -> None:
        self.network, self.average = network, average

    def __enter__(self) -> None:
        if self.average is not None:
            self.saved = self.network.theta.copy()
            self.network.theta[:] = self.average.value()

    def __exit__(self, *exception: object) -> None:
        if self.average is not None:
            self.network.theta[:] = self.saved
