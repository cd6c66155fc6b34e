"""Products of a training set with frozen weights, computed once per training run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..backend import Array
from ..inputs import Inputs
from ..network import Network
from ..scaffold import Scaffold


def limits(products: Iterable[tuple[Network, Inputs]], limit: int) -> list[int]:
    """Return a limit for each of several products, so that together they fit in `limit` bytes.

    Each product is kept as a whole or not at all; earlier products take precedence.
    """
    granted = []
    for network, inputs in products:
        needed = network.product_bytes(inputs)
        granted.append(needed if needed <= limit else 0)
        limit -= granted[-1]
    return granted


class FrozenProducts:
    """The products of all inputs with the frozen weights that read them, for one scaffold.

    They are computed on first use, and not once per epoch.

    Parameters
    ----------
    inputs : Inputs
    limit : int
        Maximum size of the products in bytes.
    """

    def __init__(self, inputs: Inputs, limit: int) -> None:
        self.inputs, self.limit = inputs, limit
        self._scaffolds: dict[str, Scaffold] | None = None
        self._products: Mapping[str, Array] = {}

    def of(self, network: Network) -> Mapping[str, Array]:
        """Return the products for a network by path; none if they do not fit or do not apply.

        Parameters
        ----------
        network : Network
        """
        if self._scaffolds is None:
            self._scaffolds = network.frozen_scaffolds
            if network.product_bytes(self.inputs) <= self.limit:
                self._products = network.frozen_products(self.inputs)
        scaffolds = network.frozen_scaffolds
        same = all(scaffolds.get(path) is self._scaffolds.get(path) for path in self._products)
        return self._products if same else {}
