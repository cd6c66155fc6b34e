"""Which runs a sweep has: the grid, every control once; and which go side by side."""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from sweep_tools import small

from deepreservoir.experiments import ARMS
from deepreservoir.experiments.comparisons.arms import AFTERWARDS
from deepreservoir.sweeps import Figure, Published, Run, jobs_of, run_sweep, runs_of
from deepreservoir.sweeps.runs import SIDE_BY_SIDE, check_published


def arms(runs):
    return Counter(run.arm for run in runs)


def test_every_control_is_always_there_and_each_run_once():
    runs = runs_of(small(("rank", (1, 2, 4)), seeds=2))
    assert arms(runs) == {
        "adapter": 6,
        "no_scaffold": 6,
        "equal_bytes": 6,
        "full": 2,
        "random_features": 2,
        "echo_state": 2,
        "linear": 1,
    }
    assert set(arms(runs)) | set(AFTERWARDS) == set(ARMS)
    assert len({run.key for run in runs}) == len(set(runs)) == len(runs)


def test_arms_and_controls_can_be_restricted():
    sweep = small(("rank", (1, 2, 4)), seeds=2)
    some = replace(sweep, arms=("adapter", "no_scaffold"), controls=(("rank", (4,)),))
    assert arms(runs_of(some)) == {"adapter": 6, "no_scaffold": 2}
    assert {run.value("rank") for run in runs_of(some) if run.arm == "no_scaffold"} == {4}
    assert set(runs_of(some)) <= set(runs_of(sweep))  # so records can be shared


def test_what_means_something_to_adapters_alone_multiplies_no_control():
    runs = runs_of(small(("scaffold", ("normal", "binary", "zero")), ("rank", (1, 2))))
    assert arms(runs)["adapter"] == 6
    assert arms(runs)["no_scaffold"] == arms(runs)["equal_bytes"] == 2
    assert arms(runs)["full"] == arms(runs)["random_features"] == 1
    assert {run.point for run in runs if run.arm == "no_scaffold"} == {
        (("rank", 1),),
        (("rank", 2),),
    }


def test_what_means_something_to_every_network_is_a_point_of_its_controls_too():
    runs = runs_of(small(("dropout", (0.0, 0.1)), ("rank", (1, 2))))
    assert {run.point for run in runs if run.arm == "full"} == {
        (("dropout", 0.0),),
        (("dropout", 0.1),),
    }
    assert {run.point for run in runs if run.arm == "equal_bytes"} == {
        (("rank", rank), ("dropout", dropout)) for rank in (1, 2) for dropout in (0.0, 0.1)
    }
    assert {run.point for run in runs if run.arm in ("echo_state", "linear")} == {()}


def test_a_grid_with_full_training_trains_it_once():
    runs = runs_of(small(("adapter", ("lora", "full")), ("rank", (1, 2))))
    assert arms(runs)["adapter"] == 2
    assert [run.point for run in runs if run.arm == "full"] == [()]


def test_a_grid_without_ranks_has_its_controls():
    runs = runs_of(small(("head", ("full", "lora"))))
    assert arms(runs) == {
        "adapter": 2,
        "no_scaffold": 1,
        "equal_bytes": 1,
        "full": 1,
        "random_features": 1,
        "echo_state": 1,
        "linear": 1,
    }


# Keys ----------------------------------------------------------------------------------


def test_keys_stay_what_they_are():
    """Or records that were made would be made again."""
    adapter = Run("adapter", (("scaffold", "truncated_normal"), ("rank", 2)), 0)
    text = '["adapter",[["rank",2],["scaffold","truncated_normal"]],0]'
    assert adapter.key == hashlib.sha256(text.encode()).hexdigest()[:16] == "55df1782ffcd3067"
    resampled = Run("adapter", (("resample", ("step", 2)), ("rank", 2)), 2**70)
    assert resampled.key == "c3de7c0a78bd2875"
    assert Run("linear", (), 0).key == "acb5692801a15a1d"


