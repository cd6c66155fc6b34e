"""Embeddings of tokens, and outputs that share them."""

from __future__ import annotations

from typing import Protocol

from .. import kernels
from ..backend import Array, array_module
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

    Examples
    --------
    >>> from deepreservoir.layers import TokenEmbedding
    >>> layer = TokenEmbedding("embedding", vocabulary=4096, width=64)
    >>> layer.slots()[0].shape, layer.out_shape((8, 10))
    ((4096, 64), (8, 10, 64))
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
        kernels.add_rows_(self.dtable, cache.reshape(-1), as_rows(dy))

    def logits(self, rows: Array, on: Pass) -> tuple[Array, Cache]:
        """Return the product of rows (n, width) with all embeddings, and its cache."""
        return kernels.product(rows, self.table.T), rows if on.training else None

    def logits_backward(self, dy: Array, cache: Cache) -> Array:
        """Add the gradient of the embeddings from `logits`, and return that of its rows."""
        kernels.add_product_(self.dtable, dy.T, cache)  # dy: (n, vocabulary)
        return kernels.product(dy, self.table)

    def logits_multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        """Return the multiply-adds of `logits`, for rows with these leading axes."""
        return trained_product(count_rows(shape), self.width, self.vocabulary, True)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()


class Embedding(Protocol):
    """What a :class:`TiedOutput` needs of an embedding."""

    vocabulary: int

    def logits(self, rows: Array, on: Pass) -> tuple[Array, Cache]:
        """Return the product of rows (n, width) with all embeddings, and its cache."""

    def logits_backward(self, dy: Array, cache: Cache) -> Array | None:
        """Add the gradient of the embeddings from `logits`, and return that of its rows."""

    def logits_multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        """Return the multiply-adds of `logits`, for rows with these leading axes."""


class TiedOutput(Layer):
    """``y = x E^T`` with the matrix E of an embedding: (..., width) -> (..., vocabulary).

    The embedding owns the matrix, and its gradient is the sum of those of both layers (Press and
    Wolf, 2017).

    Parameters
    ----------
    path : str
    embedding : TokenEmbedding or ScaffoldEmbedding

    Examples
    --------
    >>> from deepreservoir.layers import TiedOutput, TokenEmbedding
    >>> output = TiedOutput("head", TokenEmbedding("embedding", 4096, 64))
    >>> output.slots(), output.out_shape((8, 10, 64))
    ([], (8, 10, 4096))
    """

    def __init__(self, path: str, embedding: Embedding) -> None:
        super().__init__(path)
        self.embedding = embedding

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        y, cache = self.embedding.logits(as_rows(x), on)
        return like_rows(y, x), cache

    def backward(self, dy: Array, cache: Cache) -> Array:
        return like_rows(self.embedding.logits_backward(as_rows(dy), cache), dy)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], self.embedding.vocabulary)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return self.embedding.logits_multiply_adds(shape)
