"""Encoders of texts: embeddings by index, padding, gradients, a PyTorch twin and the counts."""

from dataclasses import replace

import numpy as np
import pytest
from gradcheck import TRAINING, bind, bound_network, check_gradients, normal
from target import assert_allclose, assert_array_equal, device, host, put, xp

from deepreservoir import Network
from deepreservoir.layers import (
    Adapter,
    Layer,
    Pass,
    ScaffoldEmbedding,
    Sequential,
    TextEmbedding,
    TokenPooling,
    TransformerBlock,
)
from deepreservoir.models import TextTransformerConfig, from_plain

MODES = ("lora", "dora", "full", "none")
SMALL = TextTransformerConfig(
    9, 3, 4, 2, 2, 6, 2, rank=2, b_init="kaiming", dropout=0.0, dtype="float64"
)
LENGTHS = np.array([5, 1, 3])
CODES = put(np.array([[8, 1, 1, 0, 4], [3, 0, 0, 0, 0], [2, 7, 8, 0, 0]], np.int32))
KEPT = put(np.arange(5) < LENGTHS[:, None])


class OfTexts(Layer):
    """A layer that is told which tokens are padding."""

    def __init__(self, layer):
        super().__init__(layer.path)
        self.layer = layer

    @property
    def children(self):
        return (self.layer,)

    def forward(self, x, on=TRAINING):
        return self.layer.forward(x, on.within(kept=KEPT[: len(x), : x.shape[1]]))

    def backward(self, dy, cache):
        return self.layer.backward(dy, cache)

    def out_shape(self, shape):
        return self.layer.out_shape(shape)


def network_of(config):
    return Network(config, 3, init_seed=1, device=device)


def outputs(network, codes=CODES, kept=KEPT):
    return host(network.forward(codes, Pass(side={"kept": kept}))[0])


# Layers ------------------------------------------------------------


@pytest.mark.parametrize("family", ["normal", "hadamard", "binary"])
@pytest.mark.parametrize("mode", MODES)
def test_an_adapted_embedding_is_rows_of_the_effective_weight(mode, family):
    adapter = Adapter(mode, 2, scaling=1.5, b_init="kaiming", dropout=0.4)
    bound = bind(ScaffoldEmbedding("embedding", 9, 4, adapter), family)
    y = bound.layer.forward(CODES, TRAINING)[0]
    assert_allclose(y, bound.layer.matrix.effective_weight()[host(CODES)], atol=1e-12)
    if mode != "none":
        check_gradients(bound, CODES, needs_dx=False)
    else:
        assert bound.theta.size == 0


@pytest.mark.parametrize("adapter", [None, Adapter("lora", 2, b_init="kaiming"), Adapter("full")])
def test_gradients_of_tokens_with_positions(adapter):
    bound = bind(TextEmbedding("embedding", 9, 6, 4, adapter))
    check_gradients(bound, CODES, needs_dx=False)
    y = bound.layer.forward(CODES)[0]
    positions = bound.layer.positions.forward(xp.arange(5))[0]
    assert_allclose(y - bound.layer.tokens.forward(CODES)[0], xp.stack([positions] * 3), atol=1e-12)


def test_a_mean_of_tokens_leaves_padding_out():
    layer, x = TokenPooling("mean", "kept"), normal(3, 5, 2)
    on = TRAINING.within(kept=KEPT)
    y, cache = layer.forward(x, on)
    for i, length in enumerate(LENGTHS):
        assert_allclose(y[i], host(x)[i, :length].mean(axis=0))
    dy = normal(3, 2, seed=1)
    dx, move = layer.backward(dy, cache), normal(3, 5, 2, seed=2)  # the layer is linear
    assert_allclose(float(xp.vdot(dx, move)), float(xp.vdot(dy, layer.forward(move, on)[0])))
    nothing = layer.forward(x, TRAINING.within(kept=xp.zeros((3, 5), bool)))[0]
    assert_array_equal(nothing, np.zeros((3, 2)))


@pytest.mark.parametrize("norms", [True, False])
def test_gradients_of_a_block_with_a_frozen_mlp(norms):
    block = TransformerBlock(
        "layers.0",
        4,
        2,
        6,
        lambda d_in, d_out: Adapter("lora", 2, b_init="kaiming"),
        False,
        mask="kept",
        mlp_adapter_of=lambda d_in, d_out: Adapter("none"),
        trained_norms=norms,
    )
    bound = bind(OfTexts(block))
    names = {path.rpartition(".")[0] for path in bound.params.views(bound.theta)}
    assert not any("mlp" in name for name in names)
    assert any("norm" in name for name in names) == norms
    check_gradients(bound, normal(3, 5, 4))


# The whole network ------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        # Smaller weights, so that differences of the curved function are as exact as the rest.
        {"embeddings": "adapted", "adapt": "all", "recompute": True, "scaffold_scale": 0.5},
        {"embeddings": "frozen", "dropout": 0.2, "adapter_dropout": 0.3},
        {"depth": 1, "heads": 1, "scaffold": "binary", "storage": "packed"},
    ],
)
def test_gradients_of_the_network(mode, options):
    bound = bound_network(network_of(replace(SMALL, adapter=mode, **options)))
    check_gradients(bound._replace(layer=OfTexts(bound.layer)), CODES, needs_dx=False)


