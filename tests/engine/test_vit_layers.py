"""Vision Transformers: gradients, a PyTorch twin, counts, stochastic depth, refused fields."""

from dataclasses import replace

import numpy as np
import pytest
from gradcheck import STEP, TRAINING, bind, bound_network, check_gradients, normal
from target import assert_allclose, assert_array_equal, device, host, put, xp

from deepreservoir import Network
from deepreservoir.layers import (
    Adapter,
    Pass,
    PatchEmbedding,
    Sequential,
    Step,
    StochasticDepth,
    TokenPooling,
    TransformerBlock,
)
from deepreservoir.models import ViTConfig, from_plain

MODES = ("lora", "dora", "full", "none")
SMALL = ViTConfig((4, 6, 2), 3, 2, 4, 2, 2, 2, rank=2, b_init="kaiming", dtype="float64")


def block(mode="lora", **options):
    def adapter(d_in, d_out):
        return Adapter(mode, 2, b_init="kaiming")

    return TransformerBlock("layers.0", 4, 2, 6, adapter, mode == "full", **options)


# Layers ------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layer_norm": True, "activation": "relu"},
        {"dropout": 0.3, "stochastic_depth": 0.4},
        {"causal": True},
        {"outputs": 1, "dropout": 0.3},
    ],
)
def test_gradients_of_a_block(mode, options):
    check_gradients(bind(block(mode, **options)), normal(3, 5, 4))


@pytest.mark.parametrize("token", [True, False])
@pytest.mark.parametrize(("shape", "patch"), [((4, 6, 2), 2), ((3, 3, 1), 3), ((2, 1, 1), 1)])
def test_gradients_of_the_patch_embedding(shape, patch, token):
    layer = PatchEmbedding("embedding", shape, patch, 3, token)
    check_gradients(bind(layer), normal(2, *shape), needs_dx=False)


def test_patches_come_row_by_row():
    layer = PatchEmbedding("embedding", (4, 6, 2), 2, 3)
    image = put(np.arange(48.0).reshape(1, 4, 6, 2))
    patches = host(layer.patches_of(image))
    assert patches.shape == (1, 6, 8)
    whole = host(image)[0]
    assert_array_equal(patches[0, 1], whole[:2, 2:4].ravel())
    assert_array_equal(patches[0, 3], whole[2:, :2].ravel())


def test_the_class_token_does_not_depend_on_the_image():
    layer = bind(PatchEmbedding("embedding", (4, 4, 1), 2, 3)).layer
    y = layer.forward(normal(2, 4, 4, 1))[0]
    assert_array_equal(y[0, 0], y[1, 0])
    assert_allclose(y[0, 0], layer.token + layer.position[0])


@pytest.mark.parametrize("kind", ["token", "mean"])
def test_pooling_of_tokens(kind):
    layer, x, dy = TokenPooling(kind), normal(3, 4, 2), normal(3, 2, seed=1)
    y, cache = layer.forward(x, TRAINING)
    assert_allclose(y, x[:, 0] if kind == "token" else x.mean(axis=1))
    dx = layer.backward(dy, cache)
    move = normal(*x.shape, seed=2)  # the layer is linear
    assert_allclose(float(xp.vdot(dx, move)), float(xp.vdot(dy, layer.forward(move)[0])))


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    layer, x = StochasticDepth("layers.0", 0.25), put(np.ones((4_000, 3, 2)))
    y, cache = layer.forward(x, TRAINING)
    assert set(np.unique(host(y)).round(9)) == {0.0, round(4 / 3, 9)}
    assert (host(y) == host(y)[:, :1, :1]).all()
    assert abs(host(y).mean() - 1) < 0.05
    assert_array_equal(layer.backward(x, cache), y)
    assert_array_equal(layer.forward(x, Pass(STEP))[0], y)  # the same step, the same samples
    assert (host(layer.forward(x, Pass(Step(STEP.seed, 3)))[0]) != host(y)).any()
    assert layer.forward(x)[0] is x
    assert StochasticDepth("layers.0", 0.0).forward(x, TRAINING)[0] is x


# The whole network ------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pooling": "mean", "layer_norm": True},
        {"dropout": 0.2, "stochastic_depth": 0.5, "recompute": True},
        {"depth": 1, "heads": 1, "patch_size": 1},
        {"adapter_dropout": 0.3, "scaffold": "binary", "storage": "streamed"},
    ],
)
def test_gradients_of_the_network(mode, options):
    config = replace(SMALL, adapter=mode, **options)
    bound = bound_network(Network(config, 0, device=device))
    check_gradients(bound, normal(3, *config.image_shape), needs_dx=False)


def test_recomputed_gradients_have_the_same_bits():
    config = replace(SMALL, dropout=0.2, stochastic_depth=0.5)
    grads = []
    for recompute in (False, True):
        network = Network(replace(config, recompute=recompute), 0, device=device)
        y, cache = network.forward(normal(3, 4, 6, 2), TRAINING)
        network.backward(normal(*y.shape, seed=1), cache)
        grads.append(host(network.grad))
    assert_array_equal(*grads)
    assert grads[0].any()


