"""The rows of each task, on which its network is trained and validated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from ...backend import Array, to_device, to_host
from ...network import Network
from ...training import (
    FrozenProducts,
    Gate,
    TrainingSet,
    Validate,
    drawn,
    limits,
    validate_gates,
    validator,
)
from ..base.data import Data, normalised_weights
from ..base.targets import Targets


def balanced(weights: np.ndarray | None, own: np.ndarray) -> np.ndarray | None:
    """Return weights with which a task's own rows count as much as the other rows that are drawn.

    As many other rows as own rows are drawn, or all of them if there are fewer. Own rows keep
    their weights.

    Parameters
    ----------
    weights : ndarray, shape (n,), or None
        None if all weights are one.
    own : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray, shape (n,), or None
        None if all weights are one.

    Examples
    --------
    >>> balanced(None, np.array([True, True, True, False]))
    array([1., 1., 1., 3.])
    >>> balanced(None, np.array([True, False, False, False])) is None
    True
    """
    if weights is None:
        weights = np.ones(len(own))
    count = min(own.sum(), (~own).sum())
    if count:
        factor = weights[own].sum() / (count * weights[~own].mean())
        weights = np.where(own, weights, factor * weights)
    return None if (weights == 1).all() else weights


def _parts(
    data: Data, codes: np.ndarray, n: int, reject: int | None
) -> Iterator[tuple[Data, np.ndarray | None]]:
    """Yield (rows, indices of own rows) of each task.

    Without `reject`, the rows are the task's own, and the indices are None. With it, they are all
    rows, where those of other tasks are labelled `reject`.
    """
    for i in range(n):
        own = codes == i
        if reject is None:
            yield (data if own.all() else data.take(np.flatnonzero(own))), None
        else:
            y = np.where(own, data.y, reject)
            yield Data(data.inputs, y, balanced(data.weights, own)), np.flatnonzero(own)


def gates_of(
    networks: Sequence[Network],
    data: Data,
    codes: np.ndarray,
    reject: int | None,
    targets: Targets,
) -> list[Gate]:
    """Return the network and training data of each task.

    Parameters
    ----------
    networks : sequence of Network
        One network per task.
    data : Data
    codes : ndarray of int, shape (n,)
        The task of each row.
    reject : int, optional
        Class of rows of other tasks. By default, a network is trained on rows of its task only.
    targets : Targets
    """
    dtype, device = networks[0].dtype, networks[0].device
    data = Data(data.inputs, data.y, normalised_weights(data.weights, np.dtype(np.float64)))
    gates = []
    for network, (part, own) in zip(
        networks, _parts(data, codes, len(networks), reject), strict=True
    ):
        weights = None if part.weights is None else to_device(part.weights.astype(dtype), device)
        y = to_device(targets.loss_values(part.y, dtype), device)
        training_set = TrainingSet(part.inputs, y, weights, targets.take)
        gates.append(Gate(network, training_set, own))
    return gates


def _score(targets: Targets, part: Data, outputs: Array) -> float:
    return targets.score(to_host(outputs), part.y, part.weights)


def validation_of(
    networks: Sequence[Network],
    data: Data,
    codes: np.ndarray,
    reject: int | None,
    targets: Targets,
    limit: int,
    seed: int,
) -> Validate:
    """Return the validation of all tasks, each on its own network, weighted by share of the rows.

    Under `reject`, a task's network is validated on equally many rows of its own and of other
    tasks, which are the same after every epoch.

    Parameters
    ----------
    networks, data, codes, reject, targets : as in :func:`gates_of`
    limit : int
        Maximum total size in bytes of the first frozen products.
    seed : int
        Seed of the draw of other rows.
    """
    dtype = networks[0].dtype
    parts, shares = [], []
    for i, (part, own) in enumerate(_parts(data, codes, len(networks), reject)):
        task_rows = np.flatnonzero(codes == i)
        shares.append(len(task_rows) if data.weights is None else data.weights[task_rows].sum())
        if own is not None:
            others = drawn(np.flatnonzero(codes != i), len(own), seed)
            part = part.take(np.sort(np.concatenate([own, others])))
        parts.append(part)
    total = sum(shares)
    present = [i for i, share in enumerate(shares) if share]  # a task may have no held-out rows
    granted = limits([(networks[i], parts[i].inputs) for i in present], limit)
    judges = []
    for i, max_bytes in zip(present, granted, strict=True):
        part = parts[i]
        judge = validator(
            part.inputs,
            targets.loss_values(part.y, dtype),
            targets.loss,
            partial(_score, targets, part),
            FrozenProducts(part.inputs, max_bytes),
            weights=normalised_weights(part.weights, dtype),
            take=targets.take,
        )
        judges.append((networks[i], judge, float(shares[i] / total)))
    return validate_gates(judges)
