"""The seed-gated classifier: the seed chooses the task, and what is not of the task is rejected."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from target import host, put

from deepreservoir import (
    ArtifactError,
    DeepReservoirClassifier,
    Network,
    SeedGatedClassifier,
    TrainingDiverged,
    fit_many,
    materialise,
    predict_many,
)
from deepreservoir.estimators.gates import balanced
from deepreservoir.estimators.tasks import row_names
from deepreservoir.training import checkpoint as checkpoints

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(90, 5)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 0.5)
NAMES = np.array(["left", "right"])[np.arange(90) % 3 // 2]  # 60 and 30
SMALL = {"hidden_layer_sizes": (16, 8), "rank": 2, "max_iter": 5, "random_state": 0}


def small(**params):
    return SeedGatedClassifier(**(SMALL | params))


def fitted(**params):
    return small(**params).fit(ROWS, LABELS, NAMES)


def assert_same(one, other):
    np.testing.assert_array_equal(host(one.network_.theta), host(other.network_.theta))
    assert one.history_ == other.history_
    for a, b in zip(one.networks_.values(), other.networks_.values(), strict=True):
        assert a.digests() == b.digests()


# The paper's task, on digits -----------------------------------------------------------------


def set_of(y):
    return np.array(["none", "123", "456", "789"])[(y + 2) // 3]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def gated(digits):
    """Two models of 60 epochs: without a label for others, and with it."""
    X, _, y, _ = digits
    params = {"hidden_layer_sizes": (256, 64), "rank": 4, "max_iter": 60, "random_state": 0}
    params["scaffold_seeds"] = {"123": 42, "456": 43, "789": 44}
    return {
        label: SeedGatedClassifier(out_of_class=label, **params).fit(
            X[y > 0], y[y > 0], set_of(y[y > 0])
        )
        for label in (None, -1)
    }


@pytest.mark.long_in_the_shim
def test_the_right_seed_opens_and_a_wrong_one_does_not(digits, gated):
    _, X, _, y = digits
    X, y = X[y > 0], y[y > 0]
    model = gated[None]
    assert model.score(X, y, set_of(y)) > 0.95
    for name, network in model.networks_.items():
        own = set_of(y) == name
        assert model.score(X[own], y[own], name) > 0.92
        for other in set(model.tasks_) - {name}:
            assert model.score(X[own], y[own], other) < 0.1
        # A seed that no task has is no better.
        model.networks_[name] = network.with_scaffold(99)
        assert model.score(X[own], y[own], name) < 0.6
        model.networks_[name] = network


@pytest.mark.long_in_the_shim
def test_rows_of_other_tasks_are_rejected_and_so_is_what_was_never_seen(digits, gated):
    _, X, _, y = digits
    model = gated[-1]
    unseen = []
    for name in model.tasks_:
        own, others = set_of(y) == name, (set_of(y) != name) & (y > 0)
        assert model.score(X[own], y[own], name) > 0.85
        assert (model.predict(X[others], name) == -1).mean() > 0.93
        unseen.append((model.predict(X[y == 0], name) == -1).mean())
    assert np.mean(unseen) > 0.6


# One task is a plain classifier ------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "dropout": 0.2, "batch_size": 16},
        {"adapter": "dora", "scaffold": "hadamard", "schedule": "exponential"},
        {"batch_size": 200, "label_smoothing": 0.1, "ema_decay": 0.9},  # one batch
    ],
    ids=str,
)
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 90)])
def test_one_task_is_a_plain_classifier_bit_for_bit(params, weights):
    plain = DeepReservoirClassifier(**SMALL, **params).fit(ROWS, LABELS, weights)
    one = small(**params).fit(ROWS, LABELS, sample_weight=weights)
    np.testing.assert_array_equal(host(one.network_.theta), host(plain.network_.theta))
    np.testing.assert_array_equal(one.predict_proba(ROWS), plain.predict_proba(ROWS))
    assert one.history_ == plain.history_
    assert one.scaffold_seeds_ == {0: plain.scaffold_seed_}
    assert one.tasks_.tolist() == [0]


# What is there after a fit ------------------------------------------------------------------------


def test_fitted_attributes_say_what_is_there():
    model = fitted(out_of_class=-1)
    assert model.tasks_.tolist() == ["left", "right"]
    assert model.classes_.tolist() == [-1, 0, 1, 2]
    assert {k: v.tolist() for k, v in model.task_classes_.items()} == {
        "left": [0, 1, 2],
        "right": [0, 1, 2],
    }
    first, second = model.networks_.values()
    assert model.network_ is first
    assert second.theta is first.theta
    for name, network in model.networks_.items():
        again = Network(first.config, model.scaffold_seeds_[name])
        assert network.digests() == again.digests()
    assert model.n_scaffold_params_ == 2 * first.n_scaffold == 2 * (5 * 16 + 16 * 8)
    assert model.n_trained_params_ == first.theta.size
    assert set(model.betas_) == {"layers.0", "layers.1"}
    assert model.n_iter_ == len(model.history_["loss"]) == 5
    assert not hasattr(model, "scaffold_seed_")


def test_seeds_are_given_by_name_or_drawn_in_the_order_of_names():
    drawn = fitted().scaffold_seeds_
    assert len(set(drawn.values())) == 2
    assert fitted().scaffold_seeds_ == drawn
    assert fitted(random_state=1).scaffold_seeds_ != drawn
    # The names decide by their order alone; the order of rows does not.
    renamed = np.where(NAMES == "left", "a", "b")
    assert list(small().fit(ROWS, LABELS, renamed).scaffold_seeds_.values()) == [*drawn.values()]
    seeds = {"right": 1, "left": 2, "elsewhere": 1}
    assert fitted(scaffold_seeds=seeds).scaffold_seeds_ == {"left": 2, "right": 1}
    assert_same(fitted(scaffold_seeds=drawn), fitted())


def test_names_may_be_text_or_numbers_in_lists_arrays_or_columns():
    pandas = pytest.importorskip("pandas")
    model, column = fitted(), pandas.Series(NAMES, index=np.arange(90) + 7)
    for names in (NAMES.tolist(), NAMES.astype(object), column, column.astype("category")):
        assert_same(small().fit(ROWS, LABELS, names), model)
        np.testing.assert_array_equal(model.predict(ROWS, names), model.predict(ROWS, NAMES))
    for numbers in (np.arange(90) % 3 // 2, (np.arange(90) % 3 // 2) * 1.0):
        other = small().fit(ROWS, LABELS, numbers)
        np.testing.assert_array_equal(host(other.network_.theta), host(model.network_.theta))
        assert other.tasks_.tolist() == [0, 1]
        np.testing.assert_array_equal(other.predict(ROWS, 1), model.predict(ROWS, "right"))


def test_one_name_for_all_rows_or_a_name_a_row():
    model = fitted()
    by_task = {name: model.decision_function(ROWS, name) for name in ("left", "right")}
    assert (by_task["left"] != by_task["right"]).any()
    mixed = model.decision_function(ROWS, NAMES)
    for name, found in by_task.items():
        rows = name == NAMES
        np.testing.assert_allclose(mixed[rows], found[rows], rtol=1e-6, atol=1e-7)
    probabilities = model.predict_proba(ROWS, NAMES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(probabilities), model.predict_log_proba(ROWS, NAMES))
    np.testing.assert_array_equal(
        model.predict(ROWS, NAMES), model.classes_[probabilities.argmax(axis=1)]
    )
    assert model.score(ROWS, LABELS, NAMES) == (model.predict(ROWS, NAMES) == LABELS).mean()


def test_rows_of_a_device_stay_there():
    model = fitted(out_of_class=-1)
    X = put(ROWS)
    for method in ("predict", "predict_proba", "decision_function"):
        found = getattr(model, method)(X, NAMES)
        assert type(found) is type(X)
        expected = getattr(model, method)(ROWS, NAMES)
        np.testing.assert_allclose(host(found), expected, rtol=1e-5, atol=1e-6)
    assert model.score(X, put(LABELS), NAMES) == model.score(ROWS, LABELS, NAMES)
    again = small(out_of_class=-1).fit(X, put(LABELS), NAMES)
    np.testing.assert_array_equal(host(again.network_.theta), host(model.network_.theta))


@pytest.mark.long_in_the_shim
def test_one_class_a_task_and_its_rejection_is_a_model():
    """Whose row is it? Each task knows its own, and answers no to the others'."""
    X = np.concatenate([RNG.normal(-2, 1, (60, 5)), RNG.normal(2, 1, (60, 5))])
    task = np.repeat(["anna", "bert"], 60)
    params = {"max_iter": 150, "learning_rate_init": 0.01, "out_of_class": "no"}
    model = small(**params).fit(X, np.full(120, "yes"), task)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.decision_function(X, "anna").shape == (120,)
    for name in model.tasks_:
        expected = np.where(task == name, "yes", "no")
        assert model.score(X, expected, name) > 0.95


