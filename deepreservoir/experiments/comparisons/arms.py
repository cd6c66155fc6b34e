"""The arms of a comparison: the adapter, the fully trained network, and the controls.

| arm | question |
|---|---|
| adapter | how accurate does a frozen network become with a few thousand trained parameters? |
| full | how accurate is the same network when every weight is trained? |
| equal_bytes | is a dense network of the same stored size as accurate? |
| no_scaffold | is the low-rank path alone enough (W_seed = 0, B not zero at the start)? |
| scaffold_removed | does the trained adapter use its scaffold (beta = 0 after training)? |
| wrong_seed | does the trained adapter need its own scaffold, or does any scaffold do? |
| random_features | is the scaffold alone enough, with a ridge readout? |
| echo_state | is a classic reservoir that reads the image row by row as accurate? |
| linear | does the task need a network at all? |

Two references of :mod:`.graph_arms` are for some data sets of graphs only: label propagation, for
nodes, and a linear model of fingerprints, for molecules; trigrams of :mod:`.text_arms` are for
texts, and behaviour cloning of :mod:`.control_arms` is for trajectories.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score

from ...datasets import Dataset
from ...estimators.base.given_config import with_config
from ...inputs import IrregularSeries
from ...layers import AdaptedDense
from ...models import NetworkConfig
from ...scaffold import ScaffoldSpec, make_scaffold
from .image_arms import RandomConvolutions, RowByRow
from .natural_estimator import natural_estimator
from .protocol import Protocol
from .resources import Cost, measured
from .series_arms import (
    LinearInStandardised,
    SeriesReservoir,
    UntrainedStates,
    readout_of,
    statistics,
)
from .words import LinearInWords

#: The arms of every comparison, in the order in which tables list them.
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
#: Arms that evaluate a trained adapter; they train nothing of their own.
AFTERWARDS = ("scaffold_removed", "wrong_seed")
#: References that are for graphs only.
GRAPH_ARMS = ("label_propagation", "fingerprints")
#: References that are for texts only.
TEXT_ARMS = ("trigram",)
#: References that are for trajectories only.
CONTROL_ARMS = ("behaviour_cloning",)
#: All arms, in the order in which tables list them.
ALL_ARMS = ARMS + GRAPH_ARMS + TEXT_ARMS + CONTROL_ARMS
#: Arms whose result does not depend on the seed; they run once.
WITHOUT_SEED = ("linear", *GRAPH_ARMS, *TEXT_ARMS, *CONTROL_ARMS)

_SEED_BYTES = 8
#: Penalties of the references that are ridge regressions.
RIDGE_PENALTIES = tuple(10.0**k for k in range(-2, 5))


@dataclass(frozen=True)
class Record:
    """The result of one run: arm, rank, seed, score and cost.

    Attributes
    ----------
    arm : str
    rank : int or None
        None for arms without a rank.
    seed : int
    score : float
        On the held-out rows, in the metric of the data set.
    trained : int
        Number of trained parameters.
    stored_bytes : int
        Bytes needed to store the model: the trained parameters in float32, plus 8 bytes for the
        seed if there are frozen weights.
    seconds : float
        Training time. For arms that evaluate a trained adapter, the training time of the adapter.
    peak_bytes : int or None
        Peak memory during training, above what was in use before.
    """

    arm: str
    rank: int | None
    seed: int
    score: float
    trained: int
    stored_bytes: int
    seconds: float
    peak_bytes: int | None


#: Reasons for which an arm is left out.
LEFT_OUT = {
    "equal_bytes": "no dense network fits into {} bytes",
    "echo_state": "the data set has neither series nor images, which this arm reads row by row",
    "label_propagation": "the samples are not nodes of one graph",
    "fingerprints": "the samples are not molecules, or RDKit is not installed",
    "linear": "the samples are texts whose tokens are predicted, or trajectories",
    "random_features": "the samples are texts or trajectories, which are not rows of a table",
    "trigram": "the samples are not texts",
    "behaviour_cloning": "the samples are not trajectories",
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a fit. The estimator returns normally, but the comparison must stop."""


