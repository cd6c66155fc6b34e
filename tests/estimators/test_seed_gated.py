"""The seed-gated classifier: the seed chooses the task, and what is not of the task is rejected."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import sklearn
from gated_tools import LABELS, NAMES, RNG, ROWS, fitted, small
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
)
from deepreservoir.estimators.gated.task_rows import balanced
from deepreservoir.training import checkpoint as checkpoints


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
    one = small(**params)
    names = DeepReservoirClassifier().get_params().keys() & one.get_params().keys()
    plain = DeepReservoirClassifier(**{name: getattr(one, name) for name in names})
    plain.fit(ROWS, LABELS, weights)
    one.fit(ROWS, LABELS, sample_weight=weights)
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
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)  # in float32, as the rows
    np.testing.assert_allclose(
        np.log(probabilities), model.predict_log_proba(ROWS, NAMES), rtol=1e-5, atol=1e-6
    )
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
        out_of_class=label, learning_rate_init=0.005, batch_size=2,
    )  # fmt: skip
    scores = model.history_["validation_score"]
    assert model.stop_reason_ == "converged"
    assert len(scores) == len(model.history_["validation_loss"]) == model.n_iter_ < 60
    losses = model.history_["validation_loss"]
    # The last improvement of the score or of the loss was five epochs before the end.
    assert max(scores.index(max(scores)), losses.index(min(losses))) >= model.n_iter_ - 5
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
        model = small().fit(ROWS, LABELS, NAMES)
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
    with pytest.raises(ArtifactError, match="belongs to another training run"):
        model().fit(ROWS, LABELS, NAMES[::-1], checkpoint=path)
    seeds = checkpoints.Checkpoint(path).seeds
    found = model().fit(ROWS, LABELS, NAMES, checkpoint=path)
    assert list(found.scaffold_seeds_.values()) == list(seeds[2:])
    assert not path.exists()
    if random_state is not None:
        assert_same(found, model().fit(ROWS, LABELS, NAMES))


@pytest.mark.host(reason="checkpoints are files")
@pytest.mark.parametrize("first", [{"left": 5, "right": 6}, None], ids=["given", "drawn"])
def test_a_checkpoint_on_other_scaffolds_than_asked_for_is_refused(first, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def save_and_die(self, progress, save=checkpoints.Checkpoint.save):
        save(self, progress)
        raise Killed

    def model(seeds):
        return small(scaffold_seeds=seeds, random_state=None)

    path = tmp_path / "c.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        patch.setattr(checkpoints.Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            model(first).fit(ROWS, LABELS, NAMES, checkpoint=path)
    before, seeds = path.read_bytes(), checkpoints.Checkpoint(path).seeds[2:]
    for other in ({"left": 5, "right": 7}, {"left": 6, "right": 5}):
        with pytest.raises(ArtifactError, match="belongs to another training run"):
            model(other).fit(ROWS, LABELS, NAMES, checkpoint=path)
        assert path.read_bytes() == before
    found = model(first).fit(ROWS, LABELS, NAMES, checkpoint=path)
    assert tuple(found.scaffold_seeds_.values()) == seeds
    assert not path.exists()
