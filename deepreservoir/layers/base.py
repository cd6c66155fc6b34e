"""The interface of layers: the arrays a layer has, what it computes and what it costs.

    y, cache = layer.forward(x, on)
    dx = layer.backward(dy, cache)

`x` is the only array that a pass differentiates; `on`, a :class:`Pass`, carries everything else.
The cache is a return value: a layer stores nothing between the two calls, so `forward` may be
called several times before the matching calls of `backward`. Outside training the cache is None.
`backward` adds into gradient views; it writes to no other array that it did not create. The first
layer of a network is built with ``needs_dx=False`` and returns None for dx.

All layers accept one or more leading axes: (n, d), (n, time, d), (n, height, width, d).
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
from .layer_limit import count_layer
from .multiply_adds import MultiplyAdds


@dataclass(frozen=True)
class Step:
    """The training step that a pass belongs to: dropout masks are keyed by (seed, path, index).

    Attributes
    ----------
    seed : int
    index : int, or array of uint64 on a device, shape (1,)
        An array is read by each kernel when it runs: so a captured step is every step.
    masks : dict, optional
        Cache of dropout masks that networks share while they are trained side by side.

    Examples
    --------
    >>> Step(seed=0, index=3) == Step(seed=0, index=3)
    True
    """

    seed: int
    index: int | Array
    masks: dict[Any, Any] | None = field(default=None, compare=False, repr=False)


class _Empty(Mapping[str, Any]):
    """An empty, hashable mapping: dataclasses reject an unhashable default such as a dict."""

    __hash__ = object.__hash__

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def get(self, key: str, default: Any = None) -> Any:
        return default  # without the KeyError of the inherited one: asked for by every layer


EMPTY: Mapping[str, Any] = _Empty()


@dataclass(frozen=True)
class Pass:
    """The arguments of a forward pass, except the differentiated array.

    Attributes
    ----------
    step : Step, optional
        The training step; None for inference, where no cache is kept for a backward pass.
    side : mapping of str to array
        Side arrays of the batch by name: masks, elapsed times, edges.
    products : mapping of str to array
        Precomputed products of the inputs with frozen weights, by path.
    dtype : numpy dtype, optional
        Type of floating-point arrays, for inputs that are integer codes.
    calls : tuple of int
        Number of the call, for a layer that is called several times per step; its dropout masks
        are keyed by it.
    replay : bool
        Whether the forward pass is run a second time (:class:`Recompute`), in which case buffers
        are not updated.

    Examples
    --------
    >>> Pass().training, Pass(Step(seed=0, index=3)).training
    (False, True)
    """

    step: Step | None = None
    side: Mapping[str, Any] = EMPTY
    products: Mapping[str, Array] = EMPTY
    dtype: Any = None
    calls: tuple[int, ...] = ()
    replay: bool = False

    @property
    def training(self) -> bool:
        """Whether a backward pass follows."""
        return self.step is not None

    def at(self, call: int) -> Pass:
        """Return this pass as call number `call` of the layers that receive it."""
        return replace(self, calls=(*self.calls, call))

    def within(self, **side: Any) -> Pass:
        """Return this pass with additional side arrays, for enclosed layers."""
        return replace(self, side={**self.side, **side})


INFERENCE = Pass()

Cache = Any


class ScaffoldRequest(NamedTuple):
    """The frozen weights that a layer needs.

    Attributes
    ----------
    path : str
    shape : (int, int)
        (d_out, d_in).
    gain : float
        Factor applied to the configuration's scale.
    frozen : bool
        False if the weights are only the initial values of trained ones.

    Examples
    --------
    >>> ScaffoldRequest("layers.0", (64, 8))
    ScaffoldRequest(path='layers.0', shape=(64, 8), gain=1.0, frozen=True)
    """

    path: str
    shape: tuple[int, int]
    gain: float = 1.0
    frozen: bool = True


class Layer:
    """A layer of a network, with hand-written forward and backward passes.

    A layer declares its arrays in :meth:`own_slots` and the layers inside it in `children`, and
    defines `forward` and `backward`. Each array is bound to an attribute named after the last part
    of its path, and its gradient to the same name with the prefix ``d``. The frozen weights that
    the layer requests in :meth:`own_requests` are bound to ``self.scaffold``.

    Parameters
    ----------
    path : str
        Path of the layer; its arrays are called ``f"{path}.{name}"``.

    Attributes
    ----------
    reads : tuple of str
        Names of the side arrays that the layer needs.
    gives : tuple of str
        Names of the side arrays that it passes to the layers inside it, by :meth:`Pass.within`.
    reads_batch : bool
        Whether a row's output depends on the other rows of the batch during training, as under
        batch normalisation.

    Examples
    --------
    >>> class Scale(Layer):  # y = gain x, with one trained gain per feature
    ...     def own_slots(self):
    ...         return [Slot(f"{self.path}.gain", (3,), init=1.0)]
    ...     def forward(self, x, on=INFERENCE):
    ...         return self.gain * x, x if on.training else None
    ...     def backward(self, dy, cache):
    ...         self.dgain += (dy * cache).sum(axis=0)
    ...         return self.gain * dy
    >>> [slot.path for slot in Scale("scale").slots()]
    ['scale.gain']
    """

    reads: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    reads_batch: bool = False
    scaffold: Scaffold

    def __init__(self, path: str = "") -> None:
        count_layer()
        self.path = path

    @property
    def children(self) -> Sequence[Layer]:
        """The layers that this one owns; a layer that it only uses is listed by its owner."""
        return ()

    def walk(self) -> Iterator[Layer]:
        """Yield this layer and all layers inside it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    # Arrays and frozen weights ----------------------------------------------------------

    def own_slots(self) -> list[Slot]:
        """Return this layer's own arrays, in order."""
        return []

    def own_requests(self) -> list[ScaffoldRequest]:
        """Return the frozen weights that this layer itself needs: at most one matrix."""
        return []

    def slots(self) -> list[Slot]:
        """Return the arrays of this layer and of all layers inside it, in order.

        Raises
        ------
        TypeError
            If a layer does not define :meth:`own_slots` as a method that returns slots.
        """
        return [slot for layer in self.walk() for slot in _own_slots(layer)]

    def scaffold_requests(self) -> list[ScaffoldRequest]:
        """Return the frozen weights that this layer and all layers inside it need."""
        return [request for layer in self.walk() for request in layer.own_requests()]

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        """Bind arrays, gradients and scaffolds to the layers, by path.

        Raises
        ------
        ValueError
            If an attribute of a layer is a layer with arrays that no layer lists in `children`, or
            if an array has the name of a layer or a method.
        """
        check_children(self)
        for layer in self.walk():
            for slot in layer.own_slots():
                current = getattr(layer, slot.name, None)
                if isinstance(current, Layer) or callable(current):
                    raise ValueError(
                        f"{type(layer).__name__} has an attribute {slot.name!r}, so that no array "
                        f"can have this name; give the slot {slot.path} another one"
                    )
                setattr(layer, slot.name, values[slot.path])
                if slot.trained:
                    setattr(layer, f"d{slot.name}", grads[slot.path])
            for request in layer.own_requests():
                layer.scaffold = scaffolds[request.path]

    def check_bound(self, grad: Array, buffers: Array) -> None:
        """Raise if a pass has replaced an array that it should have changed in place.

        Parameters
        ----------
        grad, buffers : array
            The flat vectors that the layers' gradients and buffers are views of.

        Raises
        ------
        ValueError
            If a gradient or a buffer is another array; the message names it.
        """
        for layer in self.walk():
            for slot in layer.own_slots():
                name = f"d{slot.name}" if slot.trained else slot.name
                flat = grad if slot.trained else buffers
                if slot.size and not is_view(getattr(layer, name), flat):
                    raise ValueError(
                        f"{type(layer).__name__} has assigned another array to self.{name} "
                        f"({slot.path}), which the network cannot see; change the array in place, "
                        f"as by self.{name} += ..."
                    )

    def initialise(self, seed: int) -> None:
        """Write the initial values, drawn from `seed`, into all bound arrays."""
        for layer in self.walk():
            layer.initialise_own(seed)

    def initialise_own(self, seed: int) -> None:
        """Write the initial values that this layer's own slots declare."""
        for slot in self.own_slots():
            view = getattr(self, slot.name)
            if slot.init is None and slot.trained:
                stream = init_stream(seed, slot.path)
                assign(view, kaiming_uniform(stream, slot.shape, slot.shape[-1]))
            else:
                view[...] = slot.init or 0.0

    # Forward and backward ---------------------------------------------------------------

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        """Return the output and, during training, the cache for `backward`."""
        raise NotImplementedError

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        """Add the gradients of the trained arrays, and return the gradient of the input."""
        raise NotImplementedError

    def side_by_side(self, others: Sequence[Layer], x: Array, parts: Sequence[slice]) -> Array:
        """Return the outputs of several layers, each applied to its own rows.

        A layer that can share work with the others, such as the product with common frozen
        weights, overrides this method. Each row's output is that of its own layer in either case.

        Parameters
        ----------
        others : sequence of Layer
            The layers at the same position in the other networks.
        x : array, shape (n, ...)
        parts : sequence of slice
            The rows of each layer, starting with this one; together they cover `x`.
        """
        layers = [self, *others]
        outputs = [layer.forward(x[rows])[0] for layer, rows in zip(layers, parts, strict=True)]
        return array_module(x).concatenate(outputs)

    # Products computed once per training ------------------------------------------------

    def frozen_widths(self) -> dict[str, int]:
        """Return the width of each product in :meth:`frozen`, by path."""
        return {}

    def frozen(self, x: Array, on: Pass = INFERENCE) -> dict[str, Array]:
        """Return the products of the raw inputs with frozen weights, by path.

        No training step changes them: they are computed once per training and passed back in
        `Pass.products`.
        """
        return {}

    # Costs ------------------------------------------------------------------------------

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for an input of `shape`."""
        return shape

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        """Return the multiply-adds of the matrix products for an input of `shape`.

        Raises
        ------
        TypeError
            If the layer does not define them, since a count of zero would go unnoticed.
        """
        raise TypeError(
            f"{type(self).__name__} does not define multiply_adds, which is needed to count its "
            "costs; define it in the class"
        )


def _own_slots(layer: Layer) -> list[Slot]:
    """Return the arrays that a layer declares, checked: its class may be anyone's."""
    kind, expected = type(layer).__name__, "own_slots must be a method that returns a list of Slot"
    if not callable(layer.own_slots):
        raise TypeError(f"{kind}.{expected}; it is a {type(layer.own_slots).__name__}")
    slots = layer.own_slots()
    if not isinstance(slots, list | tuple):
        raise TypeError(f"{kind}.{expected}; it returns a {type(slots).__name__}")
    for slot in slots:
        if not isinstance(slot, Slot):
            raise TypeError(f"{kind}.{expected}; an entry of it is {slot!r:.60}")
    return list(slots)


