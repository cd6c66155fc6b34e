"""A gated MLP on adapted matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import kernels
from ..backend import Array
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass, as_rows, like_rows
from .dense import AdaptedDense
from .multiply_adds import MultiplyAdds


class GatedMLP(Layer):
    """``y = W_down (silu(W_gate x) * (W_up x))``, without biases (SwiGLU; Shazeer, 2020).

    Parameters
    ----------
    path : str
        The matrices are called ``f"{path}.gate"``, ``.up`` and ``.down``.
    width, hidden : int
        Width of input and output, and of the hidden layer.
    adapter_of : callable
        (d_in, d_out) -> Adapter.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, GatedMLP
    >>> mlp = GatedMLP("mlp", 64, 172, lambda d_in, d_out: Adapter(rank=2))
    >>> {request.path: request.shape for request in mlp.scaffold_requests()}
    {'mlp.gate': (172, 64), 'mlp.up': (172, 64), 'mlp.down': (64, 172)}
    """

    def __init__(
        self, path: str, width: int, hidden: int, adapter_of: Callable[[int, int], Adapter]
    ) -> None:
        super().__init__(path)
        into = adapter_of(width, hidden)
        self.gate = AdaptedDense(f"{path}.gate", width, hidden, into)
        self.up = AdaptedDense(f"{path}.up", width, hidden, into)
        self.down = AdaptedDense(f"{path}.down", hidden, width, adapter_of(hidden, width))

    @property
    def children(self) -> Sequence[Layer]:
        return (self.gate, self.up, self.down)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        rows = as_rows(x)  # (n, width)
        gate, gate_cache = self.gate.forward(rows, on)
        up, up_cache = self.up.forward(rows, on)
        y, down_cache = self.down.forward(kernels.silu_product(gate, up), on)
        caches = gate, up, gate_cache, up_cache, down_cache
        return like_rows(y, x), caches if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        gate, up, gate_cache, up_cache, down_cache = cache
        dhidden: Any = self.down.backward(as_rows(dy), down_cache)
        dgate, dup = kernels.silu_product_backward(dhidden, gate, up)
        dx: Any = self.gate.backward(dgate, gate_cache)
        dx += self.up.backward(dup, up_cache)
        return like_rows(dx, dy)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        inner = self.up.out_shape(shape)
        total = self.gate.multiply_adds(shape) + self.up.multiply_adds(shape)
        return total + self.down.multiply_adds(inner)
