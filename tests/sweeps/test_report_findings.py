"""What a report says of the figures: each sentence where they bear it out, and only there."""

import pytest
from report_tools import filled, gathered, ranks, record_of, score_of
from sweep_tools import small

from deepreservoir.reports.findings import findings, pairs


def said(path):
    """Return the sentences by topic, spaces that do not break as plain ones."""
    return {topic: words.replace("\N{NO-BREAK SPACE}", " ") for topic, words in found(path)}


def found(path):
    return findings(gathered(path))


def scored(**scores):
    """Return a scorer: an arm's mean, 0.9 for others, with 0.01 between seeds."""

    def score(run):
        mean = scores.get(run.arm, 0.9)
        mean = mean.get(run.value("rank")) if isinstance(mean, dict) else mean
        return mean + 0.01 * (run.seed - 1)

    return score


def test_the_adapters_are_measured_by_the_full_network(tmp_path):
    words = said(ranks(tmp_path, scored(adapter={1: 0.80, 4: 0.95}, full=0.97)))["Adapters"]
    assert words == (
        "The adapter reaches 95.00 % at rank 4, 2.00 points below the fully trained network "
        "(97.00 %), with 4,000 trained parameters instead of 9,000 (44.4 %)."
    )


@pytest.mark.parametrize("lead", [0.0, 0.00004, -0.00004])
def test_what_is_no_difference_to_the_last_digit_is_none(tmp_path, lead):
    words = said(ranks(tmp_path, scored(adapter=0.9 + lead, full=0.9)))["Adapters"]
    assert "at rank 4, level with the fully trained network (90.00 %)" in words


def test_several_adapters_are_told_from_worst_to_best(tmp_path):
    score = {"normal": 0.90, "binary": 0.95}
    sweep = small(("scaffold", ("normal", "binary")), ("rank", (1, 4)), seeds=3)

    def make(run):
        return record_of(run, score.get(run.value("scaffold"), 0.92) + 0.001 * run.seed)

    words = said(filled(tmp_path, sweep, make))
    assert words["Adapters"].startswith(
        "Adapters at rank 4 score between 90.10 % (scaffold normal) and 95.10 % (scaffold binary). "
        "The best is 3.00 points above the fully trained network (92.10 %)"
    )
    assert words["Families"] == (
        "The scores of the best and the worst family differ by 5.00 points at rank 1 (binary and "
        "normal), 5.00 points at rank 4 (binary and normal). The typical standard deviation over "
        "the seeds of one family is 0.10 points."
    )


@pytest.mark.parametrize(
    ("control", "where"),
    [
        ({1: 0.90, 4: 0.50}, "rank 1"),
        ({1: 0.50, 4: 0.891}, "rank 4"),  # within one standard deviation
        ({1: 0.95, 4: 0.90}, "every rank"),
    ],
)
def test_a_control_without_a_scaffold_that_is_as_good_is_admitted(tmp_path, control, where):
    words = said(ranks(tmp_path, scored(adapter=0.90, no_scaffold=control)))["No scaffold"]
    assert f"below the adapter, or above it, at {where}. There, this task does not" in words
    assert ("Elsewhere, the scaffold is worth 40.00 points." in words) == (where != "every rank")


def test_a_control_without_a_scaffold_that_is_worse_is_told_by_how_much(tmp_path):
    controls = {1: 0.70, 4: 0.885}  # more than the deviation of 0.01
    words = said(ranks(tmp_path, scored(adapter=0.90, no_scaffold=controls)))["No scaffold"]
    assert words == (
        "Without a scaffold (W = 0), the low-rank path alone is worse than the adapter at every "
        "rank, by at least 1.50 points (rank 4): the scaffold helps on this task."
    )


@pytest.mark.parametrize(
    ("dense", "expected"),
    [
        ({1: 0.80, 4: 0.85}, "The adapter is better than a dense network of the same stored size "
         "at every rank, by at least 5.00 points (rank 4)."),
        ({1: 0.95, 4: 0.85}, "A dense network of the same stored size is better than the adapter "
         "at rank 1, by up to 5.00 points (rank 1). If only the file size matters, it is the "
         "better choice there. The adapter is better at rank 4, by 5.00 points."),
        ({1: 0.95, 4: 0.895}, "A dense network of the same stored size is better than the adapter "
         "at rank 1, by up to 5.00 points (rank 1). If only the file size matters, it is the "
         "better choice there. It is as good as the adapter, within one standard deviation, at "
         "rank 4."),
        ({1: 0.80, 4: 0.905}, "A dense network of the same stored size is as good as the adapter, "
         "within one standard deviation, at rank 4. The adapter is better at rank 1, by 10.00 "
         "points."),
    ],
)  # fmt: skip
def test_a_dense_network_of_the_same_bytes_is_owned_up_to(tmp_path, dense, expected):
    assert said(ranks(tmp_path, scored(adapter=0.9, equal_bytes=dense)))["Same bytes"] == expected


def test_adapters_that_lose_without_their_scaffold_use_it(tmp_path):
    assert said(ranks(tmp_path))["Use of the scaffold"] == (
        "Removing the scaffold after training costs 50.00 points. Replacing it with another "
        "seed's scaffold costs 60.00 points. The trained adapters need the scaffold that they "
        "were trained on."
    )