def is_view(array: Array, flat: Array) -> bool:
    """Return whether the memory of an array is that of a flat vector."""
    if not isinstance(array, type(flat)):
        return False
    start, at = (
        int(each.ctypes.data if isinstance(each, np.ndarray) else each.data.ptr)
        for each in (flat, array)
    )
    return bool(start <= at < start + flat.nbytes)


def check_children(root: Layer) -> None:
    """Raise if a layer with arrays is an attribute of a layer and no layer's child."""
    listed = {id(layer) for layer in root.walk()}
    for layer in root.walk():
        for name, value in vars(layer).items():
            inside = value if isinstance(value, list | tuple) else (value,)
            for each in inside:
                if isinstance(each, Layer) and id(each) not in listed and each.slots():
                    raise ValueError(
                        f"{type(layer).__name__} {layer.path!r} uses the layer {name} "
                        f"({type(each).__name__} {each.path!r}), which no layer lists in its "
                        "children, so that it would have no arrays; return it from children"
                    )


def as_rows(x: Array) -> Array:
    """Return x with its leading axes flattened: (..., d) -> (n, d)."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def like_rows(y: Array, x: Array) -> Array:
    """Return rows (n, d) reshaped to the leading axes of x."""
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], y.shape[-1])


def count_rows(shape: tuple[int, ...]) -> int:
    """Return the number of rows of an array of `shape`: the product of its leading axes."""
    return int(np.prod(shape[:-1], dtype=np.int64))
