"""The arms of a comparison: ways of training that answer each other's objections.

| arm | question |
|---|---|
| adapter | how far do a few trained numbers on a frozen scaffold get? |
| full | how far does the same network get when every weight is trained? |
| equal_bytes | does a dense network of the same stored bytes do as well? |
| no_scaffold | does the low-rank path do it alone (W_seed = 0, B not zero at the start)? |
| scaffold_removed | does the trained adapter use its scaffold (beta = 0 afterwards)? |
| wrong_seed | does it need that very scaffold? |
| random_features | does the scaffold do it alone, under a ridge readout? |
| echo_state | does a classic reservoir that reads the image row by row do as well? |
| linear | does the task need a network at all? |
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV, RidgeCV

from ...datasets import Dataset
from ...estimators import DeepReservoirClassifier, DeepReservoirRegressor, EchoStateClassifier
from ...estimators.base.fitting import with_config
from ...models import NetworkConfig
from ...scaffold import ScaffoldSpec, make_scaffold
from .protocol import Protocol
from .resources import Cost, measured

#: Every arm, in the order of the tables.
ARMS = (
    "adapter",
    "full",
    "equal_bytes",
    "no_scaffold",
    "scaffold_removed",
    "wrong_seed",
    "random_features",
    "echo_state",
    "linear",
)

_SEED_BYTES = 8
_RIDGE_PENALTIES = tuple(10.0**k for k in range(-2, 5))


@dataclass(frozen=True)
class Record:
    """One run: what was trained, on which seed, how good it is and what it costs.

    Attributes
    ----------
    arm : str
    rank : int or None
        None for arms that have none.
    seed : int
    score : float
        Accuracy, or R^2 for a regression, on the held-out rows.
    trained : int
        Trained numbers.
    stored_bytes : int
        What a file must hold: trained numbers in float32, and 8 bytes of seed where weights
        follow from one.
    seconds : float
        Of training; of the adapter's training for arms that look at it afterwards.
    peak_bytes : int or None
        Peak of memory while training, over what was in use before.
    """

    arm: str
    rank: int | None
    seed: int
    score: float
    trained: int
    stored_bytes: int
    seconds: float
    peak_bytes: int | None


#: Why an arm has no record, where it has none.
LEFT_OUT = {
    "equal_bytes": "no dense network fits into {} bytes",
    "echo_state": "it reads images row by row, and these are none",
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a fit, which the estimator survives and a comparison must not."""


@dataclass(frozen=True)
class Task:
    """A data set under a protocol on a device, which every arm is given.

    Attributes
    ----------
    data : Dataset
    protocol : Protocol
    device : str
    changes : tuple of (str, object)
        Parameters of the estimators in which a task departs from its protocol.
    kind : type, optional
        Of the estimators; the perceptron that goes with the data unless given.
    """

    data: Dataset
    protocol: Protocol
    device: str = "cpu"
    changes: tuple[tuple[str, Any], ...] = ()
    kind: Any = None

    @cached_property
    def estimator_class(self) -> Any:
        """The class of the task's estimators."""
        if self.kind is not None:
            return self.kind
        kinds: dict[str, Any] = {
            "classification": DeepReservoirClassifier,
            "regression": DeepReservoirRegressor,
        }
        return kinds[self.data.task]

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the task's estimators, but for their seeds."""
        names = self.estimator_class().get_params(deep=False)
        params = self.protocol.parameters(names)
        return {**params, "device": self.device, **dict(self.changes)}

    def estimator(self, seed: int, **changes: Any) -> Any:
        """Return an unfitted estimator."""
        params = {**self.parameters(), **changes}
        # A random_state has 32 bits; the scaffold takes the seed whole.
        params |= {"scaffold_seed": seed, "random_state": seed % 2**32}
        return self.estimator_class(**params)

    @cached_property
    def sizes(self) -> dict[str, Any]:
        """What a configuration needs to know of the data."""
        return self.estimator(0).new_reader().fit(self.data.X_train).sizes()

    def config(self, **changes: Any) -> NetworkConfig:
        """Return the configuration of the task's networks, with some parameters changed."""
        model = self.estimator(0, **changes)
        return model.network_config(n_outputs=self.n_outputs, **self.sizes)

    def score(self, model: Any) -> float:
        return float(model.score(self.data.X_test, self.data.y_test))

    def fit(self, model: Any) -> Cost:
        with measured() as cost:
            model.fit(self.data.X_train, self.data.y_train)
        if getattr(model, "stop_reason_", None) == "interrupted":
            raise Interrupted
        return cost

    def record(
        self,
        arm: str,
        rank: int | None,
        seed: int,
        model: Any,
        cost: Cost,
        trained: int,
        from_seed: bool,
    ) -> Record:
        stored = 4 * trained + _SEED_BYTES * from_seed
        return Record(
            arm, rank, seed, self.score(model), trained, stored, cost.seconds, cost.peak_bytes
        )  # fmt: skip

    @property
    def n_outputs(self) -> int:
        if self.data.task == "regression":
            return 1
        classes = len(np.unique(self.data.y_train))
        return 1 if classes == 2 else classes