def test_adapters_that_lose_nothing_without_it_do_not(tmp_path):
    def make(run):
        score = score_of(run)
        after = {"scaffold_removed": score - 0.0005, "wrong_seed": score - 0.2}
        return record_of(run, score, **({"afterwards": after} if run.arm == "adapter" else {}))

    sweep = small(("rank", (1, 4)), seeds=3)
    words = said(filled(tmp_path, sweep, make))["Use of the scaffold"]
    assert words == (
        "Removing the scaffold after training costs at most one standard deviation at "
        "every rank: there, the trained adapter does not use its scaffold. Replacing it with "
        "another seed's scaffold costs 20.00 points."
    )


def test_cheap_references_that_reach_an_adapter_are_named(tmp_path):
    score = scored(adapter={1: 0.85, 4: 0.95}, linear=0.87, random_features=0.5, echo_state=0.99)
    words = said(ranks(tmp_path, score))["Simple references"]
    assert words == (
        "Logistic regression: 86.00 % (as good as the adapter, or better, at rank 1); random "
        "features: 50.00 % (below all adapters); echo state: 99.00 % (as good as the adapter, or "
        "better, at every rank)."
    )


def test_schedules_are_told_with_their_betas(tmp_path):
    sweep = small(("resample", (None, "epoch")), ("rank", (1, 4)), seeds=3)

    def make(run):
        anew = run.value("resample") is not None
        betas = {"layers.0": -0.02, "layers.1": 0.04} if anew else {"layers.0": 1.5}
        more = {"betas": betas} if run.arm == "adapter" else {}
        return record_of(run, 0.6 if anew else 0.9, **more)

    words = said(filled(tmp_path, sweep, make))
    assert words["Resampling"] == (
        "Mean scores by schedule: 90.00 % for none (median |beta| 1.5); 60.00 % for epoch "
        "(median |beta| 0.03)."
    )
    assert "at every rank with resample epoch" not in words["No scaffold"]  # those are 0.9 too
    assert "at every grid point" in words["No scaffold"]


def test_points_of_a_grid_are_told_as_short_as_can_be(tmp_path):
    sweep = small(("b_init", ("zeros", "kaiming")), ("rank", (1, 2, 4)), seeds=1)

    def make(run):
        high = {"no_scaffold": 0.8, "equal_bytes": 0.8 + 0.05 * (run.value("rank") == 2)}
        if run.arm == "adapter":
            return record_of(run, 0.81 if run.value("b_init") == "zeros" else 0.79)
        return record_of(run, high.get(run.arm, 0.5))

    words = said(filled(tmp_path, sweep, make))
    assert "at every rank with b_init kaiming. There" in words["No scaffold"]
    assert "is better than the adapter at 4 of 6 grid points" in words["Same bytes"]
    assert "One seed per grid point" in words["Seeds"]


def test_a_control_answers_for_the_adapters_of_its_point(tmp_path):
    sweep = small(("layer_norm", (False, True)), ("rank", (1, 4)), seeds=1)
    of = gathered(filled(tmp_path, sweep))
    for arm, controls in (("no_scaffold", 4), ("full", 2), ("echo_state", 1)):
        compared = pairs(of, arm)
        assert len(compared) == 4
        assert len({pair.control.at for pair in compared}) == controls
        assert all(set(p.control.at) <= set(p.adapter.at) for p in compared)


@pytest.mark.parametrize(("seeds", "words"), [(1, "One seed"), (2, "Two seeds"), (3, None)])
def test_few_seeds_are_owned_up_to(tmp_path, seeds, words):
    topics = said(filled(tmp_path, small(seeds=seeds)))
    assert topics.get("Seeds", "").startswith(words or "")
    assert ("Seeds" in topics) == (words is not None)


def test_a_regression_is_told_in_r2(tmp_path):
    words = said(ranks(tmp_path, scored(adapter=0.5, full=0.75), task="regression"))["Adapters"]
    assert (
        "reaches R² 0.5000 at rank 4, 0.2500 below the fully trained network (R² 0.7500)" in words
    )


def test_without_scores_nothing_is_said(tmp_path):
    assert found(filled(tmp_path, small(), lambda run: None)) == []


def test_controls_that_were_not_run_everywhere_are_not_said_to_be(tmp_path):
    def make(run):
        restricted = run.arm in ("no_scaffold", "equal_bytes") and run.value("rank") == 1
        return None if restricted else record_of(run, scored(no_scaffold=0.5, equal_bytes=0.9)(run))

    grid = (("scaffold", ("normal", "binary")), ("rank", (1, 2)))
    words = said(filled(tmp_path, small(*grid, seeds=3), make))
    assert "each of the 2 grid points, out of 4, that have this control" in words["No scaffold"]
    assert "each of the 2 grid points, out of 4, that have this control" in words["Same bytes"]


def test_a_rank_that_the_layers_choose_takes_part(tmp_path):
    scores = {1: 0.5, 2: 0.6, "auto": 0.9}
    sweep = small(("rank", (1, 2, "auto")), seeds=3)
    path = filled(
        tmp_path, sweep, lambda run: record_of(run, scored(adapter=scores, full=0.7)(run))
    )
    assert "The best is 20.00 points above the fully trained network" in said(path)["Adapters"]
