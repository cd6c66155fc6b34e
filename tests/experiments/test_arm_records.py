"""Every arm of a comparison: how many records it yields, and what they say it costs."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from experiment_tools import QUICK, classes, diabetes, without_collections
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, RidgeClassifierCV, RidgeCV

from deepreservoir.experiments import ARMS, compare
from deepreservoir.experiments.comparisons.arms import linear, random_features
from deepreservoir.experiments.comparisons.task import Task
from deepreservoir.scaffold import ScaffoldSpec

RANKS, SEEDS = (1, 3), (4, 9)
BY_RANK = {"adapter", "equal_bytes", "no_scaffold", "scaffold_removed", "wrong_seed"}
SEEDED = {"adapter", "no_scaffold", "scaffold_removed", "wrong_seed", "random_features"}
DATA = {"classes": classes, "two classes": lambda: classes(2), "diabetes": diabetes}


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with without_collections():
        yield


@pytest.fixture(scope="module", params=list(DATA))
def done(request):
    """Return (data, comparison) with all arms."""
    data = DATA[request.param]()
    return data, compare(data, RANKS, SEEDS, protocol=QUICK)


def outputs(data) -> int:
    n = len(np.unique(data.y_train))
    return 1 if data.task == "regression" or n == 2 else n


def dense_count(widths) -> int:
    """Weights and biases of a dense network."""
    return sum(d_in * d_out + d_out for d_in, d_out in pairwise(widths))


def adapter_count(widths, rank) -> int:
    """A, B and beta of each hidden layer, and a dense head with biases."""
    hidden = pairwise(widths[:-1])
    return sum(rank * (d_in + d_out) + 1 for d_in, d_out in hidden) + dense_count(widths[-2:])


def test_every_arm_has_a_record_a_rank_and_seed(done):
    _, comparison = done
    found = [(record.arm, record.rank, record.seed) for record in comparison.records]
    expected = [(arm, rank, seed) for arm in BY_RANK for rank in RANKS for seed in SEEDS]
    expected += [(arm, None, seed) for arm in ("full", "random_features") for seed in SEEDS]
    expected += [("linear", None, SEEDS[0])]  # it needs no seed, so one run says all
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert comparison.complete
    assert comparison.notes == (
        "echo_state: the data set has neither series nor images, which this arm reads row by row",
    )
    assert (comparison.ranks, comparison.seeds) == (RANKS, SEEDS)


def test_trained_parameters_are_counted_as_the_layers_hold_them(done):
    data, comparison = done
    k = outputs(data)
    widths = (data.n_features, *QUICK.hidden_layer_sizes, k)
    for record in comparison.records:
        expected = {
            "full": dense_count(widths),
            "random_features": dense_count((widths[1], k)),
            "linear": dense_count((widths[0], k)),
        }.get(record.arm, 0)
        if record.arm in BY_RANK - {"equal_bytes"}:
            expected = adapter_count(widths, record.rank)
        if record.arm == "equal_bytes":
            # The widest layer that is no larger than the adapter's numbers and its seed.
            fitting = range(1, adapter_count(widths, record.rank) + 3)
            counts = (dense_count((widths[0], width, k)) for width in fitting)
            expected = max(n for n in counts if n <= adapter_count(widths, record.rank) + 2)
        assert record.trained == expected, record


def test_a_seed_is_eight_bytes_and_a_trained_parameter_four(done):
    _, comparison = done
    for record in comparison.records:
        assert record.stored_bytes == 4 * record.trained + 8 * (record.arm in SEEDED), record


def test_scores_and_costs_are_numbers(done):
    data, comparison = done
    for record in comparison.records:
        assert np.isfinite(record.score)
        assert record.score <= 1
        assert data.task == "regression" or record.score >= 0
        assert record.seconds > 0
        assert record.peak_bytes is None or record.peak_bytes >= 0


def test_arms_that_look_at_the_adapter_afterwards_carry_its_cost(done):
    _, comparison = done
    for rank in RANKS:
        for seed in SEEDS:
            same = [
                (record.seconds, record.peak_bytes, record.trained)
                for record in comparison.records
                if (record.rank, record.seed) == (rank, seed)
                and record.arm in ("adapter", "scaffold_removed", "wrong_seed")
            ]
            assert len(same) == 3
            assert len(set(same)) == 1


@pytest.mark.parametrize("name", [arm for arm in ARMS if arm != "echo_state"])
def test_an_arm_asked_for_alone_comes_alone_and_scores_the_same(name, done):
    data, comparison = done
    alone = compare(data, RANKS[:1], SEEDS[:1], (name,), protocol=QUICK)
    assert [record.arm for record in alone.records] == [name]
    among = [
        record.score
        for record in comparison.records
        if record.arm == name and record.rank in (None, RANKS[0]) and record.seed == SEEDS[0]
    ]
    assert [record.score for record in alone.records] == among


# What the arms without a network of ours find --------------------------------


@pytest.mark.parametrize("make", list(DATA.values()), ids=list(DATA))
def test_random_features_are_a_ridge_readout_of_one_frozen_layer(make):
    data = make()
    record = random_features(Task(data, QUICK), seed=5)
    spec = ScaffoldSpec("normal", (QUICK.hidden_layer_sizes[0], data.n_features), 5, "layers.0")
    W = spec.rows(0, spec.shape[0])
    train, test = (np.maximum(X @ W.T, 0) for X in (data.X_train, data.X_test))
    kind = RidgeCV if data.task == "regression" else RidgeClassifierCV
    readout = kind(alphas=np.logspace(-2, 4, 7)).fit(train, data.y_train)
    assert record.score == pytest.approx(readout.score(test, data.y_test), abs=1e-4)


@pytest.mark.slow
def test_a_classic_reservoir_reads_images_row_by_row():
    found = compare("digits", (1,), 1, ("echo_state",), protocol=QUICK)
    (record,) = found.records
    assert record.score > 0.97
    assert record.trained == 10 * (4 * 500 + 1)
    assert record.stored_bytes == 4 * record.trained + 8
    (other,) = compare("digits", (1,), (1,), ("echo_state",), protocol=QUICK).records
    assert other.score != record.score


def test_linear_finds_what_a_line_can():
    data = diabetes()
    record = linear(Task(data, QUICK), 0)
    plain = LinearRegression().fit(data.X_train, data.y_train)
    # Ridge, penalty by cross-validation: near ordinary least squares where rows abound.
    assert record.score == pytest.approx(plain.score(data.X_test, data.y_test), abs=0.03)


def test_linear_and_random_features_beat_the_most_frequent_class():
    data = classes()
    dummy = DummyClassifier().fit(data.X_train, data.y_train)
    floor = dummy.score(data.X_test, data.y_test)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # logistic regression must have converged
        task = Task(data, QUICK)
        assert linear(task, 0).score > floor + 0.2
        assert random_features(task, 0).score > floor + 0.2


@pytest.mark.parametrize(("sizes", "trained"), [((12, 8), 13), (12, 13), ((), 257)])
def test_random_features_are_as_wide_as_the_first_adapted_layer(sizes, trained):
    record = random_features(Task(diabetes(), replace(QUICK, hidden_layer_sizes=sizes)), seed=0)
    assert record.trained == trained  # a readout of as many features, and an intercept
