"""Adapted layers with ReLU in compiled loops: equal to NumPy's passes up to rounding."""

import numpy as np
import pytest

pytest.importorskip("numba")

from deepreservoir import Network
from deepreservoir.inputs import Batch, Table, Target
from deepreservoir.kernels import compiled
from deepreservoir.layers import (
    Activation,
    AdaptedDense,
    Adapter,
    Pass,
    Sequential,
    Step,
    activated_dense,
)
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import MLPConfig
from deepreservoir.optim import AdamW
from deepreservoir.training import Plan, TrainingSet, train

pytestmark = pytest.mark.host(reason="numba's loops are the host's")

ROWS, D_IN = 37, 20


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture
def counted(monkeypatch):
    """Compile all layers, however small; return the list that the compiled passes are added to."""
    monkeypatch.setattr(compiled, "SMALLEST", 0)
    seen, forward = [], activated_dense.ActivatedDense._forward_compiled

    def noted(layer, x, on):
        seen.append(layer.dense.path)
        return forward(layer, x, on)

    monkeypatch.setattr(activated_dense.ActivatedDense, "_forward_compiled", noted)
    return seen


def network_of(trained=True, **fields):
    config = MLPConfig(D_IN, 3, **({"hidden_layer_sizes": (33, 17), "rank": 3} | fields))
    network = Network(config, seed=0)
    if trained:  # B, the biases and beta are those of a trained network, not their first values
        network.theta += 0.3 * normal(network.theta.size, seed=5)
    return network


def gradient_of(network, on, available=True):
    """Return the loss, and a copy of the gradient."""
    x, y = normal(ROWS, D_IN, seed=1), np.arange(ROWS) % 3
    network.grad.fill(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "available", lambda: available)
        value = network.gradient(Batch(x), Target(y, ROWS, None), SoftmaxCrossEntropy(), on)
    return value, network.grad.copy()


@pytest.mark.parametrize(
    "fields",
    [{"rank": rank} for rank in (1, 4, 7, 8, 16)]
    + [
        {"dropout": 0.4},
        {"bias": True},
        {"bias": True, "dropout": 0.4, "beta": 0.7},
        {"scaffold": "hadamard", "hidden_layer_sizes": (32, 16)},
        {"storage": "streamed", "lora_alpha": 5.0},
        {"hidden_layer_sizes": (40, 1), "rank": 1},
        {"hidden_layer_sizes": (600,), "dropout": 0.2},  # lanes are drawn in several chunks
    ],
    ids=str,
)
def test_gradients_are_those_of_numpy(fields, counted):
    network = network_of(**fields)
    on = Pass(Step(0, 4), dtype=network.dtype)
    loss, gradient = gradient_of(network, on)
    assert counted == [f"layers.{i}" for i in range(len(network.config.hidden_layer_sizes))]
    reference_loss, reference = gradient_of(network, on, available=False)
    assert len(counted) == len(network.config.hidden_layer_sizes)
    np.testing.assert_allclose(loss, reference_loss, rtol=1e-5)
    assert np.abs(reference).max() > 1e-3
    np.testing.assert_allclose(gradient, reference, rtol=2e-4, atol=2e-6)


def test_products_that_were_computed_before_are_used_and_kept(counted):
    network = network_of(dropout=0.4)
    x = normal(ROWS, D_IN, seed=1)
    products = {"layers.0": network.body.layers[0].dense.scaffold.matmul(x)}
    before = products["layers.0"].copy()
    own = gradient_of(network, Pass(Step(0, 4)))
    given = gradient_of(network, Pass(Step(0, 4), products=products))
    assert counted == 2 * ["layers.0", "layers.1"]
    np.testing.assert_array_equal(products["layers.0"], before)
    for one, other in zip(own, given, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": "float64"},
        {"activation": "tanh"},
        {"adapter": "dora"},
        {"adapter": "full"},
        {"adapter_dropout": 0.1},
        {"rank": 17},
    ],
    ids=str,
)
def test_other_layers_stay_as_they_are(fields, counted):
    network = network_of(**fields)
    on = Pass(Step(0, 4), dtype=network.dtype)
    x = normal(ROWS, D_IN).astype(network.dtype)
    network.gradient(Batch(x), Target(np.arange(ROWS) % 3, ROWS, None), SoftmaxCrossEntropy(), on)
    assert counted == []


def test_predictions_and_shared_masks_stay_as_they_are(counted):
    network = network_of(dropout=0.4)
    network.forward(normal(ROWS, D_IN))
    gradient_of(network, Pass(Step(0, 4, masks={})))
    assert counted == []


def test_the_widest_layer_decides_for_all(counted, monkeypatch):
    network = network_of()
    monkeypatch.setattr(compiled, "SMALLEST", ROWS * 33)
    gradient_of(network, Pass(Step(0, 4)))
    assert counted == ["layers.0", "layers.1"]
    monkeypatch.setattr(compiled, "SMALLEST", ROWS * 33 + 1)
    gradient_of(network, Pass(Step(0, 4)))
    assert len(counted) == 2


def test_a_layer_alone_and_rows_of_several_axes(counted):
    def layer():
        dense = AdaptedDense("layers.0", D_IN, 16, Adapter(rank=4))
        return activated_dense.ActivatedDense(dense, Activation("relu", "layers.0"))

    assert layer().widest == 16
    assert isinstance(layer(), Sequential)
    network = network_of()
    first = network.body.layers[0]
    rows, on = normal(6, D_IN), Pass(Step(0, 4))
    y, cache = first.forward(rows, on)
    several, several_cache = first.forward(rows.reshape(2, 3, D_IN), on)  # not compiled
    assert counted == ["layers.0"]
    np.testing.assert_allclose(several.reshape(y.shape), y, rtol=1e-5, atol=1e-5)
    dy = normal(*y.shape, seed=3)
    kept = dy.copy()
    gradients = []
    for grad, pair in ((dy, cache), (dy.reshape(several.shape), several_cache)):
        network.grad.fill(0)
        assert first.backward(grad, pair) is None  # the first layer has no input gradient
        gradients.append(network.grad.copy())
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(dy, kept)


def test_nan_reaches_the_loss(counted):
    network = network_of()
    network.theta[0] = np.nan  # an entry of A
    loss, _ = gradient_of(network, Pass(Step(0, 4)))
    assert counted
    assert np.isnan(loss)


def test_training_takes_the_same_course(counted):
    x, y = normal(320, D_IN, seed=1), np.arange(320) % 3
    losses = []
    for available in (True, False):
        network = network_of(trained=False, dropout=0.2)
        plan = Plan(AdamW(), 3e-3, epochs=4, batch_size=64)
        data = TrainingSet(Table(x, network.dtype), y)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiled, "available", lambda available=available: available)
            losses.append(train(network, data, SoftmaxCrossEntropy(), plan).history["loss"])
    assert len(counted) == 2 * 4 * 5
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
