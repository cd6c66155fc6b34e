"""Layers against PyTorch and against dense formulas, in float64: outputs and all gradients."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from gradcheck import TRAINING, bind, normal
from target import assert_allclose, assert_array_equal, host, put, xp

from deepreservoir import kernels
from deepreservoir.layers import Activation, AdaptedDense, Adapter, Dense, LayerNorm
from deepreservoir.layers.init import kaiming_uniform
from deepreservoir.scaffold import Stream

EXACT = {"rtol": 1e-11, "atol": 1e-12}


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


def leaf(torch, array):
    return torch.tensor(host(array).copy(), dtype=torch.float64, requires_grad=True)


def adapted(mode, *, d_in=7, d_out=5, bias=True, rank=3, scaling=1.7, **adapter):
    layer = AdaptedDense("layers.0", d_in, d_out, Adapter(mode, rank, scaling, **adapter), bias)
    return bind(layer)


def run(bound, x):
    """Return the output, the gradient handed in, dx, and the gradients by name."""
    y, cache = bound.layer.forward(x, TRAINING)
    dy = normal(*y.shape, seed=8)
    bound.grad[:] = 0
    dx = bound.layer.backward(dy, cache)
    return y, dy, dx, bound.params.views(bound.grad)


def assert_same(torch, output, x, leaves, ours):
    """Hold (y, dy, dx, gradients) to PyTorch's `output` and what autograd makes of it."""
    y, dy, dx, gradients = ours
    assert_allclose(y, output.detach().numpy(), **EXACT)
    output.backward(torch.tensor(host(dy).copy()))
    assert_allclose(dx, x.grad.numpy(), **EXACT)
    assert set(gradients) == set(leaves)
    for path, value in leaves.items():
        assert_allclose(gradients[path], value.grad.numpy(), **EXACT, err_msg=path)


# Adapted layers ------------------------------------------------------------


def leaves_of(torch, bound):
    return {path: leaf(torch, v) for path, v in bound.params.views(bound.theta).items()}


@pytest.mark.parametrize("scaling", [0.25, 1.7])
def test_lora_is_beta_times_scaffold_plus_scaled_low_rank_path(torch, scaling):
    bound = adapted("lora", scaling=scaling)
    p = leaves_of(torch, bound)
    x, W = leaf(torch, normal(6, 7)), torch.tensor(bound.layer.scaffold.dense()).double()
    A, B, beta, b = (p[f"layers.0.{name}"] for name in ("A", "B", "beta", "bias"))
    output = beta * (x @ W.T) + scaling * (x @ A.T @ B.T) + b
    assert_same(torch, output, x, p, run(bound, normal(6, 7)))


def test_dora_is_magnitude_times_unit_rows(torch):
    bound = adapted("dora")
    p = leaves_of(torch, bound)
    x, W = leaf(torch, normal(6, 7)), torch.tensor(bound.layer.scaffold.dense()).double()
    A, B, beta, b = (p[f"layers.0.{name}"] for name in ("A", "B", "beta", "bias"))
    V = beta * W + 1.7 * (B @ A)
    rows = V / V.norm(dim=1, keepdim=True)
    output = x @ (p["layers.0.magnitude"][:, None] * rows).T + b
    # The guard of 1e-12 on the squared norms, which are near one, moves a digit of 1e-12.
    y, dy, dx, gradients = run(bound, normal(6, 7))
    assert_allclose(y, output.detach().numpy(), rtol=1e-10, atol=1e-11)
    output.backward(torch.tensor(host(dy).copy()))
    assert_allclose(dx, x.grad.numpy(), rtol=1e-10, atol=1e-11)
    for path, value in p.items():
        assert_allclose(gradients[path], value.grad.numpy(), rtol=1e-10, atol=1e-10, err_msg=path)


@pytest.mark.parametrize("b_init", ["zeros", "kaiming"])
def test_dora_starts_as_lora(b_init):
    layers = [
        bind(
            AdaptedDense("layers.0", 7, 5, Adapter(mode, 3, 1.7, b_init=b_init)), moved=False
        ).layer
        for mode in ("dora", "lora")
    ]
    dora, lora = (layer.forward(normal(6, 7))[0] for layer in layers)
    assert_allclose(dora, lora, **EXACT)


