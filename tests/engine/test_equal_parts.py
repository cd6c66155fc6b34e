"""Many adapters on one scaffold, each on as many rows: batched products give the same outputs."""

import numpy as np
import pytest

from deepreservoir import MLPConfig
from deepreservoir.layers import Activation
from deepreservoir.layers.equal_parts import outputs_of_equal_parts
from deepreservoir.network import Network
from deepreservoir.passes import outputs_side_by_side

pytestmark = pytest.mark.host(reason="models are predicted with side by side on the host")

X = np.random.default_rng(0).standard_normal((24, 10))


def networks(*params):
    """Networks on one scaffold, with different trained values."""
    made = []
    for i, each in enumerate(params):
        each = {"hidden_layer_sizes": (12, 8), "rank": 3, **each}
        first = made[0].scaffolds if made else None
        network = Network(MLPConfig(10, 2, **each), seed=1, init_seed=i, scaffolds=first)
        noise = np.random.default_rng(i).standard_normal(network.theta.shape)
        network.theta += (0.3 * noise).astype(np.float32)
        made.append(network)
    return made


def slices(*bounds):
    return [slice(*pair) for pair in zip((0, *bounds), (*bounds, len(X)), strict=True)]


def batched(made, parts, x=X):
    layers = [network.adapted["layers.0"] for network in made]
    return outputs_of_equal_parts(layers, x, layers[0].scaffold.matmul(x), parts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shared", [{}, {"bias": True, "layer_norm": True}, {"beta": "fixed"}, {"activation": "silu"}]
)
def test_each_row_gets_the_output_of_its_own_network(dtype, shared):
    made = networks(shared, {**shared, "lora_alpha": 5.0}, {**shared, "scaling": "rslora"})
    parts, x = slices(8, 16), X.astype(dtype)
    assert batched(made, parts, x).dtype == dtype
    rtol = 1e-12 if dtype == np.float64 else 1e-4
    for network, part, found in zip(made, parts, outputs_side_by_side(made, x, parts), strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, network.forward(x[part])[0], rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    ("params", "bounds"),
    [
        (({}, {"rank": 2}), (12,)),
        (({}, {"adapter": "dora"}), (12,)),
        (({}, {"adapter": "none"}), (12,)),
        (({}, {"bias": True, "layer_norm": True}), (12,)),
        (({}, {}), (10,)),
        (({}, {}, {}), (6, 18)),
    ],
)
def test_other_layers_and_parts_are_left_to_the_general_way(params, bounds):
    made, parts = networks(*params), slices(*bounds)
    assert batched(made, parts) is None
    if len({network.config.layer_norm for network in made}) > 1:
        return  # not alike: such networks are never side by side
    for network, part, found in zip(made, parts, outputs_side_by_side(made, X, parts), strict=True):
        np.testing.assert_allclose(found, network.forward(X[part])[0], rtol=1e-12)


@pytest.mark.parametrize("bounds", [(8, 16), (5, 6)], ids=["equal parts", "other parts"])
def test_heads_of_different_widths(bounds):
    made = [
        Network(MLPConfig(10, width, (12, 8), rank=3), seed=1, init_seed=width)
        for width in (2, 2, 5)
    ]
    for network, part, found in zip(
        made, slices(*bounds), outputs_side_by_side(made, X, slices(*bounds)), strict=True
    ):
        np.testing.assert_allclose(found, network.forward(X[part])[0], rtol=1e-12)


@pytest.mark.parametrize("shape", [(24, 6), (24, 3, 6)], ids=str)
@pytest.mark.parametrize("widths", [(0, 0), (6, 6), (6, 0)], ids=["none", "all", "some"])
def test_biases_of_several_activations(widths, shape):
    x, parts = np.random.default_rng(0).standard_normal(shape), [slice(0, 10), slice(10, 24)]
    layers = [Activation("silu", "layers.0", bias_width=width) for width in widths]
    for i, layer in enumerate(layers):
        layer.bias = np.full(6, i + 0.5, np.float32) if layer.bias_width else None
    found = layers[0].side_by_side(layers[1:], x, parts)
    expected = [layer.forward(x[part])[0] for layer, part in zip(layers, parts, strict=True)]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-12)
