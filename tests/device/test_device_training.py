"""Networks trained on a device are the networks trained on the host, to rounding."""

import numpy as np
import pytest
from device_array import transfers

from deepreservoir import kernels
from deepreservoir.backend import to_device
from deepreservoir.inputs import Table
from deepreservoir.layers import Pass, Step
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network
from deepreservoir.optim import AdamW
from deepreservoir.training import Plan, TrainingSet, train

LOSS = SoftmaxCrossEntropy(0.1, (1.0, 2.0, 0.5))
SHAPE = {"n_features": 11, "n_outputs": 3, "hidden_layer_sizes": (24, 24)}
OPTIONS = [
    {},
    {"bias": True, "dropout": 0.3, "adapter_dropout": 0.2, "activation": "gelu"},
    {"bias": True, "layer_norm": True, "residual": True, "dropout": 0.3, "adapter": "dora"},
    {"scaffold": "hadamard", "activation": "silu", "head": "lora+bias"},
    {"scaffold": "normal_4bit", "storage": "packed", "activation": "tanh", "dropout": 0.5},
    {"scaffold": "spectral_radius", "storage": "streamed", "adapter": "dora"},
    {"scaffold": "kronecker", "adapter": "full", "activation": "identity", "bias": True},
    {"scaffold": "uniform", "adapter": "full"},
]


def trained(device, **options):
    config = MLPConfig(**SHAPE, **options)
    network = Network(config, seed=3, device=device)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, 11)).astype(config.dtype)
    targets, weights = rng.integers(0, 3, 50), rng.random(50).astype(config.dtype)
    data = TrainingSet(
        Table(X, config.dtype, device), to_device(targets, device), to_device(weights, device)
    )
    train(network, data, LOSS, Plan(AdamW(), 0.01, epochs=3, batch_size=16, clip_norm=1.0))
    return network


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_training_gives_the_same_network(cupy, options):
    # In float64: Adam blows a gradient that is nothing but rounding up to a whole step.
    host, device = (trained(where, dtype="float64", **options) for where in ("cpu", "cuda"))
    np.testing.assert_allclose(device.theta.get(), host.theta, rtol=1e-9, atol=1e-9)
    assert device.digests() == host.digests()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_gradient_in_float32_is_the_same(cupy, options):
    gradients = {}
    x = np.random.default_rng(0).standard_normal((20, 11)).astype(np.float32)
    for where in ("cpu", "cuda"):
        network = Network(MLPConfig(**SHAPE, **options), seed=3, device=where)
        outputs, cache = network.forward(to_device(x, where), Pass(Step(2, 5)))
        _, doutputs = LOSS(outputs, to_device(np.arange(20) % 3, where))
        network.backward(doutputs, cache)
        gradients[where] = network.grad
    np.testing.assert_allclose(
        gradients["cuda"].get(),
        gradients["cpu"],
        rtol=1e-4,
        atol=1e-5 * abs(gradients["cpu"]).max(),
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_nothing_moves_within_a_step(cupy, options):
    if getattr(cupy, "transfers", None) is not transfers:
        pytest.skip("only the stand-in counts what moves")
    network = Network(MLPConfig(**SHAPE, **options), seed=3, device="cuda")
    optimiser, mask = AdamW(), network.params.decay_mask(network.theta)
    state = optimiser.init(network.theta)
    x, targets = cupy.ones((20, 11), np.float32), cupy.asarray(np.arange(20) % 3)
    for index in range(2):
        before = transfers.total  # of the second step: the first may move tables that stay
        outputs, cache = network.forward(x, Pass(Step(0, index)))
        value, doutputs = LOSS(outputs, targets)
        network.grad.fill(0)
        network.backward(doutputs, cache)
        optimiser.update(network.theta, network.grad, state, 0.01, mask)
    assert transfers.total == before
    assert isinstance(value, cupy.ndarray)


def test_a_mask_takes_no_memory_on_a_device(cupy):
    drop = kernels.Drop(30_000, 5, 0)
    assert kernels.dropout_mask(cupy.ones((20, 11)), drop) is drop
