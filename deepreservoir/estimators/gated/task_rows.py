"""Each task's share of the rows: what its network is trained and validated on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from ...backend import to_device
from ...inputs.table import Rows
from ...losses import Loss
from ...network import Network
from ...training import (
    FirstProduct,
    Gate,
    TrainingSet,
    Validate,
    drawn,
    limits,
    validate_gates,
    validator,
)
from ..base.data import Data, normalised_weights

#: Encoded targets, dtype -> targets as the loss takes them.
Targets = Callable[[np.ndarray, np.dtype], np.ndarray]


def balanced(weights: np.ndarray | None, own: np.ndarray) -> np.ndarray | None:
    """Return weights by which a task's own rows count as much as the others that are drawn.

    As many others as own rows are drawn, or all where there are fewer. Own rows keep their
    weights.

    Parameters
    ----------
    weights : ndarray, shape (n,), or None
        None for ones.
    own : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray, shape (n,), or None
        None where all are one.

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
    """Yield each task's rows: its own, or all, the others labelled `reject`, and which are own."""
    for i in range(n):
        own = codes == i
        if reject is None:
            yield (data if own.all() else data.take(np.flatnonzero(own))), None
        else:
            y = np.where(own, data.y, reject)
            yield Data(data.X, y, balanced(data.weights, own)), np.flatnonzero(own)


def gates_of(
    networks: Sequence[Network],
    data: Data,
    codes: np.ndarray,
    reject: int | None,
    targets: Targets,
) -> list[Gate]:
    """Return what each task is trained on.

    Parameters
    ----------
    networks : sequence of Network
        One a task.
    data : Data
    codes : ndarray of int, shape (n,)
        Each row's task.
    reject : int, optional
        Class of rows that are not of a network's task; without, it sees only those that are.
    targets : callable
        Encoded targets, dtype -> targets as the loss takes them.
    """
    dtype, device = networks[0].dtype, networks[0].device
    data = Data(data.X, data.y, normalised_weights(data.weights, np.dtype(np.float64)))
    whole = Rows(data.X, dtype, device) if reject is not None else None
    gates = []
    for network, (part, own) in zip(
        networks, _parts(data, codes, len(networks), reject), strict=True
    ):
        weights = None if part.weights is None else to_device(part.weights.astype(dtype), device)
        rows = Rows(part.X, dtype, device) if whole is None else whole
        of = TrainingSet(rows, to_device(targets(part.y, dtype), device), weights)
        gates.append(Gate(network, of, own))
    return gates


def validation_of(
    networks: Sequence[Network],
    data: Data,
    codes: np.ndarray,
    reject: int | None,
    targets: Targets,
    loss: Loss,
    score: Callable[..., float],
    limit: int,
    seed: int,
) -> Validate:
    """Return the validation of all tasks, each on its own network, by their share of the rows.

    Under `reject` a task's network is shown as many rows of others as of its own, the same ones
    after every epoch.

    Parameters
    ----------
    networks, data, codes, reject, targets : as for :func:`gates_of`
    loss : Loss
    score : callable
        Outputs, data=... -> score, higher is better.
    limit : int
        Bytes that the first frozen products may take, all together.
    seed : int
        Of the draw of others.
    """
    dtype, device = networks[0].dtype, networks[0].device
    parts, shares = [], []
    for i, (part, own) in enumerate(_parts(data, codes, len(networks), reject)):
        mine = np.flatnonzero(codes == i)
        shares.append(len(mine) if data.weights is None else data.weights[mine].sum())
        if own is not None:
            others = drawn(np.flatnonzero(codes != i), len(own), seed)
            part = part.take(np.sort(np.concatenate([own, others])))
        parts.append((part, Rows(part.X, dtype, device)))
    total = sum(shares)
    there = [i for i, share in enumerate(shares) if share]  # few rows may all be of other tasks
    kept = limits([(networks[i], parts[i][1]) for i in there], limit)
    judges = []
    for i, most in zip(there, kept, strict=True):
        part, rows = parts[i]
        judge = validator(
            rows, targets(part.y, dtype), loss, partial(score, data=part), FirstProduct(rows, most)
        )
        judges.append((networks[i], judge, float(shares[i] / total)))
    return validate_gates(judges)