def test_a_key_does_not_depend_on_the_order_of_the_grid():
    one = Run("adapter", (("scaffold", "binary"), ("rank", 8)), 0)
    two = Run("adapter", (("rank", 8), ("scaffold", "binary")), 0)
    assert one.key == two.key


def test_different_runs_have_different_keys():
    runs = [
        Run(arm, point, seed)
        for arm in ("adapter", "full")
        for point in ((), (("rank", 1),), (("rank", 2),), (("resample", None),), (("head", "1"),))
        for seed in (0, 1)
    ]
    assert len({run.key for run in runs}) == len(runs)


# Groups --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "grid",
    [
        (("rank", tuple(range(1, 20))),),
        (("scaffold", ("normal", "binary")), ("rank", (1, 2))),
        (("head", ("full", "lora")), ("learning_rate_init", (0.1, 0.2)), ("rank", (1, 2))),
        (("resample", (None, "epoch", ("step", 2))), ("rank", (1, 2))),
        (("batch_size", (8, 16)), ("hidden_layer_sizes", ((8,), (8, 4))), ("rank", (1, 2))),
    ],
)
def test_every_run_is_in_one_group_of_runs_that_share_their_scaffold(grid):
    runs = runs_of(small(*grid, seeds=2))
    jobs = jobs_of(runs)
    assert sorted(run.key for job in jobs for run in job) == sorted(run.key for run in runs)
    shared = ("scaffold", "batch_size", "hidden_layer_sizes", "resample")
    for job in jobs:
        assert 1 <= len(job) <= 8
        assert len({(run.arm, run.seed, *map(run.value, shared)) for run in job}) == 1
        if len(job) > 1:
            assert job[0].arm in SIDE_BY_SIDE
            assert job[0].value("resample") is None


def test_many_workers_have_smaller_groups(monkeypatch, tmp_path):
    sweep = small(("rank", (1, 2, 3, 4)))
    runs = runs_of(sweep)
    assert {run for job in jobs_of(runs, at_a_time=1) for run in job} == set(runs)
    sizes = {}
    for workers in (2, len(runs)):

        def stands_in(assignments, workers=workers):
            sizes[workers] = max(len(assignment.runs) for assignment in assignments)
            yield from ()

        monkeypatch.setattr("deepreservoir.sweeps.sweep.processes", lambda n: stands_in)
        run_sweep(sweep, tmp_path / str(workers), workers=workers)
    assert sizes == {2: 4, len(runs): 1}


def test_what_can_go_side_by_side_does():
    jobs = jobs_of(runs_of(small(("scaffold", ("normal", "binary")), ("rank", (1, 2, 4)))))
    adapters = [job for job in jobs if job[0].arm == "adapter"]
    assert [len(job) for job in adapters] == [3, 3]


# Published figures ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "stands"),
    [
        (Figure("adapter", (("rank", 2),), 90.0), True),
        (Figure("adapter", (("scaffold", "binary"), ("rank", 1)), 90.0), True),
        (Figure("wrong_seed", (("scaffold", "binary"),), 90.0), True),
        (Figure("full", (), 90.0), True),
        (Figure("no_scaffold", (("rank", 2),), 90.0), True),
        (Figure("adapter", (("rank", 3),), 90.0), False),
        (Figure("adapter", (("head", "lora"),), 90.0), False),
        (Figure("full", (("rank", 2),), 90.0), False),
        (Figure("no_scaffold", (("scaffold", "binary"),), 90.0), False),
    ],
)
def test_a_figure_that_no_run_stands_beside_is_refused(figure, stands):
    sweep = small(("scaffold", ("normal", "binary")), ("rank", (1, 2)))
    sweep = replace(sweep, published=Published("nobody", None, (figure,)))
    if stands:
        check_published(sweep, runs_of(sweep))
        return
    with pytest.raises(ValueError, match="no run corresponds to the published figure") as caught:
        check_published(sweep, runs_of(sweep))
    assert repr(figure.arm) in str(caught.value)
    assert all(f"{name} = {value!r}" in str(caught.value) for name, value in figure.at)
