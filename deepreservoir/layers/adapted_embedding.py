"""Embeddings of tokens that are rows of an adapted matrix, and embeddings of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..backend import Array, array_module
from .base import INFERENCE, Cache, Layer, Pass, as_rows, dot
from .dense import AdaptedDense, Adapter
from .multiply_adds import MultiplyAdds
from .token_embedding import TokenEmbedding, sum_by_code


class AdaptedEmbedding(Layer):
    """The rows of an adapted matrix by index: codes (...) -> (..., width).

    ``y = beta W[code] + s B[code] A``, with W (vocabulary, width) on a scaffold, of which only the
    rows of the codes are needed. It is the first layer of a network.

    Parameters
    ----------
    path : str
    vocabulary : int
        Number of codes.
    width : int
    adapter : Adapter
        Its dropout is not used, since the input of A is a code, and weight decomposition (DoRA) is
        replaced by the low-rank path alone.
    gain : float, default=1.0
        Factor applied to the scale that the configuration gives the scaffold.
    """

    def __init__(
        self, path: str, vocabulary: int, width: int, adapter: Adapter, gain: float = 1.0
    ) -> None:
        super().__init__(path)
        mode = "lora" if adapter.mode == "dora" else adapter.mode
        adapter = replace(adapter, mode=mode, dropout=0.0)
        self.matrix = AdaptedDense(path, width, vocabulary, adapter, gain=gain)

    @property
    def children(self) -> Sequence[Layer]:
        return (self.matrix,)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        matrix, codes = self.matrix, x.reshape(-1)
        adapter, xp = matrix.adapter, array_module(x)
        if adapter.mode == "full":
            base, injected, y = None, None, xp.take(matrix.weight, codes, axis=0)
        else:
            base = matrix.scaffold.rows_at(codes, check=False)  # (n, width)
            injected, y = None, base * matrix.beta
        if adapter.low_rank:
            injected = xp.take(matrix.B, codes, axis=0)  # (n, rank)
            injected *= adapter.scaling
            y += injected @ matrix.A
        y = y.reshape(*x.shape, matrix.d_in)
        return y, (codes, base, injected) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> None:
        matrix, (codes, base, injected), rows = self.matrix, cache, as_rows(dy)
        adapter = matrix.adapter
        if adapter.mode == "full":
            matrix.dweight += sum_by_code(rows, codes, matrix.d_out)
        if not adapter.low_rank:
            return
        if matrix.learns_beta:
            matrix.dbeta += dot(rows, base)
        matrix.dA += injected.T @ rows
        dinjected = rows @ matrix.A.T  # (n, rank)
        dinjected *= adapter.scaling
        matrix.dB += sum_by_code(dinjected, codes, matrix.d_out)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.matrix.d_in)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        if not self.matrix.adapter.low_rank:
            return MultiplyAdds()
        product = self.matrix.adapter.rank * self.matrix.d_in
        for size in shape:
            product *= size
        return MultiplyAdds(product, 2 * product)


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
            else AdaptedEmbedding(f"{path}.{name}", size, width, adapter, gain)
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
        return y, (tokens, cache)

    def backward(self, dy: Array, cache: Cache) -> None:
        tokens, positions = cache
        self.tokens.backward(dy, tokens)
        self.positions.backward(dy.sum(axis=0), positions)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return self.tokens.multiply_adds(shape) + self.positions.multiply_adds(shape[-1:])
