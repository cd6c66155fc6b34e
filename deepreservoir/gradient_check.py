"""Gradient checks in float64: central differences along one random direction.

In the manner of Chainer's ``check_backward``: all parameters move at once along one direction, then
the input does along another, and the change of ``<y, dy>`` is compared with the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .backend import (
    Array,
    Device,
    array_module,
    device_module,
    is_on_device,
    to_device,
    to_host,
)
from .layers import Layer, Pass, Step
from .layers.base import EMPTY
from .network import Network
from .params import ParamSet
from .scaffold import ScaffoldSpec, make_scaffold

#: The training step that a checked pass belongs to.
STEP = Step(seed=5, index=2)

# The difference's own error at this width is about 1e-10 for values near one.
_WIDTH = 1e-5
_RTOL, _ATOL = 1e-6, 1e-8


class Bound(NamedTuple):
    """A layer with the flat vectors that its arrays are views of."""

    layer: Layer
    params: ParamSet
    theta: Array  # (n_params,)
    grad: Array  # (n_params,)
    buffers: Array  # (n_buffers,)


def bind(
    layer: Layer,
    family: str = "normal",
    storage: str = "auto",
    device: Device = "cpu",
    moved: bool = True,
) -> Bound:
    """Bind a layer to new float64 arrays at their initial values, moved away from them if `moved`.

    At the initial values gradients may vanish (B = 0), so that nothing would be checked.
    """
    xp = device_module(device)
    params = ParamSet(slot for slot in layer.slots() if slot.trained)
    kept = ParamSet(slot for slot in layer.slots() if not slot.trained)
    theta, grad, buffers = (xp.zeros(n) for n in (params.size, params.size, kept.size))
    scaffolds = {
        request.path: make_scaffold(
            ScaffoldSpec(family, request.shape, 3, request.path, request.gain),
            storage,
            np.float64,
            device,
        )
        for request in layer.scaffold_requests()
    }
    layer.bind(params.views(theta) | kept.views(buffers), params.views(grad), scaffolds)
    layer.initialise(4)
    bound = Bound(layer, params, theta, grad, buffers)
    if moved:
        move(theta)
    return bound


def bound_network(network: Network) -> Bound:
    """Return the layers of a network, whose parameters are moved away from their start."""
    move(network.theta)
    return Bound(network.root, network.params, network.theta, network.grad, network.buffers)


def move(theta: Array, size: float = 0.3) -> None:
    """Add normal numbers of a standard deviation to `theta`, always the same ones."""
    theta += size * normal(theta.shape, 99, theta)


def check_gradients(
    layer: Layer | Network,
    x: Array,
    *,
    side: Mapping[str, Any] = EMPTY,
    needs_dx: bool = True,
) -> None:
    """Compare the backward pass of a layer or a network with finite differences of its forward.

    Besides the gradients of the trained arrays and of x, the contract of :class:`Layer` is
    checked: gradients are added to what is there; a cache can be used twice, also after a forward
    pass of another input; no pass writes to its inputs or to the parameters; outside training, no
    cache is returned; the output has the axes of ``out_shape``, the first of which may depend on
    side arrays.

    Parameters
    ----------
    layer : Layer or Network
        A layer that is not part of a network is bound to new arrays, in float64 and with normal
        scaffolds. A network must have ``dtype="float64"``; its parameters are the same afterwards.
    x : array-like of float64
        An input, with the features on its last axis. For a layer that reads codes, such as an
        embedding, an array of integers; only the gradients of arrays are then checked.
    side : mapping of str to array
        Side arrays that the layers read, by name.
    needs_dx : bool, default=True
        Whether `backward` returns the gradient of x. A network need not return it, in either case.

    Raises
    ------
    AssertionError
        If a gradient differs, with the gradients entry by entry, or the contract does not hold.
    TypeError
        If `layer` is neither a layer nor a network, as an estimator or a class.
    ValueError
        If a network is not of float64, or x is not finite.

    See Also
    --------
    torch.autograd.gradcheck : The same for PyTorch, entry by entry.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import AdaptedDense, MLPConfig, Network, check_gradients
    >>> config = MLPConfig(4, 3, (8,), rank=2, dtype="float64")
    >>> dense = AdaptedDense("dense", 4, 3, config.adapter_of(4, 3))
    >>> x = np.random.default_rng(0).standard_normal((5, 4))
    >>> check_gradients(dense, x)
    >>> check_gradients(Network(config, seed=0), x)
    """
    if not isinstance(layer, Layer | Network):
        raise TypeError(
            "layer must be a Layer, such as Dense('head', 4, 3), or a Network, such as network_ of "
            f"a fitted estimator; got {_kind(layer)}"
        )
    x = x if is_on_device(x) else np.asarray(x)
    codes = x.dtype.kind in "iu"
    if not codes:
        x = x.astype(np.float64, copy=False)
        finite = array_module(x).isfinite(x)
        if not finite.all():
            raise ValueError(
                "x must be finite, since gradients are compared with differences of outputs; "
                f"{int((~finite).sum()):,} of its {x.size:,} entries are NaN or infinite"
            )
    if isinstance(layer, Network):
        if layer.dtype != np.float64:
            raise ValueError(
                f"gradients are checked in float64, but the network is of {layer.dtype}; give its "
                "configuration dtype='float64'"
            )
        before = layer.theta.copy()
        try:
            check_bound_gradients(bound_network(layer), x, side=side, needs_dx=None)
        finally:
            layer.theta[:] = before
    else:
        device: Device = "cpu" if array_module(x) is np else "cuda"
        returns_dx = None if codes else needs_dx
        check_bound_gradients(bind(layer, device=device), x, side=side, needs_dx=returns_dx)


def _kind(value: Any) -> str:
    """Return what an argument is, for messages."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def check_bound_gradients(
    bound: Bound,
    x: Array,
    products: Mapping[str, Array] = EMPTY,
    side: Mapping[str, Any] = EMPTY,
    needs_dx: bool | None = True,
) -> None:
    """Do what :func:`check_gradients` does, for layers that are bound.

    Parameters
    ----------
    bound : Bound
    x : array
        With any leading axes.
    products : mapping of str to array
        Products of x with frozen weights that were made in advance, by path.
    side : mapping of str to array
    needs_dx : bool or None
        None if `backward` may or may not return the gradient of x.
    """
    layer, params, theta, grad, buffers = bound
    xp = array_module(theta)
    given_x, x = to_host(x), read_only(x)
    given = {path: read_only(product) for path, product in products.items()}
    on = Pass(STEP, side, given, dtype=np.float64)
    start = theta.copy()
    y, cache = _forward(layer, x, on)
    dy, earlier = normal(y.shape, 1, theta), normal(grad.shape, 2, theta)
    grad[:] = earlier
    given_dy = read_only(dy)
    dx = layer.backward(given_dy, cache)
    dtheta = to_host(grad - earlier)
    layer.check_bound(grad, buffers)
    _assert(np.array_equal(to_host(x), given_x, equal_nan=True), "a pass wrote to x")
    _assert((given_dy == dy).all(), "a pass wrote to dy")

    dx_again = layer.backward(dy, cache)
    twice = to_host(grad - earlier)
    _assert(
        np.allclose(twice, 2 * dtheta, rtol=1e-9, atol=1e-11),
        "a second backward pass with the same cache adds another gradient",
    )
    _assert((theta == start).all(), "a pass wrote to the parameters")
    # A replay, so that no buffer changes.
    layer.forward(_another(x), Pass(STEP, side, dtype=np.float64, replay=True))
    dx_after = layer.backward(dy, cache)
    thrice = to_host(grad - earlier)
    unchanged = np.allclose(thrice, 3 * dtheta, rtol=1e-9, atol=1e-11)
    if unchanged and dx is not None:
        unchanged = bool(xp.array_equal(dx_after, dx_again, equal_nan=True))
    _assert(
        unchanged,
        f"a forward pass of another x between forward and backward changes the gradients: "
        f"{type(layer).__name__} must store nothing, and return in the cache what backward reads",
    )

    def value_at_theta(direction: np.ndarray) -> float:
        theta[:] = start + xp.asarray(direction)
        value = xp.vdot(layer.forward(x, on)[0], dy)
        theta[:] = start
        return float(value)

    if theta.size:
        _assert(dtheta.any(), "no parameter has a gradient: nothing would be checked")
    _compare("parameters", value_at_theta, dtheta, params.views)

    if needs_dx is False:
        _assert(dx is None, "needs_dx=False must skip the gradient of x")
    if dx is None:
        _assert(not needs_dx, "backward returns no gradient of x")
        return
    if x.dtype.kind in "iu":
        return
    _assert(dx.shape == x.shape, f"the gradient of x {x.shape} has the shape {dx.shape}")
    _assert((dx_again == dx).all(), "a second backward pass with the same cache returns another dx")

    def value_at_x(direction: np.ndarray) -> float:
        there = read_only(x + xp.asarray(direction))
        on = Pass(STEP, side, dtype=np.float64)
        return float(xp.vdot(layer.forward(there, on)[0], dy))

    _compare("x", value_at_x, to_host(dx), lambda flat: {"x": flat})


