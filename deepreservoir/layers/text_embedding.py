"""Embeddings of the tokens of texts and of their positions."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend import Array, array_module
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass
from .multiply_adds import MultiplyAdds
from .scaffold_embedding import ScaffoldEmbedding
from .token_embedding import TokenEmbedding


class TextEmbedding(Layer):
    """Embeddings of tokens and of their positions, added: codes (n, t) -> (n, t, width).

    It is the first layer of a network.

    Parameters
    ----------
    path : str
        The embeddings are called ``f"{path}.tokens"`` and ``f"{path}.positions"``.
    vocabulary, max_length, width : int
        Number of tokens, most tokens of a text, and width of an embedding.
    adapter : Adapter, optional
        If given, both embeddings are rows of matrices on scaffolds, adapted by it; otherwise they
        are trained. Scaffolds of tokens have a standard deviation of one, for which a token can be
        told apart from others at the same position; those of positions 1 / sqrt(width).
    """

    def __init__(
        self,
        path: str,
        vocabulary: int,
        max_length: int,
        width: int,
        adapter: Adapter | None = None,
    ) -> None:
        super().__init__(path)
        self.max_length, self.width = max_length, width
        self.tokens, self.positions = (
            TokenEmbedding(f"{path}.{name}", size, width)
            if adapter is None
            else ScaffoldEmbedding(f"{path}.{name}", size, width, adapter, gain)
            for name, size, gain in (
                ("tokens", vocabulary, width**0.5),
                ("positions", max_length, 1.0),
            )
        )

    @property
    def children(self) -> Sequence[Layer]:
        return (self.tokens, self.positions)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        y, tokens = self.tokens.forward(x, on)
        places = array_module(x).arange(x.shape[1], dtype=x.dtype)
        positions, cache = self.positions.forward(places, on)  # (t, width)
        y += positions
        return y, (tokens, cache) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> None:
        tokens, positions = cache
        self.tokens.backward(dy, tokens)
        self.positions.backward(dy.sum(axis=0), positions)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return self.tokens.multiply_adds(shape) + self.positions.multiply_adds(shape[-1:])
