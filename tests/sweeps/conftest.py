"""Runs of small sweeps take milliseconds."""

import pytest

from deepreservoir.experiments.comparisons import resources


@pytest.fixture(autouse=True)
def _without_collections(monkeypatch):
    """Leave out the garbage collection before each fit, which takes longer than these fits."""
    monkeypatch.setattr(resources, "_release_free_memory", lambda: None)


@pytest.fixture
def without_pictures(monkeypatch):
    """Leave the pictures out of reports, which take longer than all else of them."""
    monkeypatch.setattr("deepreservoir.reports.page.pictures", lambda found: [])