def _forward(layer: Layer, x: Array, on: Pass) -> tuple[Array, Any]:
    kind = type(layer).__name__
    for each in (on, Pass(side=on.side, products=on.products, dtype=on.dtype)):
        result = layer.forward(x, each)
        _assert(
            isinstance(result, tuple) and len(result) == 2,
            f"the forward pass of {kind} must return a pair, the output and the cache",
        )
        if each is on:
            outputs = result
    _assert(result[1] is None, f"{kind} returns a cache outside training; it must be None there")
    said, shape = tuple(layer.out_shape(x.shape)), outputs[0].shape
    _assert(
        len(said) == len(shape) and said[1:] == shape[1:],
        f"out_shape of {kind} must return the shape of the output: for x of shape {x.shape} it "
        f"returns {said}, but the output has the shape {shape}",
    )
    return outputs


def _another(x: Array) -> Array:
    """Return another input of the shape of x, with values from its range."""
    other = x[::-1]
    return read_only(other if x.dtype.kind in "iu" else other / 2)


def _assert(holds: Any, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def read_only(array: Array) -> Array:
    """Return a copy of `array`, which on the host cannot be written to."""
    xp = array_module(array)
    copy = xp.array(array)
    if xp is np:
        copy.flags.writeable = False
    return copy


def normal(shape: tuple[int, ...], seed: int, like: Array) -> Array:
    numbers = np.random.default_rng(seed).standard_normal(shape)
    return numbers if array_module(like) is np else to_device(numbers, "cuda")


def _compare(
    what: str,
    value: Callable[[np.ndarray], float],
    gradient: np.ndarray,
    names: Callable[[np.ndarray], dict[str, np.ndarray]],
) -> None:
    direction = np.random.default_rng(3).standard_normal(gradient.shape)
    expected = _difference(value, direction)
    found = float(np.vdot(gradient, direction))
    if abs(found - expected) <= _ATOL + _RTOL * max(abs(expected), abs(found)):
        return
    by_entry = np.zeros_like(gradient)
    for index in np.ndindex(gradient.shape):
        step = np.zeros_like(gradient)
        step[index] = 1
        by_entry[index] = _difference(value, step)
    lines = [f"gradient of {what} along one direction: {found!r}, by differences {expected!r}"]
    wanted = names(by_entry)
    for name, part in names(gradient).items():
        worst = np.abs(part - wanted[name]).max(initial=0)
        lines += [f"{name} {part.shape}, largest error {worst:.3g}"]
        lines += [f"  backward:    {part!r}", f"  differences: {wanted[name]!r}"]
    raise AssertionError("\n".join(lines))


def _difference(value: Callable[[np.ndarray], float], direction: np.ndarray) -> float:
    return (value(_WIDTH * direction) - value(-_WIDTH * direction)) / (2 * _WIDTH)
