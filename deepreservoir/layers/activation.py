"""Nonlinearities, fused with the bias before and the dropout after them."""

from __future__ import annotations

from collections.abc import Sequence

from .. import kernels
from ..backend import Array, array_module
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass, as_rows, like_rows
from .dropout import dropout_mask
from .multiply_adds import MultiplyAdds


class Activation(Layer):
    """``y = f(x + bias)``, with dropout during training.

    On a device, bias, nonlinearity and dropout are one kernel in each direction, and the dropout
    mask takes no memory.

    Parameters
    ----------
    name : str
        The nonlinearity f: relu, tanh, logistic, gelu (exact), silu or identity.
    path : str, default=""
        Path of the layer whose outputs it reads; the bias and the dropout masks belong to it.
    bias_width : int, default=0
        Width of the bias, or 0 for no bias.
    dropout : float, default=0
        Fraction of the outputs that is dropped during training, in [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> Activation("relu").forward(np.array([[-1.0, 2.0]]))[0].tolist()
    [[0.0, 2.0]]
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

    def own_slots(self) -> list[Slot]:
        if not self.bias_width:
            return []
        return [Slot(f"{self.path}.bias", (self.bias_width,), "bias", init=0.0)]

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if x.ndim != 2:
            y, cache = self.forward(as_rows(x), on)
            return like_rows(y, x), cache
        training, mask = on.step is not None, None  # x: (n, d)
        if training and self.dropout:
            mask = dropout_mask(x, self.dropout, self.path, on, drawn=False)
        y, kept = kernels.bias_activation_dropout(x, self.bias, self.name, mask, training)
        return y, kept if training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        if dy.ndim != 2:
            return like_rows(self.backward(as_rows(dy), cache), dy)
        dx = kernels.bias_activation_dropout_backward(dy, self.name, cache)  # (n, d)
        if self.dbias is not None:
            self.dbias += dx.sum(axis=0)
        return dx

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        alike = [o for o in others if isinstance(o, Activation) and o.name == self.name]
        if len(alike) < len(others) or len({layer.bias_width for layer in (self, *alike)}) > 1:
            return super().side_by_side(others, x, parts)
        if self.bias is not None:
            xp, lengths = array_module(x), [part.stop - part.start for part in parts]
            biases = xp.stack([layer.bias for layer in (self, *alike)]).astype(x.dtype, copy=False)
            rows = xp.repeat(biases, lengths, axis=0)  # (n, d)
            x = x + rows.reshape(len(x), *(1,) * (x.ndim - 2), -1)
        # What remains is the same function for all rows.
        y = kernels.bias_activation_dropout(as_rows(x), None, self.name, None, training=False)[0]
        return like_rows(y, x)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
