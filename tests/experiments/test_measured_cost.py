"""measured(): seconds always, the peak of memory where the system tells."""

import sys

import numpy as np
import pytest

from deepreservoir.experiments.comparisons import resources
from deepreservoir.experiments.comparisons.resources import measured

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak is read from /proc"
)


def test_fields_are_filled_when_the_block_ends_and_not_before():
    with measured() as cost:
        assert (cost.seconds, cost.peak_bytes) == (0.0, None)
    assert cost.seconds > 0


def test_a_block_that_raises_is_measured_and_goes_on_raising():
    with pytest.raises(KeyError), measured() as cost:
        raise KeyError
    assert cost.seconds > 0


@linux
def test_the_peak_is_that_of_the_block_over_what_was_there():
    resident = np.ones(8 << 20)  # 64 MiB that were there before
    with measured() as cost:
        passing = np.ones(4 << 20)  # 32 MiB, freed before the end
        del passing
    assert cost.peak_bytes is not None
    # The kernel counts pages in batches, so its figure may be a few hundred kB behind.
    assert 31 << 20 <= cost.peak_bytes < 48 << 20
    assert resident.all()


@linux
def test_an_earlier_peak_does_not_count():
    np.ones(8 << 20).sum()
    with measured() as cost:
        pass
    assert cost.peak_bytes is not None
    assert cost.peak_bytes < 8 << 20


def test_a_system_that_does_not_tell_gives_no_peak(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(resources, "_CLEAR", tmp_path / "no" / "none")
    with measured() as cost:
        pass
    assert cost.peak_bytes is None
    assert cost.seconds > 0


def test_a_status_without_the_field_gives_no_peak(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("Name:\tpython\n")
    monkeypatch.setattr(resources, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(resources, "_CLEAR", tmp_path / "clear")
    with measured() as cost:
        pass
    assert cost.peak_bytes is None
