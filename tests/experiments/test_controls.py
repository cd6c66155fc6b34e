"""The controls really are what their names say: against a forward pass written in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_tools import QUICK, classes, diabetes, forward

from deepreservoir import load_dataset
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons import arms
from deepreservoir.experiments.comparisons.task import Task
from deepreservoir.network import Network
from deepreservoir.scaffold import ScaffoldSpec

AFTER = ("adapter", "scaffold_removed", "wrong_seed")
SEED = 7
LONGER = Protocol(hidden_layer_sizes=(64, 32), max_iter=30)


class Watched(Task):
    """A task that keeps each model, and what it answers whenever it is scored."""

    def estimator(self, seed, **changes):
        model = super().estimator(seed, **changes)
        self.__dict__.setdefault("models", []).append(model)
        return model

    def score(self, model):
        answers = model.network_.outputs(self.data.X_test, np.float64)
        self.__dict__.setdefault("answers", []).append(answers)
        self.__dict__.setdefault("thetas", []).append(model.network_.theta.copy())
        self.__dict__.setdefault("seeds", []).append(model.network_.seed)
        self.__dict__.setdefault("networks", []).append(model.network_)
        return super().score(model)


@pytest.fixture(params=[classes, diabetes], ids=["classes", "numbers"])
def watched(request):
    """Train an adapter and its controls; return (task, records)."""
    task = Watched(request.param(), replace(QUICK, max_iter=8, weight_decay=0.0))
    return task, list(arms.adapter_arms(task, 2, SEED, frozenset(AFTER)))


def expected(task, theta, seed):
    params = task.models[0].network_.params
    return forward(params.views(theta), task.data.X_test, seed)


def test_the_arms_come_in_order(watched):
    _, records = watched
    assert [record.arm for record in records] == list(AFTER)


def test_the_adapter_answers_on_its_own_scaffold(watched):
    task, _ = watched
    np.testing.assert_allclose(
        task.answers[0], expected(task, task.thetas[0], SEED), rtol=1e-6, atol=1e-6
    )


def test_scaffold_removed_answers_as_if_there_were_no_weights(watched):
    task, _ = watched
    without = expected(task, task.thetas[0], None)
    np.testing.assert_allclose(task.answers[1], without, rtol=1e-6, atol=1e-6)
    assert np.abs(without - task.answers[0]).max() > 0.01  # else nothing was removed


@pytest.mark.parametrize(
    "options",
    [
        {"beta": "fixed"},
        {"adapter": "none"},
        {"adapter": "none", "bias": True},
        {"adapter": "dora"},
        {"beta": 0.5, "layer_norm": True},
        {"residual": True, "hidden_layer_sizes": (9, 9)},
        {"head": "lora"},
        {"scaffold": "hadamard"},
        {"scaffold": "uniform", "scaffold_scale": "family", "storage": "streamed"},
    ],
    ids=str,
)
def test_scaffold_removed_answers_without_weights_whatever_the_adapter(options):
    task = Watched(classes(), QUICK, changes=tuple(options.items()))
    records = list(arms.adapter_arms(task, 2, SEED, frozenset(AFTER)))
    with_weights, without = task.answers[:2]
    assert np.abs(without - with_weights).max() > 1e-3
    network = task.models[0].network_
    assert network.n_trained == records[1].trained
    bare = Network(replace(network.config, scaffold="zero", scaffold_scale=1.0, storage="auto"), 3)
    bare.theta[:] = network.theta
    np.testing.assert_array_equal(without, bare.outputs(task.data.X_test, np.float64))


def test_the_controls_leave_the_model_as_it_was_where_scoring_fails():
    class Failing(Task):
        def score(self, model):
            if model.network_.seed != SEED or model.network_.config.scaffold == "zero":
                raise RuntimeError("no score")
            return super().score(model)

    task = Failing(classes(), QUICK)
    model = task.estimator(SEED, rank=2)
    cost = task.fit(model)
    network = model.network_
    for arm in ("scaffold_removed", "wrong_seed"):
        with pytest.raises(RuntimeError, match="no score"):
            list(arms.evaluate_adapter(task, model, 2, SEED, cost, frozenset({arm})))
        assert model.network_ is network


def test_scaffold_removed_keeps_the_whole_adapter(watched):
    task, _ = watched
    np.testing.assert_array_equal(task.thetas[1], task.thetas[0])


def test_the_adapter_is_unchanged_after_the_controls(watched):
    task, _ = watched
    np.testing.assert_array_equal(task.models[0].network_.theta, task.thetas[0])
    np.testing.assert_array_equal(task.thetas[2], task.thetas[0])


def test_wrong_seed_answers_on_other_weights_with_the_same_adapter(watched):
    task, _ = watched
    assert task.seeds[2] != SEED
    np.testing.assert_allclose(
        task.answers[2], expected(task, task.thetas[0], task.seeds[2]), rtol=1e-6, atol=1e-6
    )
    # It was only looked at: the model is left as it was trained.
    assert task.models[0].network_.seed == SEED
    assert np.abs(task.answers[2] - task.answers[0]).max() > 0.01


def test_no_record_of_a_control_that_was_not_asked_for():
    task = Watched(classes(), QUICK)
    records = list(arms.adapter_arms(task, 2, SEED, frozenset({"wrong_seed"})))
    assert [record.arm for record in records] == ["wrong_seed"]
    assert len(task.answers) == 1


def test_wrong_seed_stands_below_the_right_one():
    task = Task(load_dataset("digits"), LONGER)
    right, wrong = arms.adapter_arms(task, 4, SEED, frozenset({"adapter", "wrong_seed"}))
    assert right.score > 0.8
    assert wrong.score < 0.5


# W = 0 -----------------------------------------------------------------------


def trained_without_scaffold(b_init):
    task = Watched(classes(), replace(QUICK, max_iter=40))
    model = task.estimator(SEED, rank=2, scaffold="zero", b_init=b_init)
    task.fit(model)
    return task, model


def test_no_scaffold_learns_through_the_low_rank_path_alone():
    task = Watched(load_dataset("digits"), LONGER)
    record = arms.no_scaffold(task, 4, SEED)
    assert record.score > 0.8  # chance is 0.1
    (network,) = task.networks
    assert not any(scaffold.dense().any() for scaffold in network.scaffolds.values())
    named = network.named_parameters()
    np.testing.assert_allclose(
        task.answers[0], forward(named, task.data.X_test, None), rtol=1e-5, atol=1e-5
    )


def test_no_scaffold_with_B_at_zeros_learns_nothing_but_the_share_of_each_class():
    task, model = trained_without_scaffold("zeros")
    for path, values in model.network_.named_parameters().items():
        assert not (path.endswith(".B") and values.any())  # a dead ReLU passes no gradient
    answers = model.network_.outputs(task.data.X_test)
    assert (answers == answers[0]).all()
    assert answers[0].any()  # the head's bias did learn


def test_no_scaffold_with_B_at_kaiming_tells_rows_apart():
    task, model = trained_without_scaffold("kaiming")
    answers = model.network_.outputs(task.data.X_test)
    assert np.ptp(answers, axis=0).min() > 0.1


# All weights -----------------------------------------------------------------


def test_full_trains_every_weight_from_the_values_of_the_scaffold():
    start = Watched(classes(), replace(QUICK, max_iter=1, learning_rate_init=1e-12))
    trained = Watched(classes(), QUICK)
    for task in (start, trained):
        arms.full(task, SEED)
    begun, ended = (task.models[0].network_.named_parameters() for task in (start, trained))
    for path, shape in {"layers.0": (16, 9), "layers.1": (12, 16)}.items():
        W = ScaffoldSpec("normal", shape, SEED, path).rows(0, shape[0])
        np.testing.assert_allclose(begun[f"{path}.weight"], W, rtol=0, atol=1e-9)
        assert (ended[f"{path}.weight"] != W).mean() > 0.9
