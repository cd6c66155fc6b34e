"""A dense layer whose weights are all trained."""

from __future__ import annotations

from collections.abc import Sequence

from .. import kernels
from ..backend import Array
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass, as_rows, count_rows, like_rows
from .equal_parts import trained_outputs_of_equal_parts
from .init import assign, init_stream, kaiming_uniform
from .multiply_adds import MultiplyAdds, trained_product


class Dense(Layer):
    """A plain trained layer, ``y = x W^T + b``: the head of most networks.

    Parameters
    ----------
    path : str
    d_in, d_out : int
    bias : bool, default=True
    needs_dx : bool, default=True
        Whether the gradient of the input is computed.

    Examples
    --------
    >>> [(slot.path, slot.shape) for slot in Dense("head", 64, 10).slots()]
    [('head.weight', (10, 64)), ('head.bias', (10,))]
    """

    weight: Array  # (d_out, d_in)
    dweight: Array
    bias: Array  # (d_out,)
    dbias: Array

    def __init__(
        self, path: str, d_in: int, d_out: int, bias: bool = True, needs_dx: bool = True
    ) -> None:
        super().__init__(path)
        self.d_in, self.d_out = d_in, d_out
        self.has_bias = bias
        self.needs_dx = needs_dx

    def own_slots(self) -> list[Slot]:
        slots = [Slot(f"{self.path}.weight", (self.d_out, self.d_in), "weight")]
        if self.has_bias:
            slots.append(Slot(f"{self.path}.bias", (self.d_out,), "bias", init=0.0))
        return slots

    def initialise_own(self, seed: int) -> None:
        super().initialise_own(seed)
        if self.has_bias:  # uniform with fan-in d_in, as in PyTorch
            bias = init_stream(seed, f"{self.path}.bias")
            assign(self.bias, kaiming_uniform(bias, self.bias.shape, self.d_in))

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        rows = as_rows(x)  # (n, d_in)
        y = kernels.product(rows, self.weight.T)
        if self.has_bias:
            y += self.bias
        return like_rows(y, x), rows if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        rows = as_rows(dy)  # (n, d_out)
        with kernels.aside("gradients", rows, cache):
            kernels.add_product_(self.dweight, rows.T, cache)
            if self.has_bias:
                self.dbias += rows.sum(axis=0)
        return like_rows(kernels.product(rows, self.weight), dy) if self.needs_dx else None

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        alike = [o for o in others if isinstance(o, Dense) and o.d_out == self.d_out]
        if len(alike) == len(others):
            outputs = trained_outputs_of_equal_parts((self, *alike), x, parts)
            if outputs is not None:
                return outputs
        return super().side_by_side(others, x, parts)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], self.d_out)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return trained_product(count_rows(shape), self.d_in, self.d_out, self.needs_dx)
