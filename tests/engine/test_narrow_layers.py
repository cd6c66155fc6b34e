"""Narrow layers with many rows, whose training steps use one combined weight on the CPU."""

import numpy as np
import pytest
from gradcheck import TRAINING, bind, check_gradients, normal
from target import assert_allclose

from deepreservoir.layers import AdaptedDense, Adapter, Pass, combined

pytestmark = pytest.mark.host(reason="a device has kernels for the low-rank path")

ROWS = 12


@pytest.fixture(autouse=True)
def few_rows_suffice(monkeypatch):
    monkeypatch.setattr(combined, "LEAST_ROWS", ROWS)
    monkeypatch.setattr(combined, "LEAST_ROWS_PER_COLUMN", 2)


def layer(mode="lora", d_in=5, d_out=4, storage="auto", needs_dx=True, **adapter):
    adapter = Adapter(mode, 2, 0.7, b_init="kaiming", **adapter)
    return bind(AdaptedDense("a", d_in, d_out, adapter, True, needs_dx), storage=storage)


def combines(bound, n=ROWS, on=TRAINING):
    x = normal(n, bound.layer.d_in)
    return isinstance(bound.layer.forward(x, on)[1], combined.Narrow)


@pytest.mark.parametrize("mode", ["lora", "dora"])
@pytest.mark.parametrize("learn_beta", [True, False])
def test_gradients(mode, learn_beta):
    bound = layer(mode, learn_beta=learn_beta, beta=0.8)
    assert combines(bound)
    check_gradients(bound, normal(ROWS, 5))
    check_gradients(bound, normal(3, 4, 5))


@pytest.mark.parametrize("mode", ["lora", "dora"])
def test_it_is_what_the_products_apart_are(mode, monkeypatch):
    x, dy = normal(ROWS, 5), normal(ROWS, 4, seed=1)
    found = []
    for least in (ROWS, ROWS + 1):
        monkeypatch.setattr(combined, "LEAST_ROWS", least)
        bound = layer(mode)
        bound.grad[:] = 0
        y, cache = bound.layer.forward(x, TRAINING)
        found.append((y, bound.layer.backward(dy, cache), bound.grad))
    for together, apart in zip(*found, strict=True):
        assert_allclose(together, apart, rtol=1e-10, atol=1e-12)


def test_where_it_would_not_be_faster_the_products_are_apart():
    assert combines(layer())
    assert not combines(layer(), n=ROWS - 1)
    assert not combines(layer(), on=Pass())
    assert combines(layer(d_in=combined.NARROW + 1), n=ROWS)
    wide = layer(d_in=combined.NARROW + 1, d_out=combined.NARROW + 1)
    assert not combines(wide, n=4 * combined.NARROW)
    assert not combines(layer(d_in=8, d_out=7), n=13)  # fewer than twice the shorter side
    assert not combines(layer("full"))
    assert not combines(layer("none"))


def test_what_needs_the_products_apart_has_them():
    assert not combines(layer(dropout=0.5))
    assert not combines(layer(storage="streamed"))
    assert not combines(layer(needs_dx=False))  # which takes one product less
    known = layer()
    product = known.layer.frozen(normal(ROWS, 5))
    assert not combines(known, on=Pass(TRAINING.step, products=product))


def test_a_batch_of_many_rows_trains_to_the_same_losses(monkeypatch):
    from deepreservoir import DeepReservoirClassifier

    x = np.random.default_rng(0).standard_normal((64, 6))
    y = np.arange(64) % 3
    losses = []
    for least in (16, 1000):
        monkeypatch.setattr(combined, "LEAST_ROWS", least)
        model = DeepReservoirClassifier(
            hidden_layer_sizes=(8, 8),
            batch_size=32,
            adapter_dropout=0.0,
            b_init="kaiming",
            max_iter=30,
            dtype="float64",
            random_state=0,
        )
        losses.append(model.fit(x, y).history_["loss"])
    assert_allclose(*losses, rtol=1e-9)
    assert losses[0] != losses[1]
