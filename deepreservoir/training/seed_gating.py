"""One adapter on several scaffolds, each standing for a task: seed gating (paper, section 3).

The batches of all tasks take turns. After a whole epoch of one task the adapter would have gone
that task's way alone and forgotten some of the others; here it is never more than a few batches
away from any of them. So the tasks need not be cycled through by whole epochs, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..losses import Loss
from ..network import Network
from ..scaffold import Stream
from .batches import ShuffledBatches, TrainingBatch
from .checkpoint import Checkpoint
from .frozen_products import limits
from .plan import Outcome, Plan, TrainingSet, Validate
from .run import Run, complete


class Gate(NamedTuple):
    """One task: a network on the task's scaffold, and what it is trained on.

    Attributes
    ----------
    network : Network
        The networks of all tasks share one adapter (:meth:`Network.with_scaffold`).
    data : TrainingSet
    own : ndarray of int, shape (n_own,), optional
        The rows of the data that are of the task; all of them unless given. Of the others, which
        the network is to reject, an epoch takes as many as of these, drawn anew.
    """

    network: Network
    data: TrainingSet
    own: np.ndarray | None = None

    @property
    def n_samples(self) -> int:
        """Samples of an epoch."""
        n = len(self.data.inputs)
        return n if self.own is None else min(n, 2 * len(self.own))

    def steps(self, batch_size: int) -> int:
        """Return the batches of an epoch."""
        return -(-self.n_samples // batch_size)


def train_gated(
    gates: Sequence[Gate],
    loss: Loss,
    plan: Plan,
    *,
    validate: Validate | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train the adapter that several networks share, each network on rows of its own.

    A step is one batch of one task, and so has dropout masks of its own. One gate without others
    to reject is trained to the bits of :func:`train`.

    Parameters
    ----------
    gates : sequence of Gate
    loss : Loss
    plan : Plan
        Its limit of frozen products is one for all tasks together.
    validate : callable, optional
        Network -> (loss, score), called after every epoch with the first task's network.
    checkpoint : Checkpoint, optional

    Returns
    -------
    Outcome
        Of the first task's network; the others have the same adapter.

    Raises
    ------
    ValueError
        If the networks do not share one adapter, or scaffolds are to be resampled.
    TrainingDiverged
        If the loss is not finite.
    """
    first = gates[0].network
    if any(gate.network.theta is not first.theta for gate in gates):
        raise ValueError(
            "the networks of all tasks must share one adapter: build the others with "
            "with_scaffold of the first"
        )
    if plan.resample is not None:
        raise ValueError("tasks are told apart by their scaffolds, which cannot be resampled")
    batches = GatedBatches(gates, plan)
    return complete(Run(first, batches, loss, plan, validate, checkpoint=checkpoint))


class GatedBatches:
    """The batches of all tasks, in turn.

    Parameters
    ----------
    gates : sequence of Gate
    plan : Plan

    Attributes
    ----------
    steps : int
        Batches of an epoch, over all tasks.
    """

    def __init__(self, gates: Sequence[Gate], plan: Plan) -> None:
        shares = limits([(gate.network, gate.data.inputs) for gate in gates], plan.projection_limit)
        self._tasks = [
            _batches(gate, replace(plan, projection_limit=share))
            for gate, share in zip(gates, shares, strict=True)
        ]
        self._networks = [gate.network for gate in gates]
        self._seed, self._shuffle = plan.seed, plan.shuffle
        self.steps = sum(task.steps for task in self._tasks)

    def begin(self, key: int) -> None:
        """Begin an epoch, whose order is keyed by the training step that it begins with."""
        self._turns = turns([task.steps for task in self._tasks], self._seed, key, self._shuffle)
        for task in self._tasks:
            task.begin(key)
            key += task.steps  # no two tasks, in no two epochs, have one key

    def batch(self, number: int, step: int) -> TrainingBatch:
        """Return batch `number` of the epoch, and the network that it is for."""
        task, own = self._turns[number]
        return replace(self._tasks[task].batch(own, step), network=self._networks[task])

    def take(self, index: np.ndarray, step: int) -> TrainingBatch:
        """Refuse: parts of a batch are for scaffolds that change, which stand for tasks here."""
        raise TypeError("the batches of several tasks are not split")


def turns(steps: Sequence[int], seed: int, key: int, shuffle: bool = True) -> list[tuple[int, int]]:
    """Return (task, number of its batch) for each step of an epoch.

    Every task is spread evenly over the epoch. Of tasks that have as many batches, each comes
    once a round, in an order of that round's own.

    Parameters
    ----------
    steps : sequence of int
        Batches of each task.
    seed, key : int
        What decides the order: of the training, and of the epoch.
    shuffle : bool, default=True
        False for the same order in every round.

    Examples
    --------
    >>> turns([2, 4], seed=0, key=0, shuffle=False)
    [(1, 0), (0, 0), (1, 1), (1, 2), (0, 1), (1, 3)]
    """
    numbers = np.concatenate([np.arange(n) for n in steps])
    shift: np.ndarray | float = 0.5
    if shuffle:
        words = Stream(seed, "", "turns").words(len(numbers), substream=key)
        shift = (words >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    places = (numbers + shift) / np.repeat(steps, steps)
    order = np.argsort(places, kind="stable")
    tasks = np.repeat(np.arange(len(steps)), steps)
    return list(zip(tasks[order].tolist(), numbers[order].tolist(), strict=True))


def drawn(rows: np.ndarray, count: int, seed: int, key: int = 0) -> np.ndarray:
    """Return `count` of the rows, drawn without repetition; all where there are no more.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
    count : int
    seed, key : int
        What decides the draw: of the training, and of the epoch.
    """
    if count >= len(rows):
        return rows
    order = Stream(seed, "", "others").permutation(len(rows), substream=key)
    return rows[order[:count]]


class _RejectingBatches(ShuffledBatches):
    """A task's own rows, and as many others in every epoch, drawn anew.

    All others in every epoch would be more passes the more tasks there are, and would outweigh
    the task's own rows.
    """

    def __init__(self, gate: Gate, own: np.ndarray, plan: Plan) -> None:
        super().__init__(gate.network, gate.data, plan)
        self.own = own
        self.others = np.setdiff1d(np.arange(len(gate.data.inputs)), own)
        self.n_samples, self.steps = gate.n_samples, gate.steps(plan.batch_size)

    def _samples_of(self, key: int) -> np.ndarray:
        others = drawn(self.others, len(self.own), self.seed, key)
        return self._shuffled(np.sort(np.concatenate([self.own, others])), key)


def _batches(gate: Gate, plan: Plan) -> ShuffledBatches:
    if gate.own is None:
        return ShuffledBatches(gate.network, gate.data, plan)
    return _RejectingBatches(gate, gate.own, plan)


def validate_gates(parts: Sequence[tuple[Network, Validate, float]]) -> Validate:
    """Return a function network -> (loss, score) that validates every task on its own network.

    Parameters
    ----------
    parts : sequence of (Network, callable, float)
        A task's network, its network -> (loss, score), and its share of the whole. The shares
        sum to one.
    """

    def validate(_: Network) -> tuple[float, float]:
        found = [(share, judge(network)) for network, judge, share in parts]
        loss = sum(share * value for share, (value, _) in found)
        return loss, sum(share * score for share, (_, score) in found)

    return validate
