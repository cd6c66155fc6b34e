"""Graphs for tests, and layers given their side arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from deepreservoir.layers import Layer, Pass
from deepreservoir.layers.base import INFERENCE


class Beside(Layer):
    """A layer with the side arrays of a batch, for checks that give none."""

    def __init__(self, layer: Layer, **side: Any) -> None:
        super().__init__(layer.path)
        self.layer, self.side = layer, side

    @property
    def children(self) -> tuple[Layer, ...]:
        return (self.layer,)

    def forward(self, x: Any, on: Pass = INFERENCE) -> tuple[Any, Any]:
        return self.layer.forward(x, on.within(**self.side))

    def backward(self, dy: Any, cache: Any) -> Any:
        return self.layer.backward(dy, cache)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.layer.out_shape(shape)


def ring_with_a_lone_node(n: int) -> scipy.sparse.csr_matrix:
    """Return a ring of n - 1 nodes, and one node without neighbours."""
    A = np.zeros((n, n))
    for i in range(n - 1):
        j = (i + 1) % (n - 1)
        A[i, j] = A[j, i] = 1
    return scipy.sparse.csr_matrix(A)


def two_groups(n: int = 80, seed: int = 0) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """Return a graph with more edges inside two groups than between them, and the groups."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], n // 2)
    links = np.triu(rng.random((n, n)) < np.where(y[:, None] == y, 0.2, 0.02), 1)
    return scipy.sparse.csr_matrix((links | links.T).astype(float)), y
