"""The benchmark of series runs, on small sizes, and states what was asked of it."""

import pytest

from benchmarks import series, torch_peers

pytestmark = pytest.mark.host(reason="it measures the host")


def test_speed(monkeypatch):
    monkeypatch.setattr("benchmarks.timing._PAUSE", 0.0)
    monkeypatch.setattr(series, "STEPS", 3)
    found = series.speed(1, series=20, units=8, backbone=4)
    assert set(found["median_seconds"]) >= {"rank 4", "full"}
    if torch_peers.available():
        assert found["ratios"][0]["target"] == 0.7
        assert found["ratios"][0]["than"] == "torch full"


def test_memory():
    found = series.memory(steps=20, batch=4, units=8, backbone=4)
    assert found["kept"]["target_bytes"] == 1_500_000_000
    assert found["recomputed"]["target_bytes"] == 300_000_000
