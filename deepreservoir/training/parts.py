"""A training step whose batch is cut into parts, whoever computes their gradients.

A part is computed from the trained parameters, the buffers and the number of the step alone, with
one BLAS thread. Its gradient so has the same bits in every process, and what was lost can be
computed again. Gradients, losses and buffers are summed in the order of the parts: the number of
parts decides the bits of a training run, and the number of workers does not.

Each part is normalised by its own statistics where a network has batch normalisation, as in
PyTorch's DistributedDataParallel; the running averages move by the mean over the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from ..layers import Pass, Step
from ..losses import Loss
from ..models import NetworkConfig
from ..network import Network
from ..thread_limits import blas_limited, in_shares, n_threads
from .batches import ShuffledBatches
from .plan import Plan, TrainingSet


class PartsTask(NamedTuple):
    """All that the gradients of a step's parts depend on, next to :class:`Work`.

    Attributes
    ----------
    theta : ndarray, shape (n_trained,)
    buffers : ndarray, shape (n_buffers,)
        Those before the step, with which each part begins.
    seed : int
        Of the scaffold.
    epoch_key : int
        Key of the order of the epoch's samples.
    number : int
        Number of the step in its epoch.
    step : int
        Number of the step in the training, by which random numbers are keyed.
    """

    theta: np.ndarray
    buffers: np.ndarray
    seed: int
    epoch_key: int
    number: int
    step: int


class PartGradient(NamedTuple):
    """The result of one part of a batch.

    Attributes
    ----------
    gradient : ndarray, shape (n_trained,)
        Of the part's own mean loss.
    buffers : ndarray, shape (n_buffers,)
        After the forward pass of the part.
    loss : float
    n : float
        What the loss is averaged over.
    samples : int
    """

    gradient: np.ndarray
    buffers: np.ndarray
    loss: float
    n: float
    samples: int


class PartsExecutor(Protocol):
    """Computes parts of batches somewhere.

    Attributes
    ----------
    parts : int
        Number of parts of a batch; a batch of fewer samples has fewer.
    """

    parts: int

    def compute(self, task: PartsTask, count: int) -> Sequence[PartGradient]:
        """Return the gradients of the `count` parts of a step's batch, in their order."""
        ...

    def close(self) -> None:
        """End what was started for the training run."""


class PartsComputer:
    """Computes parts of batches in this process, as many at a time as the BLAS has threads.

    Parameters
    ----------
    network : Network
        Its parameters, buffers and gradient are overwritten.
    data : TrainingSet
    loss : Loss
    plan : Plan
    parts : int
        Number of parts of a batch.
    """

    def __init__(
        self, network: Network, data: TrainingSet, loss: Loss, plan: Plan, parts: int
    ) -> None:
        self.loss, self.plan, self.parts = loss, plan, parts
        self._networks = [network]  # one per thread, all on the same parameters and weights
        self._batches = ShuffledBatches(network, data, plan)
        self._epoch_key: int | None = None

    def compute(self, task: PartsTask, count: int) -> list[PartGradient]:
        """Return the gradients of all parts of a step's batch, in their order."""
        return self.compute_some(task, count, range(count))

    def compute_some(
        self, task: PartsTask, count: int, chosen: Sequence[int]
    ) -> list[PartGradient]:
        """Return the gradients of the chosen ones of the `count` parts of a step's batch."""
        self._prepare(task, min(n_threads(), len(chosen)))
        free = list(self._networks)

        def job(share: slice) -> list[PartGradient]:
            network = free.pop()
            try:
                # Overflows are detected, and explained, by the checks of loss and weights.
                with blas_limited(1), np.errstate(over="ignore", invalid="ignore"):
                    return [self._part(network, task, count, part) for part in chosen[share]]
            finally:
                free.append(network)

        return [part for parts in in_shares(job, len(chosen), 1) for part in parts]

    def _prepare(self, task: PartsTask, threads: int) -> None:
        """Take the networks to the task's scaffold and parameters, and the batches to its epoch."""
        first = self._networks[0]
        if first.seed != task.seed:
            self._networks = [first := first.with_scaffold(task.seed)]
        while len(self._networks) < threads:
            self._networks.append(first.for_another_thread())
        first.theta[:] = task.theta
        if self._epoch_key != task.epoch_key:
            with blas_limited(1):
                self._batches.begin(task.epoch_key)
            self._epoch_key = task.epoch_key

    def _part(self, network: Network, task: PartsTask, count: int, part: int) -> PartGradient:
        network.buffers[:] = task.buffers
        network.grad.fill(0)
        # Parts have random numbers of their own: a call in layers, a step in the inputs.
        batch = self._batches.part(task.number, task.step * self.parts + part, part, count)
        on = Pass(Step(self.plan.seed, task.step), products=batch.products, dtype=network.dtype)
        on = on.at(part) if part else on
        value = network.gradient(batch.batch, batch.target, self.loss, on)
        return PartGradient(
            network.grad.copy(),
            network.buffers.copy(),
            float(value),
            float(batch.target.n),
            len(batch),
        )

    def close(self) -> None:
        """Do nothing: nothing was started."""


@dataclass(frozen=True)
class Work:
    """What another process needs to compute parts, sent to it once per training run.

    Attributes
    ----------
    config : NetworkConfig
    seed : int
        Of the first scaffold; the process draws the frozen weights itself.
    n_trained : int
    data : TrainingSet
    loss : Loss
    plan : Plan
    parts : int
    digests : mapping of str to str, optional
        SHA-256 of each scaffold, by which the process checks the weights that it has drawn.
    """

    config: NetworkConfig
    seed: int
    n_trained: int
    data: TrainingSet
    loss: Loss
    plan: Plan
    parts: int
    digests: Mapping[str, str] | None = None

    def computer(self) -> PartsComputer:
        """Return what computes parts in this process.

        Raises
        ------
        ValueError
            If the frozen weights that are drawn here differ.
        """
        network = Network(self.config, self.seed, theta=np.zeros(self.n_trained))
        network.check_digests(self.digests or {})
        return PartsComputer(network, self.data, self.loss, self.plan, self.parts)


def sum_parts(parts: Sequence[PartGradient], network: Network) -> tuple[float, float]:
    """Set the gradient and the buffers of a network to those of a whole batch.

    Returns
    -------
    loss, n : float
        The mean loss of the batch, and what it is averaged over.
    """
    n = sum(part.n for part in parts)
    samples = sum(part.samples for part in parts)
    network.grad.fill(0)
    buffers = np.zeros_like(network.buffers)
    loss = 0.0
    for part in parts:
        share = part.n / n
        network.grad += share * part.gradient
        buffers += part.samples / samples * part.buffers
        loss += share * part.loss
    network.buffers[:] = buffers
    return loss, n


def grouped(count: int, groups: int) -> list[range]:
    """Return consecutive parts for each of several workers, about as many for each.

    Examples
    --------
    >>> grouped(5, 2)
    [range(0, 2), range(2, 5)]
    """
    bounds = [count * i // groups for i in range(groups + 1)]
    return [range(*pair) for pair in pairwise(bounds) if pair[0] < pair[1]]