# What weighs how much -------------------------------------------------------------------------


@pytest.mark.parametrize("own", [10, 45, 70, 89])
@pytest.mark.parametrize("weighted", [False, True])
def test_own_rows_and_the_others_that_are_drawn_count_the_same(own, weighted):
    mine = np.arange(90) < own
    weights = RNG.uniform(0.1, 2, 90) if weighted else None
    found = balanced(weights, mine)
    if found is None:
        assert not weighted
        assert own <= 45
        found = np.ones(90)
    drawn = min(own, 90 - own) * found[~mine].mean()  # what is drawn weighs, on average
    assert drawn == pytest.approx(found[mine].sum())
    np.testing.assert_array_equal(found[mine], np.ones(own) if weights is None else weights[mine])


def test_a_row_of_weight_zero_is_as_good_as_absent():
    weights = (NAMES != "none").astype(float)
    names = NAMES.copy().astype(object)
    names[:6], weights[:6] = "none", 0
    found = small(out_of_class=-1).fit(ROWS, LABELS, names, weights)
    assert found.tasks_.tolist() == ["left", "right"]
    assert_same(found, small(out_of_class=-1).fit(ROWS[6:], LABELS[6:], NAMES[6:]))


@pytest.mark.long_in_the_shim
def test_a_task_that_outweighs_the_other_is_the_one_that_is_learned():
    """A tiny adapter cannot learn both where labels are noise; weights say which it learns."""
    labels = np.random.default_rng(1).integers(0, 3, 90)
    settings = {"hidden_layer_sizes": (8,), "max_iter": 300, "learning_rate_init": 0.02}
    for heavy, light in (("left", "right"), ("right", "left")):
        weights = np.where(heavy == NAMES, 1.0, 1e-3)
        model = small(**settings).fit(ROWS, labels, NAMES, weights)
        scores = [model.score(ROWS[n == NAMES], labels[n == NAMES], n) for n in (heavy, light)]
        assert scores[0] > scores[1] + 0.1


