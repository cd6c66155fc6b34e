"""Every layer in every mode: backward is the gradient of forward, and the contract is kept."""

from itertools import product

import numpy as np
import pytest
from gradcheck import TRAINING, bind, bound_network, check_gradients, frozen, normal
from target import assert_allclose, assert_array_equal, host, xp

from deepreservoir.layers import (
    ACTIVATIONS,
    Activation,
    AdaptedDense,
    Adapter,
    Dense,
    LayerNorm,
    Pass,
    Recompute,
    Residual,
    Sequential,
)
from deepreservoir.layers.base import Layer
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network

MODES = ("lora", "dora", "full", "none")
STORED = [
    ("normal", "dense"),
    ("normal", "packed"),
    ("normal", "streamed"),
    ("binary", "packed"),
    ("orthogonal", "dense"),
    ("spectral_radius", "streamed"),
    ("zero", "dense"),
    ("hadamard", "structured"),
    ("kronecker", "structured"),
]


def adapted(d_in=6, d_out=5, *, bias=False, needs_dx=True, path="layers.0", **adapter):
    given = {"rank": 3, "scaling": 1.7, "beta": 0.7} | adapter
    return AdaptedDense(path, d_in, d_out, Adapter(**given), bias, needs_dx)


# Adapted layers ------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "bias", "dropout", "learn_beta", "b_init"),
    list(product(MODES, (False, True), (0.0, 0.4), (False, True), ("zeros", "kaiming"))),
)
def test_adapted_dense_everywhere(mode, bias, dropout, learn_beta, b_init):
    layer = adapted(mode=mode, bias=bias, dropout=dropout, learn_beta=learn_beta, b_init=b_init)
    check_gradients(bind(layer), normal(7, 6))


@pytest.mark.parametrize("mode", ["lora", "dora", "full"])
@pytest.mark.parametrize("b_init", ["zeros", "kaiming"])
def test_adapted_dense_at_its_start_values(mode, b_init):
    layer = adapted(mode=mode, b_init=b_init, bias=True)
    check_gradients(bind(layer, moved=False), normal(7, 6))


@pytest.mark.parametrize(("family", "storage"), STORED)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("d_in", "d_out"), [(6, 5), (5, 9), (6, 20), (16, 16)])
def test_adapted_dense_on_every_storage(family, storage, mode, d_in, d_out):
    layer = adapted(d_in, d_out, mode=mode, bias=True)
    check_gradients(bind(layer, family, storage), normal(4, d_in))


@pytest.mark.parametrize(
    ("mode", "learn_beta", "dropout", "given"),
    list(product(MODES, (False, True), (0.0, 0.4), (False, True))),
)
def test_first_layer_without_dx_and_with_a_given_product(mode, learn_beta, dropout, given):
    layer = adapted(mode=mode, needs_dx=False, learn_beta=learn_beta, dropout=dropout, bias=True)
    bound, x = bind(layer), normal(7, 6)
    products = {"layers.0": layer.scaffold.matmul(x)} if given else {}
    check_gradients(bound, x, products, needs_dx=False)


@pytest.mark.parametrize("mode", ["lora", "dora", "none"])
def test_a_given_product_is_used_and_changes_nothing(mode):
    layer = adapted(mode=mode, needs_dx=False)
    bind(layer)
    x = normal(7, 6)
    on = Pass(TRAINING.step, products={"layers.0": frozen(layer.scaffold.matmul(x))})
    calls = []
    whole, layer.scaffold.matmul = layer.scaffold.matmul, lambda v: calls.append(v) or whole(v)
    y, _ = layer.forward(x, on)
    assert not any(v is x for v in calls)
    assert_array_equal(y, layer.forward(x, TRAINING)[0])
    assert any(v is x for v in calls)


# The other layers ------------------------------------------------------------


@pytest.mark.parametrize("bias", [False, True])
def test_dense(bias):
    check_gradients(bind(Dense("head", 6, 4, bias)), normal(5, 6))