def test_full_mode_is_a_dense_layer_that_starts_at_beta_times_the_scaffold(torch):
    bound = bind(AdaptedDense("layers.0", 7, 5, Adapter("full", beta=0.6), bias=True), moved=False)
    p = leaves_of(torch, bound)
    x, W = leaf(torch, normal(6, 7)), bound.layer.scaffold.dense()
    assert_allclose(bound.layer.weight, 0.6 * W, rtol=1e-6)
    output = torch.nn.functional.linear(x, p["layers.0.weight"], p["layers.0.bias"])
    assert_same(torch, output, x, p, run(bound, normal(6, 7)))


def test_no_adapter_is_the_fixed_scaffold_scaled():
    bound = adapted("none", bias=False, beta=0.6)
    assert bound.theta.size == 0
    y, _ = bound.layer.forward(normal(6, 7))
    W = bound.layer.scaffold.dense().astype(np.float64)
    assert_allclose(y, 0.6 * host(normal(6, 7)) @ W.T, **EXACT)


def test_dense_is_torch_linear(torch):
    bound = bind(Dense("head", 7, 4))
    p = leaves_of(torch, bound)
    x = leaf(torch, normal(6, 7))
    output = torch.nn.functional.linear(x, p["head.weight"], p["head.bias"])
    assert_same(torch, output, x, p, run(bound, normal(6, 7)))


# Element-wise layers and normalisation --------------------------------------------------


@pytest.mark.parametrize("name", ["relu", "tanh", "logistic", "gelu", "silu"])
def test_activation_equals_torch(torch, name):
    points = np.concatenate([np.linspace(-30, 30, 241), [-1e-9, 1e-9, -800.0, 800.0]])[None]
    x = leaf(torch, points)
    functions = {"tanh": torch.tanh, "logistic": torch.sigmoid}
    function = functions.get(name) or getattr(torch.nn.functional, name)
    # At zero exactly both take relu's slope as 0.
    assert_same(torch, function(x), x, {}, run(bind(Activation(name)), put(points)))


def test_identity_changes_nothing():
    x = normal(3, 4)
    assert_array_equal(Activation("identity").forward(x)[0], x)


@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_layer_norm_equals_torch(torch, shift):
    bound = bind(LayerNorm("layers.0.norm", 7))
    p = leaves_of(torch, bound)
    points = shift + 3 * normal(6, 7)
    x = leaf(torch, points)
    weight, bias = p["layers.0.norm.weight"], p["layers.0.norm.bias"]
    output = torch.nn.functional.layer_norm(x, (7,), weight, bias, 1e-5)
    assert_same(torch, output, x, p, run(bound, points))


def test_layer_norm_of_equal_features_is_its_bias():
    bound = bind(LayerNorm("layers.0.norm", 7))
    y, _ = bound.layer.forward(xp.full((2, 7), 3.0))
    assert_allclose(y, xp.tile(bound.layer.bias, (2, 1)), **EXACT)


# Kernels against SciPy ------------------------------------------------------------

LINE = np.linspace(-40, 40, 401)


def test_softplus_and_sigmoid_equal_their_definitions():
    assert_allclose(kernels.softplus(put(LINE)), np.logaddexp(0, LINE), rtol=1e-14)
    assert_allclose(kernels.sigmoid(put(LINE)), 1 / (1 + np.exp(-LINE)), rtol=1e-14)


def test_gelu_is_x_times_the_normal_distribution():
    assert_allclose(
        kernels.gelu(put(LINE)), LINE * scipy.stats.norm.cdf(LINE), rtol=1e-12, atol=1e-15
    )


def test_log_softmax_equals_scipy_and_ignores_a_shift():
    x = normal(5, 4)
    assert_allclose(kernels.log_softmax(x), scipy.special.log_softmax(host(x), axis=1))
    assert_allclose(kernels.log_softmax(x + 1e4), kernels.log_softmax(x), atol=1e-11)


@pytest.mark.parametrize("fan_in", [3, 300])
def test_kaiming_uniform_is_uniform_within_its_bound(fan_in):
    values = kaiming_uniform(Stream(0, "layers.0.A", "init"), (200, fan_in), fan_in)
    bound = 1 / np.sqrt(fan_in)
    # The table's end points are rounded to float32.
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    uniform = scipy.stats.uniform(-bound, 2 * bound)
    assert scipy.stats.kstest(values.ravel(), uniform.cdf).pvalue > 1e-3
