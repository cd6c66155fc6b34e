"""The layer contract, and the two layers that hold others: Sequential and Residual.

    y, cache = layer.forward(x, train=False)
    dx = layer.backward(dy, cache)

The cache is a value: a layer keeps nothing between the two, so it may be called many times
before its backward calls. Without `train` the cache is None. A backward adds into gradient
views; all other arrays it writes are its own. A layer that is first in its network is built
with ``needs_dx=False`` and returns None for dx.

`train` is False or the :class:`Step` that the pass belongs to, which is what keyed dropout
needs. `base`, where given, is the product of the first frozen weights with x, computed once
for all epochs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..backend import Array
from ..params import Slot
from ..scaffold import Scaffold, Stream


@dataclass(frozen=True)
class Step:
    """Which training step a pass belongs to: dropout masks are keyed by (seed, path, index).

    Attributes
    ----------
    seed, index : int
    masks : dict, optional
        Where passes of several networks in one step share their masks.
    """

    seed: int
    index: int
    masks: dict[Any, Any] | None = field(default=None, compare=False, repr=False)


Train = Step | Literal[False]
Cache = Any


class ScaffoldRequest(NamedTuple):
    """What a layer asks for: the frozen weights of `path`, of shape (d_out, d_in)."""

    path: str
    shape: tuple[int, int]


class Layer:
    """A step of the network, forward and backward by hand.

    Parameters
    ----------
    path : str
        Path of the layer; its parameters are called ``f"{path}.{name}"``.
    """

    def __init__(self, path: str = "") -> None:
        self.path = path

    @property
    def children(self) -> Sequence[Layer]:
        """The layers inside this one."""
        return ()

    def slots(self) -> list[Slot]:
        """Return the trained parameters, in order."""
        return [slot for child in self.children for slot in child.slots()]

    def scaffold_requests(self) -> list[ScaffoldRequest]:
        """Return the frozen weights that the layer needs."""
        return [request for child in self.children for request in child.scaffold_requests()]

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        """Take views on the parameters and their gradients, and the scaffolds, by path."""
        for child in self.children:
            child.bind(values, grads, scaffolds)

    def initialise(self, seed: int) -> None:
        """Write the start values, drawn from `seed`, into the bound parameters."""
        for child in self.children:
            child.initialise(seed)

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        raise NotImplementedError

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        raise NotImplementedError


class Sequential(Layer):
    """Layers one after another.

    Parameters
    ----------
    layers : sequence of Layer
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = list(layers)

    @property
    def children(self) -> Sequence[Layer]:
        return self.layers

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        caches: list[Cache] = []
        for layer in self.layers:
            x, cache = layer.forward(x, train, base)
            base = None
            caches.append(cache)
        return x, caches if train else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        grad: Array | None = dy
        for layer, layer_cache in zip(reversed(self.layers), reversed(cache), strict=True):
            grad = layer.backward(grad, layer_cache)
        return grad


class Residual(Layer):
    """``y = x + layer(x)``, for a layer that keeps the width."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer.path)
        self.layer = layer

    @property
    def children(self) -> Sequence[Layer]:
        return (self.layer,)

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        y, cache = self.layer.forward(x, train, base)
        return y + x, cache

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        dx = self.layer.backward(dy, cache)
        return None if dx is None else dx + dy


def init_stream(seed: int, path: str) -> Stream:
    """Return the stream of the start values of the parameter at `path`."""
    return Stream(seed, path, "init")