def adapter_arms(task: Task, rank: int, seed: int, wanted: frozenset[str]) -> Iterator[Record]:
    """Train an adapter, and look at it without its scaffold and on another one."""
    model = task.estimator(seed, rank=rank)
    cost = task.fit(model)
    yield from looked_at(task, model, rank, seed, cost, wanted)


def looked_at(
    task: Task,
    model: Any,
    rank: int | None,
    seed: int,
    cost: Cost,
    wanted: frozenset[str] = frozenset(("adapter", "scaffold_removed", "wrong_seed")),
) -> Iterator[Record]:
    """Score a trained adapter as it is, without its scaffold, and on another one."""
    network = model.network_
    trained = network.n_trained
    if "adapter" in wanted:
        yield task.record("adapter", rank, seed, model, cost, trained, True)
    # The same adapter, whatever it consists of, on other frozen weights.
    others = {
        "scaffold_removed": network.without_scaffold,
        "wrong_seed": lambda: network.with_scaffold(seed + 1_000_000),
    }
    for arm, other in others.items():
        if arm in wanted:
            model.network_ = other()
            try:
                record = task.record(arm, rank, seed, model, cost, trained, True)
            finally:
                model.network_ = network
            yield record


def full(task: Task, seed: int) -> Record:
    """Train every weight of the same network, from the scaffold's values on."""
    model = task.estimator(seed, adapter="full", resample=None)
    cost = task.fit(model)
    return task.record("full", None, seed, model, cost, model.n_trained_params_, False)


def no_scaffold(task: Task, rank: int, seed: int) -> Record:
    """Train the low-rank path on a scaffold of zeros."""
    model = task.estimator(seed, rank=rank, scaffold="zero", b_init="kaiming")
    cost = task.fit(model)
    return task.record("no_scaffold", rank, seed, model, cost, model.n_trained_params_, True)


def stored_bytes(task: Task, rank: int | None) -> int:
    """Return the bytes of an adapter: its parameters and a seed."""
    chosen = {} if rank is None else {"rank": rank}
    return 4 * task.config(**chosen).n_params + _SEED_BYTES


def equal_bytes(task: Task, rank: int, seed: int, stored_bytes: int) -> Record | None:
    """Train a dense network of at most `stored_bytes`; None if not even the smallest fits."""
    trained = {"adapter": "full", "resample": None}
    config = task.config(**trained).resized(stored_bytes // 4)
    if config is None:
        return None
    model = with_config(task.estimator(seed, **trained), config)
    cost = task.fit(model)
    return task.record("equal_bytes", rank, seed, model, cost, model.n_trained_params_, False)


class _RandomFeatures:
    """One frozen layer with ReLU, and a ridge readout (an extreme learning machine)."""

    def __init__(self, task: Task, seed: int) -> None:
        parameters = task.parameters()
        width = (parameters.get("hidden_layer_sizes") or (256,))[0]
        shape = (width, task.data.n_features)
        family = parameters["scaffold"]
        self.scaffold = make_scaffold(ScaffoldSpec(family, shape, seed, "layers.0"))
        kinds = {"classification": RidgeClassifierCV, "regression": RidgeCV}
        self.readout = kinds[task.data.task](alphas=_RIDGE_PENALTIES)

    def _features(self, X: np.ndarray) -> np.ndarray:
        return np.maximum(self.scaffold.matmul(X), 0)

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.readout.fit(self._features(X), y)

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        return float(self.readout.score(self._features(X), y))


def random_features(task: Task, seed: int) -> Record:
    """Fit a ridge readout on one random layer, its penalty chosen by cross-validation."""
    model = _RandomFeatures(task, seed)
    cost = task.fit(model)
    trained = model.readout.coef_.size + np.size(model.readout.intercept_)
    return task.record("random_features", None, seed, model, cost, trained, True)


class _RowByRow:
    """An echo-state network that reads each image as a series of its rows."""

    def __init__(self, shape: tuple[int, int], seed: int) -> None:
        self.shape = shape
        self.model = EchoStateClassifier(
            500,
            leak_rate=0.4,
            input_scaling=0.15,
            features=(0.25, 0.5, 0.75, 1.0),
            ridge=_RIDGE_PENALTIES,
            dtype="float32",
            random_state=seed % 2**32,
        )

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.model.fit(X.reshape(-1, *self.shape), y)

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        return float(self.model.score(X.reshape(-1, *self.shape), y))


def echo_state(task: Task, seed: int) -> Record | None:
    """Read images row by row with a reservoir of 500 units; None if rows are no images."""
    if task.data.image_shape is None or task.data.task != "classification":
        return None
    model = _RowByRow(task.data.image_shape, seed)
    cost = task.fit(model)
    readout = model.model.readout_
    trained = readout.coef.size + readout.intercept.size
    return task.record("echo_state", None, seed, model, cost, trained, True)


def linear(task: Task, seed: int) -> Record:
    """Fit logistic regression, or for numbers ridge regression; it needs no seed."""
    model: Any = LogisticRegression(max_iter=200)
    if task.data.task == "regression":
        model = RidgeCV(alphas=_RIDGE_PENALTIES)
    with warnings.catch_warnings():
        # Stopped after 200 iterations it is as good a reference; the docs say so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        cost = task.fit(model)
    trained = model.coef_.size + np.size(model.intercept_)
    return task.record("linear", None, seed, model, cost, trained, False)
