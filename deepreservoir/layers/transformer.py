"""Transformer blocks on adapted matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend import Array
from .activation import Activation
from .adapter import Adapter
from .attention import SelfAttention, adapted
from .base import INFERENCE, Cache, Layer, Pass
from .composite import Sequential
from .multiply_adds import MultiplyAdds
from .norm import LayerNorm
from .stochastic_depth import StochasticDepth


class TransformerBlock(Layer):
    """A block with normalisation before attention and before its MLP: (n, t, d) -> (n, t, d).

    ``h = x + attention(norm(x))`` and ``y = h + mlp(norm(h))`` (Xiong et al., 2020). Matrices of
    attention and MLP are adapted, unless their adapters say otherwise.

    Parameters
    ----------
    path : str
    width, heads, hidden : int
        Width of a token, number of heads, and width of the hidden layer of the MLP.
    adapter_of : callable
        (d_in, d_out) -> Adapter.
    bias : bool
        Whether the adapted matrices have trained biases.
    activation : str, default="gelu"
        Nonlinearity of the MLP.
    dropout : float, default=0.0
        Share of the outputs of attention and of MLP that is dropped during training.
    stochastic_depth : float, default=0.0
        Share of the samples that skip attention, and MLP, during training.
    layer_norm : bool, default=False
        Whether each adapted matrix is followed by a layer normalisation of its outputs.
    causal : bool, default=False
        Whether a token attends only to itself and to those before it.
    mask : str, optional
        Name of a side array of bool (n, t): the tokens that are attended to.
    outputs : int, optional
        Number of leading tokens that are computed, (n, outputs, d); all by default. The last block
        need not compute tokens that nothing reads.
    mlp_adapter_of : callable, optional
        That of the matrices of the MLP, if it differs.
    trained_norms : bool, default=True
        Whether weights and biases of the normalisations before attention and MLP are trained.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, TransformerBlock
    >>> block = TransformerBlock("blocks.0", 64, 4, 256, lambda d_in, d_out: Adapter(rank=2), True)
    >>> len(block.scaffold_requests()), block.out_shape((8, 10, 64))
    (6, (8, 10, 64))
    """

    def __init__(
        self,
        path: str,
        width: int,
        heads: int,
        hidden: int,
        adapter_of: Callable[[int, int], Adapter],
        bias: bool,
        activation: str = "gelu",
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        layer_norm: bool = False,
        causal: bool = False,
        mask: str | None = None,
        outputs: int | None = None,
        mlp_adapter_of: Callable[[int, int], Adapter] | None = None,
        trained_norms: bool = True,
    ) -> None:
        super().__init__(path)
        self.outputs = outputs
        self.norm = LayerNorm(f"{path}.norm1", width, trained=trained_norms)
        adapter = adapter_of(width, width)
        self.attention = SelfAttention(
            f"{path}.attention", width, heads, adapter, bias, causal, mask, layer_norm, outputs
        )
        mlp_adapter_of = mlp_adapter_of or adapter_of
        into, back = f"{path}.mlp.in", f"{path}.mlp.out"

        def after(path: str) -> list[Layer]:
            drop: list[Layer] = [Activation("identity", path, dropout=dropout)] if dropout else []
            depth = [StochasticDepth(path, stochastic_depth)] if stochastic_depth else []
            return [*drop, *depth]

        self.first = Sequential([self.norm, self.attention, *after(f"{path}.attention")])
        self.second = Sequential(
            [
                LayerNorm(f"{path}.norm2", width, trained=trained_norms),
                adapted(into, width, hidden, mlp_adapter_of(width, hidden), bias, layer_norm),
                Activation(activation, into),
                adapted(back, hidden, width, mlp_adapter_of(hidden, width), bias, layer_norm),
                *after(f"{path}.mlp"),
            ]
        )

    @property
    def children(self) -> Sequence[Layer]:
        return (self.first, self.second)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        y, first = self.first.forward(x, on)  # x: (n, t, d)
        h = y + x[:, : self.outputs]
        y, second = self.second.forward(h, on)
        return y + h, (first, second) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        first, second = cache
        dh: Any = self.second.backward(dy, second)
        dh += dy
        dx: Any = self.first.backward(dh, first)
        dx[:, : self.outputs] += dh
        return dx

    def probabilities(self, x: Array, on: Pass = INFERENCE) -> Array:
        """Return how much each token attends to each, (n, heads, t, t), at inference.

        Parameters
        ----------
        x : array, shape (n, t, d)
            The input of this block.
        on : Pass
        """
        return self.attention.probabilities(self.norm.forward(x, on)[0], on)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.attention.out_shape(shape)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        inner = self.attention.out_shape(shape)
        return self.first.multiply_adds(shape) + self.second.multiply_adds(inner)
