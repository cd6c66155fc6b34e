"""Convolutions, each with batch normalisation and ReLU after it."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend import Array
from .base import INFERENCE, Cache, Layer, Pass
from .convolution import Convolution
from .multiply_adds import MultiplyAdds
from .norm_relu import BatchNormReLU


class ConvolutionStack(Layer):
    """``h <- relu(norm(conv(h)))`` for each convolution.

    One array per convolution is kept for the backward pass, its output: what the next convolution
    reads is computed from it again.

    Parameters
    ----------
    convolutions : sequence of Convolution
    """

    def __init__(self, convolutions: Sequence[Convolution]) -> None:
        super().__init__()
        self.convolutions = list(convolutions)
        self.norms = [BatchNormReLU(f"{each.path}.norm", each.c_out) for each in self.convolutions]

    @property
    def children(self) -> Sequence[Layer]:
        return [layer for pair in zip(self.convolutions, self.norms, strict=True) for layer in pair]

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        h, caches = x, []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            h, first = convolution.forward(h, on)
            h, second = norm.forward(h, on)
            caches.append((None if first is None else first.without_input(), second))
        return h, (x, caches) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        x, caches = cache
        grad: Array | None = dy
        for i in reversed(range(len(caches))):
            first, second = caches[i]
            grad = self.norms[i].backward(grad, second)
            before = self.norms[i - 1].output(caches[i - 1][1]) if i else x
            grad = self.convolutions[i].backward(grad, first.with_input(before))
        return grad

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for convolution in self.convolutions:
            shape = convolution.out_shape(shape)
        return shape

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        total = MultiplyAdds()
        for convolution in self.convolutions:
            total += convolution.multiply_adds(shape)
            shape = convolution.out_shape(shape)
        return total
