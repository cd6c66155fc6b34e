"""The batches of a training set, in the keyed order of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from ..backend import Array, to_device
from ..inputs.table import take_rows
from ..network import Network
from ..scaffold import Stream
from .frozen_products import FirstProduct
from .plan import Plan, TrainingSet


@dataclass(frozen=True)
class Batch:
    """What a step trains on.

    Attributes
    ----------
    x : array, shape (n, n_features)
    targets : array, shape (n,) or (n, n_outputs)
    weights : array, shape (n,), optional
    base : array, shape (n, d_out), optional
        The first frozen weights' product with x.
    network : Network, optional
        Whose scaffold they are for, where each task has one of its own.
    """

    x: Array
    targets: Array
    weights: Array | None = None
    base: Array | None = None
    network: Network | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def parts(self, count: int) -> list[Batch]:
        """Split into at most `count` batches of about one size, without the product."""
        bounds = np.linspace(0, len(self), min(count, len(self)) + 1).astype(int).tolist()
        return [
            Batch(
                self.x[start:stop],
                self.targets[start:stop],
                None if self.weights is None else self.weights[start:stop],
            )
            for start, stop in pairwise(bounds)
        ]


class Batches(Protocol):
    """What training needs of its batches.

    Attributes
    ----------
    steps, n_rows : int
        Batches, and rows, of an epoch.
    """

    steps: int
    n_rows: int

    def begin(self, key: int) -> None:
        """Begin an epoch, whose order is keyed by the training step that it begins with."""

    def batch(self, step: int) -> Batch:
        """Return the batch of a step of the epoch."""
        ...


class Feed:
    """Rows, targets and weights, a batch at a time; networks on one scaffold may share it.

    Parameters
    ----------
    network : Network
        Whose device, and whose first frozen weights, the rows are for.
    data : TrainingSet
    plan : Plan

    Attributes
    ----------
    steps, n_rows : int
        Batches, and rows, of an epoch.
    """

    def __init__(self, network: Network, data: TrainingSet, plan: Plan) -> None:
        self.data, self.device = data, network.device
        self.size, self.shuffle, self.seed = plan.batch_size, plan.shuffle, plan.seed
        self.n_rows = len(data.rows)
        self.steps = -(-self.n_rows // self.size)
        # The frozen product of the first layer, made once, pays from the second epoch on.
        lasting = plan.epochs > 1 and plan.resample is None
        self._product = FirstProduct(data.rows, plan.projection_limit if lasting else 0)
        self._network = network

    def begin(self, key: int) -> None:
        """Begin an epoch, whose order is keyed by the training step that it begins with."""
        self._base = self._product.of(self._network)
        self._order = self._rows_of(key)
        self._there = to_device(self._order, self.device)

    def _rows_of(self, key: int) -> np.ndarray:
        """Return which rows an epoch takes, in its order."""
        return self._shuffled(np.arange(self.n_rows), key)

    def _shuffled(self, rows: np.ndarray, key: int) -> np.ndarray:
        if not self.shuffle or self.steps < 2:
            return rows
        return rows[Stream(self.seed, "", "order").permutation(len(rows), substream=key)]

    def batch(self, step: int) -> Batch:
        """Return the batch of a step of the epoch."""
        data, part = self.data, slice(step * self.size, (step + 1) * self.size)
        there = self._there[part]
        return Batch(
            data.rows.take(self._order[part] if data.rows.sparse else there),
            take_rows(data.targets, there),
            None if data.weights is None else take_rows(data.weights, there),
            None if self._base is None else take_rows(self._base, there),
        )
