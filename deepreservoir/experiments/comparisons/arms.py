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
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV

from ...estimators.base.given_config import with_config
from ...layers import AdaptedDense
from ...scaffold import ScaffoldSpec, make_scaffold
from .image_arms import RandomConvolutions, RowByRow
from .resources import Cost
from .series_arms import (
    LinearInStandardised,
    SeriesReservoir,
    UntrainedStates,
    readout_of,
    statistics,
)
from .task import SEED_BYTES, Record, Task
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

#: Penalties of the references that are ridge regressions.
RIDGE_PENALTIES = tuple(10.0**k for k in range(-2, 5))

#: Reasons for which an arm is left out.
LEFT_OUT = {
    "equal_bytes": "no dense network fits into {} bytes",
    "echo_state": "the data set has neither series nor images, which this arm reads row by row",
    "label_propagation": "the samples are not nodes of one graph",
    "fingerprints": "the samples are not molecules, or RDKit is not installed",
    "linear": "the samples are texts whose tokens are predicted, trajectories, or graphs without "
    "the features of whole graphs",
    "random_features": "the samples are texts, trajectories, or graphs without the features of "
    "whole graphs, which are not rows of a table",
    "trigram": "the samples are not texts",
    "behaviour_cloning": "the samples are not trajectories",
}


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
    model = fully_trained(task, seed)
    cost = task.fit(model)
    return task.record("full", None, seed, model, cost, model.n_trained_params_, False)


def fully_trained(task: Task, seed: int, **changes: Any) -> Any:
    """Return an unfitted estimator that trains every weight."""
    every_weight = task.estimator_class.fully_trained_parameters
    return task.estimator(seed, **{**changes, **every_weight, "resample": None})


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
    return 4 * task.config(**changes).n_params + SEED_BYTES


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
    the responses of one random convolution. None for texts, trajectories, and graphs without
    features of whole graphs.
    """
    if task.of_texts or task.of_documents or task.of_trajectories or task.of_graphs_without_table:
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
    words. None for trajectories, for texts whose tokens are predicted, and for graphs without
    features of whole graphs.
    """
    if task.of_texts or task.of_trajectories or task.of_graphs_without_table:
        return None
    if task.of_documents:
        words = LinearInWords()
        cost = task.fit(words)
        return task.record("linear", None, seed, words, cost, words.n_weights, False)
    table = task.data.features is None and not (task.of_series or task.of_images)
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
