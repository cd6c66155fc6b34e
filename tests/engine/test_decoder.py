"""Decoders: gradients of layers and networks, a PyTorch twin, counts, cached keys and values."""

from dataclasses import replace

import numpy as np
import pytest
from gradcheck import TRAINING, bind, bound_network, check_gradients, normal
from target import assert_allclose, assert_array_equal, device, host, put, xp

from deepreservoir import Network, kernels
from deepreservoir.layers import (
    KEYS_AND_VALUES,
    Adapter,
    GatedMLP,
    KeyValueCache,
    Pass,
    RMSNorm,
    SelfAttention,
    Sequential,
    TiedOutput,
    TokenEmbedding,
)
from deepreservoir.models import PRESETS, DecoderConfig, from_plain

MODES = ("lora", "dora", "full", "none")
ADAPTER = {"adapt": "all", "rank": 2, "b_init": "kaiming", "dtype": "float64"}
# A large eps limits the curvature, and so the error of differences.
SMALL = DecoderConfig(11, 8, 2, 2, 6, context=5, norm_eps=0.1, **ADAPTER)


def codes(n=3, t=5, vocabulary=11, seed=0):
    return put(np.random.default_rng(seed).integers(0, vocabulary, (n, t)))


# Layers ------------------------------------------------------------


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("shape", [(4,), (3, 5, 6), (2, 1)])
def test_gradients_of_rms_norm(shape, trained):
    layer = RMSNorm("norm", shape[-1], eps=0.1, trained=trained)
    check_gradients(bind(layer), normal(2, *shape))


def test_rms_norm_against_pytorch():
    torch = pytest.importorskip("torch")
    x = normal(3, 7)
    expected = torch.nn.functional.rms_norm(torch.tensor(host(x)), (7,), eps=1e-2)
    assert_allclose(RMSNorm("norm", 7, 1e-2, False).forward(x)[0], expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_of_the_gated_mlp(mode):
    layer = GatedMLP("mlp", 4, 6, lambda d_in, d_out: Adapter(mode, 2, b_init="kaiming"))
    check_gradients(bind(layer), normal(2, 3, 4))


@pytest.mark.parametrize("mode", MODES)
def test_gradients_of_attention_with_rotary_positions(mode):
    adapter = Adapter(mode, 2, b_init="kaiming")
    layer = SelfAttention("attention", 8, 2, adapter, False, causal=True, rotary=100.0)
    check_gradients(bind(layer), normal(2, 5, 8))


def test_rotations():
    x = put(host(normal(2, 4, 3, 6)))
    turned = kernels.rotate(x, 50.0, start=2)
    pairs = host(x)[..., :3] + 1j * host(x)[..., 3:]
    angles = np.arange(2, 6)[:, None, None] * 50.0 ** (-np.arange(3) / 3)
    expected = pairs * np.exp(1j * angles)
    assert_allclose(turned, np.concatenate([expected.real, expected.imag], axis=-1), atol=1e-12)
    assert_allclose(kernels.rotate(turned, 50.0, start=2, back=True), x, atol=1e-12)


def test_rotary_attention_depends_on_distances_only():
    attention = bind(SelfAttention("a", 8, 2, Adapter("none"), False, causal=True, rotary=100.0))
    x = normal(1, 6, 8)
    cache = KeyValueCache(9)
    cache.advance(3)  # as if three tokens were before, of which nothing is known
    q, k = (attention.layer._by_head(x) for _ in range(2))
    here, there = (attention.layer._at_positions(q, k, start) for start in (0, 3))
    scores = [xp.einsum("nqhd,nkhd->nhqk", *pair) for pair in (here, there)]
    assert_allclose(scores[0], scores[1], atol=1e-12)


def test_a_head_of_odd_width_has_no_pairs():
    with pytest.raises(ValueError, match="heads of an even width; got width 6 and 2 heads"):
        SelfAttention("a", 6, 2, Adapter("none"), False, rotary=10.0)


def test_gradients_of_a_tied_embedding():
    embedding = TokenEmbedding("embedding", 11, 4)
    bound = bind(Sequential([embedding, TiedOutput("head", embedding)]))
    assert [slot.path for slot in bound.params.slots] == ["embedding.table"]
    check_gradients(bound, codes(), needs_dx=False)


def test_the_gradient_of_an_embedding_sums_over_equal_tokens():
    embedding = bind(TokenEmbedding("embedding", 4, 2)).layer
    _, cache = embedding.forward(put(np.array([[1, 1, 3]])), TRAINING)
    embedding.backward(put(np.array([[[1.0, 2], [3, 4], [5, 6]]])), cache)
    assert_array_equal(embedding.dtable, [[0, 0], [4, 6], [0, 0], [5, 6]])


# The whole network ------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"adapt": "attention", "tied": False},
        {"adapt": "none", "recompute": True},
        {"adapter_dropout": 0.3, "scaffold": "binary", "storage": "streamed"},
    ],
)
def test_gradients_of_the_network(mode, options):
    config = replace(SMALL, adapter=mode, **options)
    bound = bound_network(Network(config, 0, device=device))
    check_gradients(bound, codes(), needs_dx=False)


