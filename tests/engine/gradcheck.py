"""Gradient checks in float64: central differences along one random direction.

In the manner of Chainer's checker: all parameters move at once along one direction, then the
input does along another, and the change of ``<y, dy>`` is held against the gradients. Inputs
are handed in read-only, where the host can hold them so, and compared with themselves after.
A check that fails prints the gradients, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from target import assert_allclose, assert_array_equal, device, host, put, xp

from deepreservoir.backend import Array
from deepreservoir.layers import Layer, Pass, Step
from deepreservoir.layers.base import EMPTY
from deepreservoir.network import Network
from deepreservoir.params import ParamSet
from deepreservoir.scaffold import ScaffoldSpec, make_scaffold

STEP = Step(seed=5, index=2)  # the training step that checks belong to
TRAINING = Pass(STEP)

# The difference's own error at this width is about 1e-10 for values near one.
WIDTH = 1e-5
RTOL, ATOL = 1e-6, 1e-8


class Bound(NamedTuple):
    """A layer with the flat vectors it is bound to."""

    layer: Layer
    params: ParamSet
    theta: Array  # (n_params,)
    grad: Array  # (n_params,)


def frozen(array: Array) -> Array:
    """Return a copy of `array`, which on the host cannot be written to."""
    copy = xp.array(array)
    if xp is np:
        copy.flags.writeable = False
    return copy


def normal(*shape: int, seed: int = 0) -> Array:
    """Return standard normal numbers in float64, read-only on the host."""
    return frozen(put(np.random.default_rng(seed).standard_normal(shape)))


def jitter(theta: Array, size: float = 0.3) -> None:
    """Move `theta` away from its start, where gradients may vanish (B = 0)."""
    theta += size * normal(*theta.shape, seed=99)


def bind(layer: Layer, family: str = "normal", storage: str = "auto", moved: bool = True) -> Bound:
    """Give `layer` float64 parameters at their start values, jittered if `moved`."""
    params = ParamSet(slot for slot in layer.slots() if slot.trained)
    buffers = ParamSet(slot for slot in layer.slots() if not slot.trained)
    theta, grad = xp.zeros(params.size), xp.zeros(params.size)
    scaffolds = {
        request.path: make_scaffold(
            ScaffoldSpec(family, request.shape, 3, request.path, request.gain),
            storage,
            np.float64,
            device,
        )
        for request in layer.scaffold_requests()
    }
    values = params.views(theta) | buffers.views(xp.zeros(buffers.size))
    layer.bind(values, params.views(grad), scaffolds)
    layer.initialise(4)
    if moved:
        jitter(theta)
    return Bound(layer, params, theta, grad)


def bound_network(network: Network) -> Bound:
    """Return the root of `network` as a bound layer, its parameters jittered."""
    jitter(network.theta)
    return Bound(network.root, network.params, network.theta, network.grad)


def check_gradients(
    bound: Bound,
    x: Array,
    products: Mapping[str, Array] = EMPTY,
    needs_dx: bool = True,
) -> None:
    """Hold a layer's backward to its forward, and both to the contract.

    Checked are: the gradients of the parameters and of `x`; that gradients are added to what
    is there already; that a cache can be used twice; that nothing but gradients is written.

    Parameters
    ----------
    bound : Bound
    x : array
        With any leading axes.
    products : mapping of str to array
        Products of x with frozen weights that were made in advance, by path.
    needs_dx : bool
    """
    layer, params, theta, grad = bound
    x, given_x = frozen(x), host(x)
    on = Pass(STEP, products={path: frozen(product) for path, product in products.items()})
    start = theta.copy()
    y, cache = layer.forward(x, on)
    dy = normal(*y.shape, seed=1)
    earlier = normal(*grad.shape, seed=2)
    grad[:] = earlier
    dx = layer.backward(dy, cache)
    dtheta = grad - earlier
    assert_array_equal(dy, normal(*y.shape, seed=1), err_msg="a pass wrote to dy")
    assert_array_equal(x, given_x, err_msg="a pass wrote to x")

    dx_again = layer.backward(dy, cache)
    assert_allclose(
        grad - earlier, 2 * dtheta, rtol=1e-9, atol=1e-11, err_msg="second use of the cache"
    )
    assert_array_equal(theta, start, err_msg="a pass wrote to the parameters")

    def value_at_theta(move: np.ndarray) -> float:
        theta[:] = start + put(move)
        value = xp.vdot(layer.forward(x, on)[0], dy)
        theta[:] = start
        return float(value)

    if theta.size:
        assert dtheta.any(), "no parameter has a gradient: nothing would be checked"
    _compare("parameters", value_at_theta, host(dtheta), params.views)

    if not needs_dx:
        assert dx is None, "needs_dx=False must skip dx"
        return
    assert dx is not None, "dx is missing"
    assert dx.shape == x.shape
    assert_array_equal(dx_again, dx, err_msg="second use of the cache")

    def value_at_x(move: np.ndarray) -> float:
        return float(xp.vdot(layer.forward(frozen(x + put(move)), TRAINING)[0], dy))

    _compare("x", value_at_x, host(dx), lambda flat: {"x": flat})


def _compare(
    what: str,
    value: Callable[[np.ndarray], float],
    gradient: np.ndarray,
    names: Callable[[np.ndarray], dict[str, np.ndarray]],
) -> None:
    direction = host(normal(*gradient.shape, seed=3))
    expected = _difference(value, direction)
    found = float(np.vdot(gradient, direction))
    if abs(found - expected) <= ATOL + RTOL * max(abs(expected), abs(found)):
        return
    by_entry = np.zeros_like(gradient)
    for index in np.ndindex(gradient.shape):
        move = np.zeros_like(gradient)
        move[index] = 1
        by_entry[index] = _difference(value, move)
    lines = [f"gradient of {what} along one direction: {found!r}, by differences {expected!r}"]
    wanted = names(by_entry)
    for name, part in names(gradient).items():
        worst = np.abs(part - wanted[name]).max(initial=0)
        lines += [f"{name} {part.shape}, largest error {worst:.3g}"]
        lines += [f"  backward:    {part!r}", f"  differences: {wanted[name]!r}"]
    raise AssertionError("\n".join(lines))


def _difference(value: Callable[[np.ndarray], float], move: np.ndarray) -> float:
    return (value(WIDTH * move) - value(-WIDTH * move)) / (2 * WIDTH)