@dataclass(frozen=True)
class Task:
    """What all arms of a comparison have in common: a data set, a protocol and a device.

    Attributes
    ----------
    data : Dataset
    protocol : Protocol
    device : str
    changes : tuple of (str, object)
        Estimator parameters that override the protocol.
    kind : type, optional
        Class of the estimators. By default that of perceptrons for tables, of closed-form
        continuous-time networks for series, of graph convolutions for nodes, or of graph
        isomorphism networks for graphs, for the task of the data set.
    """

    data: Dataset
    protocol: Protocol
    device: str = "cpu"
    changes: tuple[tuple[str, Any], ...] = ()
    kind: Any = None

    @cached_property
    def estimator_class(self) -> Any:
        """The class of the task's estimators."""
        return self.kind or natural_estimator(self.data)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the task's estimators, without the seeds."""
        names = self.estimator_class().get_params(deep=False)
        params = self.protocol.parameters(names)
        own = {name: value for name, value in self.data.parameters.items() if name in names}
        return {**params, **own, "device": self.device, **dict(self.changes)}

    def estimator(self, seed: int, **changes: Any) -> Any:
        """Return an unfitted estimator."""
        params = {**self.parameters(), **changes}
        # random_state is limited to 32 bits; the scaffold seed is not.
        params |= {"scaffold_seed": seed, "random_state": seed % 2**32}
        return self.estimator_class(**params)

    @cached_property
    def sizes(self) -> dict[str, Any]:
        """The sizes of the data that a network configuration depends on."""
        return self.estimator(0).new_reader().fit(self.data.X_train).sizes()

    def config(self, **changes: Any) -> NetworkConfig:
        """Return the configuration of the task's networks, with some parameters overridden."""
        model = self.estimator(0, **changes)
        return model.network_config(n_outputs=self.n_outputs, **self.sizes)

    def score(self, model: Any) -> float:
        """Return the score of a fitted model on the held-out samples."""
        X, y = self.data.X_test, self.data.y_test
        if self.data.scored_by == "roc_auc":
            return float(roc_auc_score(y, model.decision_function(X)))
        return float(model.score(X, y))

    @property
    def of_series(self) -> bool:
        """Whether the samples are series rather than rows of a table."""
        return isinstance(self.data.X_train, IrregularSeries)

    @property
    def of_images(self) -> bool:
        """Whether the samples are images, rather than rows of a table that hold their pixels."""
        return len(getattr(self.data.X_train, "shape", ())) == 4

    @property
    def of_texts(self) -> bool:
        """Whether the samples are texts, whose tokens are predicted."""
        return self.data.task == "language"

    @property
    def of_documents(self) -> bool:
        """Whether the samples are texts with labels."""
        X = self.data.X_train
        return not self.of_texts and isinstance(X, list) and bool(X) and isinstance(X[0], str)

    @property
    def of_trajectories(self) -> bool:
        """Whether the samples are trajectories, whose actions are predicted."""
        return self.data.task == "control"

    def as_table(self) -> Task:
        """Return the task with its samples as a table, for references that read one.

        Series stay as they are: their references read series.
        """
        data = self.data
        if self.of_series:
            return self
        X_train, X_test = data.table(data.X_train), data.table(data.X_test)
        return replace(self, data=replace(data, X_train=X_train, X_test=X_test, features=None))

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
        """Width of the head of the task's networks."""
        targets = self.estimator_class().new_targets()
        targets.encode(self.data.y_train)
        return int(targets.n_outputs)


def adapter_arms(task: Task, rank: int, seed: int, arms: frozenset[str]) -> Iterator[Record]:
    """Train an adapter, then score it with, without and on another scaffold."""
    model = task.estimator(seed, rank=rank)
    cost = task.fit(model)
    yield from evaluate_adapter(task, model, rank, seed, cost, arms)


def evaluate_adapter(
    task: Task,
    model: Any,
    rank: int | None,
    seed: int,
    cost: Cost,
    arms: frozenset[str] = frozenset(("adapter", "scaffold_removed", "wrong_seed")),
) -> Iterator[Record]:
    """Score a trained adapter as it is, without its scaffold, and on another scaffold."""
    network = model.network_
    trained = network.n_trained
    if "adapter" in arms:
        yield task.record("adapter", rank, seed, model, cost, trained, True)
    # The same trained parameters on other frozen weights.
    changed_networks = {
        "scaffold_removed": network.without_scaffold,
        "wrong_seed": lambda: network.with_scaffold(seed + 1_000_000),
    }
    for arm, changed_network in changed_networks.items():
        if arm in arms:
            model.network_ = changed_network()
            try:
                record = task.record(arm, rank, seed, model, cost, trained, True)
            finally:
                model.network_ = network
            yield record


def full(task: Task, seed: int) -> Record:
    """Train every weight of the same network, starting from the scaffold's values."""
    model = task.estimator(seed, adapter="full", resample=None)
    cost = task.fit(model)
    return task.record("full", None, seed, model, cost, model.n_trained_params_, False)


def no_scaffold(task: Task, rank: int, seed: int) -> Record:
    """Train the low-rank path on a scaffold of zeros."""
    model = without_scaffold(task, seed, rank=rank)
    cost = task.fit(model)
    return task.record("no_scaffold", rank, seed, model, cost, model.n_trained_params_, True)


