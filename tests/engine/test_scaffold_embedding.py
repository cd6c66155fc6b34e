"""Embeddings of tokens on scaffolds: gradients, counts, files, and what is never written out."""

from dataclasses import replace

import numpy as np
import pytest
from gradcheck import TRAINING, bind, bound_network, check_gradients, normal
from target import assert_allclose, assert_array_equal, device, host, put

from deepreservoir import CausalLanguageModel, Network, load, save
from deepreservoir.layers import Adapter, ScaffoldEmbedding, Sequential, TiedOutput
from deepreservoir.models import PRESETS, DecoderConfig, from_plain
from deepreservoir.scaffold import Scaffold

MODES = ("lora", "dora", "full", "none")
# A large eps limits the curvature, and so the error of differences.
SMALL = DecoderConfig(
    11,
    8,
    2,
    2,
    6,
    context=5,
    norm_eps=0.1,
    rank=2,
    b_init="kaiming",
    dtype="float64",
    embeddings="scaffold",
)


def codes(n=3, t=5, vocabulary=11, seed=0):
    return put(np.random.default_rng(seed).integers(0, vocabulary, (n, t)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("learn_beta", [True, False])
def test_gradients_of_the_layer_and_of_the_tied_output(mode, learn_beta):
    adapter = Adapter(mode, 2, 0.7, beta=1.3, learn_beta=learn_beta, b_init="kaiming")
    embedding = ScaffoldEmbedding("embedding", 11, 4, adapter)
    check_gradients(bind(embedding), codes(), needs_dx=False)
    tied = bind(Sequential([embedding, TiedOutput("head", embedding)]))
    check_gradients(tied, codes(), needs_dx=False)


@pytest.mark.parametrize("mode", MODES)
def test_an_embedding_is_a_row_of_the_matrix_of_the_output(mode):
    embedding = ScaffoldEmbedding("embedding", 11, 4, Adapter(mode, 2, b_init="kaiming"))
    bind(Sequential([embedding, TiedOutput("head", embedding)]))
    table = embedding.matrix.effective_weight()
    found = host(embedding.forward(codes())[0])
    assert_allclose(put(found), table[host(codes())], rtol=1e-12)
    x = normal(3, 4)
    expected = host(x) @ table.T
    assert_allclose(TiedOutput("head", embedding).forward(x)[0], expected, rtol=1e-10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tied": False, "adapt": "all"},
        {"adapter_dropout": 0.3, "scaffold": "binary", "storage": "packed", "recompute": True},
        {"scaffold": "kronecker"},
        {"scaffold": "hadamard", "beta": "fixed"},
    ],
)
def test_gradients_of_the_network(mode, options):
    bound = bound_network(Network(replace(SMALL, adapter=mode, **options), 0, device=device))
    check_gradients(bound, codes(), needs_dx=False)


@pytest.mark.parametrize("storage", ["packed", "streamed"])
def test_storages_give_the_same_outputs(storage):
    config = replace(SMALL, scaffold="normal_4bit")
    dense = Network(config, 0, device=device)
    other = Network(replace(config, storage=storage), 0, device=device)
    assert_allclose(other.forward(codes())[0], dense.forward(codes())[0], rtol=1e-12)


@pytest.mark.parametrize("storage", ["packed", "streamed"])
@pytest.mark.host(reason="which rows are drawn is the same on a device")
def test_the_table_is_never_written_out(storage, monkeypatch):
    config = DecoderConfig(
        3000, 8, 1, 2, 4, 4, scaffold="binary", storage=storage, rank=2, embeddings="scaffold"
    )
    network = Network(config, 0)
    embedding = network.scaffolds["embedding"]
    assert embedding.nbytes <= 3000
    rows = 64
    monkeypatch.setattr("deepreservoir.scaffold.storage.tile_bytes", lambda device: rows * 4 * 8)
    largest = []
    rows_of = type(embedding)._product_rows

    def watched(self, rows, dtype):
        largest.append(len(rows))
        return rows_of(self, rows, dtype)

    monkeypatch.setattr(type(embedding), "_product_rows", watched)
    monkeypatch.setattr(Scaffold, "dense", None)
    batch = codes(2, 4, 3000)
    y, cache = network.forward(batch, TRAINING)
    network.backward(np.ones_like(y), cache)
    assert max(largest) == rows
    assert network.grad.any()


def test_counts():
    """Adapters of the paper's sizes and of 32,000 tokens: 8 r width + 4 per block, as before."""
    for name, sizes in PRESETS.items():
        for rank in (1, 8):
            trained = DecoderConfig.preset(name, rank=rank)
            config = replace(trained, embeddings="scaffold")
            assert trained.n_embeddings == 32_000 * sizes["width"]
            assert config.n_embeddings == rank * (32_000 + sizes["width"]) + 1
            internal = sizes["depth"] * (8 * rank * sizes["width"] + 4)
            assert config.n_params == config.n_embeddings + internal
            assert config.fully_trained().n_params == trained.fully_trained().n_params
            untied = replace(config, tied=False)
            assert untied.n_embeddings == 2 * config.n_embeddings
    assert replace(config, adapter="none").n_embeddings == 0


def test_files_of_before_have_trained_embeddings():
    plain = replace(SMALL, embeddings="trained").to_plain()
    del plain["embeddings"]
    assert from_plain(plain).embeddings == "trained"


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"embeddings must be one of .*; got 'frozen'"):
        DecoderConfig(11, embeddings="frozen")
    with pytest.raises(ValueError, match="embeddings must be one of"):
        CausalLanguageModel(embeddings="frozen").fit(np.arange(40) % 7)
    with pytest.raises(
        ValueError, match=r"min\(d_in, d_out\) = 7 for embedding \(16 -> 7\); got 8"
    ):
        DecoderConfig(7, 16, rank=8, embeddings="scaffold")


@pytest.fixture(scope="module")
def fitted():
    """A model of the numbers from 0 to 6 in turn, with a streamed scaffold, and these numbers."""
    text = np.arange(2000) % 7
    model = CausalLanguageModel(
        width=16,
        depth=1,
        mlp_width=16,
        vocabulary_size=40,
        context=8,
        rank=8,
        storage="streamed",
        embeddings="scaffold",
        learning_rate_init=0.02,
        max_iter=6,
        random_state=0,
    )
    return model.fit(text), text


@pytest.mark.parametrize("dtype", [None, "float16", "int8"])
def test_a_language_model_learns_is_saved_and_generates(fitted, tmp_path, dtype):
    model, text = fitted
    assert model.score(text) > -0.2
    loaded = load(save(model, tmp_path / "m.safetensors", dtype=dtype))
    assert loaded.embeddings == "scaffold"
    assert loaded.score(text) == pytest.approx(model.score(text), abs=0.05 if dtype else 0)
    for each in (model, loaded):
        found = each.generate([0, 1], max_new_tokens=8, temperature=0)
        assert_array_equal(put(found), [2, 3, 4, 5, 6, 0, 1, 2])