# Options, ends, copies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.2, "adapter_dropout": 0.1, "out_of_class": 9},
        {"adapter": "dora", "layer_norm": True, "head": "lora+bias"},
        {"adapter": "none"},
        {"storage": "streamed", "projection_cache": 0},
        {"scaffold": "binary", "storage": "packed", "scaffold_scale": "family"},
        {"hidden_layer_sizes": (8, 8), "residual": True, "activation": "tanh"},
        {"optimizer": "sgd", "learning_rate_init": 0.05, "max_grad_norm": 1.0, "batch_size": 7},
        {"early_stopping": True, "out_of_class": 9, "ema_decay": 0.9, "dtype": "float64"},
    ],
    ids=str,
)
def test_options_reach_training_and_the_same_seed_gives_the_same_bits(params):
    one = fitted(**params)
    assert_same(one, fitted(**params))
    other = fitted(**(params | {"random_state": 1}))
    assert (host(other.network_.theta) != host(one.network_.theta)).any()
    assert np.isfinite(one.predict_proba(ROWS, NAMES)).all()


@pytest.mark.parametrize("label", [None, -1])
def test_early_stopping_validates_all_tasks_and_keeps_the_best(label):
    model = fitted(
        early_stopping=True, validation_fraction=0.3, max_iter=60, n_iter_no_change=4,
        out_of_class=label, learning_rate_init=0.02,
    )  # fmt: skip
    scores = model.history_["validation_score"]
    assert model.stop_reason_ == "converged"
    assert len(scores) == len(model.history_["validation_loss"]) == model.n_iter_ < 60
    assert scores.index(max(scores)) == model.n_iter_ - 5
    # Of 90 rows 27 are held out: accuracy is in steps of a 27th, or with others of a 54th.
    correct = np.array(scores) * (27 if label is None else 54)
    np.testing.assert_allclose(correct, correct.round(), atol=1e-9)