def without_scaffold(task: Task, seed: int, **changes: Any) -> Any:
    """Return an unfitted estimator whose adapters act alone, with B not zero at the start."""
    changes |= {"b_init": "kaiming"}
    config = task.config(**changes).on_zero_scaffold()
    return with_config(task.estimator(seed, **changes), config)


def stored_bytes(task: Task, rank: int | None) -> int:
    """Return the stored size of an adapter in bytes: its parameters and a seed."""
    changes = {} if rank is None else {"rank": rank}
    return 4 * task.config(**changes).n_params + _SEED_BYTES


def equal_bytes(task: Task, rank: int, seed: int, stored_bytes: int) -> Record | None:
    """Train a dense network of at most `stored_bytes`; None if even the smallest is larger."""
    dense = {"adapter": "full", "resample": None}
    config = task.config(**dense).resized(stored_bytes // 4)
    if config is None:
        return None
    model = with_config(task.estimator(seed, **dense), config)
    cost = task.fit(model)
    return task.record("equal_bytes", rank, seed, model, cost, model.n_trained_params_, False)


class _RandomFeatures:
    """One frozen ReLU layer with a ridge readout (an extreme learning machine).

    It is as wide as the first adapted layer of the network, or 256 wide if there is none.
    """

    def __init__(self, task: Task, seed: int) -> None:
        config = task.config()
        body, _ = config.build()
        widths = (layer.d_out for layer in body.walk() if isinstance(layer, AdaptedDense))
        shape = (next(widths, 256), task.data.n_features)
        self.scaffold = make_scaffold(ScaffoldSpec(config.scaffold, shape, seed, "layers.0"))
        self.readout = readout_of(task.data.task, RIDGE_PENALTIES)

    def _features(self, X: np.ndarray) -> np.ndarray:
        return np.maximum(self.scaffold.matmul(X), 0)

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.readout.fit(self._features(X), y)

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        return float(self.readout.score(self._features(X), y))


def random_features(task: Task, seed: int) -> Record | None:
    """Fit a ridge readout on one random layer; cross-validation selects the penalty.

    For series, the readout reads the last state of an untrained recurrent network; for images,
    the responses of one random convolution. None for texts and trajectories.
    """
    if task.of_texts or task.of_documents or task.of_trajectories:
        return None
    readout = readout_of(task.data.task, RIDGE_PENALTIES)
    model: Any
    if task.of_series:
        model = UntrainedStates(task.parameters(), readout, seed)
    elif task.of_images:
        model = RandomConvolutions(readout, task.config().scaffold, seed)
    else:
        model = _RandomFeatures(task, seed)
    read = task if task.of_images else task.as_table()
    cost = read.fit(model)
    trained = model.readout.coef_.size + np.size(model.readout.intercept_)
    return read.record("random_features", None, seed, model, cost, trained, True)


def echo_state(task: Task, seed: int) -> Record | None:
    """Fit a reservoir of 500 units that reads series, or images row by row; otherwise None."""
    if task.data.task != "classification" or not (task.of_series or task.data.image_shape):
        return None
    model: Any
    if task.of_series:
        model = SeriesReservoir(RIDGE_PENALTIES, seed)
    else:
        assert task.data.image_shape is not None, "checked above"
        model = RowByRow(RIDGE_PENALTIES, seed, None if task.of_images else task.data.image_shape)
    cost = task.fit(model)
    readout = model.readout_
    trained = readout.coef.size + readout.intercept.size
    return task.record("echo_state", None, seed, model, cost, trained, True)


def linear(task: Task, seed: int) -> Record | None:
    """Fit logistic regression, or ridge regression if the target is numeric; no seed is used.

    For series, its features are six statistics of each channel; for graphs and images, the
    standardised features of the data set; for texts with labels, TF-IDF of words and pairs of
    words. None for trajectories, and for texts whose tokens are predicted.
    """
    if task.of_texts or task.of_trajectories:
        return None
    if task.of_documents:
        words = LinearInWords()
        cost = task.fit(words)
        return task.record("linear", None, seed, words, cost, words.n_weights, False)
    table = task.data.features is None and not task.of_series
    model: Any = LogisticRegression(C=1.0 if table else 0.1, max_iter=200)
    if task.data.task == "regression":
        model = RidgeCV(alphas=RIDGE_PENALTIES)
    if not table:
        model = LinearInStandardised(statistics if task.of_series else np.asarray, model)
    with warnings.catch_warnings():
        # After 200 iterations it is a sufficient reference; the documentation states the limit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        read = task.as_table()
        cost = read.fit(model)
    trained = model.coef_.size + np.size(model.intercept_)
    return read.record("linear", None, seed, model, cost, trained, False)
