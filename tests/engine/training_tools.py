"""What the tests of training share: a toy problem, and parts that record or break a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from target import device, host, put

from deepreservoir.inputs import Table
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network
from deepreservoir.optim import SGD, AdamW
from deepreservoir.training import Plan, TrainingSet, train

N, D, K = 70, 6, 3
LOSS = SoftmaxCrossEntropy()


def toy(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 rows (n, D), and classes that two of their columns decide."""
    x = np.random.default_rng(seed).standard_normal((n, D)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)


X, Y = toy()


def network(**given: Any) -> Network:
    shape = {"n_features": D, "n_outputs": K, "hidden_layer_sizes": (16, 8), "rank": 2}
    return Network(MLPConfig(**(shape | given)), seed=3)


def table(x: Any = X, dtype: Any = np.float32) -> Table:
    return Table(x, np.dtype(dtype), device)


def data(x: Any = X, targets: np.ndarray = Y, weights: np.ndarray | None = None) -> TrainingSet:
    return TrainingSet(table(x), put(targets), None if weights is None else put(weights))


def plan(**given: Any) -> Plan:
    """A plan of five epochs, three steps each: 32, 32 and 6 rows."""
    return Plan(**({"optimiser": AdamW(), "rate": 0.01, "epochs": 5, "batch_size": 32} | given))


def trained(net: Network | None = None, of: TrainingSet | None = None, **given: Any):
    """Train and return (network, outcome)."""
    net = network() if net is None else net
    keywords = {k: given.pop(k) for k in ("validate", "state", "loss") if k in given}
    loss = keywords.pop("loss", LOSS)
    return net, train(net, data() if of is None else of, loss, plan(**given), **keywords)


@dataclass
class Recorder:
    """Plain gradient descent that keeps on the host what it saw: an optimiser."""

    momentum: float = 0.0
    thetas: list[np.ndarray] = field(default_factory=list)
    grads: list[np.ndarray] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inner = SGD(self.momentum, nesterov=False)
        self.init = self._inner.init

    def update(self, theta, grad, state, rate, decay_mask) -> None:
        self._inner.update(theta, grad, state, rate, decay_mask)
        self.thetas.append(host(theta.copy()))
        self.grads.append(host(grad.copy()))
        self.rates.append(rate)


class Watched:
    """A loss that calls `at` with its number before each call, and keeps the targets."""

    def __init__(self, at: Callable[[int], None] = lambda call: None) -> None:
        self.at, self.targets, self.values = at, [], []

    def __call__(self, outputs, targets, weights=None, n=None):
        self.at(len(self.targets))
        self.targets.append(host(targets.copy()))
        value, gradient = LOSS(outputs, targets % K, weights, n)
        self.values.append(float(value))
        return value, gradient


class Scripted:
    """A validation that returns given scores, or raises them, and keeps the weights it saw.

    The loss is the negative score, and 1 for a score that is NaN; a score may also be a pair of
    a score and a loss.
    """

    def __init__(self, *scores: Any) -> None:
        self.scores, self.thetas = scores, []

    def __call__(self, net: Network) -> tuple[float, float]:
        score = self.scores[len(self.thetas)]
        self.thetas.append(host(net.theta.copy()))
        if isinstance(score, type) and issubclass(score, BaseException):
            raise score
        if isinstance(score, tuple):
            return score[1], score[0]
        return 1.0 if np.isnan(score) else -score, score
