"""Embeddings of tokens, and outputs that share them."""

from __future__ import annotations

from ..backend import Array, array_module
from ..kernels.sparse import csr
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass, as_rows, count_rows, like_rows
from .init import assign, init_stream, normal
from .multiply_adds import MultiplyAdds, trained_product


class TokenEmbedding(Layer):
    """A trained embedding of the codes of tokens: (n, t) -> (n, t, width).

    It is the first layer of a network. Codes must be below the size of the vocabulary, which
    readers check. The embedding starts normal, with a standard deviation of 1 / sqrt(width).

    Parameters
    ----------
    path : str
    vocabulary : int
        Number of tokens.
    width : int
    """

    table: Array  # (vocabulary, width)
    dtable: Array

    def __init__(self, path: str, vocabulary: int, width: int) -> None:
        super().__init__(path)
        self.vocabulary, self.width = vocabulary, width

    def own_slots(self) -> list[Slot]:
        return [Slot(f"{self.path}.table", (self.vocabulary, self.width), "embedding")]

    def initialise_own(self, seed: int) -> None:
        stream = init_stream(seed, f"{self.path}.table")
        assign(self.table, normal(stream, self.table.shape, self.width**-0.5))

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        y = array_module(x).take(self.table, x, axis=0)  # (n, t, width)
        return y, x if on.training else None

    def backward(self, dy: Array, cache: Cache) -> None:
        self.dtable += sum_by_code(as_rows(dy), cache.reshape(-1), self.vocabulary)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()


def sum_by_code(rows: Array, codes: Array, size: int) -> Array:
    """Return the sum of the rows of each code: (n, width), (n,) -> (size, width)."""
    xp = array_module(rows)
    # The product with a matrix of a single one per column sums the rows of each code.
    order = xp.argsort(codes, kind="stable")
    starts = xp.searchsorted(codes[order], xp.arange(size + 1, dtype=codes.dtype))
    return csr(xp.ones(len(rows), rows.dtype), order, starts, (size, len(rows))) @ rows


class TiedOutput(Layer):
    """``y = x E^T`` with the table E of a token embedding: (..., width) -> (..., vocabulary).

    The embedding owns the table, and its gradient is the sum of those of both layers (Press and
    Wolf, 2017).

    Parameters
    ----------
    path : str
    embedding : TokenEmbedding
    """

    def __init__(self, path: str, embedding: TokenEmbedding) -> None:
        super().__init__(path)
        self.embedding = embedding

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        rows = as_rows(x)  # (n, width)
        return like_rows(rows @ self.embedding.table.T, x), rows if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        rows = as_rows(dy)  # (n, vocabulary)
        self.embedding.dtable += rows.T @ cache
        return like_rows(rows @ self.embedding.table, dy)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], self.embedding.vocabulary)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        width, vocabulary = self.embedding.width, self.embedding.vocabulary
        return trained_product(count_rows(shape), width, vocabulary, True)
