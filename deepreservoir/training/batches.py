"""The batches of a training set, in the keyed order of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..backend import Array, to_device
from ..inputs import Batch, Target, take_rows
from ..network import Network
from ..scaffold import Stream
from .frozen_products import FrozenProducts
from .plan import Plan, TrainingSet


@dataclass(frozen=True)
class TrainingBatch:
    """The batch of one training step.

    Attributes
    ----------
    index : array of int, shape (n,)
        The samples; on the host, except in a step that is captured.
    batch : Batch
    target : Target
    products : mapping of str to array
        Products of these samples with frozen weights, by path.
    network : Network, optional
        The network that the step trains, if each task has its own.
    """

    index: Array
    batch: Batch
    target: Target
    products: Mapping[str, Array] = field(default_factory=dict)
    network: Network | None = None

    def __len__(self) -> int:
        return len(self.index)


#: (samples, training step) -> batch with its target.
Take = Callable[[np.ndarray, int], TrainingBatch]


class Batches(Protocol):
    """The interface of batches.

    Attributes
    ----------
    steps : int
        Number of batches per epoch.
    """

    steps: int

    def begin(self, key: int) -> None:
        """Begin an epoch; its order is keyed by the training step with which it begins."""

    def batch(self, number: int, step: int) -> TrainingBatch:
        """Return batch `number` of the epoch, for training step `step`."""
        ...

    def take(self, index: np.ndarray, step: int) -> TrainingBatch:
        """Return a batch of these samples, without frozen products."""
        ...


class ShuffledBatches:
    """Samples, targets and weights, one batch at a time; networks on one scaffold may share it.

    Parameters
    ----------
    network : Network
        Its device and its frozen weights are used.
    data : TrainingSet
    plan : Plan

    Attributes
    ----------
    steps, n_samples : int
        Number of batches, and of samples, per epoch.
    """

    def __init__(self, network: Network, data: TrainingSet, plan: Plan) -> None:
        network.check_inputs(data.inputs)
        self.data, self.device = data, network.device
        self.size, self.shuffle, self.seed = plan.batch_size, plan.shuffle, plan.seed
        self.n_samples = len(data.inputs)
        self.steps = -(-self.n_samples // self.size)
        # Computing the frozen products once saves time from the second epoch on.
        reused = plan.epochs > 1 and plan.resample is None
        self._products = FrozenProducts(data.inputs, plan.projection_limit if reused else 0)
        self._network = network

    def begin(self, key: int) -> None:
        """Begin an epoch; its order is keyed by the training step with which it begins."""
        self._current = self._products.of(self._network)
        self._order = self._samples_of(key)
        self._on_device = to_device(self._order, self.device)

    def _samples_of(self, key: int) -> np.ndarray:
        """Return the samples of an epoch, in its order."""
        return self._shuffled(np.arange(self.n_samples), key)

    def _shuffled(self, samples: np.ndarray, key: int) -> np.ndarray:
        if not self.shuffle or self.steps < 2:
            return samples
        return samples[Stream(self.seed, "", "order").permutation(len(samples), substream=key)]

    def batch(self, number: int, step: int) -> TrainingBatch:
        """Return batch `number` of the epoch, for training step `step`."""
        part = slice(number * self.size, (number + 1) * self.size)
        return self._taken(self._order[part], self._on_device[part], step, self._current)

    def part(self, number: int, step: int, part: int, count: int) -> TrainingBatch:
        """Return one of `count` parts of batch `number`, with random numbers of its own step."""
        whole = self._order[number * self.size : (number + 1) * self.size]
        index = parts_of(whole, count)[part]
        return self._taken(index, to_device(index, self.device), step, self._current)

    def take(self, index: np.ndarray, step: int) -> TrainingBatch:
        """Return a batch of these samples, without frozen products."""
        return self._taken(index, to_device(index, self.device), step, {})

    @property
    def order_on_device(self) -> Array:
        """The samples of the epoch in its order, on the network's device."""
        return self._on_device

    @property
    def chosen_on_device(self) -> bool:
        """Whether an index on the device is all that a batch needs."""
        return self.device != "cpu" and self.data.inputs.takes_device_index

    def size_of(self, number: int) -> int:
        """Return the number of samples of batch `number`."""
        return min(self.size, self.n_samples - number * self.size)

    def gathered(self, rows: Array, step: Array) -> TrainingBatch:
        """Return the batch of an index on the device; `rows` and `step` are read there only."""
        return self._taken(rows, rows, step, self._current)

    def _taken(
        self, index: Array, on_device: Array, step: Any, products: Mapping[str, Array]
    ) -> TrainingBatch:
        data, inputs = self.data, self.data.inputs
        batch = inputs.take(on_device if inputs.takes_device_index else index, step)
        target = data.take_target(data.y, on_device, batch, data.weights)
        rows = inputs.product_rows(on_device)
        whole = isinstance(rows, slice)
        chosen = {p: x[rows] if whole else take_rows(x, rows) for p, x in products.items()}
        return TrainingBatch(index, batch, target, chosen)


def parts_of(index: np.ndarray, count: int) -> list[np.ndarray]:
    """Split samples into at most `count` parts of about the same size."""
    bounds = np.linspace(0, len(index), min(count, len(index)) + 1).astype(int).tolist()
    return [index[start:stop] for start, stop in pairwise(bounds)]
