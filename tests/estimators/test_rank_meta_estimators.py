"""Searches over ranks of estimators inside others of scikit-learn, and with routed parameters."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE, SelectKBest, f_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    TunedThresholdClassifierCV,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from deepreservoir import (
    CausalLanguageModel,
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    RankSearch,
)
from deepreservoir.losses import BinaryCrossEntropy

pytestmark = [
    pytest.mark.host(reason="scikit-learn's meta-estimators are on the host"),
    pytest.mark.filterwarnings("ignore"),
]
X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]


def classifier(**params):
    return DeepReservoirClassifier((16,), **{"max_iter": 3, "random_state": 0, **params})


def first_layer(model):
    return np.abs(model.coefs_[0]).sum(axis=1)


def search(estimator, **params):
    given = {"eps": 9.0, "ranks": (1, 2), "cv": 2, "n_seeds": 1, "random_state": 0, **params}
    return RankSearch(estimator, **given)


@pytest.mark.parametrize(
    "estimator",
    [
        VotingClassifier([("a", classifier())], voting="soft"),
        StackingClassifier([("a", classifier())], cv=2),
        BaggingClassifier(classifier(), 2),
        CalibratedClassifierCV(classifier(), cv=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_meta_estimators_of_any_kind_are_searched(estimator):
    found = search(estimator, scoring="accuracy").fit(X, Y)
    assert found.rank_ == 1
    assert found.best_estimator_.score(X, Y) > 0.1


def test_ctrl_c_ends_a_search_over_networks_in_any_estimator():
    model = CalibratedClassifierCV(classifier(max_iter=10_000, batch_size=32), cv=2)
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        search(model).fit(X, Y)
    timer.join()


@pytest.mark.parametrize(
    "estimator",
    [
        GridSearchCV(classifier(), {"activation": ["relu", "tanh"]}, cv=2),
        CalibratedClassifierCV(classifier(), cv=2, ensemble=False),
        TunedThresholdClassifierCV(classifier(), cv=2),
        RFE(classifier(), n_features_to_select=63, importance_getter=first_layer),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_ctrl_c_ends_a_search_in_a_fit_that_its_estimator_discards(estimator, monkeypatch):
    calls, original = [], BinaryCrossEntropy.__call__

    def interrupted(self, *given):
        calls.append(1)
        if len(calls) == 2:  # in the first of the inner fits
            raise KeyboardInterrupt
        return original(self, *given)

    monkeypatch.setattr(BinaryCrossEntropy, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(estimator).fit(X, Y > 4)
    assert len(calls) == 2


def test_a_fit_after_an_interrupted_search_keeps_its_network_at_ctrl_c():
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(classifier()).fit(X, Y, callback=interrupt)
    assert classifier().fit(X, Y, callback=interrupt).stop_reason_ == "interrupted"


def test_default_ranks_are_those_that_every_fold_allows():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 200)
    city = np.array(["a", "b", "c"], object)[kind]
    city[0] = "d"  # in the training rows of some folds only
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), classifier())
    frame, y = pd.DataFrame({"city": city}), (kind + rng.integers(0, 2, 200)) % 3
    found = search(model, eps=0, ranks=None, cv=3).fit(frame, y)
    assert found.curve_["rank"].max() <= 3


NARROWER = [
    (BaggingClassifier(classifier(), 2, max_features=0.1), 6),
    (BaggingClassifier(classifier(), 2, max_features=6, n_jobs=2), 6),
    (StackingClassifier([("a", LogisticRegression())], classifier(), cv=2), 10),
    (OneVsRestClassifier(classifier(head="lora")), 1),
    (RFE(classifier(), n_features_to_select=5, step=30, importance_getter=first_layer), 5),
]


@pytest.mark.parametrize(
    ("estimator", "narrowest"), NARROWER, ids=lambda value: type(value).__name__
)
def test_ranks_are_those_that_networks_within_other_estimators_allow(estimator, narrowest):
    found = search(estimator, threshold=-1, ranks=None, refit=False)
    with pytest.warns(UserWarning, match="none of the ranks"):
        found.fit(X, Y)
    assert found.curve_["rank"].max() == narrowest
    assert found.pca_components_ is None


def test_a_rank_that_a_network_within_another_estimator_refuses_is_named_first(monkeypatch):
    def reached(*_):
        raise AssertionError("the search has begun")

    monkeypatch.setattr("deepreservoir.search.paired_cv.Trials.of", reached)
    model = BaggingClassifier(classifier(), 2, max_features=6)
    with pytest.raises(ValueError, match=r"between 1 and 6, which is .* \(6 -> 16\); got 7"):
        search(model, ranks=(1, 7)).fit(X, Y)


def test_a_failed_search_leaves_the_earlier_one():
    found = search(classifier()).fit(X, Y)
    before = dict(vars(found))

    def fails(_):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        found.fit(X, Y, callback=fails)
    assert vars(found) == before


def test_names_of_features_are_those_of_the_last_fit():
    found = search(classifier()).fit(pd.DataFrame(X).rename(columns=str), Y)
    assert len(found.feature_names_in_) == 64
    assert not hasattr(found.fit(X, Y), "feature_names_in_")


def test_parameters_are_routed_to_the_fits_of_the_estimator():
    weights = np.random.default_rng(0).random(len(X))
    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, search(model)).fit(X, Y, sample_weight=weights)
    plain = make_pipeline(StandardScaler(), search(classifier()))
    plain.fit(X, Y, ranksearch__sample_weight=weights)
    unweighted = make_pipeline(StandardScaler(), search(classifier())).fit(X, Y)
    losses = [pipeline[-1].losses_[1] for pipeline in (routed, plain, unweighted)]
    assert np.array_equal(losses[0], losses[1])
    assert not np.array_equal(losses[0], losses[2])


GROUPS = np.random.default_rng(0).integers(0, 12, len(X))


@config_context(enable_metadata_routing=True)
@pytest.mark.parametrize("name", ["groups", "subject"])
def test_groups_are_routed_to_the_splitter_as_in_searches_of_scikit_learn(name):
    folds = GroupKFold(2) if name == "groups" else GroupKFold(2).set_split_request(groups=name)
    routed = search(classifier(), cv=folds).fit(X, Y, **{name: GROUPS})
    given = search(classifier(), cv=list(GroupKFold(2).split(X, Y, GROUPS))).fit(X, Y)
    assert np.array_equal(routed.losses_[1], given.losses_[1])
    scores = cross_validate(routed, X, Y, cv=folds, params={name: GROUPS}, error_score="raise")
    assert len(scores["test_score"]) == 2


@config_context(enable_metadata_routing=True)
def test_groups_may_be_requested_from_a_search_itself():
    asked = search(classifier(), cv=KFold(2)).set_fit_request(groups=True)
    params = {"params": {"groups": GROUPS}, "error_score": "raise"}
    assert len(cross_validate(asked, X, Y, cv=GroupKFold(2), **params)["test_score"]) == 2
    search(classifier()).fit(X, Y, groups=GROUPS)  # unused by these folds, as without routing


def test_estimators_without_targets_are_compared_by_their_own_score():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 9, 12) for _ in range(12)]
    model = CausalLanguageModel(width=8, depth=1, heads=2, mlp_width=8, context=8, max_iter=2)
    found = search(model).fit(texts)
    losses = found.losses_[1]
    wanted = search(model, scoring=CausalLanguageModel.score).fit(texts, np.zeros(12))
    assert np.array_equal(losses, wanted.losses_[1])
    assert (losses > 0).all()  # nats per token
    assert found.score(texts) == found.best_estimator_.score(texts)


def test_one_stream_of_codes_is_cut_into_blocks_and_its_tokens_stay_in_order():
    pieces = []

    def noting(model, X, y):
        pieces.append(np.array(X))
        return model.score(X)

    stream = np.arange(90) % 7
    sizes = {"width": 8, "depth": 1, "heads": 2, "mlp_width": 8, "context": 8}
    model = CausalLanguageModel(**sizes, vocabulary_size=7, max_iter=1)
    for X in (stream, stream.tolist()):
        search(model, cv=3, scoring=noting, refit=False).fit(X)
    for first in range(0, len(pieces), 3):
        assert np.array_equal(np.concatenate(pieces[first : first + 3]), stream)
    found = search(model.set_params(max_iter=20, learning_rate_init=0.02), cv=3).fit(stream)
    assert found.losses_["full"].mean() < 0.5 * np.log(7)  # the next token is certain


def test_default_ranks_are_those_of_pipelines_with_other_parameters_and_on_other_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 6))
    y = X[:, 0] + X[:, 1]
    network = DeepReservoirRegressor((16,), max_iter=2, random_state=0)
    chosen = make_pipeline(SelectKBest(f_regression), network)
    grid = GridSearchCV(chosen, {"selectkbest__k": [2, 3]}, cv=2)
    search = RankSearch(grid, cv=2, n_seeds=1, eps=0, random_state=0).fit(X, y)
    assert max(search.curve_["rank"]) <= 2
    with pytest.raises(ValueError, match="ranks must be between 1 and 2"):
        RankSearch(grid, ranks=(3,), cv=2, n_seeds=1).fit(X, y)


def test_default_ranks_are_those_of_the_refit_too():
    rng = np.random.default_rng(0)
    X = np.r_[rng.standard_normal((60, 10)), [np.full(10, 60.0)]]  # an outlier is held out
    Y = np.sin(2 * X[:, :2])
    reduced = make_pipeline(PCA(0.8), DeepReservoirRegressor((16,), max_iter=2, random_state=0))
    options = {"cv": PredefinedSplit(np.r_[np.full(45, -1), np.zeros(16)]), "n_seeds": 1}
    with pytest.raises(ValueError, match="ranks must be between 1 and 1"):
        RankSearch(MultiOutputRegressor(reduced), ranks=(4,), **options).fit(X, Y)
    RankSearch(MultiOutputRegressor(reduced), ranks=(4,), refit=False, **options).fit(X, Y)
