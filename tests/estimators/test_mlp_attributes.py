"""What users of scikit-learn's multilayer perceptron know: attributes, types, small cases."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    TrainingDiverged,
    load,
    predict_many,
    save,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = np.arange(60) % 3
Y = X[:, 0] * 5 + 2
PARAMS = {
    "rank": 2,
    "max_iter": 4,
    "random_state": 0,
    "activation": "relu",
    "dropout": 0.0,
    "adapter_dropout": 0.0,
    "ema_decay": None,
}


def classifier(hidden=(8, 6), **params):
    return DeepReservoirClassifier(hidden, **{**PARAMS, **params})


def regressor(hidden=(8, 6), **params):
    return DeepReservoirRegressor(hidden, **{**PARAMS, **params})


def forward(model, x):
    """Return the outputs of the weights that a model shows."""
    pairs = list(zip(model.coefs_, model.intercepts_, strict=True))
    for weight, bias in pairs[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    return x @ pairs[-1][0] + pairs[-1][1]


@pytest.mark.host(reason="outputs are compared in float64, which only the CPU predicts in")
@pytest.mark.parametrize("params", [{}, {"adapter": "full"}, {"head": "lora", "rank": 1}], ids=str)
def test_the_weights_shown_compute_what_the_model_computes(params):
    model = regressor(**params).fit(X, Y)
    assert [w.shape for w in model.coefs_] == [(4, 8), (8, 6), (6, 1)]
    assert [b.shape for b in model.intercepts_] == [(8,), (6,), (1,)]
    np.testing.assert_allclose(forward(model, X)[:, 0], model.predict(X), rtol=1e-6)
    model = classifier(**params).fit(X, LABELS)
    np.testing.assert_allclose(forward(model, X), model.decision_function(X), rtol=1e-6, atol=1e-9)


def test_sizes_and_functions_have_their_names(tmp_path):
    model = classifier().fit(X, LABELS)
    models = (model, load(save(model, tmp_path / "m")), pickle.loads(pickle.dumps(model)))
    for each in models:
        assert (each.n_layers_, each.n_outputs_, each.out_activation_) == (4, 3, "softmax")
        np.testing.assert_array_equal(each.coefs_[0], model.coefs_[0])
    assert classifier().fit(X, LABELS % 2).out_activation_ == "logistic"
    assert regressor().fit(X, Y).out_activation_ == "identity"
    assert not hasattr(classifier(), "coefs_")
    assert not hasattr(models[1], "loss_curve_")  # files keep no history


def test_losses_and_counts():
    model = regressor(batch_size=20).fit(X, Y)
    assert model.loss_curve_ == model.history_["loss"]
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert (model.n_iter_, model.t_) == (4, 240)
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None


def test_counts_of_calls_that_continue():
    model = regressor(warm_start=True).fit(X, Y).fit(X, Y)
    assert (model.n_iter_, len(model.loss_curve_), model.t_) == (4, 8, 480)
    model = regressor().partial_fit(X, Y).partial_fit(X[:10], Y[:10])
    assert (model.n_iter_, len(model.loss_curve_), model.t_) == (1, 2, 70)
    model.fit(X, Y)
    assert (model.n_iter_, len(model.loss_curve_), model.t_) == (4, 4, 240)


def test_partial_fit_after_fit_continues():
    model = classifier().fit(X, LABELS)
    before = model.network_.theta.copy()
    model.partial_fit(X[:5], LABELS[:5])
    assert (model.network_.theta != before).any()
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        model.set_params(early_stopping=True).partial_fit(X, LABELS)


@pytest.mark.parametrize(("first", "second"), [("adamw", "sgd"), ("sgd", "adam")])
def test_another_optimizer_between_calls_of_partial_fit_is_refused(first, second):
    model = regressor(optimizer=first).partial_fit(X, Y)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="cannot continue with another optimizer"):
        model.set_params(optimizer=second).partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), expected)
    model.set_params(optimizer=first).partial_fit(X, Y)


# Types -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_type_of_X(dtype):
    x = X.astype(dtype)
    fitted = classifier().fit(x, LABELS)
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        assert getattr(fitted, method)(x).dtype == dtype
    assert regressor().fit(x, Y).predict(x).dtype == dtype
    assert {w.dtype for w in fitted.coefs_ + fitted.intercepts_} == {np.dtype(dtype)}
    assert fitted.predict_proba(pd.DataFrame(x)).dtype == dtype
    many = predict_many({0: regressor().fit(X, Y)}, x, [0] * 60)
    assert many.dtype == dtype


def test_float32_results_are_the_rounded_float64_results():
    fitted, x = regressor().fit(X, Y), X.astype(np.float32)
    expected = fitted.predict(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(fitted.predict(x), expected)


def test_labels_and_integers_are_not_made_float32():
    x = X.astype(np.float32)
    floats = classifier().fit(x, LABELS + 0.1 - 0.1)
    assert floats.predict(x).dtype == np.float64
    assert regressor().fit(X, Y).predict((X * 10).astype(int)).dtype == np.float64


def test_targets_beyond_float32_stay_float64():
    fitted = regressor().fit(X, Y * 1e200)
    prediction = fitted.predict(X.astype(np.float32))
    assert prediction.dtype == np.float64
    assert np.isfinite(prediction).all()


# Small cases -----------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"optimizer": "lbfgs"}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("label", ["only", 7])
def test_one_class_is_predicted_for_all(label, params, tmp_path):
    model = classifier(**params).fit(X, np.full(60, label))
    for each in (model, load(save(model, tmp_path / "m"))):
        np.testing.assert_array_equal(each.predict(X), np.full(60, label))
        np.testing.assert_array_equal(each.predict_proba(X), np.ones((60, 1)))
        np.testing.assert_array_equal(each.decision_function(X), np.zeros(60))
        assert each.score(X, np.full(60, label)) == 1.0


def test_one_class_of_positive_weight_is_learned():
    weights = (LABELS == 1).astype(float)
    model = classifier(max_iter=100, learning_rate_init=0.05)
    predicted = model.fit(X, LABELS, sample_weight=weights).predict(X[LABELS == 1])
    np.testing.assert_array_equal(predicted, np.ones(20))


def test_a_width_may_be_an_integer(tmp_path):
    one, other = regressor(8).fit(X, Y), regressor((8,)).fit(X, Y)
    assert one.network_.config == other.network_.config
    assert clone(one).hidden_layer_sizes == 8
    assert load(save(one, tmp_path / "m")).hidden_layer_sizes == 8


def test_at_a_constant_rate_without_a_criterion_the_end_is_no_convergence():
    params = {"n_iter_no_change": np.inf, "schedule": "constant", "max_iter": 300}
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(300\) reached .*=inf"):
        regressor(**params).fit(X, Y)


def test_patience_may_be_infinite(tmp_path):
    model = regressor(n_iter_no_change=np.inf, tol=1e9, max_iter=15).fit(X, Y)
    assert (model.n_iter_, model.stop_reason_) == (15, "budget")
    assert load(save(model, tmp_path / "m")).n_iter_no_change == np.inf


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2, 3], [0, 1, 5]])
def test_warm_start_with_other_classes_is_refused(classes):
    model = classifier(warm_start=True).fit(X, LABELS)
    y = np.array(classes)[np.arange(60) % len(classes)]
    with pytest.raises(ValueError, match=r"warm_start can only be used where `y` has the same"):
        model.fit(X, y)
    model.fit(X, LABELS[::-1])


def test_a_divergence_is_a_value_error_too():
    with pytest.raises(ValueError, match="became") as error:
        regressor(optimizer="sgd", learning_rate_init=1e30, max_iter=50).fit(X, Y)
    assert isinstance(error.value, TrainingDiverged)


def test_histories_of_fits_with_and_without_validation_are_aligned():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = DeepReservoirClassifier((4,), max_iter=2, warm_start=True, random_state=0).fit(X, y)
    model.fit(X, y, eval_set=(X[:20], y[:20]))
    assert np.isnan(model.history_["validation_loss"][:2]).all()
    assert np.isfinite(model.history_["validation_loss"][2:]).all()
    best = max(model.validation_scores_[2:])
    assert model.best_validation_score_ == best
    model.fit(X, y)
    assert {name: len(values) for name, values in model.history_.items()} == dict.fromkeys(
        ("loss", "learning_rate", "beta", "validation_loss", "validation_score"), 6
    )
    assert model.best_validation_score_ == best
