"""The races of a device run, on the stand-in at small sizes."""

import importlib

import pytest


def imported(name):
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def small(cupy, monkeypatch):
    races = imported("device_speed")
    for name, value in {"ROWS": 40, "BATCH": 16, "EPOCHS": 1}.items():
        monkeypatch.setattr(races, name, value)
    monkeypatch.setattr(imported("speed"), "BATCH", 16)
    monkeypatch.setattr(imported("timing"), "_PAUSE", 0.0)
    monkeypatch.setattr(races.torch_peers, "available", lambda: False)
    return races


def test_layers_of_every_storage_are_timed_at_both_precisions(small):
    figures = small.one_layer(1, width=64)
    assert set(figures["median_seconds"]) == {
        name + suffix for name in small._STORAGES for suffix in ("", ", tf32")
    }
    assert {pair["faster"] for pair in figures["ratios"]} >= {"dense", "dense, tf32"}


def test_the_other_races_run(small):
    figures = small.generation(1, width=32)
    assert all(rate > 0 for rate in figures["billion_weights_per_second"].values())
    assert set(small.giant_layer(1, width=32)["median_seconds"]) == {"streamed", "streamed, tf32"}
    assert set(small.mnist_epoch(1, rows=40)["median_seconds"]) == {
        "rank 8", "rank 8, tf32", "rank 8, hadamard", "full",
    }  # fmt: skip
    figures = small.reservoir(1, units=16, steps=8)
    assert len(figures["microseconds_per_step"]) == 4
