"""One adapter on several scaffolds, one per task: seed gating (paper, section 3).

The batches of all tasks alternate. After a whole epoch of one task, the adapter would be fitted to
that task alone and would have partly forgotten the others; here it is never more than a few batches
away from any task. So the tasks need not be cycled through by whole epochs, as in the paper.
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
from .loop import complete
from .plan import Outcome, Plan, TrainingSet, Validate
from .run import Run


class Gate(NamedTuple):
    """One task: a network on the task's scaffold, and what it is trained on.

    Attributes
    ----------
    network : Network
        The networks of all tasks share one adapter (:meth:`Network.with_scaffold`).
    data : TrainingSet
    own : ndarray of int, shape (n_own,), optional
        The rows of the data that belong to the task; all rows by default. Each epoch adds an equal
        number of the other rows, drawn anew, which the network learns to reject.
    """

    network: Network
    data: TrainingSet
    own: np.ndarray | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples per epoch."""
        n = len(self.data.inputs)
        return n if self.own is None else min(n, 2 * len(self.own))

    def steps(self, batch_size: int) -> int:
        """Return the number of batches per epoch."""
        return -(-self.n_samples // batch_size)


def train_gated(
    gates: Sequence[Gate],
    loss: Loss,
    plan: Plan,
    *,
    validate: Validate | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train the adapter that several networks share, each network on its own rows.

    A step is one batch of one task, with its own dropout masks. A single gate without rows to
    reject gets the same bits as from :func:`train`.

    Parameters
    ----------
    gates : sequence of Gate
    loss : Loss
    plan : Plan
        Its limit on frozen products applies to all tasks together.
    validate : callable, optional
        Network -> (loss, score), called after every epoch with the first task's network.
    checkpoint : Checkpoint, optional

    Returns
    -------
    Outcome
        The outcome for the first task's network; the others have the same adapter.

    Raises
    ------
    ValueError
        If the networks do not share one adapter, or scaffolds are to be resampled.
    TrainingDiverged
        If the loss is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import MLPConfig, Network
    >>> from deepreservoir.inputs import Table
    >>> from deepreservoir.losses import SquaredError
    >>> from deepreservoir.optim import AdamW
    >>> from deepreservoir.training import Gate, Plan, TrainingSet, train_gated
    >>> X = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    >>> y = X[:, :1]
    >>> network = Network(MLPConfig(4, 1, (16,), rank=2), seed=0)
    >>> gates = [
    ...     Gate(network, TrainingSet(Table(X, np.float32), y)),
    ...     Gate(network.with_scaffold(1), TrainingSet(Table(X, np.float32), -y)),
    ... ]
    >>> outcome = train_gated(gates, SquaredError(), Plan(AdamW(), rate=0.01, epochs=20))
    >>> outcome.reason, outcome.state.step  # two batches of each task per epoch
    ('budget', 80)
    """
    first = gates[0].network
    if any(gate.network.theta is not first.theta for gate in gates):
        raise ValueError(
            "the networks of all tasks must share one adapter: build the others with the method "
            "with_scaffold of the first"
        )
    if plan.resample is not None:
        raise ValueError("the scaffolds identify the tasks, so they cannot be resampled")
    batches = GatedBatches(gates, plan)
    return complete(Run(first, batches, loss, plan, validate, checkpoint=checkpoint))


class GatedBatches:
    """The batches of all tasks, in alternation.

    Parameters
    ----------
    gates : sequence of Gate
    plan : Plan

    Attributes
    ----------
    steps : int
        Number of batches per epoch, over all tasks.
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
            key += task.steps  # every task has a different key in every epoch

    def batch(self, number: int, step: int) -> TrainingBatch:
        """Return batch `number` of the epoch, with the network that it trains."""
        task, task_batch = self._turns[number]
        return replace(self._tasks[task].batch(task_batch, step), network=self._networks[task])

    def take(self, index: np.ndarray, step: int) -> TrainingBatch:
        """Raise: batches are split only for resampled scaffolds, and these identify the tasks."""
        raise TypeError("the batches of several tasks are not split")


def turns(steps: Sequence[int], seed: int, key: int, shuffle: bool = True) -> list[tuple[int, int]]:
    """Return (task, number of its batch) for each step of an epoch.

    The batches of every task are spread evenly over the epoch. Tasks with the same number of
    batches each come once per round, in a new order every round.

    Parameters
    ----------
    steps : sequence of int
        Number of batches of each task.
    seed, key : int
        Seed of the training run and key of the epoch, which determine the order.
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
    """Return `count` of the rows, drawn without replacement; all rows if there are no more.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
    count : int
    seed, key : int
        Seed of the training run and key of the epoch, which determine the draw.
    """
    if count >= len(rows):
        return rows
    order = Stream(seed, "", "others").permutation(len(rows), substream=key)
    return rows[order[:count]]


class _RejectingBatches(ShuffledBatches):
    """A task's own rows and an equal number of other rows, drawn anew in every epoch.

    With all other rows, an epoch would take longer the more tasks there are, and the other rows
    would outweigh the task's own.
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
        A task's network, its function network -> (loss, score), and its share of the total. The
        shares sum to one.
    """

    def validate(_: Network) -> tuple[float, float]:
        results = [(share, judge(network)) for network, judge, share in parts]
        loss = sum(share * value for share, (value, _) in results)
        return loss, sum(share * score for share, (_, score) in results)

    return validate
