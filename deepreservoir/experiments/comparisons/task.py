"""What the arms of a comparison share: the task that they are scored on, and their records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import roc_auc_score

from ...datasets import Dataset
from ...inputs import IrregularSeries
from ...models import NetworkConfig
from .natural_estimator import are_graphs, natural_estimator
from .protocol import Protocol
from .resources import Cost, measured

#: Bytes needed to store the seed of frozen weights.
SEED_BYTES = 8

# The tasks whose samples have targets of their own.
_OF_TARGETS = ("classification", "regression")


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

    Examples
    --------
    >>> from deepreservoir.experiments import Record
    >>> record = Record("adapter", 4, 0, 0.9361, 4492, 4 * 4492 + 8, seconds=0.31, peak_bytes=None)
    >>> record.rank, record.seed, record.stored_bytes
    (4, 0, 17976)
    """

    arm: str
    rank: int | None
    seed: int
    score: float
    trained: int
    stored_bytes: int
    seconds: float
    peak_bytes: int | None


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
        changes = {**own, "device": self.device, **dict(self.changes)}
        return _to_the_end({**params, **changes}, changes)

    def estimator(self, seed: int, **changes: Any) -> Any:
        """Return an unfitted estimator."""
        params = _to_the_end({**self.parameters(), **changes}, changes)
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
    def n_held_out(self) -> int | None:
        """The number of held-out samples; None without targets of samples."""
        return len(self.data.y_test) if self.data.task in _OF_TARGETS else None

    @property
    def constant_score(self) -> float | None:
        """The score of always predicting the most frequent class, or the mean, of training rows."""
        if self.data.task not in _OF_TARGETS:
            return None
        if self.data.scored_by == "roc_auc":
            return 0.5  # of any constant
        simple: Any = DummyClassifier() if self.data.task == "classification" else DummyRegressor()
        y_train, y_test = self.data.y_train, self.data.y_test
        simple.fit(np.zeros((len(y_train), 1)), y_train)
        return float(simple.score(np.zeros((len(y_test), 1)), y_test))

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
    def of_graphs_without_table(self) -> bool:
        """Whether the samples are graphs, and the data set has no features of whole graphs."""
        return are_graphs(self.data.X_train) and self.data.features is None

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
        stored = 4 * trained + SEED_BYTES * from_seed
        return Record(
            arm, rank, seed, self.score(model), trained, stored, cost.seconds, cost.peak_bytes
        )  # fmt: skip

    @property
    def n_outputs(self) -> int:
        """Width of the head of the task's networks."""
        targets = self.estimator_class().new_targets()
        targets.encode(self.data.y_train)
        return int(targets.n_outputs)


def _to_the_end(params: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with which training does not stop before another number of epochs."""
    if "max_iter" in changes and "n_iter_no_change" in params.keys() - changes.keys():
        return params | {"n_iter_no_change": params["max_iter"]}
    return params
