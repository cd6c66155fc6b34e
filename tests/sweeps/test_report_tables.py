"""The tables of a report: what records say, how far a sweep has come, and what failed."""

from collections import Counter
from dataclasses import replace
from statistics import fmean, stdev

import pytest
from report_tools import (
    RANKS,
    broken,
    cells,
    empty,
    filled,
    numbers,
    page_of,
    ranks,
    record_of,
    score_of,
)
from sweep_tools import small

from deepreservoir.experiments import Protocol
from deepreservoir.reports import summary
from deepreservoir.sweeps import Figure, Published, Run, Sweep, run_sweep, runs_of

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"

pytestmark = pytest.mark.usefixtures("without_pictures")


# What the tables say -------------------------------------------------------------------


def scores(arm, rank=None):
    point = () if rank is None else (("rank", rank),)
    return [100 * score_of(Run(arm, point, seed)) for seed in range(3)]


def as_cell(values):
    return f"{fmean(values):.2f} ± {stdev(values):.2f}"


def test_every_arm_and_point_has_its_mean_and_spread(tmp_path):
    rows = cells(page_of(ranks(tmp_path)), "all")
    found = {(row["arm"], row["rank"]): row for row in rows}
    names = {
        "adapter": "adapter",
        "equal_bytes": "dense, same bytes",
        "no_scaffold": "no scaffold",
    }
    for arm, name in names.items():
        for rank in RANKS:
            row = found.pop((name, str(rank)))
            assert row["accuracy, %"] == as_cell(scores(arm, rank))
            assert row["trained parameters"] == f"{1000 * rank:,}"
            assert row["stored bytes"] == f"{4000 * rank + 8:,}"
            assert row["runs"] == "3"
            lost = [NONE, NONE]
            if arm == "adapter":
                lost = [as_cell([s - fall for s in scores(arm, rank)]) for fall in (50, 60)]
            assert [row["scaffold removed"], row["wrong seed"]] == lost
    assert found.pop(("fully trained", NONE))["accuracy, %"] == as_cell(scores("full"))
    assert found.pop(("logistic regression", NONE))["runs"] == "1"
    assert set(found) == {("random features", NONE), ("echo state", NONE)}


def test_a_regression_has_four_digits_and_its_own_words(tmp_path):
    page = page_of(numbers(tmp_path))
    rows = {(row["arm"], row["rank"]): row for row in cells(page, "all")}
    values = [score_of(Run("adapter", (("rank", 1),), seed)) - 1.5 for seed in range(3)]
    expected = f"{MINUS}{-fmean(values):.4f} ± {stdev(values):.4f}"
    assert rows["adapter", "1"]["R²"] == expected
    assert ("ridge regression", NONE) in rows
    assert "accuracy" not in page.all("main")[0].text.lower()


def published(path, tolerance, *figures, make=None):
    sweep = replace(small(("rank", RANKS), seeds=3), published=Published("a", tolerance, figures))
    return page_of(filled(path, sweep, make))


def test_ours_stand_beside_published(tmp_path):
    page = published(
        tmp_path,
        0.5,
        Figure("adapter", (("rank", 1),), 90.0, 1000),
        Figure("adapter", (("rank", 4),), 99.0),
        Figure("adapter", (), 95.0),
        Figure("full", (), 90.0, at_least=96.4),
        Figure("linear", (), None),
    )
    rows = cells(page, "beside")
    ours = [scores("adapter", 1), scores("adapter", 4), scores("full")]
    assert [rows[i]["ours, %"] for i in (0, 1, 3)] == [as_cell(values) for values in ours]
    assert [row["at"] for row in rows] == ["rank 1", "rank 4", NONE, NONE, NONE]
    assert [row["published"] for row in rows] == ["90.00", "99.00", "95.00", "90.00", NONE]
    assert rows[0]["difference"] == f"+{fmean(ours[0]) - 90:.2f}"
    assert rows[1]["difference"] == f"{MINUS}{99 - fmean(ours[1]):.2f}"
    assert [row["target"] for row in rows] == ["≥ 89.50", "≥ 98.50", "≥ 94.50", "≥ 96.40", NONE]
    verdicts = ["✓ met", "✗ missed", "✗ missed", "✗ missed", NONE]
    assert [row["verdict"] for row in rows] == verdicts
    between = fmean(ours[1]) - fmean(ours[0])
    expected = [NONE, NONE, f"{between:.2f}", NONE, NONE]
    assert [row["range over other parameters"] for row in rows] == expected
    assert [row["published 9"] for row in rows] == ["1,000"] + [NONE] * 4
    words = "1 of 4 targets are met. Missed: adapter, rank 4; adapter; fully trained."
    assert words in page.all("main")[0].text


