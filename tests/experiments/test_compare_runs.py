"""compare(): what it refuses before any training, Ctrl-C, and the same scores twice."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from experiment_tools import QUICK, classes, scores, without_collections

from deepreservoir import backend, compare
from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.experiments import ARMS
from deepreservoir.experiments.comparisons import arms
from deepreservoir.optim import AdamW


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with without_collections():
        yield


@pytest.fixture
def untrained(monkeypatch):
    """Fail where training is reached."""

    def reached(self, model):
        raise AssertionError("training was reached")

    monkeypatch.setattr(arms.Task, "fit", reached)


# Refused ---------------------------------------------------------------------


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"ranks": ()}, ["ranks", "at least one"], id="no ranks"),
        pytest.param({"ranks": (0,)}, ["ranks", "between 1 and 9", "got 0"], id="rank 0"),
        pytest.param({"ranks": (-1,)}, ["ranks", "got -1"], id="rank -1"),
        pytest.param({"ranks": (1, 10)}, ["ranks", "between 1 and 9", "got 10"], id="features"),
        pytest.param({"seeds": 0}, ["seeds", "at least 1", "got 0"], id="no seeds"),
        pytest.param({"seeds": -2}, ["seeds", "got -2"], id="negative seeds"),
        pytest.param({"seeds": []}, ["seeds", "at least one"], id="empty seeds"),
        pytest.param({"seeds": [0, -1]}, ["seeds", "got -1"], id="negative seed"),
        pytest.param({"seeds": [0.5]}, ["seeds", "got 0.5"], id="half a seed"),
        pytest.param({"arms": ()}, ["arms", "none", *ARMS], id="no arms"),
        pytest.param({"arms": ("full", "nope")}, ["arms", "nope", *ARMS], id="unknown arm"),
        pytest.param({"device": "tpu"}, ["device", "'tpu'", "cpu, cuda"], id="unknown device"),
        pytest.param({"dataset": "nope"}, ["dataset", "'nope'", "digits"], id="unknown name"),
    ],
)
def test_bad_values_are_refused_before_any_training(given, words):
    with pytest.raises(ValueError, match=words[0]) as caught:
        compare(**({"dataset": classes(), "protocol": QUICK} | given))
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("given", [np.zeros((3, 2)), (np.zeros((3, 2)), np.zeros(3)), None])
def test_what_is_not_a_data_set_is_refused_with_the_way_to_make_one(given):
    with pytest.raises(TypeError, match=r"a name or a Dataset.*read_table.*; got "):
        compare(given)
    with pytest.raises(ValueError, match=r"read_table\('table.csv', target=...\)"):
        compare("table.csv")


def test_arms_that_do_not_apply_are_an_error():
    with pytest.raises(ValueError, match="none of the arms trigram applies to made: trigram"):
        compare(classes(), (1,), 1, ("trigram",), protocol=QUICK)


def test_the_default_ranks_are_those_that_the_layers_allow():
    narrow = replace(QUICK, hidden_layer_sizes=(5,))
    assert compare(classes(), seeds=1, arms=("adapter",), protocol=narrow).ranks == (1, 2, 4)
    assert compare(classes(), seeds=1, arms=("adapter",), protocol=QUICK).ranks == (1, 2, 4, 8)


@pytest.mark.usefixtures("untrained")
def test_the_narrowest_hidden_layer_bounds_the_rank_too():
    with pytest.raises(ValueError, match=r"between 1 and 12.*hidden layer 1 \(16 -> 12\).*got 13"):
        compare("digits", (13,), protocol=QUICK)


@pytest.mark.usefixtures("untrained")
def test_a_gpu_that_is_not_there_is_refused_before_any_training(monkeypatch):
    monkeypatch.setattr("deepreservoir.backend.cuda_problem", lambda n=None: "no GPU in this test")
    with pytest.raises(ValueError, match="no GPU in this test"):
        compare(classes(), device="cuda", protocol=QUICK)
    assert backend.resolve_device("auto") == "cpu"


@pytest.mark.usefixtures("untrained")
def test_data_that_is_not_there_is_refused_before_any_training(monkeypatch):
    def nowhere(name):
        raise DatasetUnavailable(name)

    monkeypatch.setattr("deepreservoir.experiments.comparisons.runner.load_dataset", nowhere)
    with pytest.raises(DatasetUnavailable, match="mnist"):
        compare("mnist")


@pytest.mark.parametrize("rank", [2.5, True])
@pytest.mark.usefixtures("untrained")
def test_a_rank_that_is_no_whole_number_is_refused(rank):
    with pytest.raises(ValueError, match="ranks"):
        compare(classes(), (rank,), protocol=QUICK)


def test_a_number_of_seeds_may_be_numpys():
    comparison = compare(classes(), (1,), np.int64(2), ("linear",), protocol=QUICK)
    assert comparison.seeds == (0, 1)


@pytest.mark.parametrize("given", [{"ranks": 2}, {"seeds": 1.5}, {"seeds": None}])
@pytest.mark.usefixtures("untrained")
def test_a_value_of_another_kind_is_refused_by_name(given):
    (name,) = given
    with pytest.raises((TypeError, ValueError), match=name):
        compare(classes(), protocol=QUICK, **given)


# Order and repetition --------------------------------------------------------


def test_repeated_ranks_seeds_and_arms_are_run_once():
    comparison = compare(classes(), (2, 1, 2), [5, 5, 3], ("adapter",) * 2, protocol=QUICK)
    assert (comparison.ranks, comparison.seeds) == ((2, 1), (5, 3))
    found = [(record.rank, record.seed) for record in comparison.records]
    assert found == [(2, 5), (1, 5), (2, 3), (1, 3)]


def test_a_number_of_seeds_counts_from_zero():
    comparison = compare(classes(), (1,), 3, ("random_features",), protocol=QUICK)
    assert [record.seed for record in comparison.records] == [0, 1, 2]


def test_the_same_seeds_give_the_same_scores():
    one, two = (compare(classes(), (1, 2), (3, 8), protocol=QUICK) for _ in range(2))
    assert scores(one.records) == scores(two.records)


def test_scores_do_not_depend_on_the_global_random_state():
    found = []
    for state in (0, 1):
        np.random.seed(state)  # noqa: NPY002 - what users' scripts do
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        found.append(scores(compare(classes(), (2,), 1, protocol=QUICK).records))
        np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert found[0] == found[1]


def test_other_seeds_give_other_adapters():
    comparison = compare(classes(), (2,), 6, ("adapter",), protocol=QUICK)
    assert len({record.score for record in comparison.records}) > 1


def test_a_seed_may_have_more_than_64_bits():
    comparison = compare(classes(), (1,), [2**70], ("adapter", "wrong_seed"), protocol=QUICK)
    assert [record.seed for record in comparison.records] == [2**70] * 2


# Ctrl-C ----------------------------------------------------------------------


def interrupted(**given):
    """Run a comparison that is interrupted; return what on_interrupt was called with."""
    seen = []
    with pytest.raises(KeyboardInterrupt):
        compare(classes(), (1, 2), 2, protocol=QUICK, on_interrupt=seen.append, **given)
    assert len(seen) == 1
    return seen[0]


def test_ctrl_c_between_runs_hands_over_what_was_finished(monkeypatch):
    def stop(task, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr(arms, "full", stop)
    found = interrupted(arms=("adapter", "full", "linear"))
    assert not found.complete
    assert [(record.arm, record.rank) for record in found.records] == [
        ("adapter", 1),
        ("adapter", 2),
    ]
    assert (found.ranks, found.seeds, found.dataset) == ((1, 2), (0, 1), "made")


def test_ctrl_c_within_a_fit_ends_the_comparison_without_that_run(monkeypatch):
    update, steps = AdamW.update, []

    def stopping(self, *args):
        steps.append(1)
        if len(steps) == 9:  # 160 rows are 2 steps an epoch, 6 steps a fit
            raise KeyboardInterrupt
        return update(self, *args)

    monkeypatch.setattr(AdamW, "update", stopping)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as of a model that could be used: none is kept
        found = interrupted(arms=("adapter",))
    assert not found.complete
    assert [record.rank for record in found.records] == [1]
    assert len(steps) == 9


def test_ctrl_c_among_the_controls_keeps_those_that_were_done(monkeypatch):
    record, seen = arms.Task.record, []

    def stopping(self, *args):
        seen.append(args[0])
        if args[0] == "wrong_seed":
            raise KeyboardInterrupt
        return record(self, *args)

    monkeypatch.setattr(arms.Task, "record", stopping)
    found = interrupted(arms=("adapter", "scaffold_removed", "wrong_seed"))
    assert [record.arm for record in found.records] == ["adapter", "scaffold_removed"]


def test_ctrl_c_goes_on_where_nobody_asked_to_be_called(monkeypatch):
    monkeypatch.setattr(arms, "linear", lambda task, seed: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        compare(classes(), (1,), 1, ("linear",), protocol=QUICK)


def test_an_error_in_a_run_is_not_taken_for_an_interrupt(monkeypatch):
    def fail(task, seed):
        raise RuntimeError("broken")

    monkeypatch.setattr(arms, "linear", fail)
    seen = []
    with pytest.raises(RuntimeError, match="broken"):
        compare(classes(), (1,), 1, ("linear",), protocol=QUICK, on_interrupt=seen.append)
    assert seen == []
