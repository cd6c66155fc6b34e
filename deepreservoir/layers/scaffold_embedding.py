"""An embedding of tokens that is a scaffold with an adapter, and serves as the output layer too.

``E = beta W + s B A`` with W (vocabulary, width) frozen: a token needs its row of W and of B only,
so that neither W nor E is ever written out where W is streamed, packed or structured.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import kernels
from ..backend import Array, array_module
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass, as_rows, count_rows
from .dense import AdaptedDense
from .multiply_adds import MultiplyAdds


class ScaffoldEmbedding(Layer):
    """An embedding of the codes of tokens on a scaffold: (n, t) -> (n, t, width).

    The embedding of a token is its row of the matrix that :class:`AdaptedDense` multiplies by,
    adapted in the same modes; its input dropout applies to products only. A
    :class:`~deepreservoir.layers.TiedOutput` takes the product with the whole matrix.

    Parameters
    ----------
    path : str
    vocabulary : int
        Number of tokens.
    width : int
    adapter : Adapter
    gain : float, default=1.0
        Factor applied to the scale that the configuration gives the scaffold.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter
    >>> layer = ScaffoldEmbedding("embedding", 32_000, 1664, Adapter(rank=8))
    >>> {slot.path: slot.shape for slot in layer.slots()}
    {'embedding.A': (8, 1664), 'embedding.B': (32000, 8), 'embedding.beta': (1,)}
    """

    def __init__(
        self, path: str, vocabulary: int, width: int, adapter: Adapter, gain: float = 1.0
    ) -> None:
        super().__init__(path)
        self.vocabulary, self.width = vocabulary, width
        self.matrix = AdaptedDense(path, width, vocabulary, adapter, gain=gain)

    @property
    def children(self) -> Sequence[Layer]:
        return (self.matrix,)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        codes = x.reshape(-1)
        rows, cache = self._rows(codes)
        return rows.reshape(*x.shape, self.width), (codes, *cache) if on.training else None

    def _rows(self, codes: Array) -> tuple[Array, Cache]:
        """Return the embeddings of codes (n,), and all but these of the cache for `backward`."""
        xp, matrix, adapter = array_module(codes), self.matrix, self.matrix.adapter
        if adapter.mode == "full":
            return xp.take(matrix.weight, codes, axis=0), (None, None, None, None)
        base = matrix.scaffold.rows_at(codes, check=False)  # (n, width)
        y = base * matrix.beta
        injected = v = norms = None
        if adapter.low_rank:
            injected = xp.take(matrix.B, codes, axis=0)  # (n, rank)
            injected *= adapter.scaling
            y += kernels.product(injected, matrix.A)
        if adapter.mode == "dora":
            norms = matrix.row_norms()
            v, y = y, y * self._relative_norms(codes, norms)
        return y, (base if matrix.learns_beta else None, injected, v, norms)

    def _relative_norms(self, codes: Array, norms: Cache) -> Array:
        """Return DoRA's factor of each row, (n, 1)."""
        return array_module(codes).take(self.matrix.magnitude / norms[0], codes)[:, None]

    def backward(self, dy: Array, cache: Cache) -> None:
        codes, base, injected, v, norms = cache
        matrix, rows = self.matrix, as_rows(dy)  # (n, width)
        if matrix.adapter.mode == "full":
            kernels.add_rows_(matrix.dweight, codes, rows)
            return
        if norms is not None:
            along = array_module(rows).zeros((self.vocabulary, 1), rows.dtype)
            kernels.add_rows_(along, codes, (rows * v).sum(axis=1)[:, None])
            matrix.norms_backward(along[:, 0], norms)
            rows = rows * self._relative_norms(codes, norms)
        if matrix.learns_beta:
            matrix.dbeta += kernels.dot(rows, base)
        if injected is not None:
            kernels.add_product_(matrix.dA, injected.T, rows)
            u = kernels.project(rows, matrix.A, matrix.adapter.scaling)  # (n, rank)
            kernels.add_rows_(matrix.dB, codes, u)

    def logits(self, rows: Array, on: Pass) -> tuple[Array, Cache]:
        """Return the product of rows (n, width) with all embeddings, and its cache."""
        return self.matrix.forward(rows, on)

    def logits_backward(self, dy: Array, cache: Cache) -> Array | None:
        """Add the gradient of the embeddings from `logits`, and return that of its rows."""
        return self.matrix.backward(dy, cache)

    def logits_multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        """Return the multiply-adds of `logits`, for rows with these leading axes."""
        return self.matrix.multiply_adds(shape)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        adapter = self.matrix.adapter
        if not adapter.low_rank:
            return MultiplyAdds()
        # B A for the tokens; u = dy A^T and dA.
        product = count_rows((*shape, self.width)) * adapter.rank * self.width
        per_call = self.matrix.multiply_adds((0, self.width))  # DoRA's norms
        return MultiplyAdds(product, 2 * product) + per_call
