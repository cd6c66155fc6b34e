"""Seed gating: bad input is refused by name, before training; what the docstring names is there."""

import re

import numpy as np
import pytest
from gated_tools import LABELS, NAMES, ROWS, fitted, small
from sklearn.exceptions import ConvergenceWarning

from deepreservoir import (
    ArtifactError,
    SeedGatedClassifier,
    TrainingDiverged,
    fit_many,
    materialise,
    predict_many,
)
from deepreservoir.estimators.gated.tasks import row_names

MODEL = fitted()


@pytest.fixture
def _no_training(monkeypatch):
    def reached(*args, **kwargs):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.estimators.gated.base.train_gated", reached)


WITH_NONE = [None, *NAMES[1:]]
REFUSED = [
    ({}, NAMES[:5], r"task of each of 90 rows; got shape \(5,\)"),
    ({}, NAMES[:, None], r"got shape \(90, 1\)"),
    ({}, WITH_NONE, r"task\[0\] is None; every row needs the name"),
    ({}, np.array(WITH_NONE), r"task\[0\] is None"),
    ({}, [*NAMES[:-1], np.nan], r"task\[89\] is nan"),
    ({}, np.where(np.arange(90) == 3, np.nan, 1.0), r"task\[3\] is nan"),
    ({}, [*NAMES[:-1], 7], r"one kind: task\[0\] is 'left', but task\[89\] is 7"),
    ({}, [("a",)] * 90, r"got shape \(90, 1\)|a string or a finite number"),
    ({"out_of_class": -1}, None, "is for rows of other tasks, but there is only one task, 0"),
    ({"out_of_class": -1}, "all", "there is only one task, 'all'"),
    ({"out_of_class": 2}, NAMES, "out_of_class=2 is a class of y"),
    (
        {"out_of_class": "no"},
        NAMES,
        r"must be a number that is not a class .*\[0, 1, 2\]; got 'no'",
    ),
    ({"out_of_class": 0.5}, NAMES, "must be a number"),
    ({"out_of_class": np.nan}, NAMES, "must be a number"),
    ({"out_of_class": True}, NAMES, "must be a number"),
    ({"out_of_class": [1]}, NAMES, "must be a number"),
    ({"scaffold_seeds": {"left": 1}}, NAMES, "no seed for task 'right'; it has them for 'left'"),
    ({"scaffold_seeds": {"left": 1, "right": 1}}, NAMES, "'left' and 'right' the same seed, 1"),
    ({"scaffold_seeds": {"left": 1, "right": -1}}, NAMES, r"scaffold_seeds\['right'\] must be a"),
    ({"scaffold_seeds": {"left": 1, "right": "2"}}, NAMES, "non-negative integer; got '2'"),
    ({"scaffold_seeds": [1, 2]}, NAMES, "must map the name of each task to a seed"),
    ({"scaffold_seeds": 42}, NAMES, "must map the name of each task"),
    ({"adapter": "full"}, NAMES, "no scaffold is left to distinguish tasks by"),
    ({"adapter": "full"}, None, "no scaffold is left"),
    ({"scaffold": "zero"}, NAMES, "frozen weights, but there are none.*scaffold='zero'"),
    ({"hidden_layer_sizes": ()}, NAMES, r"there are none.*hidden_layer_sizes=\(\)"),
    ({"rank": 0}, NAMES, "rank must be an integer of at least 1"),
    ({"max_iter": 0}, NAMES, "max_iter must be an integer of at least 1"),
    ({"random_state": -1}, NAMES, "random_state must be a non-negative integer"),
    ({"early_stopping": True}, np.arange(90), r"cannot hold out rows of class \d of task 0, which"),
]


