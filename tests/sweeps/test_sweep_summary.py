"""A sweep's records by arm and point, and beside published figures."""

from dataclasses import replace
from statistics import fmean, stdev

import pytest
from sweep_tools import small

from deepreservoir.reports import beside, beside_table, summary, summary_table
from deepreservoir.sweeps import Figure, Folder, Published, Run, run_sweep, runs_of

FAMILIES = ("normal", "binary")
GRID = (("scaffold", FAMILIES), ("rank", (1, 8)))


def made(run, score, **more):
    """Return a record as workers make them."""
    at = {name: list(value) if isinstance(value, tuple) else value for name, value in run.point}
    costs = {"trained": 100, "stored_bytes": 408, "seconds": 2.0, "peak_bytes": None}
    return (
        {"run": run.key, "arm": run.arm, "at": at, "seed": run.seed, "score": score} | costs | more
    )


def failure(run, error):
    at = dict(run.point)
    return {"run": run.key, "arm": run.arm, "at": at, "seed": run.seed, "error": error}


def adapter(family, rank, seed):
    return Run("adapter", (("scaffold", family), ("rank", rank)), seed)


SCORES = {
    ("normal", 1): (0.80, 0.82, 0.90),
    ("normal", 8): (0.95, 0.96, 0.97),
    ("binary", 1): (0.70, 0.75, 0.74),
    ("binary", 8): (0.94, 0.96, 0.98),
}


@pytest.fixture
def folder(tmp_path):
    """A sweep of two families and two ranks, three seeds, adapters only, in a wild order."""
    found = Folder(tmp_path, small(*GRID, seeds=3))
    records = [
        made(adapter(family, rank, seed), score, afterwards={"wrong_seed": score / 2})
        for (family, rank), scores in SCORES.items()
        for seed, score in enumerate(scores)
    ]
    found.append(records[5:])
    found.append(records[:5])
    return found


def figures(folder, *rows, tolerance=0.5):
    folder.sweep = replace(folder.sweep, published=Published("a paper", tolerance, rows))
    return beside(folder)


# By arm and point ----------------------------------------------------------------------


def test_rows_are_means_and_spreads_in_percent_in_the_order_of_arms_and_grid(folder):
    rows = [row for row in summary(folder) if row.arm == "adapter"]
    points = [(("scaffold", family), ("rank", rank)) for family in FAMILIES for rank in (1, 8)]
    assert [row.at for row in rows] == points
    for row in rows:
        scores = [100 * score for score in SCORES[tuple(dict(row.at).values())]]
        assert (row.runs, row.failed, row.notes) == (3, 0, ())
        assert row.mean == pytest.approx(fmean(scores))
        assert row.spread == pytest.approx(stdev(scores))
        assert (row.trained, row.stored_bytes, row.seconds) == (100, 408, 2.0)


def test_what_is_looked_at_afterwards_has_rows_of_its_own(folder):
    rows = summary(folder)
    assert [row.arm for row in rows] == ["adapter"] * 4 + ["wrong_seed"] * 4
    after = rows[4]
    assert after.at == rows[0].at
    assert after.mean == pytest.approx(rows[0].mean / 2)
    assert after.stored_bytes == 408


def test_a_run_that_failed_is_counted_and_its_reason_told(folder):
    run = adapter("binary", 8, 2)
    folder.append([failure(run, "TrainingDiverged: too fast")])
    (row,) = [row for row in summary(folder) if (row.arm, row.at) == (run.arm, run.point)]
    assert (row.runs, row.failed) == (2, 1)
    assert row.mean == pytest.approx(95)
    assert row.notes == ("TrainingDiverged: too fast",)
    table = summary_table(folder)
    assert "2 (1 failed)" in table
    assert "note: adapter at scaffold binary, rank 8: TrainingDiverged: too fast" in table


def test_a_point_where_all_failed_has_a_row_without_scores(tmp_path):
    folder = Folder(tmp_path, small())
    run = Run("adapter", (("rank", 1),), 0)
    folder.append([failure(run, "no memory")])
    (row,) = summary(folder)
    assert (row.runs, row.failed) == (0, 1)
    assert row.mean is row.spread is row.trained is row.stored_bytes is row.seconds is None
    assert "0 (1 failed)" in summary_table(folder)


def test_an_arm_that_was_left_out_says_why(tmp_path):
    folder = Folder(tmp_path, small())
    run = Run("echo_state", (), 0)
    record = failure(run, None)
    del record["error"]
    folder.append([record | {"left_out": "these are no images"}])
    (row,) = summary(folder)
    assert (row.runs, row.failed, row.notes) == (0, 0, ("these are no images",))
    assert "note: echo_state: these are no images" in summary_table(folder)


def test_numbers_to_predict_are_scored_as_they_are(tmp_path):
    folder = Folder(tmp_path, small(), "regression")
    folder.append([made(Run("linear", (), 0), 0.25), made(Run("full", (), 0), -1.5)])
    full, linear = summary(folder)
    assert (full.mean, linear.mean) == (-1.5, 0.25)
    table = summary_table(folder)
    assert "R²" in table
    assert "-1.5000" in table
    assert "ridge regression" in table