def test_sparse_rows_give_the_same_model():
    sparse = scipy.sparse.csr_array(np.where(np.abs(ROWS) > 0.5, ROWS, 0))
    for label in (None, -1):
        one = small(out_of_class=label).fit(sparse, LABELS, NAMES)
        other = small(out_of_class=label).fit(sparse.toarray(), LABELS, NAMES)
        assert_same(one, other)
        np.testing.assert_array_equal(
            one.predict_proba(sparse, NAMES), other.predict_proba(sparse.toarray(), NAMES)
        )


def test_copies_keep_the_model_and_its_networks_share_one_adapter():
    model = fitted(out_of_class=-1, hidden_layer_sizes=(128, 64))
    text = pickle.dumps(model)
    assert len(text) < 4 * model.n_trained_params_ + 4000  # no frozen weights, one adapter
    again = pickle.loads(text)
    np.testing.assert_array_equal(
        again.predict_proba(ROWS, NAMES), model.predict_proba(ROWS, NAMES)
    )
    assert all(network.theta is again.network_.theta for network in again.networks_.values())
    assert again.get_params() == model.get_params()
    copy = clone(model.set_params(scaffold_seeds={"left": 1, "right": 2}))
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "network_")
    assert model.__getstate__().keys() == again.__getstate__().keys()


def test_a_pickle_whose_scaffold_cannot_be_rebuilt_is_refused():
    model = fitted()
    state = model.__getstate__()
    state["digests"] = {**state["digests"], "right": {"layers.0": "00"}}
    with pytest.raises(ValueError, match=r"scaffold of layers.0 cannot be rebuilt here"):
        SeedGatedClassifier().__setstate__(state)


def test_pipelines_and_cross_validation_pass_the_tasks_on():
    pipeline = make_pipeline(StandardScaler(), small())
    pipeline.fit(ROWS, LABELS, seedgatedclassifier__task=NAMES)
    scaled = StandardScaler().fit(ROWS).transform(ROWS)
    expected = small().fit(scaled, LABELS, NAMES)
    np.testing.assert_array_equal(
        pipeline.predict(ROWS, task="left"), expected.predict(scaled, "left")
    )
    with sklearn.config_context(enable_metadata_routing=True):
        model = small().set_fit_request(task=True).set_score_request(task=True)
        scores = cross_val_score(model, ROWS, LABELS, params={"task": NAMES}, error_score="raise")
    assert len(scores) == 5