@pytest.mark.usefixtures("_no_training")
@pytest.mark.filterwarnings("ignore:tasks with one class")
@pytest.mark.parametrize(("params", "task", "message"), REFUSED, ids=lambda v: str(v)[:40])
def test_bad_input_is_refused_before_training(params, task, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        small(**params).fit(ROWS, LABELS, task)


@pytest.mark.usefixtures("_no_training")
def test_a_task_that_would_be_held_out_as_a_whole_is_refused():
    task = np.where(np.arange(90) < 88, "many", "few")
    labels = np.where(np.arange(90) < 88, np.arange(90) % 2, 0)
    settings = {"early_stopping": True, "validation_fraction": 0.93, "out_of_class": -1}
    with pytest.raises(
        ValueError, match="early_stopping leaves no rows to train on for task 'few'"
    ):
        small(**settings).fit(ROWS, labels, task)


@pytest.mark.usefixtures("_no_training")
def test_labels_that_are_no_numbers_leave_no_label_for_other_rows():
    with pytest.raises(ValueError, match="since the classes are"):
        small(out_of_class=-1).fit(ROWS, LABELS > 0, NAMES)


def test_a_task_of_one_class_is_warned_of_unless_others_are_rejected(recwarn):
    y = np.where(NAMES == "right", 1, LABELS)
    with pytest.warns(UserWarning, match="tasks with one class: 'right'") as caught:
        small().fit(ROWS, y, NAMES)
    assert caught[0].filename == __file__
    recwarn.clear()
    small(out_of_class=-1).fit(ROWS, y, NAMES)
    assert {warning.category for warning in recwarn} <= {ConvergenceWarning}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (None, "task must name the task of the rows.*the tasks are 'left', 'right'"),
        ("up", r"task\[0\] is 'up'; the tasks are 'left', 'right'"),
        (5, r"task\[0\] is 5"),
        (["left", "up", "up"], r"task\[1\] is 'up'"),
        (["left"], r"each of 3 rows; got shape \(1,\)"),
        (["left", None, "right"], r"task\[1\] is None"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_rows_of_no_known_task_are_refused(task, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(MODEL, method)(ROWS[:3], task)


def test_an_unfitted_model_says_so():
    with pytest.raises(ValueError, match="not fitted"):
        small().predict(ROWS, "left")


def test_divergence_names_epoch_step_and_remedy():
    with pytest.raises(TrainingDiverged, match=r"epoch \d+, step \d+: .*StandardScaler"):
        small(optimizer="sgd", learning_rate_init=1e6, beta=1e9).fit(ROWS * 1e6, LABELS, NAMES)


def test_what_stands_on_one_scaffold_does_not_take_it():
    with pytest.raises(ValueError, match=r"deep estimators on one scaffold, .*; got a SeedGated"):
        fit_many([small()], ROWS, LABELS)
    with pytest.raises(
        ValueError, match=r"deep estimators on one scaffold, .*; 'm' is a SeedGated"
    ):
        predict_many({"m": MODEL}, ROWS[:1], ["m"])
    with pytest.raises(
        ArtifactError, match="for deep estimators on one scaffold; got SeedGatedClassifier"
    ):
        materialise(MODEL)


def test_every_parameter_is_described_once_and_no_other():
    text = SeedGatedClassifier.__doc__
    section = text.split("Parameters\n")[1].split("Attributes\n")[0]
    described = re.findall(r"^    (\w+) : ", section, re.MULTILINE)
    assert sorted(described) == sorted(SeedGatedClassifier().get_params())
    attributes = text.split("Attributes\n")[1].split("Raises\n")[0]
    there = [name for name in vars(MODEL) if name.endswith("_")]
    lines = re.findall(r"^    ((?:\w+_, )*\w+_) : ", attributes, re.MULTILINE)
    named = {name for line in lines for name in line.split(", ")}
    computed = {"coefs_", "intercepts_", "n_layers_"}
    assert named - {"feature_names_in_"} - computed == set(there)


def test_names_are_read_as_they_were_given():
    assert row_names(None, 2).tolist() == [0, 0]
    assert row_names(np.str_("a"), 2).tolist() == ["a", "a"]
    assert row_names([True, False], 2).tolist() == [True, False]
    assert row_names([1, np.int8(2)], 2).tolist() == [1, 2]
    assert row_names((1.5, 2.5), 2).dtype == np.float64