@pytest.mark.parametrize("embeddings", ["trained", "adapted", "frozen"])
def test_what_stands_in_the_padding_has_no_effect(embeddings):
    network = network_of(replace(SMALL, embeddings=embeddings))
    expected = outputs(network)
    other = host(CODES).copy()
    other[~host(KEPT)] = 6
    assert_array_equal(outputs(network, put(other)), expected)
    for i, length in enumerate(LENGTHS):
        alone = outputs(network, CODES[i : i + 1, :length], KEPT[i : i + 1, :length])
        assert_allclose(alone, expected[i : i + 1], rtol=1e-12)
    y, cache = network.forward(put(other), TRAINING.within(kept=KEPT))
    network.backward(normal(*y.shape), cache)
    if embeddings == "trained":
        gradient = host(network.params.views(network.grad)["embedding.tokens.table"])
        assert gradient[8].any()
        assert not gradient[6].any()


def test_against_pytorch():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    config = replace(SMALL, adapter="full", depth=3, width=6, heads=3)
    bound = bind(Sequential(config.build()))
    leaf = {
        path: torch.tensor(host(view), requires_grad=True)
        for path, view in bound.params.views(bound.theta).items()
    }

    def norm(x, path):
        return F.layer_norm(x, (6,), leaf[f"{path}.weight"], leaf[f"{path}.bias"])

    def linear(x, path):
        return F.linear(x, leaf[f"{path}.weight"], leaf[f"{path}.bias"])

    codes, kept = torch.tensor(host(CODES)).long(), torch.tensor(host(KEPT))
    h = F.embedding(codes, leaf["embedding.tokens.table"]) + leaf["embedding.positions.table"][:5]
    for i in range(3):
        p = f"layers.{i}"
        u = norm(h, f"{p}.norm1")
        q, k, v = (
            linear(u, f"{p}.attention.{name}").unflatten(-1, (3, 2)).transpose(1, 2)
            for name in "qkv"
        )
        a = F.scaled_dot_product_attention(q, k, v, kept[:, None, None]).transpose(1, 2)
        h = h + linear(a.flatten(2), f"{p}.attention.o")
        h = h + linear(F.gelu(linear(norm(h, f"{p}.norm2"), f"{p}.mlp.in")), f"{p}.mlp.out")
    weights = kept / kept.sum(dim=1, keepdim=True)
    out = linear((norm(h, "norm") * weights[:, :, None]).sum(dim=1), "head")
    y, cache = bound.layer.forward(CODES, TRAINING.within(kept=KEPT))
    assert_allclose(y, out.detach().numpy(), rtol=1e-6, atol=1e-9)
    dy = normal(*y.shape, seed=1)
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    out.backward(torch.tensor(host(dy)))
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaf[path].grad.numpy(), rtol=1e-6, atol=1e-8, err_msg=path)


# Counts ------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 4, 8, 16, 32])
def test_the_paper_counts_up_to_what_it_does_not_explain(rank):
    config = TextTransformerConfig.paper(rank=rank)
    assert config.n_params == 526 + 6_144 * rank
    printed = {1: 6_673, 2: 12_817, 4: 25_105, 8: 49_681, 16: 98_833, 32: 197_137}
    assert printed[rank] - config.n_params == 3
    assert 10_315_030 - config.fully_trained().n_params == 20
    trained = replace(config, embeddings="trained")
    assert trained.n_params == config.n_params + (30_522 + 512) * 256
    assert trained.fully_trained().n_params == 10_315_010
    assert len(config.adapted_shapes) == 12


def test_the_reduced_network_trains_12_430_parameters():
    config = TextTransformerConfig(30_522, 2, 64, max_length=128, embeddings="frozen", rank=8)
    assert config.n_params == 12_430


def test_adapted_embeddings_have_a_rank_of_their_own_tables():
    config = replace(SMALL, embeddings="adapted", adapt="all")
    assert config.adapted_shapes["embedding.tokens"] == (4, 9)
    assert len(config.adapted_shapes) == 2 + 2 * 6
    assert replace(config, rank="auto").n_params
    with pytest.raises(ValueError, match=r"min\(d_in, d_out\) = 4"):
        replace(config, rank=5)


@pytest.mark.parametrize("embeddings", ["trained", "adapted", "frozen"])
def test_controls_without_a_scaffold_keep_matrices_that_carry_no_adapter(embeddings):
    network = Network(replace(SMALL, embeddings=embeddings), 0, device=device)
    removed = network.without_scaffold()
    for path, scaffold in network.scaffolds.items():
        carries = network.adapted[path].adapter.low_rank
        assert carries == (
            ".attention." in path or ("embedding" in path and embeddings != "frozen")
        )
        expected = 0 * scaffold.dense() if carries else scaffold.dense()
        assert_array_equal(removed.scaffolds[path].dense(), expected)


def test_equal_bytes_is_the_widest_of_its_depth():
    found = SMALL.resized(2_000)
    assert (found.depth, found.heads, found.adapter) == (2, 2, "full")
    assert found.n_params <= 2_000 < replace(found, width=found.width + 2).n_params
    assert SMALL.resized(10) is None


def test_configurations_are_plain_data():
    assert from_plain(SMALL.to_plain()) == SMALL
    assert SMALL.merges_samples
    assert "adapter" not in SMALL.decayed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"heads": 3}, "width must be divisible by heads; got width 4 and heads 3"),
        ({"max_length": 0}, "max_length must be an integer"),
        ({"adapt": "none"}, "adapt must be one of"),
        ({"embeddings": "fixed"}, "embeddings must be one of"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"recompute": "yes"}, "recompute must be"),
    ],
)
def test_refused_fields(options, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **options)