def test_gradients_for_one_token():
    bound = bound_network(Network(SMALL, 0, device=device))
    check_gradients(bound, codes(2, 1), needs_dx=False)


def test_recomputed_gradients_have_the_same_bits():
    grads = []
    for recompute in (False, True):
        config = replace(SMALL, recompute=recompute, adapter_dropout=0.2)
        network = Network(config, 0, device=device)
        y, cache = network.forward(codes(), TRAINING)
        network.backward(normal(*y.shape, seed=1), cache)
        grads.append(host(network.grad))
    assert_array_equal(*grads)
    assert grads[0].any()


@pytest.mark.parametrize("tied", [True, False])
def test_against_pytorch(tied):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    config = replace(SMALL, adapter="full", tied=tied, norm_eps=1e-3)
    bound = bound_network(Network(config, 0, device=device))
    leaf = {
        path: torch.tensor(host(view), requires_grad=True)
        for path, view in bound.params.views(bound.theta).items()
    }

    def rotary(x):  # (n, heads, t, d), as in transformers' modeling_llama
        half = x.shape[-1] // 2
        frequencies = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequencies
        cos, sin = (part.repeat(1, 2) for part in (angles.cos(), angles.sin()))
        turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
        return x * cos + turned * sin

    def norm(x, path):
        return F.rms_norm(x, (8,), leaf[f"{path}.weight"], 1e-3)

    x = codes()
    h = leaf["embedding.table"][torch.tensor(host(x))]
    for i in range(2):
        p = f"layers.{i}"
        u = norm(h, f"{p}.norm1")
        q, k, v = (
            F.linear(u, leaf[f"{p}.attention.{name}.weight"]).unflatten(-1, (2, 4)).transpose(1, 2)
            for name in "qkv"
        )
        a = F.scaled_dot_product_attention(rotary(q), rotary(k), v, is_causal=True)
        h = h + F.linear(a.transpose(1, 2).flatten(2), leaf[f"{p}.attention.o.weight"])
        u = norm(h, f"{p}.norm2")
        gate, up = (F.linear(u, leaf[f"{p}.mlp.{name}.weight"]) for name in ("gate", "up"))
        h = h + F.linear(F.silu(gate) * up, leaf[f"{p}.mlp.down.weight"])
    out = F.linear(norm(h, "norm"), leaf["embedding.table" if tied else "head.weight"])
    y, cache = bound.layer.forward(x, TRAINING)
    assert_allclose(y, out.detach().numpy(), rtol=1e-8, atol=1e-10)
    dy = normal(*y.shape, seed=1)
    bound.grad[:] = 0
    bound.layer.backward(dy, cache)
    out.backward(torch.tensor(host(dy)))
    for path, grad in bound.params.views(bound.grad).items():
        assert_allclose(grad, leaf[path].grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=path)


def test_later_tokens_have_no_influence():
    network = Network(SMALL, 0, device=device)
    x = codes()
    other = xp.array(x)
    other[:, 3:] = (other[:, 3:] + 1) % 11
    y, changed = (network.forward(each)[0] for each in (x, other))
    assert_allclose(y[:, :3], changed[:, :3], rtol=1e-12)
    assert abs(host(y - changed)[:, 3:]).max() > 1e-3


def test_cached_keys_and_values_give_the_outputs_of_the_whole():
    network, x = Network(SMALL, 0, device=device), codes(2, 5)
    whole = network.forward(x)[0]
    cache, parts = KeyValueCache(5), []
    for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
        on = Pass(side={KEYS_AND_VALUES: cache})
        parts.append(network.forward(x[:, part], on)[0])
        cache.advance(part.stop - part.start)
    assert_allclose(xp.concatenate(parts, axis=1), whole, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="room for 5 tokens; got 5 and 1 more"):
        network.forward(x[:, :1], Pass(side={KEYS_AND_VALUES: cache}))


# Counts ------------------------------------------------------------

