"""optimizer="lbfgs": SciPy minimises the loss on the whole training set."""

import warnings

import numpy as np
import pytest
import scipy.optimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    SeedGatedClassifier,
    ViTClassifier,
    fit_many,
    load,
    save,
)
from deepreservoir.training import lbfgs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
SLOPE = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
Y = X @ SLOPE + 0.1 * RNG.normal(size=120)
LABELS = np.where(Y > 0, "up", "down")


PLAIN = {"activation": "relu", "bias": "paper", "weight_decay": 1e-2, "max_iter": 200}


def classifier(**params):
    defaults = {"optimizer": "lbfgs", "rank": 2, "dtype": "float64", "random_state": 0, **PLAIN}
    defaults["label_smoothing"] = 0.0
    return DeepReservoirClassifier(**{"hidden_layer_sizes": (8,), **defaults, **params})


def regressor(**params):
    defaults = {"optimizer": "lbfgs", "rank": 2, "dtype": "float64", "random_state": 0, **PLAIN}
    return DeepReservoirRegressor(**{"hidden_layer_sizes": (8,), **defaults, **params})


def test_without_hidden_layers_it_finds_the_ridge_regression():
    model = regressor(hidden_layer_sizes=(), weight_decay=0.02, tol=1e-10, max_iter=1000).fit(X, Y)
    # The loss on standardised targets is a mean, and ridge's a sum: the penalty is n/2 as large.
    ridge = Ridge(alpha=0.02 * len(X) / 2).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), ridge.predict(X), atol=2e-4)
    np.testing.assert_allclose(model.coefs_[0][:, 0], ridge.coef_, atol=1e-4)


def test_without_hidden_layers_it_finds_the_logistic_regression():
    model = classifier(hidden_layer_sizes=(), weight_decay=0.05, tol=1e-10, max_iter=1000)
    oracle = LogisticRegression(C=1 / (0.05 * len(X)), tol=1e-10, max_iter=1000)
    model.fit(X, LABELS), oracle.fit(X, LABELS)
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
@pytest.mark.parametrize("weighted", [False, True])
def test_its_gradient_is_that_of_its_loss(adapter, weighted, monkeypatch):
    seen = []

    def minimize(fun, x0, **kwargs):
        seen.append((fun, x0 + 0.1 * np.random.default_rng(1).normal(size=x0.shape)))
        return scipy_minimize(fun, x0, **kwargs)

    scipy_minimize = scipy.optimize.minimize
    monkeypatch.setattr(lbfgs.scipy.optimize, "minimize", minimize)
    weights = RNG.uniform(0.5, 2, size=120) if weighted else None
    classifier(adapter=adapter, weight_decay=0.3, max_iter=2, activation="tanh").fit(
        X, LABELS, sample_weight=weights
    )
    fun, x = seen[0]
    direction = np.random.default_rng(2).normal(size=x.shape)
    step = 1e-6 * direction
    slope = (fun(x + step)[0] - fun(x - step)[0]) / 2
    np.testing.assert_allclose(1e-6 * fun(x)[1] @ direction, slope, rtol=1e-6)


def test_a_set_larger_than_a_pass_has_the_same_loss(monkeypatch):
    whole = classifier(max_iter=5).fit(X, LABELS)
    monkeypatch.setattr(lbfgs, "PASS_SAMPLES", 50)
    parts = classifier(max_iter=5).fit(X, LABELS)
    np.testing.assert_allclose(whole.loss_curve_, parts.loss_curve_, rtol=1e-9)


def test_it_needs_fewer_iterations_than_adam_needs_epochs_on_small_data():
    fast = regressor(max_iter=60).fit(X, Y)
    slow = regressor(
        optimizer="adam", schedule="constant", max_iter=60, dropout=0.0, ema_decay=None
    ).fit(X, Y)
    assert fast.loss_ < slow.loss_ / 10


def test_it_computes_in_float32_too():
    model = regressor(dtype="float32", max_iter=300).fit(X, Y)
    assert model.score(X, Y) > 0.99
    assert model.network_.theta.dtype == np.float32