@pytest.mark.parametrize("pooling", ["token", "mean"])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_against_pytorch(pooling, layer_norm):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    config = replace(
        SMALL, adapter="full", pooling=pooling, layer_norm=layer_norm, depth=3, width=6, heads=3
    )
    bound = bind(Sequential(config.build()))
    leaf = {
        path: torch.tensor(host(view), requires_grad=True)
        for path, view in bound.params.views(bound.theta).items()
    }

    def norm(x, path):
        return F.layer_norm(x, (x.shape[-1],), leaf[f"{path}.weight"], leaf[f"{path}.bias"])

    def adapted(x, path):
        y = F.linear(x, leaf[f"{path}.weight"], leaf[f"{path}.bias"])
        return norm(y, f"{path}.norm") if layer_norm else y

    x = normal(5, 4, 6, 2)
    images = torch.tensor(host(x)).permute(0, 3, 1, 2)
    kernel = leaf["embedding.patches.weight"].reshape(6, 2, 2, 2).permute(0, 3, 1, 2)
    h = F.conv2d(images, kernel, leaf["embedding.patches.bias"], stride=2).flatten(2).mT
    if pooling == "token":
        h = torch.cat([leaf["embedding.token"].expand(5, 1, 6), h], dim=1)
    h = h + leaf["embedding.position"]
    for i in range(3):
        p = f"layers.{i}"
        u = norm(h, f"{p}.norm1")
        q, k, v = (
            adapted(u, f"{p}.attention.{name}").unflatten(-1, (3, 2)).transpose(1, 2)
            for name in "qkv"
        )
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        h = h + adapted(a, f"{p}.attention.o")
        u = adapted(norm(h, f"{p}.norm2"), f"{p}.mlp.in")
        h = h + adapted(F.gelu(u), f"{p}.mlp.out")
    pooled = norm(h[:, 0] if pooling == "token" else h.mean(dim=1), "norm")
    out = F.linear(pooled, leaf["head.weight"], leaf["head.bias"])
    y, cache = bound.layer.forward(x, TRAINING)
    assert_allclose(y, out.detach().numpy(), rtol=1e-6, atol=1e-9)
    dy = normal(*y.shape, seed=1)
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    out.backward(torch.tensor(host(dy)))
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaf[path].grad.numpy(), rtol=1e-6, atol=1e-8, err_msg=path)


def test_initial_values_are_keyed_and_small():
    network, other = (Network(SMALL, seed, init_seed=1) for seed in (0, 1))
    assert_array_equal(network.theta, other.theta)
    found = Network(ViTConfig((32, 32, 3), 10), 0, device=device).named_parameters()
    values = {path: host(value) for path, value in found.items()}
    assert values["embedding.position"].shape == (65, 64)
    assert np.std(values["embedding.position"]) == pytest.approx(0.02, rel=0.05)
    assert np.std(values["embedding.token"]) == pytest.approx(0.02, rel=0.3)
    assert (values["norm.weight"] == 1).all()


# Counts ------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 4, 8, 16, 32, 64])
def test_the_paper_counts(rank):
    config = ViTConfig.base_16(102, rank=rank)
    assert config.n_params == 859_566 + 165_888 * rank
    assert config.fully_trained().n_params == 85_877_094
    ratio = config.n_params / (85_877_094 + 165_888 * rank)  # of the adapted model
    printed = {1: 1.19, 4: 1.76, 8: 2.51, 16: 3.97, 32: 6.76, 64: 11.89}
    assert 100 * ratio == pytest.approx(printed[rank], abs=0.006)
    combined = replace(config, layer_norm=True)
    assert combined.n_params == config.n_params + 165_888
    assert combined.fully_trained().n_params == 85_877_094 + 165_888


def test_what_is_adapted():
    config = ViTConfig.base_16(102)
    assert len(config.adapted_shapes) == 72
    assert config.adapted_shapes["layers.11.mlp.in"] == (768, 3072)
    paths = {slot.path for part in replace(SMALL, adapter="none").build() for slot in part.slots()}
    assert not any("attention" in path or "mlp" in path for path in paths)


def test_equal_bytes_is_the_widest_of_its_depth():
    config = ViTConfig((32, 32, 3), 12, rank=8)
    found = config.resized(config.n_params)
    assert (found.depth, found.heads, found.adapter) == (4, 4, "full")
    wider = replace(found, width=found.width + 4)
    assert found.n_params <= config.n_params < wider.n_params


def test_configurations_are_plain_data():
    config = replace(SMALL, image_shape=[4, np.int64(6), 2])
    assert config == SMALL
    assert from_plain(config.to_plain()) == config
    assert config.merges_samples
    assert "adapter" not in config.decayed


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"patch_size": 4}, "patch_size 4 and images of 4 x 6 pixels.*use one of 2"),
        ({"image_shape": (5, 7, 3)}, "use a patch_size of 1"),
        ({"image_shape": (4, 6)}, r"image_shape must be \(height, width, channels\)"),
        ({"image_shape": 4}, "image_shape"),
        ({"image_shape": (4, 6, 0)}, r"image_shape\[2\]"),
        ({"width": 5}, "width 5 and heads 2"),
        ({"heads": 0}, "heads"),
        ({"mlp_ratio": 0}, "mlp_ratio"),
        ({"dropout": 1.0}, "dropout"),
        ({"stochastic_depth": -0.1}, "stochastic_depth"),
        ({"recompute": 1}, "recompute"),
        ({"pooling": "max"}, "pooling"),
        ({"rank": 5}, "rank must be between 1 and"),
    ],
)
def test_a_wrong_field_is_named(fields, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **fields)
