"""Sums over the neighbours in a graph, and a dense layer that reads the features of nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse

from ..backend import Array
from .base import INFERENCE, Cache, Layer, Pass
from .dense import AdaptedDense
from .multiply_adds import MultiplyAdds

# Rows of a CSR matrix that are made dense at a time.
_DENSE_ROWS = 1024


class Aggregate(Layer):
    """``y = S x`` with a sparse matrix S of the batch, such as a normalised adjacency.

    Parameters
    ----------
    name : str
        Name of the side array that holds S, a CSR matrix of shape (m, n).
    path : str, default=""

    Examples
    --------
    Each of two nodes gets the features of the other:

    >>> from deepreservoir.layers import Aggregate, Pass
    >>> pair = scipy.sparse.csr_matrix(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> y, _ = Aggregate("adjacency").forward(np.eye(2), Pass(side={"adjacency": pair}))
    >>> y
    array([[0., 1.],
           [1., 0.]])
    """

    def __init__(self, name: str, path: str = "") -> None:
        super().__init__(path)
        self.name = name
        self.reads = (name,)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        matrix = on.side[self.name]  # (m, n)
        return matrix @ x, matrix if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        return cache.T @ dy  # (n, d)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()  # like other elementwise work, it grows linearly with the width


class NodeDense(AdaptedDense):
    """An adapted layer whose input may be a CSR matrix, as word counts of documents are.

    Products with A and with the gradient use the CSR matrix itself. Only the product with frozen
    weights, which is computed once per training, makes rows dense, a block at a time.

    Parameters
    ----------
    path, d_in, d_out, adapter, bias, needs_dx, gain
        As in :class:`AdaptedDense`.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, NodeDense
    >>> layer = NodeDense("layers.0", 1433, 64, Adapter(rank=8), bias=True)
    >>> layer.out_shape((2708, 1433))
    (2708, 64)
    """

    def forward(self, x: Any, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if scipy.sparse.issparse(x):
            if on.training and self.adapter.dropout:
                x = x.toarray()
            elif self.adapter.mode != "full" and self.path not in on.products:
                on = replace(on, products={**on.products, **self.frozen(x)})
        return super().forward(x, on)

    def frozen(self, x: Any, on: Pass = INFERENCE) -> dict[str, Array]:
        if self.adapter.mode == "full" or not scipy.sparse.issparse(x):
            return super().frozen(x, on)
        product = np.empty((x.shape[0], self.d_out), x.dtype)
        for start in range(0, x.shape[0], _DENSE_ROWS):
            rows = slice(start, start + _DENSE_ROWS)
            product[rows] = self.scaffold.matmul(x[rows].toarray())
        return {self.path: product}
