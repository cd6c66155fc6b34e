"""Recompute: the forward is run again in the backward, to the same bits and without a trace."""

from dataclasses import replace

import pytest
from gradcheck import TRAINING, bind, normal
from target import assert_array_equal, host
from toy_architecture import Centred

from deepreservoir.layers import (
    Activation,
    AdaptedDense,
    Adapter,
    Dense,
    Layer,
    Recompute,
    Residual,
    Sequential,
)


def adapted(**adapter):
    return AdaptedDense("layers.0", 6, 6, Adapter(**{"rank": 3} | adapter), bias=True)


def block():
    return Sequential(
        [
            adapted(dropout=0.4),
            Activation("gelu", "layers.0", dropout=0.3),
            Centred("centred", 6, 0.5),
            Dense("head", 6, 6),
        ]
    )


LAYERS = {
    "lora": lambda: adapted(dropout=0.4),
    "dora": lambda: adapted(mode="dora"),
    "dropout": lambda: Activation("tanh", "layers.0", bias_width=6, dropout=0.5),
    "residual": lambda: Residual(adapted(dropout=0.4)),
    "block": block,
    "twice": lambda: Recompute(block()),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def passed(layer, on=TRAINING):
    """Return output, input gradient and the gradients of the trained arrays."""
    bound, x = bind(layer), normal(2, 4, 6)
    y, cache = layer.forward(x, on)
    dx = layer.backward(normal(*y.shape, seed=1), cache)
    return y, dx, bound.grad


@every_layer
@pytest.mark.parametrize("on", [TRAINING, TRAINING.at(3)], ids=["one call", "a later call"])
def test_outputs_and_gradients_have_the_same_bits(make, on):
    for kept, recomputed in zip(passed(make(), on), passed(Recompute(make()), on), strict=True):
        assert host(kept).any()
        assert_array_equal(recomputed, kept)


def test_only_the_input_is_kept():
    layer, x = Recompute(block()), normal(5, 6)
    bind(layer)
    _, cache = layer.forward(x, TRAINING)
    assert cache[0] is x
    assert cache[1:] == (TRAINING,)
    assert layer.forward(x)[1] is None


class Spy(Layer):
    """What a layer inside is called with, and what it gives."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.calls = layer, []

    def forward(self, x, on):
        y, cache = self.layer.forward(x, on)
        self.calls.append((on, host(y)))
        return y, cache

    def backward(self, dy, cache):
        return self.layer.backward(dy, cache)


def test_the_second_forward_is_a_replay_with_the_masks_of_the_first():
    spy = Spy(Activation("identity", "layers.0", dropout=0.5))
    passed(Recompute(spy), TRAINING.at(2))
    (first, y), (second, again) = spy.calls
    assert first == TRAINING.at(2)
    assert second == replace(first, replay=True)
    assert (y == 0).any()
    assert_array_equal(again, y)


@pytest.mark.parametrize("wraps", [0, 1, 2, 3])
def test_a_buffer_is_written_once_a_step(wraps):
    centred = Centred("centred", 6, 0.5)
    layer = Sequential([adapted(), centred])
    for _ in range(wraps):
        layer = Recompute(layer)
    passed(layer)
    assert host(centred.count).tolist() == [1]
    layer.forward(normal(3, 6))
    assert host(centred.count).tolist() == [1]


def test_slots_requests_and_products_are_those_of_the_layer_inside():
    inner = block()
    layer, x = Recompute(inner), normal(4, 6)
    bind(layer)
    assert layer.slots() == inner.slots()
    assert layer.scaffold_requests() == inner.scaffold_requests()
    assert layer.frozen_widths() == inner.frozen_widths() == {"layers.0": 6}
    assert_array_equal(layer.frozen(x)["layers.0"], inner.frozen(x)["layers.0"])


def test_work_is_one_more_forward():
    layer = bind(adapted(mode="dora")).layer
    once, twice = (one.multiply_adds((4, 6)) for one in (layer, Recompute(layer)))
    assert (twice.forward, twice.forward_call) == (once.forward, once.forward_call)
    assert twice.backward == once.backward + once.forward
    assert twice.backward_call == once.backward_call + once.forward_call


def test_layers_side_by_side_are_those_inside():
    layers = [bind(adapted()).layer, bind(adapted(rank=2)).layer]
    x, parts = normal(5, 6), [slice(0, 2), slice(2, 5)]
    expected = layers[0].side_by_side(layers[1:], x, parts)
    first, second = map(Recompute, layers)
    assert_array_equal(first.side_by_side([second], x, parts), expected)
    assert_array_equal(first.side_by_side([layers[1]], x, parts), expected)
