"""Estimators within scikit-learn's meta-estimators, and metadata that is routed to them."""

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, SeedGatedClassifier

pytestmark = pytest.mark.host(reason="meta-estimators of scikit-learn")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 5))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.8)
BOTH = np.c_[Y > 0, Y > 1].astype(int)
WEIGHTS = RNG.random(150)
WEIGHTS[:50] = 0


def deep(**params):
    return DeepReservoirClassifier(
        (16,), rank=2, max_iter=30, learning_rate_init=0.02, random_state=0, **params
    )


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize(
    ("meta", "y"),
    [
        (BaggingClassifier(deep(), n_estimators=2, max_features=0.6, random_state=0), Y),
        (VotingClassifier([("a", deep())], voting="soft"), Y),
        (CalibratedClassifierCV(deep(), cv=3), Y),
        (OneVsRestClassifier(deep()), Y),
        (MultiOutputClassifier(deep()), BOTH),
        (ClassifierChain(deep()), BOTH),
    ],
    ids=lambda value: type(value).__name__,
)
def test_meta_estimators_clone_and_fit(meta, y):
    predictions = meta.fit(X, y).predict(X)
    assert predictions.shape == y.shape
    assert np.mean(predictions == y) > 0.5


@pytest.mark.usefixtures("routing")
def test_weights_and_checkpoints_pass_through_a_pipeline(tmp_path):
    last = deep().set_fit_request(sample_weight=True, checkpoint=True)
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), last)
    pipeline.fit(X, Y, sample_weight=WEIGHTS, checkpoint=tmp_path / "c")
    scaled = StandardScaler().fit_transform(X)
    wanted = deep().fit(scaled, Y, WEIGHTS).predict_proba(scaled)
    np.testing.assert_array_equal(pipeline.predict_proba(X), wanted)
    assert (wanted != deep().fit(scaled, Y).predict_proba(scaled)).any()


@pytest.mark.usefixtures("routing")
def test_weights_pass_through_a_search_and_a_stack():
    requested = deep().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = GridSearchCV(requested, {"rank": [1, 2]}, cv=3, error_score="raise")
    assert search.fit(X, Y, sample_weight=WEIGHTS).best_score_ > 0.3
    regressor = DeepReservoirRegressor((8,), rank=1, max_iter=3, random_state=0)
    stack = StackingRegressor([("a", regressor.set_fit_request(sample_weight=True))])
    weighted = stack.fit(X, X[:, 0], sample_weight=WEIGHTS).estimators_[0].predict(X)
    np.testing.assert_array_equal(
        weighted,
        DeepReservoirRegressor((8,), rank=1, max_iter=3, random_state=0)
        .fit(X, X[:, 0], WEIGHTS)
        .predict(X),
    )


@pytest.mark.usefixtures("routing")
def test_tasks_pass_through_cross_validation():
    gated = SeedGatedClassifier(rank=2, max_iter=2, random_state=0)
    gated.set_fit_request(task=True).set_score_request(task=True)
    task = np.array(["a", "b"])[np.arange(150) % 2]
    scores = cross_validate(gated, X, Y, params={"task": task}, cv=3, error_score="raise")
    assert (scores["test_score"] > 0.2).all()