@pytest.mark.parametrize("bias", [False, True])
def test_dense_without_dx(bias):
    layer = Dense("head", 6, 4, bias, needs_dx=False)
    check_gradients(bind(layer), normal(5, 6), needs_dx=False)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
def test_activation(name, size):
    check_gradients(bind(Activation(name)), size * normal(6, 5))


@pytest.mark.parametrize("eps", [1e-5, 0.3])
@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_layer_norm(eps, size):
    check_gradients(bind(LayerNorm("layers.0.norm", 6, eps)), 2.0 + size * normal(5, 6))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.75])
def test_dropout(rate):
    check_gradients(bind(Activation("tanh", "layers.0", dropout=rate)), normal(5, 6))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_bias_activation_and_dropout(name):
    layer = Activation(name, "layers.0", bias_width=6, dropout=0.3)
    check_gradients(bind(layer), normal(5, 6))


@pytest.mark.parametrize("mode", MODES)
def test_residual(mode):
    check_gradients(bind(Residual(adapted(6, 6, mode=mode))), normal(5, 6))


def test_residual_on_a_first_layer_uses_the_product_and_skips_dx():
    inner = adapted(6, 6, needs_dx=False)
    bound, x = bind(Residual(inner)), normal(5, 6)
    check_gradients(bound, x, {"layers.0": inner.scaffold.matmul(x)}, needs_dx=False)


def test_sequential():
    layers = [
        adapted(6, 9, bias=True),
        LayerNorm("layers.0.norm", 9),
        Activation("gelu", "layers.0", dropout=0.2),
        Residual(adapted(9, 9, path="layers.1", mode="dora")),
        Activation("tanh"),
        Dense("head", 9, 2),
    ]
    check_gradients(bind(Sequential(layers)), normal(5, 6))


def test_sequential_hands_the_product_to_its_first_layer_alone():
    first = adapted(6, 6, needs_dx=False)
    layer = Sequential([first, Activation("silu"), adapted(6, 6, path="layers.1")])
    bound, x = bind(layer), normal(5, 6)
    check_gradients(bound, x, {"layers.0": first.scaffold.matmul(x)}, needs_dx=False)


# Whole networks ------------------------------------------------------------

OPTIONS = [
    {},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (), "head": "lora+bias"},
    {"hidden_layer_sizes": (9,)},
    *({"activation": name} for name in sorted(ACTIVATIONS)),
    *({"adapter": mode} for mode in MODES),
    *({"adapter": mode, "bias": True, "beta": "fixed"} for mode in MODES),
    *({"head": head, "rank": 2} for head in ("full", "lora", "lora+bias")),
    *({"head": head, "adapter": "dora"} for head in ("lora", "lora+bias")),
    {"rank": 1, "lora_alpha": 16, "scaling": "rslora"},
    {"rank": 3, "lora_alpha": 0.5, "scaling": "lora"},
    {"beta": -0.4},
    {"beta": 0.0, "b_init": "kaiming"},
    {"layer_norm": True},
    {"residual": True},
    {"residual": True, "adapter": "full"},
    {"dropout": 0.3},
    {"adapter_dropout": 0.3},
    {"scaffold_scale": 2.5},
    {"scaffold": "cauchy", "scaffold_scale": "family"},
    *({"scaffold": family, "storage": storage} for family, storage in STORED),
    {
        "adapter": "dora",
        "scaffold": "hadamard",
        "layer_norm": True,
        "residual": True,
        "bias": True,
        "dropout": 0.2,
        "adapter_dropout": 0.2,
        "head": "lora+bias",
        "activation": "silu",
    },
]


