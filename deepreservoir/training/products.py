"""What training computes of a network outside its steps: the first frozen product, validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, array_module, to_device
from ..losses import Loss
from ..network import Network
from ..rows import Rows
from .plan import Validate


def project(network: Network, rows: Rows, limit: int) -> Array | None:
    """Return the first scaffold's product with all rows, or None where it would not fit.

    Both are frozen, so the product is computed once, not once an epoch.

    Parameters
    ----------
    network : Network
    rows : Rows
    limit : int
        Bytes that the product may take.

    Returns
    -------
    array, shape (n, d_out), or None
    """
    scaffold = network.first_scaffold
    if scaffold is None:
        return None
    shape = (len(rows), scaffold.shape[0])
    if shape[0] * shape[1] * network.dtype.itemsize > limit:
        return None
    base = array_module(network.theta).empty(shape, network.dtype)
    for where, chunk in rows.chunks():
        base[where] = scaffold.matmul(chunk)
    return base


def validator(rows: Any, targets: Array, loss: Loss, score: Callable[[Array], float]) -> Validate:
    """Return a function network -> (loss, score) on held-out rows.

    Parameters
    ----------
    rows : array or CSR matrix, shape (n, n_features)
    targets : array
    loss : Loss
    score : callable
        Outputs -> score, higher is better.
    """

    def validate(network: Network) -> tuple[float, float]:
        outputs = network.outputs(rows)
        value, _ = loss(outputs, to_device(targets, network.device))
        return float(value), score(outputs)

    return validate