FULL = {
    "3M": (2_368_320, 320_320),
    "30M": (29_990_784, 17_702_784),
    "300M": (315_405_312, 282_637_312),
    "600M": (693_370_944, 650_362_944),
    "900M": (1_212_039_296, 1_158_791_296),
}
# Trained parameters without the embeddings at ranks 1, 2, 4 and 8.
TRAINED = {
    "3M": (3_096, 6_168, 12_312, 24_600),
    "30M": (30_760, 61_480, 122_920, 245_800),
    "300M": (180_312, 360_536, 720_984, 1_441_880),
    "600M": (322_680, 645_240, 1_290_360, 2_580_600),
    "900M": (452_744, 905_352, 1_810_568, 3_621_000),
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_paper_counts(name):
    config = DecoderConfig.preset(name)
    full = config.fully_trained()
    assert (full.n_params, config.n_internal) == FULL[name]
    assert full.n_params - config.n_embeddings == config.n_internal
    assert config.n_embeddings == 32_000 * config.width
    trained = [replace(config, rank=r).n_params - config.n_embeddings for r in (1, 2, 4, 8)]
    assert tuple(trained) == TRAINED[name]


def test_what_is_adapted():
    config = DecoderConfig.preset("3M", rank=8)
    attention, everything = (
        replace(config, adapt=adapt).adapted_shapes for adapt in ("attention", "all")
    )
    assert len(attention), len(everything) == (24, 42)
    assert all(".attention." in path for path in attention)
    assert everything["layers.5.mlp.down"] == (192, 64)
    assert replace(config, adapt="none").n_params == config.n_embeddings
    assert "adapter" not in config.decayed


def test_frozen_matrices_have_no_scale():
    config = replace(SMALL, adapt="attention", beta=0.5)
    network = Network(config, 0, device=device)
    betas = network.betas()
    assert betas["layers.0.attention.q"] == 0.5
    assert betas["layers.0.mlp.up"] == 1
    assert not any("mlp" in path or "norm" in path for path in network.named_parameters())


def test_controls_without_a_scaffold_keep_matrices_that_carry_no_adapter():
    """What they ask about are the matrices that are adapted."""
    config = replace(SMALL, adapt="attention", scaffold="binary", storage="packed")
    network = Network(config, 0, device=device)
    removed = network.without_scaffold()
    assert removed.theta is network.theta
    for path, scaffold in network.scaffolds.items():
        found = removed.scaffolds[path]
        if ".attention." in path:
            assert not found.dense().any()
        else:
            assert found.digest() == scaffold.digest()
            assert found.storage == "packed"
    y, other = (host(each.forward(codes())[0]) for each in (network, removed))
    assert abs(y - other).max() > 1e-3
    named = {f"layers.{i}.attention.{name}" for i in range(2) for name in "qkvo"}
    for path in named:  # the same network with a scale of zero
        network.params.views(network.theta)[f"{path}.beta"][:] = 0
    assert_allclose(network.forward(codes())[0], other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("adapt", ["all", "none"])
def test_controls_without_a_scaffold_remove_all_where_all_or_none_are_adapted(adapt):
    network = Network(replace(SMALL, adapt=adapt), 0, device=device).without_scaffold()
    assert not any(scaffold.dense().any() for scaffold in network.scaffolds.values())


def test_the_fully_trained_twin_starts_from_the_same_matrices():
    """Also from those of a control, and a scale of adapted matrices concerns no others."""
    adapted = replace(SMALL, adapt="attention", beta=0.5, rank=8)
    for config in (adapted, adapted.on_zero_scaffold()):
        full = Network(config.fully_trained(), 0, device=device)
        twin = Network(config, 0, device=device)
        weights = full.named_parameters()
        for path, layer in twin.adapted.items():
            low_rank = 0
            if layer.adapter.low_rank:
                low_rank = host(layer.B) @ host(layer.A)
            start = layer.effective_weight() - low_rank
            assert_allclose(weights[f"{path}.weight"], start, rtol=1e-6, atol=1e-6)


def test_equal_bytes_is_the_widest_of_its_depth():
    config = DecoderConfig(100, rank=8)
    found = config.resized(config.n_params)
    assert (found.depth, found.heads, found.adapter) == (6, 4, "full")
    assert found.mlp_width == 3 * found.width
    wider = replace(found, width=found.width + 8, mlp_width=3 * found.width + 24)
    assert found.n_params <= config.n_params < wider.n_params
    assert config.resized(10) is None


def test_configurations_are_plain_data():
    assert from_plain(SMALL.to_plain()) == SMALL
    assert not SMALL.merges_samples


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vocabulary": 1}, "vocabulary must be an integer of at least 2"),
        ({"width": 6}, "twice the number of heads.*width 6 and heads 2"),
        ({"heads": 0}, "heads"),
        ({"depth": 0}, "depth"),
        ({"mlp_width": 0.5}, "mlp_width"),
        ({"context": 0}, "context"),
        ({"adapt": "mlp"}, "adapt must be one of 'attention', 'all', 'none'"),
        ({"rotary_base": 0}, "rotary_base"),
        ({"norm_eps": -1e-5}, "norm_eps"),
        ({"tied": 1}, "tied"),
        ({"scaffold_removed": 1}, "scaffold_removed"),
        ({"rank": 9}, "rank must be between 1 and"),
    ],
)
def test_a_wrong_field_is_named(fields, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **fields)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match=r"preset must be one of '3M'.*got '7B'"):
        DecoderConfig.preset("7B")
