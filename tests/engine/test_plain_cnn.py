"""Plain convolutional networks: the paper's counts, PyTorch, memory, and wrong fields."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from gradcheck import TRAINING, bound_network, check_gradients, normal
from target import assert_allclose, host, put

from deepreservoir import Network
from deepreservoir.analysis import cost_of
from deepreservoir.layers import Pass, Step
from deepreservoir.models import PlainCNNConfig, from_plain

CIFAR = PlainCNNConfig((32, 32, 3), 10)
TINY = PlainCNNConfig((5, 6, 2), 3, depth=8, width=2, rank=2, dtype="float64")


@pytest.mark.parametrize("rank", [1, 2, 4, 8, 16, 32])
def test_the_papers_counts(rank):
    config = replace(CIFAR, rank=rank)
    assert config.n_params == 2_045 + 6_331 * rank
    assert replace(config, adapter="dora").n_params == config.n_params + 688
    assert config.fully_trained().n_params == 269_722


def test_multiply_adds_of_plain_20():
    cost = cost_of(Network(CIFAR.fully_trained(), 0), rows=1, epochs=1)
    assert cost.counted.full_prediction == 40_551_040
    adapted = Network(replace(CIFAR, rank=8), 0)
    assert cost_of(adapted, rows=1, epochs=1).n_frozen == 267_696


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
@pytest.mark.parametrize("residual", [False, True])
def test_gradients_of_the_network(adapter, residual):
    network = Network(replace(TINY, adapter=adapter, residual=residual), seed=1)
    check_gradients(bound_network(network), normal(3, 5, 6, 2), needs_dx=False)


@pytest.mark.parametrize("residual", [False, True])
def test_pytorch_has_the_same_outputs_and_gradients(residual):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    config = replace(TINY, adapter="full", residual=residual)
    bound = bound_network(Network(config, seed=1))
    x = normal(4, 5, 6, 2)
    y, cache = bound.layer.forward(x, TRAINING)
    dy = normal(*y.shape, seed=1)
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    leaf = {
        path: torch.tensor(host(value).copy(), requires_grad=True)
        for path, value in bound.params.views(bound.theta).items()
    }
    h = torch.tensor(host(x).transpose(0, 3, 1, 2).copy())
    for i in range(7):
        weight = leaf[f"layers.{i}.weight"]
        kernel = weight.reshape(len(weight), 3, 3, -1).permute(0, 3, 1, 2)
        stride = 2 if i in (3, 5) else 1
        z = F.conv2d(h, kernel, stride=stride, padding=1)
        if residual and i in (1, 2, 4, 6):
            z = z + h
        norm = leaf[f"layers.{i}.norm.weight"], leaf[f"layers.{i}.norm.bias"]
        h = F.relu(F.batch_norm(z, None, None, *norm, training=True))
    out = F.linear(h.mean(dim=(2, 3)), leaf["head.weight"], leaf["head.bias"])
    out.backward(torch.tensor(host(dy).copy()))
    assert_allclose(y, out.detach().numpy(), rtol=1e-9, atol=1e-10)
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaf[path].grad.numpy(), rtol=1e-8, atol=1e-9, err_msg=path)


@pytest.mark.host(reason="memory of the host")
@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
def test_a_step_takes_at_most_twice_its_activations(adapter):
    config = replace(CIFAR, image_shape=(16, 16, 3), adapter=adapter)
    network = Network(config, seed=0)
    x = np.random.default_rng(0).standard_normal((64, 16, 16, 3)).astype(np.float32)
    shapes = [x.shape]
    for convolution in network.body.layers[0].convolutions:
        shapes.append(convolution.out_shape(shapes[-1]))
    activations = sum(4 * int(np.prod(shape)) for shape in shapes)
    network.backward(*network.forward(x[:2], Pass(Step(0, 0))))  # loads compiled loops, if any
    tracemalloc.start()
    y, cache = network.forward(x, Pass(Step(0, 0)))
    network.backward(y, cache)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 2 * activations


def test_predictions_do_not_depend_on_the_batch():
    network = Network(TINY, seed=2)
    network.forward(normal(6, 5, 6, 2), TRAINING)
    x = normal(5, 5, 6, 2, seed=4)
    whole = host(network.forward(x)[0])
    for i in range(5):
        assert_allclose(network.forward(x[i : i + 1])[0], whole[i : i + 1], rtol=1e-12)


def test_equal_bytes_is_the_widest_of_its_depth():
    config = replace(CIFAR, depth=8, rank=8)
    found = config.resized(config.n_params)
    assert (found.depth, found.adapter) == (8, "full")
    wider = replace(found, width=found.width + 1)
    assert found.n_params <= config.n_params < wider.n_params
    assert config.resized(10) is None


def test_a_configuration_survives_its_document():
    config = replace(CIFAR, depth=14, residual=True, adapter="dora")
    assert from_plain(config.to_plain()) == config


def test_images_that_shrink_to_one_pixel():
    network = Network(replace(TINY, image_shape=(1, 2, 2)), seed=0)
    assert network.forward(put(np.zeros((2, 1, 2, 2))))[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"depth": 9}, "depth must be 6 n \\+ 2, such as 8, 14 or 20: .* got 9"),
        ({"depth": 2}, "depth must be an integer of at least 8"),
        ({"width": 0}, "width"),
        ({"image_shape": (32, 32)}, r"image_shape must be \(height, width, channels\)"),
        ({"image_shape": (32, 0, 3)}, r"image_shape\[1\]"),
        ({"residual": 2}, "residual"),
        ({"n_outputs": 0}, "n_outputs"),
    ],
)
def test_a_wrong_field_is_named(fields, words):
    with pytest.raises(ValueError, match=words):
        PlainCNNConfig(**{"image_shape": (8, 8, 1), "n_outputs": 2} | fields)
