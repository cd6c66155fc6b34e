"""Pooling of the nodes of a graph, the pixels of an image, or tokens, into one row."""

from __future__ import annotations

from .. import kernels
from ..backend import Array, array_module
from ..kernels.sparse import row_maxima
from .base import INFERENCE, Cache, Layer, Pass
from .multiply_adds import MultiplyAdds

POOLINGS = ("mean", "sum", "max")
TOKEN_POOLINGS = ("token", "mean")


class GraphPooling(Layer):
    """Mean, sum or maximum over the nodes of each graph: (N, d) -> (G, d); empty graphs give zeros.

    It reads the side array ``graphs``, a CSR matrix (G, N) of ones. Nodes that share a maximum
    share its gradient.

    Parameters
    ----------
    kind : {"mean", "sum", "max"}

    Examples
    --------
    The mean of the first two nodes, and the third node, which is a graph of its own:

    >>> import numpy as np
    >>> import scipy.sparse
    >>> from deepreservoir.layers import GraphPooling, Pass
    >>> graphs = scipy.sparse.csr_matrix(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    >>> x = np.array([[1.0], [3.0], [5.0]])
    >>> GraphPooling("mean").forward(x, Pass(side={"graphs": graphs}))[0]
    array([[2.],
           [5.]])
    """

    reads = ("graphs",)

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        graphs = on.side["graphs"]
        if self.kind == "max":
            y = row_maxima(x, graphs.indptr)
            return y, (graphs, x, y) if on.training else None
        y = graphs @ x
        counts = None
        if self.kind == "mean":
            xp = array_module(x)
            counts = xp.maximum(graphs.indptr[1:] - graphs.indptr[:-1], 1).astype(x.dtype)[:, None]
            y /= counts
        return y, (graphs, counts) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        if self.kind == "max":
            graphs, x, y = cache
            largest = (x == graphs.T @ y).astype(dy.dtype)  # (N, d)
            ties = array_module(x).maximum(graphs @ largest, 1)
            return largest * (graphs.T @ (dy / ties))
        graphs, counts = cache
        return graphs.T @ (dy if counts is None else dy / counts)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()


class GlobalAveragePooling(Layer):
    """The mean over all pixels of each image: (n, h, w, c) -> (n, c)."""

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        pixels = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
        return pixels.mean(axis=1), x.shape if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        _, h, w, _ = cache
        xp = array_module(dy)
        return xp.ascontiguousarray(xp.broadcast_to((dy / (h * w))[:, None, None], cache))

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], shape[-1]

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()


class TokenPooling(Layer):
    """The first token of each sample, or the mean of all: (n, t, d) -> (n, d).

    Parameters
    ----------
    kind : {"token", "mean"}
    mask : str, optional
        Name of a side array of bool (n, t): the tokens that the mean is of. The mean of none is
        zero.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.layers import Pass, TokenPooling
    >>> x = np.array([[[1.0], [3.0], [8.0]]])
    >>> TokenPooling("mean").forward(x)[0]
    array([[4.]])
    >>> kept = np.array([[True, True, False]])
    >>> TokenPooling("mean", mask="kept").forward(x, Pass(side={"kept": kept}))[0]
    array([[2.]])
    """

    def __init__(self, kind: str, mask: str | None = None) -> None:
        super().__init__()
        self.kind, self.mask = kind, mask
        self.reads = () if mask is None else (mask,)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if self.mask is not None and self.kind == "mean":
            xp, kept = array_module(x), on.side[self.mask]
            weights = kept / xp.maximum(kept.sum(axis=1, keepdims=True), 1)
            weights = weights.astype(x.dtype)[:, None]  # (n, 1, t)
            return kernels.product(weights, x)[:, 0], (x.shape, weights) if on.training else None
        y = x[:, 0] if self.kind == "token" else x.mean(axis=1)
        return y, (x.shape, None) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        xp, ((n, t, d), weights) = array_module(dy), cache
        if weights is not None:
            return weights.swapaxes(1, 2) * dy[:, None]
        if self.kind == "mean":
            return xp.broadcast_to((dy / t)[:, None], (n, t, d)).copy()
        dx = xp.zeros((n, t, d), dy.dtype)
        dx[:, 0] = dy
        return dx

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1])

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
