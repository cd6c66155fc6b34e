"""Differences from controls are paired by seed and have intervals."""

from dataclasses import replace

import numpy as np
import pytest
from report_tools import cells, filled, numbers, page_of, ranks, record_of, score_of
from scipy import stats
from sweep_tools import small

from deepreservoir.reports import (
    beside_table,
    control_table,
    paired_differences,
    paired_table,
    summary,
)
from deepreservoir.sweeps import Figure, Folder, Published

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


def test_points_are_in_the_order_of_the_grid(tmp_path):
    grid = ("scaffold", ("normal", "binary")), ("rank", (1, 4))
    folder = Folder(filled(tmp_path / "families", small(*grid, seeds=2)))
    points = dict.fromkeys(each.at for each in paired_differences(folder))
    assert list(points) == [row.at for row in summary(folder) if row.arm == "adapter"]
    for table in (paired_table(folder), control_table(folder)):
        assert "| scaffold binary, rank 4 " in table


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


def test_table_by_control(tmp_path):
    lines = control_table(Folder(ranks(tmp_path / "ranks"))).splitlines()
    heads = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert heads[:3] == ["adapter at, minus", "fully trained", "dense, same stored bytes"]
    assert len(heads) == 1 + 8
    cells = [cell.strip() for cell in lines[3].strip("|").split("|")]
    assert cells[:3] == ["rank 4", "-5.00 ± 0.00", "+5.00 ± 0.00"]
    one = small(("rank", (1,)), seeds=1)
    folder = Folder(filled(tmp_path / "one", one, lambda run: record_of(run, score_of(run))))
    assert "±" not in control_table(folder)
    assert "0.5000" in control_table(Folder(numbers(tmp_path / "numbers")))


def test_differences_on_the_page(tmp_path, without_pictures):
    rows = cells(page_of(ranks(tmp_path / "ranks")), "differences")
    found = {(row["adapter at"], row["minus"]): row for row in rows}
    assert len(found) == len(rows) == 2 * 8
    row = found["rank 4", "fully trained"]
    assert row["seeds"] == "3"
    assert row["difference, points"] == "\N{MINUS SIGN}5.00"
    assert row["95 % interval"] == "\N{MINUS SIGN}5.00 to \N{MINUS SIGN}5.00"
    rows = cells(page_of(numbers(tmp_path / "numbers")), "differences")
    assert "+0.5000" in {row["difference, R²"] for row in rows}


def test_a_run_without_a_seed_of_its_own_is_paired_with_all(tmp_path):
    sweep = replace(small(("rank", (1,)), seeds=3), dataset="cora")
    score = lambda run: {"label_propagation": 0.7}.get(run.arm) or score_of(run)  # noqa: E731
    folder = Folder(filled(tmp_path / "cora", sweep, lambda run: record_of(run, score(run))))
    found = {each.arm: each for each in paired_differences(folder)}
    assert found["label_propagation"].seeds == 3
    assert found["label_propagation"].mean == pytest.approx(0.9 + 0.0025 + 0.001 - 0.7)


def test_shares_name_their_denominator(tmp_path, without_pictures):
    page = page_of(ranks(tmp_path / "ranks"))
    rows = {(row["arm"], row["rank"]): row for row in cells(page, "all")}
    assert rows["adapter", "4"]["% of 9,000"] == "44.4"
    assert rows["fully trained", "\N{EN DASH}"]["% of 9,000"] == "100.0"
    figures = (Figure("adapter", (("rank", 4),), 90.0, 4000),)
    sweep = replace(small(("rank", (1, 4)), seeds=1), published=Published("a paper", None, figures))
    folder = Folder(filled(tmp_path / "published", sweep))
    head, _, row, *_ = beside_table(folder).splitlines()
    assert [line.strip("|").split("|")[-1].strip() for line in (head, row)] == [
        "% of 9,000",
        "44.4",
    ]
