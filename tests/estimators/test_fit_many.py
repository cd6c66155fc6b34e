"""Deep estimators fitted side by side, and on scaffolds that change."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.preprocessing import scale
from target import host

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, fit_many, load, save
from deepreservoir.experiments import Protocol

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
SMALL = {"hidden_layer_sizes": (32, 16), "max_iter": 4, "random_state": 0}


def assert_same(one, other):
    np.testing.assert_array_equal(host(one.network_.theta), host(other.network_.theta))
    assert one.history_ == other.history_
    assert one.network_.digests() == other.network_.digests()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_classifiers_come_out_as_if_fitted_alone(early_stopping):
    shared = SMALL | {"early_stopping": early_stopping, "dropout": 0.1}
    own = [{"rank": 1}, {"rank": 4, "learning_rate_init": 0.01}, {"adapter": "dora", "rank": 2}]
    together = fit_many([DeepReservoirClassifier(**shared, **o) for o in own], X, y)
    for model, o in zip(together, own, strict=True):
        assert_same(model, DeepReservoirClassifier(**shared, **o).fit(X, y))
    assert together[0].network_.scaffolds["layers.1"] is together[1].network_.scaffolds["layers.1"]


def test_regressors_with_weights():
    X, y = load_diabetes(return_X_y=True)
    weights = np.linspace(0.5, 2, len(y))
    models = [DeepReservoirRegressor(rank=r, **SMALL) for r in (1, 2)]
    for model in fit_many(models, scale(X), y, weights):
        assert_same(model, clone(model).fit(scale(X), y, weights))


def test_fully_trained_networks_share_rows_alone():
    models = [
        DeepReservoirClassifier(adapter="full", learning_rate_init=rate, **SMALL)
        for rate in (1e-3, 1e-2)
    ]
    for model in fit_many(models, X, y):
        assert_same(model, clone(model).fit(X, y))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"scaffold": "uniform"}, "share scaffold; got 'normal' and 'uniform'"),
        ({"batch_size": 32}, "share batch_size"),
        ({"random_state": 1}, "share random_state"),
        ({"hidden_layer_sizes": (16,)}, "first layer's frozen weights"),
        ({"adapter": "full"}, "first layer's frozen weights"),
        ({"warm_start": True}, "warm_start=False"),
        ({"resample": "epoch"}, "resample=None"),
    ],
)
def test_models_that_do_not_go_together_are_refused(changes, match):
    models = [DeepReservoirClassifier(**SMALL), DeepReservoirClassifier(**(SMALL | changes))]
    with pytest.raises(ValueError, match=match):
        fit_many(models, X, y)
    assert not any(hasattr(model, "network_") for model in models)


def test_what_are_no_deep_estimators_of_one_kind_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        fit_many([], X, y)
    with pytest.raises(ValueError, match="got a list"):
        fit_many([[1]], X, y)
    with pytest.raises(ValueError, match="all be of one class"):
        fit_many([DeepReservoirClassifier(**SMALL), DeepReservoirRegressor(**SMALL)], X, y)
    free = [DeepReservoirClassifier(max_iter=1) for _ in range(2)]
    with pytest.raises(ValueError, match="an integer; got None"):
        fit_many(free, X, y)


# Scaffolds that change -----------------------------------------------------------------


@pytest.mark.parametrize("resample", ["epoch", ("step", 2), ("microbatch", 4)])
def test_a_resampled_model_predicts_is_saved_and_pickled(resample, tmp_path):
    model = DeepReservoirClassifier(resample=resample, early_stopping=True, **SMALL).fit(X, y)
    expected = model.predict_proba(X[:50])
    loaded = load(save(model, tmp_path / "m.safetensors"))
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(X[:50]), expected)
        assert other.scaffold_seed_ == model.scaffold_seed_ == model.network_.seed
        assert other.resample == resample
    assert len(model.history_["loss"]) == 4


@pytest.mark.slow
@pytest.mark.long_in_the_shim
def test_a_scaffold_that_stays_is_learned_best():
    """The paper's order, on digits: the more scaffolds change, the less is learned."""
    protocol = Protocol(hidden_layer_sizes=(64, 32), max_iter=20, validation=True)
    scores = [
        np.mean([
            DeepReservoirClassifier(
                rank=2, resample=resample, random_state=seed, **protocol.parameters()
            ).fit(X[::2], y[::2]).score(X[1::2], y[1::2])
            for seed in range(2)
        ])
        for resample in (None, "epoch", ("step", 2))
    ]  # fmt: skip
    assert scores[0] > scores[1] + 0.05
    assert scores[1] > scores[2]


@pytest.mark.parametrize("resample", ["step", ("step", 0), ("epoch", 2), ("step", 1.5), 3, ("a",)])
def test_what_is_no_schedule_is_refused(resample):
    with pytest.raises(ValueError, match="resample must be None"):
        DeepReservoirClassifier(resample=resample, **SMALL).fit(X, y)


def test_fully_trained_networks_have_no_scaffold_to_draw():
    with pytest.raises(ValueError, match="needs a frozen scaffold"):
        DeepReservoirClassifier(resample="epoch", adapter="full", **SMALL).fit(X, y)


def test_a_seed_may_be_an_integer_of_numpy():
    X = np.random.default_rng(0).standard_normal((30, 3))
    params = {"hidden_layer_sizes": (4,), "max_iter": 1}
    given = [DeepReservoirClassifier(**params, random_state=seed) for seed in (np.int64(0), 0)]
    one, two = fit_many(given, X, X[:, 0] > 0)
    np.testing.assert_array_equal(host(one.network_.theta), host(two.network_.theta))


@pytest.mark.parametrize("first", ["adam", "lbfgs"])
def test_lbfgs_is_not_fitted_side_by_side(first):
    models = [
        DeepReservoirClassifier((8,), random_state=0, optimizer=name) for name in (first, "lbfgs")
    ]
    with pytest.raises(ValueError, match="use another optimizer, or fit each model by itself"):
        fit_many(models, np.eye(6), [0, 1, 2] * 2)
