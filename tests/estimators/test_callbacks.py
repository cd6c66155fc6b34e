"""Callbacks, live validation on an eval_set, and what verbose prints."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from target import host

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor
from deepreservoir.training import EpochEnd

RNG = np.random.default_rng(0)
X, X_VAL = RNG.normal(size=(100, 4)), RNG.normal(size=(40, 4))
LABELS, LABELS_VAL = (np.where(a[:, 0] * a[:, 1] > 0, "b", "a") for a in (X, X_VAL))
Y, Y_VAL = X[:, 0] - X[:, 1] ** 2, X_VAL[:, 0] - X_VAL[:, 1] ** 2


PLAIN = {
    "dropout": 0.0,
    "adapter_dropout": 0.0,
    "ema_decay": None,
    "warmup": 0.0,
    "weight_decay": 0.01,
}


def classifier(**params):
    defaults = {"rank": 2, "max_iter": 6, "batch_size": 20, "random_state": 0, **PLAIN}
    return DeepReservoirClassifier((8,), **{**defaults, **params})


def regressor(**params):
    defaults = {"rank": 2, "max_iter": 6, "batch_size": 20, "random_state": 0, **PLAIN}
    return DeepReservoirRegressor((8,), **{**defaults, **params})


# Callbacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lbfgs"])
def test_a_callback_gets_the_state_after_every_epoch(optimizer):
    states, thetas = [], []

    def callback(state):
        states.append(state)
        thetas.append(state.network.theta.copy())

    model = classifier(optimizer=optimizer, tol=0.0).fit(
        X, LABELS, eval_set=(X_VAL, LABELS_VAL), callback=callback
    )
    assert all(isinstance(state, EpochEnd) for state in states)
    assert [state.epoch for state in states] == list(range(1, 7))
    assert {state.max_iter for state in states} == {6}
    assert [state.loss for state in states] == model.loss_curve_
    assert [state.validation_score for state in states] == model.validation_scores_
    assert [state.validation_loss for state in states] == model.history_["validation_loss"]
    assert (host(thetas[0]) != host(thetas[-1])).any()
    np.testing.assert_array_equal(host(thetas[-1]), host(model.network_.theta))


def test_a_callback_changes_no_bit():
    plain = classifier().fit(X, LABELS)
    watched = classifier().fit(X, LABELS, callback=lambda state: None)
    assert plain.network_.theta.tobytes() == watched.network_.theta.tobytes()
    assert "callback" not in watched.get_params()


def _returns_true(state):
    return state.epoch == 3


def _raises_stop_iteration(state):
    if state.epoch == 3:
        raise StopIteration


def _returns_numpys_true(state):
    return np.bool_(state.epoch == 3)


@pytest.mark.parametrize("optimizer", ["adamw", "lbfgs"])
@pytest.mark.parametrize("stop", [_returns_true, _raises_stop_iteration, _returns_numpys_true])
def test_a_callback_ends_training(stop, optimizer):
    params = {"optimizer": optimizer, "schedule": "constant", "tol": 0.0}
    model = regressor(**params).fit(X, Y, callback=stop)
    assert (model.n_iter_, model.stop_reason_) == (3, "callback")
    same = regressor(**params, max_iter=3).fit(X, Y)
    assert model.network_.theta.tobytes() == same.network_.theta.tobytes()


def test_a_callback_that_returns_something_else_does_not_end_training():
    assert regressor().fit(X, Y, callback=lambda state: "a figure").n_iter_ == 6


@pytest.mark.parametrize("optimizer", ["adamw", "lbfgs"])
def test_a_failing_callback_loses_nothing(optimizer):
    params = {"optimizer": optimizer, "schedule": "constant", "tol": 0.0}

    def fails(state):
        if state.epoch == 4:
            raise OSError("the disk is full")

    model = regressor(**params)
    with (
        pytest.warns(UserWarning, match="interrupted after 4 epochs; the model is usable"),
        pytest.raises(OSError, match="the disk is full"),
    ):
        model.fit(X, Y, callback=fails)
    assert (model.n_iter_, model.stop_reason_) == (4, "interrupted")
    same = regressor(**params, max_iter=4).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), same.predict(X))


def test_after_a_failing_callback_the_same_call_continues_from_the_checkpoint(tmp_path):
    path, epochs = tmp_path / "checkpoint", []

    def fails(state):
        epochs.append(state.epoch)
        if epochs == [1, 2]:
            raise RuntimeError

    with pytest.warns(UserWarning, match="interrupted"), pytest.raises(RuntimeError):
        regressor().fit(X, Y, checkpoint=path, callback=fails)
    assert path.exists()
    model = regressor().fit(X, Y, checkpoint=path, callback=fails)
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert model.network_.theta.tobytes() == regressor().fit(X, Y).network_.theta.tobytes()
    assert model.loss_curve_ == regressor().fit(X, Y).loss_curve_
    assert not path.exists()


def test_what_cannot_be_called_is_refused_before_training():
    with pytest.raises(ValueError, match="callback must be callable"):
        regressor().fit(X, Y, callback=7)


def test_an_early_stopping_callback_keeps_the_best_weights():
    def stop(state):
        return state.epoch == 2

    model = classifier(early_stopping=True).fit(X, LABELS, callback=stop)
    assert model.n_iter_ == len(model.validation_scores_) == 2


# Live validation -------------------------------------------------------------------------------


def test_an_eval_set_is_recorded_and_changes_nothing_else():
    plain = classifier().fit(X, LABELS)
    model = classifier().fit(X, LABELS, eval_set=(X_VAL, LABELS_VAL))
    assert plain.network_.theta.tobytes() == model.network_.theta.tobytes()
    assert model.validation_scores_[-1] == pytest.approx(model.score(X_VAL, LABELS_VAL))
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ == min(model.loss_curve_)
    assert len(model.history_["validation_loss"]) == 6


def test_with_early_stopping_it_takes_the_place_of_the_part_held_out():
    params = {"max_iter": 60, "learning_rate_init": 0.05, "early_stopping": True}
    model = regressor(**params).fit(X, Y, eval_set=(X_VAL, Y_VAL))
    assert model.t_ == 100 * model.n_iter_  # every row was trained on
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X_VAL, Y_VAL) == pytest.approx(model.best_validation_score_, abs=1e-5)
    assert model.best_loss_ is None


def test_weights_of_an_eval_set_count_in_its_score_and_its_loss():
    weights = RNG.integers(1, 4, size=40)
    rows = np.repeat(np.arange(40), weights)
    one = classifier().fit(X, LABELS, eval_set=(X_VAL, LABELS_VAL, weights))
    other = classifier().fit(X, LABELS, eval_set=(X_VAL[rows], LABELS_VAL[rows]))
    np.testing.assert_allclose(one.validation_scores_, other.validation_scores_)
    losses = (model.history_["validation_loss"] for model in (one, other))
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize(
    ("eval_set", "message"),
    [
        ((X_VAL[:, :3], LABELS_VAL), "eval_set: X has 3 features, but .* expecting 4"),
        ((X_VAL, LABELS_VAL[:-1]), "eval_set: .*inconsistent numbers of samples"),
        ((X_VAL, np.full(40, "c")), r"eval_set: y contains classes .*: \['c'\]"),
        ((X_VAL * np.nan, LABELS_VAL), "eval_set: .*NaN"),
        (X_VAL, "eval_set must be a tuple .* got ndarray"),
        ((X_VAL,), "eval_set must be a tuple .* got tuple of 1"),
        ([(X_VAL, LABELS_VAL)], "eval_set must be a tuple .* got list of 1"),
    ],
    ids=["features", "rows", "classes", "nan", "array", "one", "list of pairs"],
)
def test_an_eval_set_that_does_not_fit_is_refused_by_name(eval_set, message):
    model = classifier()
    with pytest.raises(ValueError, match=message):
        model.fit(X, LABELS, eval_set=eval_set)
    assert not hasattr(model, "network_")


def test_an_eval_set_of_other_targets_is_refused():
    with pytest.raises(ValueError, match="eval_set: y must have 1 targets per sample"):
        regressor().fit(X, Y, eval_set=(X_VAL, X_VAL))


def test_a_pipeline_passes_it_on():
    scaler = StandardScaler().fit(X * 50 + 7)
    pipeline = make_pipeline(StandardScaler(), regressor())
    held_out = (scaler.transform(X_VAL * 50 + 7), Y_VAL)
    pipeline.fit(X * 50 + 7, Y, deepreservoirregressor__eval_set=held_out)
    expected = pipeline.score(X_VAL * 50 + 7, Y_VAL)
    assert pipeline[-1].validation_scores_[-1] == pytest.approx(expected, abs=1e-5)


def test_a_search_passes_arguments_of_fit_on():
    epochs = []
    search = GridSearchCV(regressor(max_iter=2), {"rank": [1, 2]}, cv=2, refit=False)
    search.fit(X, Y, callback=lambda state: epochs.append(state.epoch))
    assert epochs == [1, 2] * 4


# What is shown ---------------------------------------------------------------------------------


def test_verbose_prints_a_line_per_epoch(capsys):
    model = classifier(verbose=2, max_iter=2).fit(X, LABELS, eval_set=(X_VAL, LABELS_VAL))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Iteration 1, loss = {model.loss_curve_[0]:.8f}"
    assert lines[1] == f"Validation score: {model.validation_scores_[0]:.6f}"
    assert len(lines) == 4


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_verbose_true_shows_a_bar_with_losses_and_scores(optimizer, capsys):
    model = classifier(verbose=True, optimizer=optimizer, tol=0.0)
    model.fit(X, LABELS, eval_set=(X_VAL, LABELS_VAL))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "6/6" in captured.err
    assert "validation_score=" in captured.err


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Training loss did not improve more than tol=10.000000 for"),
        ({"early_stopping": True}, "Validation score did not improve more than tol=10.000000 for"),
    ],
)
@pytest.mark.parametrize("verbose", [1, 2])
def test_it_says_why_it_stopped(params, message, verbose, capsys):
    params = {"tol": 10.0, "max_iter": 40, "schedule": "constant", **params}
    model = classifier(verbose=verbose, **params).fit(X, LABELS)
    assert model.stop_reason_ == "converged"
    assert message in capsys.readouterr().out


def test_early_stopping_by_one_sample_is_refused():
    with pytest.raises(ValueError, match=r"eval_set: early stopping by R\^2 needs at least 2"):
        regressor(early_stopping=True).fit(X, Y, eval_set=(X_VAL[:1], Y_VAL[:1]))