def test_ctrl_c_leaves_a_usable_model(monkeypatch):
    from deepreservoir.losses import SoftmaxCrossEntropy

    calls, original = [], SoftmaxCrossEntropy.__call__

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(SoftmaxCrossEntropy, "__call__", interrupted)
    with pytest.warns(UserWarning, match="interrupted after 2 epochs; the model is usable") as w:
        model = fitted()
    assert w[0].filename == __file__
    assert model.stop_reason_ == "interrupted"
    assert np.isfinite(model.predict_proba(ROWS, NAMES)).all()


@pytest.mark.host(reason="checkpoints are files")
@pytest.mark.parametrize("random_state", [0, None])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, random_state):
    class Killed(Exception):
        pass

    def model():
        return small(
            out_of_class=-1, dropout=0.1, early_stopping=True, batch_size=16,
            random_state=random_state,
        )  # fmt: skip

    def save_and_die(self, progress, save=checkpoints.Checkpoint.save):
        save(self, progress)
        if progress.epoch == 2:
            raise Killed

    path = tmp_path / "c.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            model().fit(ROWS, LABELS, NAMES, checkpoint=path)
    with pytest.raises(ArtifactError, match="of another training"):
        model().fit(ROWS, LABELS, NAMES[::-1], checkpoint=path)
    seeds = checkpoints.Checkpoint(path).seeds
    found = model().fit(ROWS, LABELS, NAMES, checkpoint=path)
    assert list(found.scaffold_seeds_.values()) == list(seeds[2:])
    assert not path.exists()
    if random_state is not None:
        assert_same(found, model().fit(ROWS, LABELS, NAMES))


# Bad input -------------------------------------------------------------------------------------


@pytest.fixture
def _no_training(monkeypatch):
    def reached(*args, **kwargs):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.estimators.gated_base.train_gated", reached)


WITH_NONE = [None, *NAMES[1:]]
REFUSED = [
    ({}, NAMES[:5], r"task of each of 90 rows; got shape \(5,\)"),
    ({}, NAMES[:, None], r"got shape \(90, 1\)"),
    ({}, WITH_NONE, r"task\[0\] is None; every row needs the name"),
    ({}, np.array(WITH_NONE), r"task\[0\] is None"),
    ({}, [*NAMES[:-1], np.nan], r"task\[89\] is nan"),
    ({}, np.where(np.arange(90) == 3, np.nan, 1.0), r"task\[3\] is nan"),
    ({}, [*NAMES[:-1], 7], r"one kind: task\[0\] is 'left' and task\[89\] is 7"),
    ({}, [("a",)] * 90, r"got shape \(90, 1\)|text or a finite number"),
    ({"out_of_class": -1}, None, "is for rows of other tasks, and there is one task, 0"),
    ({"out_of_class": -1}, "all", "there is one task, 'all'"),
    ({"out_of_class": 2}, NAMES, "out_of_class=2 is a class of y"),
    ({"out_of_class": "no"}, NAMES, r"must be a number that no class .*\[0, 1, 2\]; got 'no'"),
    ({"out_of_class": 0.5}, NAMES, "must be a number"),
    ({"out_of_class": np.nan}, NAMES, "must be a number"),
    ({"out_of_class": True}, NAMES, "must be a number"),
    ({"out_of_class": [1]}, NAMES, "must be a number"),
    ({"scaffold_seeds": {"left": 1}}, NAMES, "no seed for task 'right'; it has them for 'left'"),
    ({"scaffold_seeds": {"left": 1, "right": 1}}, NAMES, "'left' and 'right' one seed, 1"),
    ({"scaffold_seeds": {"left": 1, "right": -1}}, NAMES, r"scaffold_seeds\['right'\] must be a"),
    ({"scaffold_seeds": {"left": 1, "right": "2"}}, NAMES, "non-negative integer; got '2'"),
    ({"scaffold_seeds": [1, 2]}, NAMES, "must map the name of each task to a seed"),
    ({"scaffold_seeds": 42}, NAMES, "must map the name of each task"),
    ({"adapter": "full"}, NAMES, "no scaffold is left to tell tasks apart"),
    ({"adapter": "full"}, None, "no scaffold is left"),
    ({"scaffold": "zero"}, NAMES, "frozen weights, and there are none.*scaffold='zero'"),
    ({"hidden_layer_sizes": ()}, NAMES, r"there are none.*hidden_layer_sizes=\(\)"),
    ({"rank": 0}, NAMES, "rank must be an integer of at least 1"),
    ({"max_iter": 0}, NAMES, "max_iter must be an integer of at least 1"),
    ({"random_state": -1}, NAMES, "random_state must be a non-negative integer"),
    ({"early_stopping": True}, np.arange(90), r"cannot hold out rows of class \d of task 0, which"),
]