def test_the_fitted_attributes_describe_it(tmp_path):
    model = classifier(max_iter=4, tol=0.0, weight_decay=0.0).fit(X, LABELS)
    assert (model.n_iter_, model.stop_reason_, model.t_) == (4, "budget", 480)
    assert len(model.loss_curve_) == len(model.history_["beta"]) == 4
    assert model.best_loss_ == model.loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is None
    assert "learning_rate" not in model.history_
    again = load(save(model, tmp_path / "model.safetensors"))
    assert again.optimizer == "lbfgs"
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_the_order_of_rows_and_the_batch_size_do_not_matter():
    order = RNG.permutation(len(X))
    models = [
        classifier(max_iter=10).fit(X, LABELS),
        classifier(max_iter=10, batch_size=7).fit(X[order], LABELS[order]),
    ]
    assert models[0].network_.theta.tobytes() == models[1].network_.theta.tobytes()


def test_max_fun_limits_the_evaluations():
    model = regressor(max_iter=500, max_fun=7, tol=0.0).fit(X, Y)
    assert model.n_iter_ <= 7
    assert model.stop_reason_ == "budget"


def test_warm_start_continues():
    model = regressor(max_iter=3, warm_start=True).fit(X, Y)
    before = model.loss_
    model.fit(X, Y)
    assert model.loss_ < before
    assert (model.n_iter_, len(model.loss_curve_)) == (3, 6)


def test_partial_fit_is_not_there():
    for model in (classifier(), regressor()):
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as error:
            model.partial_fit  # noqa: B018
        assert "needs the whole training set" in str(error.value.__cause__)
        assert hasattr(model.set_params(optimizer="adam"), "partial_fit")


def test_what_it_cannot_do_is_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint can be written"):
        classifier().fit(X, LABELS, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="use another optimizer, or fit each model"):
        fit_many([classifier(), classifier(rank=1)], X, LABELS)
    gated = SeedGatedClassifier((8,), optimizer="lbfgs", rank=2, random_state=0)
    with pytest.raises(ValueError, match="one network on its whole training set"):
        gated.fit(X, LABELS, np.arange(120) % 2)
    assert not list(tmp_path.iterdir())


def test_a_failed_fit_leaves_the_model():
    model = regressor(max_iter=3).fit(X, Y)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="large values and need to be preprocessed"):
        model.fit(X * 1e300, Y)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_ctrl_c_keeps_the_last_iteration():
    def interrupt(state):
        if state.epoch == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
        model = regressor(max_iter=50).fit(X, Y, callback=interrupt)
    assert model.stop_reason_ == "interrupted"
    np.testing.assert_array_equal(
        model.predict(X), regressor(max_iter=3, tol=0.0).fit(X, Y).predict(X)
    )


def test_it_works_in_a_search_over_pipelines():
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=30))
    grid = {"deepreservoirclassifier__weight_decay": [0.0, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, LABELS)
    assert search.best_score_ > 0.8
    assert clone(pipeline)[-1].get_params()["max_fun"] == 15000


def test_what_has_no_effect_may_keep_its_default():
    plain = classifier(max_iter=5).fit(X, LABELS)
    bare = classifier(max_iter=5, dropout=0.0, adapter_dropout=0.0, ema_decay=None, shuffle=False)
    assert plain.dropout == "auto"
    assert plain.network_.config.dropout == 0
    assert bare.fit(X, LABELS).network_.theta.tobytes() == plain.network_.theta.tobytes()


def test_it_says_when_its_budget_was_too_small():
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 3 iterations"):
        classifier(max_iter=3, tol=0.0).fit(X, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        classifier(max_iter=1000, weight_decay=0.1).fit(X, LABELS)


@pytest.mark.parametrize(
    "params", [{"stochastic_depth": 0.5}, {"augmentation": ["crop"]}], ids=["depth", "crop"]
)
def test_networks_that_change_from_step_to_step_are_refused(params):
    model = ViTClassifier(4, 16, 2, heads=2, rank=2, optimizer="lbfgs", **params)
    X, y = np.random.default_rng(0).random((20, 8, 8, 1)), np.arange(20) % 2
    with pytest.raises(ValueError, match=f"whole training set, and needs {next(iter(params))}="):
        model.fit(X, y)


def test_no_average_is_reported_where_none_is_taken():
    model = DeepReservoirClassifier((4,), optimizer="lbfgs", max_iter=2, random_state=0)
    assert model.fit(np.eye(6), [0, 1, 2] * 2).ema_decay_ is None