def test_values_that_are_tuples_none_or_true_have_their_place(tmp_path):
    grid = (("resample", (None, ("step", 2))), ("layer_norm", (False, True)))
    sweep = small(*grid)
    folder = Folder(tmp_path, sweep)
    runs = [run for run in runs_of(sweep) if run.arm == "adapter"]
    folder.append(made(run, 0.5) for run in reversed(runs))
    assert [row.at for row in summary(folder)] == [run.point for run in runs]
    table = summary_table(folder)
    assert all(word in table for word in ("none", "step 2", "true", "false"))


def test_a_folder_without_records_has_an_empty_table(tmp_path):
    folder = Folder(tmp_path, small())
    assert summary(folder) == []
    assert len(summary_table(folder).splitlines()) == 2
    assert beside(folder) == []
    assert beside_table(folder) == ""


def test_a_sweep_that_was_run_is_summed_up_whole(tmp_path):
    folder = run_sweep(small(seeds=2), tmp_path)
    rows = {(row.arm, row.at): row for row in summary(folder)}
    records = folder.records()
    expected = {(r["arm"], tuple(r["at"].items())) for r in records}
    after = {
        (arm, (("rank", rank),)) for arm in ("scaffold_removed", "wrong_seed") for rank in (1, 2)
    }
    assert set(rows) == expected | after
    row = rows["adapter", (("rank", 2),)]
    scores = [r["score"] for r in records if r["arm"] == "adapter" and r["at"] == {"rank": 2}]
    assert row.mean == pytest.approx(100 * fmean(scores))
    assert row.trained == 2 * (4 + 8) + 1 + 8 * 3 + 3  # A and B, beta, head with its bias
    assert rows["linear", ()].runs == 1  # it needs no seed


# Beside published figures --------------------------------------------------------------


def test_a_figure_takes_the_mean_over_seeds_and_the_rest_of_the_grid(folder):
    (row,) = figures(folder, Figure("adapter", (("rank", 8),), 96.0, 99))
    normal, binary = SCORES["normal", 8], SCORES["binary", 8]
    assert (row.runs, row.seeds) == (6, 3)
    assert row.mean == pytest.approx(100 * fmean(normal + binary))
    over_seeds = [100 * fmean(pair) for pair in zip(normal, binary, strict=True)]
    assert row.spread == pytest.approx(stdev(over_seeds))
    assert row.others == pytest.approx(100 * abs(fmean(normal) - fmean(binary)), abs=1e-9)
    assert row.difference == pytest.approx(row.mean - 96.0)
    assert row.trained == 100


def test_a_figure_of_one_point_has_no_rest_of_the_grid(folder):
    at = (("rank", 1), ("scaffold", "binary"))  # in any order
    (row,) = figures(folder, Figure("adapter", at, 70.0))
    assert row.runs == 3
    assert row.mean == pytest.approx(73)
    assert row.others is None


def test_a_figure_of_an_arm_afterwards_is_found(folder):
    (row,) = figures(folder, Figure("wrong_seed", (("rank", 8),), 10.0))
    assert row.mean == pytest.approx(48.0, abs=0.1)


@pytest.mark.parametrize(
    ("figure", "tolerance", "target", "met"),
    [
        (Figure("adapter", (("rank", 8),), 96.0), 0.5, 95.5, True),
        (Figure("adapter", (("rank", 8),), 96.6), 0.5, 96.1, False),
        (Figure("adapter", (("rank", 8),), 96.0), None, None, None),
        (Figure("adapter", (("rank", 8),), 99.0, None, 95.0), 0.5, 95.0, True),
        (Figure("adapter", (("rank", 8),), 50.0, None, 97.0), 0.5, 97.0, False),
        (Figure("adapter", (("rank", 8),), None, None, 95.0), 0.5, 95.0, True),
        (Figure("full", (), 98.0), 0.5, 97.5, None),
    ],
)
def test_a_target_is_met_or_missed(folder, figure, tolerance, target, met):
    (row,) = figures(folder, figure, tolerance=tolerance)
    assert row.target == (None if target is None else pytest.approx(target))
    assert row.met is met


def test_trained_parameters_that_differ_over_the_grid_are_not_told(folder):
    folder.append([made(adapter("normal", 8, 0), 0.95) | {"trained": 7}])
    (row,) = figures(folder, Figure("adapter", (("rank", 8),), 96.0))
    assert row.trained is None


def test_the_table_of_figures_says_what_was_missed_and_the_source(folder):
    rows = (
        Figure("adapter", (("rank", 8),), 96.0, 5934),
        Figure("adapter", (("rank", 1),), 99.0),
        Figure("full", (), 98.0),
    )
    figures(folder, *rows)
    head, _, met, missed, none, blank, source = beside_table(folder).splitlines()
    assert "ours, accuracy %" in head
    cells = [cell.strip() for cell in met.strip("|").split("|")]
    assert cells[1:4] == ["rank 8", "96.00 ± 1.50", "0.00"]
    assert cells[6:] == ["≥ 95.50", "yes", "100", "5,934"]
    assert "**missed**" in missed
    assert "-20.50" in missed
    assert "fully trained" in none
    assert "yes" not in none
    assert "missed" not in none
    assert (blank, source) == ("", "source: a paper")  # else it would be a row of the table
