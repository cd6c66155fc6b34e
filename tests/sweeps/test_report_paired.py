"""Differences from controls are paired by seed and have intervals."""

import numpy as np
import pytest
from report_tools import filled, numbers, ranks, record_of, score_of
from scipy import stats
from sweep_tools import small

from deepreservoir.reports import paired_differences, paired_table
from deepreservoir.sweeps import Folder

pytestmark = pytest.mark.host(reason="nothing is computed")


def test_pairs_of_seeds(tmp_path):
    noise = np.random.default_rng(0).normal(size=(2, 3))

    def score(run):
        return score_of(run) + 0.01 * noise[int(run.arm == "full"), run.seed]

    folder = Folder(ranks(tmp_path / "ranks", score))
    found = {(dict(each.at)["rank"], each.arm): each for each in paired_differences(folder)}
    difference = found[4, "full"]
    values = 0.90 + 0.01 - 0.96 + 0.01 * (noise[0] - noise[1])
    assert difference.seeds == 3
    assert difference.mean == pytest.approx(values.mean())
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert difference.half_width == pytest.approx((high - low) / 2)
    # A run's own evaluations are paired with it; the linear model has one seed for all.
    assert found[1, "scaffold_removed"].mean == pytest.approx(0.5)
    assert found[1, "linear"].seeds == 3
    # Controls of equal rank are those of the adapter's rank.
    assert found[4, "no_scaffold"].mean == pytest.approx(
        0.1 + 0.01 * noise[0].mean() - 0.01 * noise[0].mean()
    )


def test_table(tmp_path):
    folder = Folder(ranks(tmp_path / "ranks"))
    lines = paired_table(folder).splitlines()
    assert lines[0].startswith("| adapter at")
    assert len(lines) == 2 + 2 * 8
    assert any("rank 4" in line and "-5.00" in line for line in lines)
    one = small(("rank", (1,)), seeds=1)
    folder = Folder(filled(tmp_path / "one", one, lambda run: record_of(run, score_of(run))))
    assert all(each.half_width is None for each in paired_differences(folder))
    assert "0.5000" in paired_table(Folder(numbers(tmp_path / "numbers")))
