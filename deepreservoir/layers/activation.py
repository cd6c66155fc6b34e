"""Element-wise nonlinearities."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import kernels
from ..backend import Array
from .base import Cache, Layer, Train


class _Function(NamedTuple):
    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    keeps_output: bool  # whether backward needs the output (else the input)


ACTIVATIONS: dict[str, _Function | None] = {
    "relu": _Function(kernels.relu, kernels.relu_backward, True),
    "tanh": _Function(kernels.tanh, kernels.tanh_backward, True),
    "gelu": _Function(kernels.gelu, kernels.gelu_backward, False),
    "silu": _Function(kernels.silu, kernels.silu_backward, False),
    "identity": None,
}


class Activation(Layer):
    """A nonlinearity by name: relu, tanh, gelu (exact), silu or identity.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = ACTIVATIONS[name]

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        if self.function is None:
            return x, None
        y = self.function.forward(x)
        return y, (y if self.function.keeps_output else x) if train else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        return dy if self.function is None else self.function.backward(dy, cache)
