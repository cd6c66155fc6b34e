"""Models of series in files, side by side, gated by seeds, in searches, and as reservoirs."""

import pickle
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import sklearn
from series_tools import QUICK, classifier, irregular, regressor
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from deepreservoir import (
    CfCClassifier,
    CfCFeatures,
    CfCRegressor,
    EchoStateClassifier,
    RankSearch,
    SeedGated,
    attach,
    fit_many,
    irregular_series,
    load,
    predict_many,
    save,
)
from deepreservoir.analysis import cost_of
from deepreservoir.estimators.base.series_input import SeriesValidation
from deepreservoir.estimators.cfc import CfCNetwork

pytestmark = pytest.mark.host(reason="tests/device/test_cfc_devices.py compares device and host")


@pytest.fixture(scope="module")
def data():
    return irregular()


# Files and many models -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [classifier, regressor])
@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_files(data, tmp_path, kind, adapter):
    X, times, y = data
    model = kind(adapter=adapter, clip=3.0, time_scale=2.0, dropout=0.1).fit(X, y, times=times)
    again = load(save(model, tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(again.predict(X, times), model.predict(X, times))
    assert again.get_params() == model.get_params()
    assert again._reader.state()[0] == model._reader.state()[0]
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X, times), model.predict(X, times))


def test_attached_models_share_one_scaffold(data, tmp_path):
    X, times, y = data
    one = classifier(scaffold_seed=7).fit(X, y, times=times)
    two = classifier(scaffold_seed=7, rank=1).fit(X, 1 - y, times=times)
    again = attach(one, save(two, tmp_path / "two.safetensors"))
    np.testing.assert_array_equal(again.predict(X, times), two.predict(X, times))
    assert all(
        again.network_.scaffolds[path] is one.network_.scaffolds[path]
        for path in one.network_.scaffolds
    )
    names = np.arange(len(X)) % 2
    series = irregular_series(X, times)
    expected = np.where(names == 0, one.predict(series), again.predict(series))
    np.testing.assert_array_equal(predict_many({0: one, 1: again}, series, names), expected)
    scaled = classifier(scaffold_seed=7).fit([10 * x for x in X], y, times=times)
    with pytest.raises(ValueError, match="models must read X alike; 0 and 1 have learned"):
        predict_many({0: one, 1: scaled}, series, names)


def test_fits_side_by_side_have_the_bits_of_alone(data):
    X, times, y = data
    series = irregular_series(X, times)
    models = [classifier(rank=r, adapter=a) for r, a in ((1, "lora"), (3, "dora"), (2, "full"))]
    alone = [clone(model).fit(series, y) for model in models]
    for fitted, one in zip(fit_many(models, series, y), alone, strict=True):
        np.testing.assert_array_equal(fitted.network_.theta, one.network_.theta)
        np.testing.assert_array_equal(fitted.predict(series), one.predict(series))
    with pytest.raises(ValueError, match=r"must read X alike; got clip None and 2\.0"):
        fit_many([classifier(), classifier(clip=2.0)], series, y)


@dataclass(eq=False, repr=False)
class SeedGatedCfC(CfCNetwork, SeriesValidation, SeedGated):
    """The seed-gated classifier of the architecture, which needs no code of its own."""


def test_seed_gating_by_contract(data):
    X, times, y = data
    task = np.arange(len(X)) % 2
    model = SeedGatedCfC(**QUICK | {"max_iter": 40})
    series = irregular_series(X, times)
    model.fit(series, np.where(task == 0, y, 1 - y), task)
    own = (model.predict(series, task) == np.where(task == 0, y, 1 - y)).mean()
    other = (model.predict(series, 1 - task) == np.where(task == 0, y, 1 - y)).mean()
    assert own > other + 0.2


# scikit-learn --------------------------------------------------------------------------------


