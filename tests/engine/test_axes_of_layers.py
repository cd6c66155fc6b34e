"""Layers take any leading axes: the same rows in another arrangement, forward and backward."""

import pytest
from gradcheck import TRAINING, bind, check_gradients, normal
from target import assert_allclose, assert_array_equal

from deepreservoir.layers import (
    Activation,
    AdaptedDense,
    Adapter,
    Dense,
    LayerNorm,
    Recompute,
    Residual,
    Sequential,
)

MODES = ("lora", "dora", "full", "none")


def adapted(d_out=6, path="layers.0", needs_dx=True, **adapter):
    given = {"rank": 3, "scaling": 1.7, "beta": 0.7} | adapter
    return AdaptedDense(path, 6, d_out, Adapter(**given), bias=True, needs_dx=needs_dx)


def several():
    return Sequential(
        [
            adapted(dropout=0.3),
            LayerNorm("layers.0.norm", 6),
            Activation("gelu", "layers.0", dropout=0.2),
            Recompute(Residual(adapted(path="layers.1", mode="dora"))),
            Dense("head", 6, 2),
        ]
    )


LAYERS = {
    **{mode: (lambda mode=mode: adapted(5, mode=mode)) for mode in MODES},
    "adapter dropout": lambda: adapted(5, dropout=0.4),
    "dense": lambda: Dense("head", 6, 4),
    "layer norm": lambda: LayerNorm("layers.0.norm", 6),
    "activation": lambda: Activation("silu", "layers.0"),
    "bias and dropout": lambda: Activation("tanh", "layers.0", bias_width=6, dropout=0.4),
    "residual": lambda: Residual(adapted()),
    "recomputed": lambda: Recompute(adapted(5, dropout=0.4)),
    "sequential": several,
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
every_shape = pytest.mark.parametrize("leading", [(8,), (2, 4), (2, 2, 2)], ids=str)


@every_layer
@every_shape
def test_gradients(make, leading):
    check_gradients(bind(make()), normal(*leading, 6))


@every_layer
@every_shape
def test_the_arrangement_of_rows_changes_no_bit(make, leading):
    bound, x = bind(make()), normal(*leading, 6)
    found = []
    for given in (x, x.reshape(8, 6)):
        bound.grad[:] = 0
        y, cache = bound.layer.forward(given, TRAINING)
        dx = bound.layer.backward(y * y, cache)
        predicted = bound.layer.forward(given)[0]
        assert y.shape == predicted.shape == bound.layer.out_shape(given.shape)
        assert (y.shape[:-1], dx.shape) == (given.shape[:-1], given.shape)
        found.append([*(a.reshape(8, -1) for a in (y, dx, predicted)), bound.grad.copy()])
    for mine, flat in zip(*found, strict=True):
        assert_array_equal(mine, flat)


@pytest.mark.parametrize("mode", ["lora", "dora", "none"])
@every_shape
def test_a_frozen_product_has_the_leading_axes_of_its_input(mode, leading):
    layer, x = adapted(5, mode=mode, needs_dx=False), normal(*leading, 6)
    bound = bind(layer)
    products = layer.frozen(x)
    assert {path: product.shape for path, product in products.items()} == {
        "layers.0": (*leading, 5)
    }
    assert layer.frozen_widths() == {"layers.0": 5}
    check_gradients(bound, x, products, needs_dx=False)


@every_layer
def test_products_are_counted_per_row(make):
    layer = bind(make()).layer
    one, eight = (layer.multiply_adds(shape) for shape in ((1, 6), (2, 2, 2, 6)))
    assert (eight.forward, eight.backward) == (8 * one.forward, 8 * one.backward)
    assert (eight.forward_call, eight.backward_call) == (one.forward_call, one.backward_call)


def test_side_by_side_keeps_the_leading_axes():
    first, second = bind(adapted(5)).layer, bind(adapted(5, mode="dora", rank=2)).layer
    x, parts = normal(5, 3, 6), [slice(0, 2), slice(2, 5)]
    found = first.side_by_side([second], x, parts)
    assert found.shape == (5, 3, 5)
    for layer, part in zip((first, second), parts, strict=True):
        expected = layer.forward(x[part])[0]
        assert_allclose(found[part], expected, rtol=1e-12, atol=1e-13)
