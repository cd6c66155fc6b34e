"""Head and loss over blocks of rows: the gradient of the whole, and what does not fit together."""

import numpy as np
import pytest
from gradcheck import TRAINING, jitter, normal
from target import assert_allclose, host, put

from deepreservoir import passes
from deepreservoir.inputs import Batch, Target
from deepreservoir.losses import BinaryCrossEntropy, Huber, SoftmaxCrossEntropy, SquaredError
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network

ROWS_PER_BLOCK = 3
CLASSES = np.random.default_rng(0).integers(0, 4, 20)
LABELS = np.random.default_rng(1).integers(0, 2, (20, 4)).astype(float)
WEIGHTS = np.random.default_rng(2).uniform(0.2, 2, 20)
LOSSES = [
    (SoftmaxCrossEntropy(0.1, (0.5, 2.0, 1.0, 0.1)), CLASSES),
    (SquaredError(), host(normal(20, 4, seed=3))),
    (Huber(0.5), host(normal(20, 4, seed=3))),
    (BinaryCrossEntropy(), LABELS),
]
LEADING = [(20,), (4, 5), (2, 2, 5)]


def network(**given):
    shape = {"n_features": 7, "n_outputs": 4, "hidden_layer_sizes": (9,), "dtype": "float64"}
    net = Network(MLPConfig(**(shape | given)), seed=1)
    jitter(net.theta)
    return net


def blocks(monkeypatch, rows=ROWS_PER_BLOCK):
    """Let the head and the loss take so many rows at a time."""
    monkeypatch.setattr(passes, "HEAD_BYTES", rows * 4 * 8 + 1)


def gradient(net, batch, target, loss, on=TRAINING):
    net.grad[:] = 0
    value = net.gradient(batch, target, loss, on)
    return float(value), host(net.grad.copy())


@pytest.mark.parametrize("leading", LEADING, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=lambda v: type(v).__name__)
def test_blocks_give_the_gradient_of_the_whole(monkeypatch, loss, y, weighted, leading):
    net, batch = network(), Batch(normal(*leading, 7))
    weights = put(WEIGHTS.reshape(leading)) if weighted else None
    target = Target(put(y.reshape(*leading, *y.shape[1:])), 20, weights)
    seen = []

    def counted(outputs, targets, weights=None, n=None):
        seen.append(len(outputs))
        return loss(outputs, targets, weights, n)

    whole = gradient(net, batch, target, counted)
    blocks(monkeypatch)
    found = gradient(net, batch, target, counted)
    assert seen == [20] + [3] * 6 + [2]
    for one, other in zip(found, whole, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    assert np.abs(whole[1]).max() > 1e-3


@pytest.mark.parametrize("given", [{"head": "lora+bias"}, {"hidden_layer_sizes": ()}], ids=str)
def test_heads_with_an_adapter_and_heads_without_a_body(monkeypatch, given):
    net, batch, target = network(**given), Batch(normal(4, 5, 7)), Target(put(CLASSES), 20)
    target = Target(target.y.reshape(4, 5), 20)
    whole = gradient(net, batch, target, SoftmaxCrossEntropy())
    blocks(monkeypatch)
    found = gradient(net, batch, target, SoftmaxCrossEntropy())
    for one, other in zip(found, whole, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("rows", [20, 21, 1000])
def test_what_fits_is_one_block_to_the_same_bits(monkeypatch, rows):
    net, batch, target = network(), Batch(normal(20, 7)), Target(put(CLASSES), 20)
    value, grad = gradient(net, batch, target, SoftmaxCrossEntropy())
    blocks(monkeypatch, rows)
    again, same = gradient(net, batch, target, SoftmaxCrossEntropy())
    assert again == value
    np.testing.assert_array_equal(same, grad)


def test_every_block_is_a_call_of_the_head(monkeypatch):
    net, calls = network(head="lora", adapter_dropout=0.5), []
    forward = net.head.forward
    net.head.forward = lambda x, on: calls.append(on.calls) or forward(x, on)
    blocks(monkeypatch, 8)
    gradient(net, Batch(normal(20, 7)), Target(put(CLASSES), 20), SoftmaxCrossEntropy())
    # The first keeps the masks that the head has where all rows fit.
    assert calls == [(), (1,), (2,)]


def test_the_loss_is_divided_by_the_n_of_the_target():
    net, batch = network(), Batch(normal(20, 7))
    value, grad = gradient(net, batch, Target(put(CLASSES), 20), SoftmaxCrossEntropy())
    quarter, smaller = gradient(net, batch, Target(put(CLASSES), 80), SoftmaxCrossEntropy())
    assert quarter == pytest.approx(value / 4, rel=1e-12)
    assert_allclose(smaller, grad / 4, rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        (
            (4, 5, 7),
            Target(put(CLASSES), 20),
            r"\(4, 5\) .* \(4, 5, 7\), .*shape of the target is \(20,\)",
        ),
        (
            (20, 7),
            Target(put(CLASSES[:19]), 20),
            r"\(20,\) .*, but the shape of the target is \(19,\)",
        ),
        (
            (4, 5, 7),
            Target(put(CLASSES.reshape(5, 4)), 20),
            r"shape \(4, 5\) .* shape of the target is \(5, 4\): their leading axes must be the",
        ),
        (
            (4, 5, 7),
            Target(put(CLASSES.reshape(4, 5)), 20, put(WEIGHTS)),
            r"rows of shape \(4, 5\) .*, but the shape of the weights is \(20,\)",
        ),
    ],
)
def test_leading_axes_that_differ_are_refused_with_both_shapes(x, target, message):
    net = network()
    with pytest.raises(ValueError, match=message):
        net.gradient(Batch(normal(*x)), target, SoftmaxCrossEntropy(), TRAINING)
    assert not host(net.grad).any()