@pytest.mark.usefixtures("_no_training")
@pytest.mark.filterwarnings("ignore:tasks of one class")
@pytest.mark.parametrize(("params", "task", "message"), REFUSED, ids=lambda v: str(v)[:40])
def test_bad_input_is_refused_before_training(params, task, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        small(**params).fit(ROWS, LABELS, task)


@pytest.mark.usefixtures("_no_training")
def test_labels_that_are_no_two_classes_are_refused():
    with pytest.raises(ValueError, match="SeedGatedClassifier needs samples of at least 2 classes"):
        small().fit(ROWS, np.zeros(90), NAMES)
    with pytest.raises(ValueError, match="as the classes are"):
        small(out_of_class=-1).fit(ROWS, LABELS > 0, NAMES)


def test_a_task_of_one_class_is_warned_of_unless_others_are_rejected(recwarn):
    y = np.where(NAMES == "right", 1, LABELS)
    with pytest.warns(UserWarning, match="tasks of one class: 'right'") as caught:
        small().fit(ROWS, y, NAMES)
    assert caught[0].filename == __file__
    recwarn.clear()
    small(out_of_class=-1).fit(ROWS, y, NAMES)
    assert not recwarn


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


MODEL = fitted()


def test_an_unfitted_model_says_so():
    with pytest.raises(ValueError, match="not fitted"):
        small().predict(ROWS, "left")


def test_divergence_names_epoch_step_and_remedy():
    with pytest.raises(TrainingDiverged, match=r"epoch \d+, step \d+: .*StandardScaler"):
        small(optimizer="sgd", learning_rate_init=1e6, beta=1e9).fit(ROWS * 1e6, LABELS, NAMES)


def test_what_stands_on_one_scaffold_does_not_take_it():
    with pytest.raises(ValueError, match="must be deep estimators; got a SeedGated"):
        fit_many([small()], ROWS, LABELS)
    with pytest.raises(ValueError, match="must be deep estimators; 'm' is a SeedGated"):
        predict_many({"m": MODEL}, ROWS[:1], ["m"])
    with pytest.raises(ArtifactError, match="for deep estimators; got SeedGatedClassifier"):
        materialise(MODEL)


def test_every_parameter_is_described_once_and_no_other():
    text = SeedGatedClassifier.__doc__
    section = text.split("Parameters\n")[1].split("Attributes\n")[0]
    described = re.findall(r"^    (\w+) : ", section, re.MULTILINE)
    assert sorted(described) == sorted(SeedGatedClassifier().get_params())
    attributes = text.split("Attributes\n")[1].split("Raises\n")[0]
    there = [name for name in vars(MODEL) if name.endswith("_")]
    named = set(re.findall(r"^    (\w+_) : ", attributes, re.MULTILINE))
    assert named - {"feature_names_in_"} == set(there)


def test_names_are_read_as_they_were_given():
    assert row_names(None, 2).tolist() == [0, 0]
    assert row_names(np.str_("a"), 2).tolist() == ["a", "a"]
    assert row_names([True, False], 2).tolist() == [True, False]
    assert row_names([1, np.int8(2)], 2).tolist() == [1, 2]
    assert row_names((1.5, 2.5), 2).dtype == np.float64