def test_a_target_without_runs_is_not_met_and_not_missed(tmp_path):
    figures = (Figure("adapter", (("rank", 1),), 90.0), Figure("adapter", (("rank", 4),), 90.0))
    page = published(
        tmp_path, 0.5, *figures,
        make=lambda run: None if run.value("rank") == 4 else record_of(run, score_of(run)),
    )  # fmt: skip
    assert [row["verdict"] for row in cells(page, "beside")] == ["✓ met", "no runs yet"]
    assert "1 of 2 targets are met. 1 target has no runs yet." in page.all("main")[0].text


def test_without_targets_there_is_no_verdict(tmp_path):
    (row,) = cells(published(tmp_path, None, Figure("full", (), 90.0)), "beside")
    assert "verdict" not in row
    assert "target" not in row


def test_a_sweep_without_published_figures_has_no_such_table(tmp_path):
    page = page_of(ranks(tmp_path))
    assert "beside-caption" not in {e.attributes.get("id") for e in page.all()}


@pytest.mark.slow
def test_a_real_sweep_of_digits(tmp_path):
    quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    sweep = Sweep("tiny", "digits", None, None, (0,), quick, (("rank", (1, 2)),))
    folder = run_sweep(sweep, tmp_path / "sweep")
    page = page_of(folder.path)
    rows = cells(page, "all")
    own = [row for row in summary(folder) if row.arm not in ("scaffold_removed", "wrong_seed")]
    assert len(rows) == len(own)
    for row, of in zip(rows, own, strict=True):
        assert float(row["accuracy, %"]) == pytest.approx(of.mean, abs=0.006)
        assert row["trained parameters"] == f"{of.trained:,}"
    text = page.all("header")[0].text
    assert "digits" in text
    assert f"{len(runs_of(sweep))} of {len(runs_of(sweep))}" in text
    assert "hidden_layer_sizes 16; max_iter 1;" in text
    assert folder.began["machine"]["processor"] in text
    assert "Incomplete" not in text


# How far it has come -------------------------------------------------------------------


def test_a_sweep_that_has_just_begun_says_so(tmp_path):
    page = page_of(empty(tmp_path))
    text = page.text
    assert "Incomplete: 0 of 10 runs have ended" in text
    assert "There are no results yet." in text
    assert not page.all("svg")
    assert cells(page, "all") == []


def test_what_failed_and_what_was_left_out_is_told(tmp_path):
    page = page_of(broken(tmp_path))
    total = len(runs_of(small(("rank", RANKS), seeds=3)))
    # Adapter and no_scaffold at rank 4: failed for two seeds, not there for the third.
    text = page.all("header")[0].text
    assert f"Incomplete: {total - 2} of {total} runs have ended" in text
    assert "4 runs failed: see the errors." in text
    assert page.by_id("failed").name == "h2"
    assert f"{total - 6} of {total}" in text
    rows = cells(page, "failures")
    assert Counter((row["arm"], row["at"], row["error"]) for row in rows) == {
        ("adapter", "rank 4", "TrainingDiverged: too fast"): 2,
        ("no scaffold", "rank 4", "TrainingDiverged: too fast"): 2,
    }
    assert sorted(row["seed"] for row in rows) == ["0", "0", "1", "1"]
    listed = [item.text for item in page.all("li")]
    assert "dense, same bytes: left out because no dense network fits into 12 bytes." in listed
    (failed,) = [r for r in cells(page, "all") if (r["arm"], r["rank"]) == ("adapter", "4")]
    assert (failed["accuracy, %"], failed["runs"]) == (NONE, "0 (2 failed)")


def test_a_whole_sweep_has_no_warnings(tmp_path):
    page = page_of(ranks(tmp_path))
    assert not [e for e in page.all() if e.attributes.get("role") == "note"]
    assert "failures-caption" not in {e.attributes.get("id") for e in page.all()}
