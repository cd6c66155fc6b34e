"""Embeddings of categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import Array, array_module, on_device_of
from ..kernels.sparse import csr
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass
from .init import assign, init_stream, kaiming_uniform
from .multiply_adds import MultiplyAdds


class CategoryEmbedding(Layer):
    """The sum of trained embeddings of several categories: codes (n, k) -> (n, width).

    The tables of all columns are one array; forward and backward are products with a sparse
    matrix that has k ones per row.

    Parameters
    ----------
    path : str
    categories : sequence of int
        Number of categories of each of the k columns.
    width : int

    Examples
    --------
    >>> from deepreservoir.layers import CategoryEmbedding
    >>> layer = CategoryEmbedding("atoms", (119, 5), width=16)
    >>> [slot.shape for slot in layer.slots()], layer.out_shape((30, 2))
    ([(124, 16)], (30, 16))
    """

    table: Array  # (sum(categories), width)
    dtable: Array

    def __init__(self, path: str, categories: Sequence[int], width: int) -> None:
        super().__init__(path)
        self.categories = tuple(categories)
        self.width = width
        self._starts = np.cumsum([0, *self.categories[:-1]])

    def own_slots(self) -> list[Slot]:
        return [Slot(f"{self.path}.table", (sum(self.categories), self.width), "embedding")]

    def initialise_own(self, seed: int) -> None:
        # Each column's table is uniform as in Glorot and Bengio (2010), like OGB's encoders.
        unit = kaiming_uniform(init_stream(seed, f"{self.path}.table"), self.table.shape, 1)
        bounds = [(6 / (number + self.width)) ** 0.5 for number in self.categories]
        factors = np.repeat(bounds, self.categories).astype(unit.dtype)
        assign(self.table, unit * factors[:, None])

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        xp, (n, k) = array_module(x), x.shape
        rows = (x + on_device_of(x, np.asarray(self._starts, x.dtype))).ravel()
        ones = xp.ones(n * k, self.table.dtype)
        chosen = csr(ones, rows, xp.arange(0, n * k + 1, k), (n, len(self.table)))
        return chosen @ self.table, chosen if on.training else None

    def backward(self, dy: Array, cache: Cache) -> None:
        self.dtable += cache.T @ dy

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
