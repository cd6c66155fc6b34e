"""A fit that needs more memory than is free is refused by part, before anything is allocated."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from deepreservoir import (
    CausalLanguageModel,
    DeepReservoirClassifier,
    Network,
    TextTransformerClassifier,
)
from deepreservoir.estimators.base import memory
from deepreservoir.models import DecoderConfig, MLPConfig

pytestmark = pytest.mark.host(reason="it is the memory of the host")

CODES = np.arange(300) % 50


def giant(**given):
    return CausalLanguageModel(preset="900M", vocabulary_size=32_000, max_iter=1, **given)


def test_a_model_that_does_not_fit_is_refused_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError) as caught:
            giant().fit(CODES)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "and 2.0 GiB are free: 4.3 GiB for frozen weights" in message
    assert "for trained parameters, gradient and moments" in message
    for remedy in ("storage='packed'", "batch_size", "recompute=True", "embeddings='scaffold'"):
        assert remedy in message


def test_what_helps_is_named_only_where_it_would(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1 << 20)
    with pytest.raises(MemoryError) as caught:
        giant(storage="streamed", recompute=True, embeddings="scaffold").fit(CODES)
    message = str(caught.value)
    assert "frozen weights" not in message
    for remedy in ("storage=", "recompute", "embeddings"):
        assert remedy not in message


@pytest.mark.parametrize(
    ("given", "helps"),
    [
        ({"scaffold": "kronecker"}, {"embeddings='scaffold'"}),
        ({"storage": "packed"}, {"embeddings='scaffold'"}),
        ({"adapter": "full"}, {"adapter='lora'"}),
        ({"adapter": "dora"}, {"storage='packed'", "embeddings='scaffold'"}),
    ],
)
def test_what_helps_depends_on_scaffold_and_adapter(given, helps, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1 << 20)
    with pytest.raises(MemoryError) as caught:
        giant(**given).fit(CODES)
    all_of_them = ("storage='packed'", "embeddings='scaffold'", "adapter='lora'")
    assert {remedy for remedy in all_of_them if remedy in str(caught.value)} == helps


def test_remedies_can_be_set(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1 << 10)
    model = TextTransformerClassifier(8, depth=1, heads=2, vocabulary_size=50, max_iter=1)
    with pytest.raises(MemoryError, match="or embeddings='adapted', which trains an adapter"):
        model.fit(CODES[:40].reshape(10, 4), np.arange(10) % 2)


@pytest.mark.parametrize("free", [None, 1 << 40])
def test_where_it_suffices_or_is_not_known_training_begins(free, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    X, y = np.eye(6), np.arange(6) % 2
    DeepReservoirClassifier((4,), rank=1, max_iter=1).fit(X, y)


def test_the_smaller_of_the_limits_of_machine_and_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory.free_memory() is None
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:    60 kB\nSwapFree: 4 kB\n")
    assert memory.free_memory() == 64 << 10
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000\n")
    assert memory.free_memory() == 64 << 10
    (tmp_path / "memory.max").write_text("6000\n")
    assert memory.free_memory() == 1000


@pytest.mark.parametrize("storage", ["dense", "packed", "streamed"])
@pytest.mark.parametrize("family", ["normal", "binary"])
def test_the_bytes_of_the_parts_are_those_of_a_network(family, storage):
    config = MLPConfig(9, 3, hidden_layer_sizes=(17, 8), scaffold=family, storage=storage)
    network = Network(config, seed=0)
    found = memory.memory_by_part(config, 4)
    held = sum(scaffold.nbytes for scaffold in network.frozen_scaffolds.values())
    assert found["frozen weights"] == held
    assert found["trained parameters, gradient and moments"] == 4 * network.theta.nbytes
    of_sgd = memory.memory_by_part(config, 4, "sgd")
    assert of_sgd["trained parameters, gradient and moments"] == 3 * network.theta.nbytes


def test_activations_of_a_decoder_are_fewer_if_they_are_recomputed():
    kept, recomputed = (
        memory.memory_by_part(DecoderConfig.preset("300M", recompute=r), 8)["activations"]
        for r in (False, True)
    )
    assert 9 * recomputed < kept


def test_layers_of_a_perceptron_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1 << 30)
    X, y = np.eye(6), np.arange(6) % 2
    with pytest.raises(MemoryError, match=r"GiB for activations.*narrower hidden_layer_sizes"):
        DeepReservoirClassifier((10_000_000,), rank=1, max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    ("given", "values"),
    [({"activation": "relu"}, 4 + 1 * 30 + 4 * 20), ({"activation": "silu"}, 4 + 2 * 30 + 4 * 20)],
)
def test_what_a_step_of_a_perceptron_keeps(given, values):
    config = MLPConfig(4, 2, (10, 20), rank=1, **given)
    assert config.training_sample_bytes == 4 * values
    assert replace(config, dropout=0.5).training_sample_bytes == 4 * (values + 30)
