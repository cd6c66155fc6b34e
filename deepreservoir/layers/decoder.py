"""Blocks of Llama-style decoders on adapted matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..backend import Array
from .adapter import Adapter
from .attention import SelfAttention
from .base import INFERENCE, Cache, Layer, Pass
from .composite import Residual, Sequential
from .gated_mlp import GatedMLP
from .multiply_adds import MultiplyAdds
from .norm import RMSNorm


class DecoderBlock(Layer):
    """Causal attention with rotary positions, and a gated MLP: (n, t, d) -> (n, t, d).

    ``h = x + attention(norm(x))`` and ``y = h + mlp(norm(h))``, without biases, as in Llama
    (Touvron et al., 2023).

    Parameters
    ----------
    path : str
        The layers are called ``f"{path}.norm1"``, ``.attention``, ``.norm2`` and ``.mlp``.
    width, heads, hidden : int
        Width of a token, number of heads, and width of the hidden layer of the MLP.
    attention_adapter : Adapter
        Of the matrices Q, K, V and O.
    mlp_adapter_of : callable
        (d_in, d_out) -> Adapter, of the matrices of the MLP.
    rotary : float
        Base of the rotary positions.
    eps : float
        Added to the mean square in normalisations.
    trained_norms : bool
        Whether the gains of the normalisations are trained; otherwise they are one.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, DecoderBlock
    >>> block = DecoderBlock(
    ...     "blocks.0", 64, 4, 172, Adapter(rank=2), lambda d_in, d_out: Adapter(rank=2),
    ...     rotary=10_000.0, eps=1e-5, trained_norms=True,
    ... )
    >>> len(block.scaffold_requests()), block.out_shape((8, 10, 64))
    (7, (8, 10, 64))
    """

    def __init__(
        self,
        path: str,
        width: int,
        heads: int,
        hidden: int,
        attention_adapter: Adapter,
        mlp_adapter_of: Callable[[int, int], Adapter],
        rotary: float,
        eps: float,
        trained_norms: bool,
    ) -> None:
        super().__init__(path)
        attention = SelfAttention(
            f"{path}.attention",
            width,
            heads,
            attention_adapter,
            bias=False,
            causal=True,
            rotary=rotary,
        )
        mlp = GatedMLP(f"{path}.mlp", width, hidden, mlp_adapter_of)
        parts: list[list[Layer]] = [
            [RMSNorm(f"{path}.norm1", width, eps, trained_norms), attention],
            [RMSNorm(f"{path}.norm2", width, eps, trained_norms), mlp],
        ]
        self.layers = Sequential([Residual(Sequential(part)) for part in parts])

    @property
    def children(self) -> Sequence[Layer]:
        return (self.layers,)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        return self.layers.forward(x, on)

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        return self.layers.backward(dy, cache)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return self.layers.multiply_adds(shape)
