"""The layer contract: what a layer holds, computes and costs.

    y, cache = layer.forward(x, on)
    dx = layer.backward(dy, cache)

`x` is the one differentiated array of a pass; `on`, a :class:`Pass`, carries everything else. The
cache is a value: a layer keeps nothing between the two calls, so it may be called many times
before its backward calls. Without a training step the cache is None. A backward adds into gradient
views; all other arrays it writes are its own. A layer that is first in its network is built with
``needs_dx=False`` and returns None for dx.

All layers take one or more leading axes: (n, d), (n, time, d), (n, height, width, d).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, array_module
from ..params import Slot
from ..scaffold import Scaffold
from .init import assign, init_stream, kaiming_uniform
from .multiply_adds import MultiplyAdds


@dataclass(frozen=True)
class Step:
    """The training step that a pass belongs to: dropout masks are keyed by (seed, path, index).

    Attributes
    ----------
    seed, index : int
    masks : dict, optional
        Where several networks that are trained in step share their masks.
    """

    seed: int
    index: int
    masks: dict[Any, Any] | None = field(default=None, compare=False, repr=False)


class _Empty(Mapping[str, Any]):
    """The empty mapping. Dataclasses refuse an unhashable default, such as a dict."""

    __hash__ = object.__hash__

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


EMPTY: Mapping[str, Any] = _Empty()


@dataclass(frozen=True)
class Pass:
    """What a forward pass is: everything beside the one differentiated array.

    Attributes
    ----------
    step : Step, optional
        The training step; None for inference, which keeps nothing for a backward.
    side : mapping of str to array
        Side arrays of the batch by name: masks, elapsed times, edges.
    products : mapping of str to array
        Products of the inputs with frozen weights that were made in advance, by path.
    dtype : numpy dtype, optional
        Type of floating-point arrays, where the input holds integer codes.
    calls : tuple of int
        Which call of a layer this is, where a layer is called several times per step: its dropout
        masks are keyed by it.
    replay : bool
        Whether a forward is run a second time (:class:`Recompute`): buffers are not updated then.
    """

    step: Step | None = None
    side: Mapping[str, Any] = EMPTY
    products: Mapping[str, Array] = EMPTY
    dtype: Any = None
    calls: tuple[int, ...] = ()
    replay: bool = False

    @property
    def training(self) -> bool:
        """Whether a backward follows."""
        return self.step is not None

    def at(self, call: int) -> Pass:
        """Return this pass as call number `call` of the layers that it is handed to."""
        return replace(self, calls=(*self.calls, call))

    def within(self, **side: Any) -> Pass:
        """Return this pass with other side arrays, for enclosed layers."""
        return replace(self, side={**self.side, **side})


INFERENCE = Pass()

Cache = Any


class ScaffoldRequest(NamedTuple):
    """The frozen weights that a layer asks for.

    Attributes
    ----------
    path : str
    shape : (int, int)
        (d_out, d_in).
    gain : float
        Factor of the configuration's scale.
    frozen : bool
        False where the weights are only the start values of trained ones.
    """

    path: str
    shape: tuple[int, int]
    gain: float = 1.0
    frozen: bool = True


class Layer:
    """A step of the network, forward and backward by hand.

    A layer declares its arrays in :meth:`own_slots` and the layers inside it in `children`, and
    defines `forward` and `backward`. Each array is then an attribute under the last part of its
    path, and its gradient one under the same name with a ``d`` before it; frozen weights that it
    asks for in :meth:`own_requests` are ``self.scaffold``.

    Parameters
    ----------
    path : str
        Path of the layer; its arrays are called ``f"{path}.{name}"``.

    Attributes
    ----------
    reads : tuple of str
        Names of the side arrays that it needs.
    gives : tuple of str
        Names of the side arrays that it hands to the layers inside it, by :meth:`Pass.within`.
    """

    reads: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    scaffold: Scaffold

    def __init__(self, path: str = "") -> None:
        self.path = path

    @property
    def children(self) -> Sequence[Layer]:
        """The layers inside this one; not those that another layer owns and this one only uses."""
        return ()

    def walk(self) -> Iterator[Layer]:
        """Yield this layer and all inside it, first to last."""
        yield self
        for child in self.children:
            yield from child.walk()

    # What it holds ----------------------------------------------------------------------

    def own_slots(self) -> list[Slot]:
        """Return this layer's own arrays, in order."""
        return []

    def own_requests(self) -> list[ScaffoldRequest]:
        """Return the frozen weights that this layer itself needs: at most one matrix."""
        return []

    def slots(self) -> list[Slot]:
        """Return the arrays of this layer and all inside it, in order."""
        return [slot for layer in self.walk() for slot in layer.own_slots()]

    def scaffold_requests(self) -> list[ScaffoldRequest]:
        """Return the frozen weights that this layer and all inside it need."""
        return [request for layer in self.walk() for request in layer.own_requests()]

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        """Take views on arrays and gradients, and the scaffolds, by path."""
        for layer in self.walk():
            for slot in layer.own_slots():
                setattr(layer, slot.name, values[slot.path])
                if slot.trained:
                    setattr(layer, f"d{slot.name}", grads[slot.path])
            for request in layer.own_requests():
                layer.scaffold = scaffolds[request.path]

    def initialise(self, seed: int) -> None:
        """Write the start values, drawn from `seed`, into all bound arrays."""
        for layer in self.walk():
            layer.initialise_own(seed)

    def initialise_own(self, seed: int) -> None:
        """Write the start values of this layer's own arrays, as its slots declare them."""
        for slot in self.own_slots():
            view = getattr(self, slot.name)
            if slot.init is None and slot.trained:
                stream = init_stream(seed, slot.path)
                assign(view, kaiming_uniform(stream, slot.shape, slot.shape[-1]))
            else:
                view[...] = slot.init or 0.0

    # What it computes -------------------------------------------------------------------

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        """Return the output and, in training, what `backward` needs."""
        raise NotImplementedError

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        """Add the gradients of the trained arrays, and return that of the input."""
        raise NotImplementedError

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        """Return the outputs of several layers, each for rows of its own.

        A layer that shares work with the others, such as the product with frozen weights that all
        have in common, overrides this. Each row's output is that of its own layer in any case.

        Parameters
        ----------
        others : sequence of Layer
            Those beside this one, which stand at the same place of other networks.
        x : array, shape (n, ...)
        parts : sequence of slice
            The rows of each layer, this one's first, which together are all.
        """
        layers = [self, *others]
        found = [layer.forward(x[rows])[0] for layer, rows in zip(layers, parts, strict=True)]
        return array_module(x).concatenate(found)

    # Work that can be spared ------------------------------------------------------------

    def frozen_widths(self) -> dict[str, int]:
        """Return the width of each product of :meth:`frozen`, by path."""
        return {}

    def frozen(self, x: Array, on: Pass = INFERENCE) -> dict[str, Array]:
        """Return products of raw inputs that no training step changes, by path.

        They are made once per training and handed back in `Pass.products`.
        """
        return {}

    # What it costs ----------------------------------------------------------------------

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for an input of `shape`."""
        return shape

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        """Return the multiply-adds of the matrix products for an input of `shape`.

        Raises
        ------
        TypeError
            If the layer does not define them: a count of zero would pass unseen.
        """
        raise TypeError(
            f"the products of a {type(self).__name__} are not known to the count of costs; define "
            "multiply_adds in it"
        )


def as_rows(x: Array) -> Array:
    """Return x with all leading axes as one: (..., d) -> (n, d)."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def like_rows(y: Array, x: Array) -> Array:
    """Return rows (n, d) with the leading axes of x."""
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], y.shape[-1])


def dot(a: Array, b: Array) -> Array:
    """Return the sum of the products of all entries."""
    return array_module(a).vdot(a, b)


def count_rows(shape: tuple[int, ...]) -> int:
    """Return the number of rows of an array of `shape`: the product of its leading axes."""
    return int(np.prod(shape[:-1], dtype=np.int64))
