"""Nonlinearities, with the bias before and the dropout behind them."""

from __future__ import annotations

from collections.abc import Mapping

from .. import kernels
from ..backend import Array
from ..params import Slot
from ..scaffold import Scaffold
from .base import Cache, Layer, Train
from .dropout import dropout_mask


class Activation(Layer):
    """``y = f(x + bias)``, while training with a share of it dropped and the rest scaled up.

    On a device all three are one kernel, forward and backward, and no mask takes memory.

    Parameters
    ----------
    name : str
        f: relu, tanh, gelu (exact), silu or identity.
    path : str, default=""
        Path of the layer whose outputs it reads; the bias and the masks are of that path.
    bias_width : int, default=0
        Width of the bias; none where it is 0.
    dropout : float, default=0
        Share that is dropped, in [0, 1).
    """

    def __init__(
        self, name: str, path: str = "", bias_width: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__(path)
        self.name = name
        self.bias_width = bias_width
        self.dropout = dropout
        self.bias: Array | None = None
        self.dbias: Array | None = None

    def slots(self) -> list[Slot]:
        if not self.bias_width:
            return []
        return [Slot(f"{self.path}.bias", (self.bias_width,), decay=False)]

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        if self.bias_width:
            self.bias, self.dbias = values[f"{self.path}.bias"], grads[f"{self.path}.bias"]

    def initialise(self, seed: int) -> None:
        if self.bias is not None:
            self.bias[...] = 0

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        mask = dropout_mask(x, self.dropout, self.path, train) if train and self.dropout else None
        y, kept = kernels.bias_activation_dropout(x, self.bias, self.name, mask)
        return y, kept if train else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        dx = kernels.bias_activation_dropout_backward(dy, self.name, cache)
        if self.dbias is not None:
            self.dbias += dx.sum(axis=0)
        return dx