def test_searches(data):
    X, times, y = data
    series = irregular_series(X, times)
    search = RankSearch(classifier(), eps=1.0, ranks=(1, 2), cv=2, n_seeds=1, random_state=0)
    assert search.fit(series, y).rank_ == 1
    assert search.pca_components_ is None  # series are no matrix
    grid = GridSearchCV(classifier(max_iter=1), {"units": [8, 12]}, cv=2).fit(series, y)
    assert grid.best_params_["units"] in (8, 12)
    assert len(cross_val_score(classifier(max_iter=1), X, y, cv=3)) == 3


def test_a_search_over_ranks_gives_held_out_series_their_times(data):
    X, times, y = data
    search = RankSearch(classifier(), eps=1.0, ranks=(1,), cv=2, n_seeds=1, random_state=0)
    wanted = clone(search).fit(irregular_series(X, times), y).losses_[1]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "the model was fitted with the times")
        np.testing.assert_array_equal(search.fit(X, y, times=times).losses_[1], wanted)


def test_times_within_another_estimator_are_refused_in_a_search_over_ranks(data):
    X, times, y = data
    search = RankSearch(make_pipeline(classifier()), ranks=(1,), cv=2, n_seeds=1)
    with pytest.raises(ValueError, match=r"of a Pipeline.* X=irregular_series\(X, times\)"):
        search.fit(X, y, cfcclassifier__times=times)


def test_times_are_routed(data):
    X, times, y = data
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier(max_iter=2).set_fit_request(times=True, sample_weight=False)
        model.set_score_request(times=True, sample_weight=False)
        grid = GridSearchCV(model, {"rank": [1, 2]}, cv=2)
        grid.fit(X, y, times=times)
        best = classifier(max_iter=2, rank=grid.best_params_["rank"]).fit(X, y, times=times)
        np.testing.assert_array_equal(grid.best_estimator_.network_.theta, best.network_.theta)
        piped = make_pipeline(classifier(max_iter=2).set_fit_request(times=True))
        piped.fit(X, y, times=times)


def test_cost(data):
    X, times, y = data
    model = classifier().fit(X, y, times=times)
    cost = cost_of(model, rows=60, epochs=2)
    steps = round(np.mean([len(x) for x in X]))
    matrices = 14 * 6 + 6 * 6 + 4 * 6 * 10
    assert cost.n_frozen == matrices
    assert cost.n_dense == matrices + 6 + 6 + 40 + 2 * 11
    assert cost.counted.full_prediction == 60 * (steps * matrices + 20)


# Reservoirs ----------------------------------------------------------------------------------


def test_untrained_features_with_a_linear_readout():
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 12, 1))
    y = (X[:, -3:, 0].sum(axis=1) > 0).astype(int)
    features = CfCFeatures(100, random_state=0)
    model = make_pipeline(features, RidgeClassifierCV(np.logspace(-3, 3, 7)))
    assert model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.8
    states = features.transform(X)
    assert states.shape == (300, 100)
    assert features.get_feature_names_out()[:2].tolist() == ["cfcfeatures0", "cfcfeatures1"]
    np.testing.assert_allclose(features.transform(X[5:6])[0], states[5], rtol=1e-12)
    untrained = CfCClassifier(100, 64, adapter="none", beta="fixed", max_iter=1)
    untrained.set_params(scaffold_seed=features.scaffold_seed_).fit(X, y)
    for path, scaffold in features.network_.scaffolds.items():
        assert scaffold.digest() == untrained.network_.scaffolds[path].digest()
    echo = EchoStateClassifier(100, random_state=0).fit(X[:200], y[:200])
    assert echo.score(X[200:], y[200:]) > 0.5


def test_features_refuse_other_channels():
    X = np.zeros((3, 4, 2))
    features = CfCFeatures(8, random_state=0).fit(X)
    with pytest.raises(ValueError, match="X has 1 channels, but CfCFeatures is expecting 2"):
        features.transform(X[:, :, :1])


def test_defaults_are_those_of_the_paper():
    model = CfCRegressor()
    assert (model.units, model.backbone_units, model.backbone_layers) == (256, 64, 2)
