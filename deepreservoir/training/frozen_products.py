"""What training computes of a network outside its steps: the first frozen product, validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..backend import Array, array_module, to_device
from ..inputs.table import Rows
from ..losses import Loss
from ..network import Network
from ..scaffold import Scaffold
from .plan import Validate


def product_bytes(network: Network, rows: Rows) -> int:
    """Return the bytes of the first scaffold's product with all rows; 0 where there is none."""
    scaffold = network.first_scaffold
    if scaffold is None:
        return 0
    return len(rows) * scaffold.shape[0] * network.dtype.itemsize


def limits(products: Iterable[tuple[Network, Rows]], limit: int) -> list[int]:
    """Return a limit for each of several products, so that all together keep to `limit` bytes.

    Each is kept whole or not at all, and first come, first served.
    """
    found = []
    for network, rows in products:
        needed = product_bytes(network, rows)
        found.append(needed if needed <= limit else 0)
        limit -= found[-1]
    return found


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
    if scaffold is None or product_bytes(network, rows) > limit:
        return None
    shape = (len(rows), scaffold.shape[0])
    base = array_module(network.theta).empty(shape, network.dtype)
    for where, chunk in rows.chunks():
        base[where] = scaffold.matmul(chunk)
    return base


class FirstProduct:
    """The product of :func:`project`, made when it is first asked for, for one scaffold.

    Parameters
    ----------
    rows : Rows
    limit : int
        Bytes that the product may take.
    """

    def __init__(self, rows: Rows, limit: int) -> None:
        self.rows, self.limit = rows, limit
        self._scaffold: Scaffold | None = None
        self._base: Array | None = None

    def of(self, network: Network) -> Array | None:
        """Return the product for a network; None where it would not fit, or is another's."""
        if self._scaffold is None:
            self._scaffold = network.first_scaffold
            self._base = project(network, self.rows, self.limit)
        return self._base if network.first_scaffold is self._scaffold else None


def validator(
    rows: Rows,
    targets: Array,
    loss: Loss,
    score: Callable[[Array], float],
    product: FirstProduct | None = None,
) -> Validate:
    """Return a function network -> (loss, score) on held-out rows.

    Parameters
    ----------
    rows : Rows
    targets : array
    loss : Loss
    score : callable
        Outputs -> score, higher is better.
    product : FirstProduct, optional
        Of these rows, where it pays.
    """

    def validate(network: Network) -> tuple[float, float]:
        outputs = network.outputs(rows, base=None if product is None else product.of(network))
        value, _ = loss(outputs, to_device(targets, network.device))
        return float(value), score(outputs)

    return validate