def network_of(option, dtype="float64"):
    shape = {"n_features": 7, "n_outputs": 3, "hidden_layer_sizes": (9, 9, 5)}
    return Network(MLPConfig(**(shape | {"dtype": dtype} | option)), seed=1)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_whole_network(option):
    check_gradients(bound_network(network_of(option)), normal(6, 7), needs_dx=False)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_whole_network_with_its_first_product_given(option):
    network, x = network_of(option), normal(6, 7)
    first = "layers.0" if network.config.hidden_layer_sizes else "head"
    frozen_weights = network.frozen_scaffolds
    products = {first: frozen_weights[first].matmul(x)} if first in frozen_weights else {}
    check_gradients(bound_network(network), x, products, needs_dx=False)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_float32_networks_compute_in_float32(option):
    network = network_of(option, "float32")
    y, cache = network.forward(normal(6, 7).astype(np.float32), TRAINING)
    assert y.dtype == np.float32
    for array in _arrays(cache):
        assert array.dtype == np.float32


def _arrays(cache):
    if isinstance(cache, xp.ndarray):
        return [cache]
    parts = cache if isinstance(cache, list | tuple) else []
    return [array for part in parts for array in _arrays(part)]


# The contract ------------------------------------------------------------

LAYERS = {
    **{mode: (lambda mode=mode: adapted(6, 6, mode=mode, bias=True)) for mode in MODES},
    "adapter dropout": lambda: adapted(6, 6, dropout=0.4),
    "without dx": lambda: adapted(6, 6, needs_dx=False),
    "dense": lambda: Dense("head", 6, 6),
    **{name: (lambda name=name: Activation(name)) for name in sorted(ACTIVATIONS)},
    "layer norm": lambda: LayerNorm("layers.0.norm", 6),
    "biased": lambda: Activation("relu", "layers.0", bias_width=6),
    "dropout": lambda: Activation("gelu", "layers.0", bias_width=6, dropout=0.4),
    "residual": lambda: Residual(adapted(6, 6)),
    "recomputed": lambda: Recompute(adapted(6, 6)),
    "sequential": lambda: Sequential([adapted(6, 6), Activation("relu"), Dense("head", 6, 6)]),
}


def _backward(bound, x, dy):
    bound.grad[:] = 0
    _, cache = bound.layer.forward(x, TRAINING)
    dx = bound.layer.backward(dy, cache)
    return dx, bound.grad.copy()


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_layer_may_be_called_twice_before_its_backward_calls(make):
    bound = bind(make())
    x1, x2 = normal(5, 6, seed=10), normal(4, 6, seed=11)
    dy1, dy2 = normal(5, 6, seed=12), normal(4, 6, seed=13)
    dx1, grad1 = _backward(bound, x1, dy1)
    dx2, grad2 = _backward(bound, x2, dy2)
    bound.grad[:] = 0
    _, cache1 = bound.layer.forward(x1, TRAINING)
    _, cache2 = bound.layer.forward(x2, TRAINING)
    assert_array_equal(bound.layer.backward(dy1, cache1), dx1)
    assert_array_equal(bound.layer.backward(dy2, cache2), dx2)
    assert_allclose(bound.grad, grad1 + grad2, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_inference_keeps_no_cache(make):
    bound = bind(make())
    _, cache = bound.layer.forward(normal(5, 6))
    assert cache is None


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_inference_equals_training_where_nothing_is_dropped(make):
    layer = bind(make()).layer
    y, _ = layer.forward(normal(5, 6))
    trained, _ = layer.forward(normal(5, 6), TRAINING)
    rate = layer.adapter.dropout if isinstance(layer, AdaptedDense) else 0
    drops = rate > 0 or (isinstance(layer, Activation) and layer.dropout > 0)
    assert np.array_equal(host(y), host(trained)) is not drops


def test_dropout_is_the_identity_at_inference():
    x = normal(5, 6)
    layer = Activation("identity", "layers.0", dropout=0.5)
    assert_array_equal(layer.forward(x)[0], x)


def test_the_base_class_has_no_passes_of_its_own():
    layer = Layer()
    with pytest.raises(NotImplementedError):
        layer.forward(normal(1, 1))
    with pytest.raises(NotImplementedError):
        layer.backward(normal(1, 1), None)
