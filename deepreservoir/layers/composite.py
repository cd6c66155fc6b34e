"""Layers that contain other layers: Sequential, Residual, Recompute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..backend import Array
from .base import INFERENCE, Cache, Layer, Pass
from .multiply_adds import MultiplyAdds


def _check_nothing_is_trained(layers: Sequence[Layer]) -> None:
    """Raise if one of the layers, whose outputs have no gradient, has arrays to train."""
    trained = [slot.path for layer in layers for slot in layer.slots() if slot.trained]
    if trained:
        raise ValueError(
            "the layers after them return no gradient of their input, so that these arrays "
            f"cannot be trained: {', '.join(trained)}. Build only the first layer that has "
            "trained arrays with needs_dx=False"
        )


class Sequential(Layer):
    """Layers applied one after another.

    Parameters
    ----------
    layers : sequence of Layer

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import Activation
    >>> both = Sequential([Activation("tanh"), Activation("relu")])
    >>> both.forward(np.array([[-1.0, 0.0]]))[0].tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = list(layers)

    @property
    def children(self) -> Sequence[Layer]:
        return self.layers

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        caches: list[Cache] = []
        for layer in self.layers:
            x, cache = layer.forward(x, on)
            caches.append(cache)
        return x, caches if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        grad: Array | None = dy
        for i in range(len(self.layers) - 1, -1, -1):
            if grad is None:
                _check_nothing_is_trained(self.layers[: i + 1])
                return None
            grad = self.layers[i].backward(grad, cache[i])
        return grad

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        alike = [o for o in others if isinstance(o, Sequential)]
        shapes = self._shapes(x.shape)
        if len(alike) < len(others) or any(o._shapes(x.shape) != shapes for o in alike):
            return super().side_by_side(others, x, parts)
        for i, layer in enumerate(self.layers):
            x = layer.side_by_side([other.layers[i] for other in alike], x, parts)
        return x

    def frozen_widths(self) -> dict[str, int]:
        return self.layers[0].frozen_widths() if self.layers else {}

    def frozen(self, x: Array, on: Pass = INFERENCE) -> dict[str, Array]:
        return self.layers[0].frozen(x, on) if self.layers else {}

    def _shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the shape of an input, and of the output of each layer."""
        shapes = [shape]
        for layer in self.layers:
            shapes.append(layer.out_shape(shapes[-1]))
        return shapes

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._shapes(shape)[-1]

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        total = MultiplyAdds()
        for layer in self.layers:
            total += layer.multiply_adds(shape)
            shape = layer.out_shape(shape)
        return total


class _Around(Layer):
    """A wrapper around one layer, with the shapes, products and costs of that layer."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer.path)
        self.layer = layer

    @property
    def children(self) -> Sequence[Layer]:
        return (self.layer,)

    def frozen_widths(self) -> dict[str, int]:
        return self.layer.frozen_widths()

    def frozen(self, x: Array, on: Pass = INFERENCE) -> dict[str, Array]:
        return self.layer.frozen(x, on)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.layer.out_shape(shape)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return self.layer.multiply_adds(shape)


class Residual(_Around):
    """``y = x + layer(x)``, for a layer that preserves the shape.

    Parameters
    ----------
    layer : Layer

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import Activation
    >>> Residual(Activation("relu")).forward(np.array([[-1.0, 2.0]]))[0].tolist()
    [[-1.0, 4.0]]
    """

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        y, cache = self.layer.forward(x, on)
        return y + x, cache

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        dx = self.layer.backward(dy, cache)
        return None if dx is None else dx + dy

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        inner = [other.layer for other in others if isinstance(other, Residual)]
        if len(inner) < len(others):
            return super().side_by_side(others, x, parts)
        return self.layer.side_by_side(inner, x, parts) + x


class Recompute(_Around):
    """A layer whose activations are not kept: the backward pass runs the forward pass again.

    Only the input is kept in memory, at the cost of one more forward pass; the gradients are
    identical, bit for bit. The second forward pass is marked as a replay, in which buffers are not
    updated.

    Parameters
    ----------
    layer : Layer

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import Activation
    >>> Recompute(Activation("relu")).forward(np.array([[-1.0, 2.0]]))[0].tolist()
    [[0.0, 2.0]]
    """

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        y, _ = self.layer.forward(x, on)
        return y, (x, on) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        x, on = cache
        _, layer_cache = self.layer.forward(x, replace(on, replay=True))
        return self.layer.backward(dy, layer_cache)

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        inner = [other.layer if isinstance(other, Recompute) else other for other in others]
        return self.layer.side_by_side(inner, x, parts)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        once = self.layer.multiply_adds(shape)
        return replace(
            once,
            backward=once.backward + once.forward,
            backward_call=once.backward_call + once.forward_call,
        )
