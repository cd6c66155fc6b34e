"""RankSearch: the rank it finds, the fits it takes, what it compares and what it refuses."""

import re
import warnings
from math import ceil, log2

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from known_ranks import KnownRanks, known
from scipy.stats import ttest_rel
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, RankSearch
from deepreservoir.search.doubling_search import first_passing
from deepreservoir.search.pca_dimension import SPARSE_FEATURES, components_for

X, Y = load_digits(n_class=3, return_X_y=True)
X, Y = X[:240] / 16, Y[:240]
QUICK = {"max_iter": 4, "n_iter_no_change": 4}


@pytest.fixture(autouse=True)
def _no_fits():
    KnownRanks.fits.clear()


def tried():
    return {fit.rank for fit in KnownRanks.fits}


# The search ---------------------------------------------------------------------------------


@given(n=st.integers(1, 3000), data=st.data())
def test_the_first_index_that_passes_is_found_in_few_trials(n, data):
    first = data.draw(st.integers(0, n))  # n: none passes
    asked = []

    def passes(index):
        asked.append(index)
        return index >= first

    assert first_passing(n, passes) == (first if first < n else None)
    assert len(asked) == len(set(asked))
    assert len(asked) <= max(1, 2 * ceil(log2(min(first, n - 1) + 1)) + 1)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_where_trials_contradict_each_other_the_one_before_fails(passing):
    asked = {}
    found = first_passing(len(passing), lambda i: asked.setdefault(i, passing[i]))
    if found is None:
        assert asked[len(passing) - 1] is False
    else:
        assert passing[found]
        assert found == 0 or asked[found - 1] is False


@settings(deadline=None, max_examples=40)
@given(
    losses=st.lists(st.floats(0, 10), min_size=1, max_size=40),
    full=st.floats(0, 5),
    eps=st.floats(1e-3, 5),
)
@pytest.mark.filterwarnings("ignore:none of the ranks")
def test_the_smallest_rank_within_eps_is_found_with_each_fit_made_once(losses, full, eps):
    KnownRanks.fits.clear()
    losses = sorted(losses, reverse=True)
    search = known(losses, full, eps=eps, refit=False)
    good = [rank for rank, loss in enumerate(losses, 1) if loss - full <= eps + 1e-9]
    sure = [rank for rank, loss in enumerate(losses, 1) if loss - full <= eps - 1e-9]
    if search.reached_:
        assert good[0] <= search.rank_ <= min([*sure, len(losses)])
    else:
        assert not sure
        assert losses[search.rank_ - 1] == pytest.approx(losses[-1])
    ranks = search.curve_["rank"].tolist()
    assert len(ranks) <= 2 * ceil(log2(search.rank_)) + 1 or not search.reached_
    # Two folds, one seed: two fits a rank and two of the twin.
    assert len(KnownRanks.fits) == 2 * (len(ranks) + 1)
    assert tried() == {*ranks, "full"}


def test_ranks_are_doubled_then_the_gap_is_halved():
    search = known([1.0] * 10 + [0.0] * 22, eps=0.5, refit=False)
    assert search.rank_ == 11
    order = list(dict.fromkeys(fit.rank for fit in KnownRanks.fits))
    assert order == ["full", 1, 2, 4, 8, 16, 12, 10, 11]
    assert search.curve_["rank"].tolist() == [1, 2, 4, 8, 10, 11, 12, 16]


def test_given_ranks_are_the_only_ones_in_order_and_once_each():
    search = known([1.0] * 5 + [0.0] * 11, eps=0.5, ranks=[16, 4, 8, 4, 1], refit=False)
    assert search.rank_ == 8
    assert tried() == {"full", 1, 4, 16, 8}


def test_a_difference_of_exactly_eps_is_good_enough():
    assert known([1.0, 0.25], full=0.0, eps=0.25).rank_ == 2


def test_where_no_rank_is_good_enough_the_best_is_kept_and_said():
    message = (
        r"none of the ranks 1, 2, 4, 6 reaches eps=0.01: the best, 4, has a loss of 1.5, .*1.25"
    )
    with pytest.warns(UserWarning, match=message):
        search = known([4.0, 3.0, 3.0, 1.5, 3.0, 2.0], full=0.25)
    assert (search.rank_, search.reached_) == (4, False)
    assert search.best_estimator_.rank == 4
    assert search.n_trained_ == 40


# What is compared -----------------------------------------------------------------------------


def test_every_rank_and_the_twin_see_the_same_rows_and_seeds():
    known([3.0, 2.0, 1.0], eps=1.5, cv=3, n_seeds=4, refit=False)
    by_rank = {}
    for fit in KnownRanks.fits:
        by_rank.setdefault(fit.rank, []).append((fit.rows, fit.seed))
    assert set(by_rank) == {"full", 1, 3, 2}
    assert len(set(by_rank["full"])) == 12
    assert all(runs == by_rank["full"] for runs in by_rank.values())
    folds = {rows for rows, _ in by_rank["full"]}
    assert sorted(i for rows in folds for i in set(range(24)) - set(rows)) == list(range(24))
    assert len({seed for _, seed in by_rank["full"]}) == 4


def test_means_spreads_and_intervals_are_those_of_the_paired_losses():
    search = known([3.0, 2.0, 1.0], 0.5, noise=0.3, eps=1.0, cv=4, n_seeds=3, confidence=0.9)
    full = search.losses_["full"]
    assert full.shape == (4, 3)
    assert search.baseline_["loss"] == pytest.approx(full.mean())
    assert search.baseline_["spread"] == pytest.approx(full.std(ddof=1))
    assert search.baseline_["n_trained"] == 1000
    curve = search.curve_
    for i, rank in enumerate(curve["rank"]):
        losses = search.losses_[rank]
        test = ttest_rel(losses.ravel(), full.ravel()).confidence_interval(0.9)
        assert curve["loss"][i] == pytest.approx(losses.mean())
        assert curve["spread"][i] == pytest.approx(losses.std(ddof=1))
        assert curve["difference"][i] == pytest.approx((losses - full).mean())
        assert (curve["low"][i], curve["high"][i]) == pytest.approx((test.low, test.high))
        assert curve["n_trained"][i] == 10 * rank
    # What adapter and twin share is a unit wide, and is not in the difference.
    assert np.ptp(full) > 1
    assert (curve["high"] - curve["low"]).max() < 1


def test_one_run_has_no_interval():
    search = known([2.0], 1.0, eps=2, cv=[(range(12), range(12, 24))])
    assert (search.curve_["low"][0], search.curve_["high"][0]) == (-np.inf, np.inf)
    assert search.curve_["spread"][0] == search.baseline_["spread"] == 0


def test_log_loss_and_squared_error_are_those_of_scikit_learn():
    cv = [(np.arange(160), np.arange(160, 240))]
    options = {"ranks": [2], "cv": cv, "n_seeds": 1, "random_state": 3, "refit": False}
    y = np.array(["a", "b", "c"])[Y]
    model = DeepReservoirClassifier((8,), **QUICK)
    search = RankSearch(model, 9, **options).fit(X, y)
    seed = int(np.random.RandomState(3).randint(2**31 - 1, size=1)[0])
    for key, params in ((2, {"rank": 2}), ("full", {"adapter": "full"})):
        alone = clone(model).set_params(random_state=seed, **params).fit(X[:160], y[:160])
        assert alone.scaffold_seed_ >= 0
        expected = log_loss(y[160:], alone.predict_proba(X[160:]))
        assert search.losses_[key][0, 0] == pytest.approx(expected, rel=1e-12)
    targets = np.c_[X[:, 20], X[:, 30]]
    model = DeepReservoirRegressor((8,), **QUICK)
    search = RankSearch(model, 9, **options).fit(X, targets)
    alone = clone(model).set_params(random_state=seed, rank=2).fit(X[:160], targets[:160])
    expected = mean_squared_error(targets[160:], alone.predict(X[160:]))
    assert search.losses_[2][0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scoring", ["accuracy", lambda model, X, y: model.score(X, y)])
def test_a_scoring_is_taken_with_its_sign_turned(scoring):
    cv = [(np.arange(160), np.arange(160, 240))]
    search = RankSearch(
        DeepReservoirClassifier((8,), **QUICK), 2, ranks=[1], cv=cv, n_seeds=1, scoring=scoring,
        random_state=0,
    ).fit(X, Y)  # fmt: skip
    seed = int(np.random.RandomState(0).randint(2**31 - 1, size=1)[0])
    alone = DeepReservoirClassifier((8,), rank=1, random_state=seed, **QUICK).fit(X[:160], Y[:160])
    assert search.losses_[1][0, 0] == -alone.score(X[160:], Y[160:]) < 0


# Deep estimators, and what holds them -------------------------------------------------------------


def deep(**given):
    return DeepReservoirClassifier((8, 5), **QUICK | given)


def quick(model, **given):
    options = {"eps": 9.0, "cv": 2, "n_seeds": 1, "random_state": 0}
    return RankSearch(model, **{**options, **given})


def test_unless_given_all_ranks_up_to_the_narrowest_layer_are_candidates():
    search = quick(deep(), scoring=lambda model, X, y: 9.5 * (model.adapter == "full"))
    with pytest.warns(UserWarning, match="none of the ranks 1, 2, 4, 5 reaches"):
        search.fit(X, Y)
    assert search.curve_["rank"].tolist() == [1, 2, 4, 5]


def test_the_search_gives_what_its_estimator_gives():
    search = quick(deep(), ranks=[3]).fit(X, Y)
    assert search.best_estimator_.rank == search.rank_ == 3
    assert search.best_estimator_.adapter == "lora"
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        found, expected = (getattr(m, name)(X) for m in (search, search.best_estimator_))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(search.classes_, [0, 1, 2])
    assert search.score(X, Y) == search.best_estimator_.score(X, Y)
    assert search.n_features_in_ == 64
    assert search.n_trained_ == search.best_estimator_.n_trained_params_
    full = DeepReservoirClassifier((8, 5), adapter="full", max_iter=1).fit(X, Y)
    assert search.baseline_["n_trained"] == full.n_trained_params_


def test_the_best_estimator_is_the_users_at_that_rank_on_all_rows():
    search = quick(deep(random_state=5), ranks=[2]).fit(X, Y)
    alone = deep(random_state=5, rank=2).fit(X, Y)
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))
    given = deep(random_state=5)
    before = given.get_params()
    quick(given, ranks=[2]).fit(X, Y)
    assert given.get_params() == before
    assert not hasattr(given, "network_")


@pytest.mark.parametrize("make", [lambda: 7, lambda: np.random.RandomState(7)])
def test_the_same_random_state_gives_the_same_bits(make):
    first, second = (quick(deep(), ranks=[1, 2], random_state=make()).fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(first.losses_["full"], second.losses_["full"])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = quick(deep(), ranks=[1, 2], random_state=8).fit(X, Y)
    assert (other.losses_["full"] != first.losses_["full"]).any()


@pytest.mark.host(reason="processes of their own, which know of no stand-in")
@pytest.mark.filterwarnings("ignore:none of the ranks")
def test_processes_find_what_one_finds():
    alone, beside = (
        quick(deep(), ranks=[1, 3], eps=1e-6, scoring="accuracy", n_jobs=n).fit(X, Y)
        for n in (None, 2)
    )
    assert alone.rank_ == beside.rank_
    for key, losses in alone.losses_.items():
        np.testing.assert_allclose(beside.losses_[key], losses, atol=2 / 120)


def test_without_refit_there_is_no_model():
    search = quick(deep(), ranks=[2], refit=False).fit(X, Y)
    assert search.rank_ == 2
    for name in ("predict", "predict_proba", "score", "best_estimator_", "classes_"):
        assert not hasattr(search, name)
    with pytest.raises(AttributeError, match="predict") as caught:
        search.predict(X)
    assert "refit=True" in str(caught.value.__cause__)


def test_a_regressor_has_no_probabilities():
    assert not hasattr(quick(DeepReservoirRegressor()), "predict_proba")


def test_a_pipeline_inside_and_around():
    inner = make_pipeline(StandardScaler(), PCA(6), deep())
    search = quick(inner).fit(X, Y)
    assert search.best_estimator_[-1].rank == search.rank_ == 1
    assert search.n_trained_ == search.best_estimator_[-1].n_trained_params_
    # Of the six features that reach the network, not of the 64 before.
    assert search.pca_components_ <= 6
    with pytest.raises(ValueError, match=r"min\(d_in, d_out\) of hidden layer 1 \(8 -> 5\); got 6"):
        quick(inner, ranks=[6]).fit(X, Y)
    around = make_pipeline(StandardScaler(), quick(deep())).fit(X, Y)
    assert around.score(X, Y) > 1 / 3
    names = [name for name in inner.get_params() if name.endswith("random_state")]
    assert len(names) == 2  # that of PCA is given the seed too
    seed = int(np.random.RandomState(0).randint(2**31 - 1, size=1)[0])
    assert [search.best_estimator_.get_params()[name] for name in names] == [seed, seed]


def test_an_estimator_held_by_another_under_a_name():
    X, y = load_diabetes(return_X_y=True)
    inner = make_pipeline(StandardScaler(), DeepReservoirRegressor((8,), **QUICK))
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    search = quick(model, eps=1e6).fit(X, y)
    assert search.best_estimator_.regressor_[-1].rank == search.rank_ == 1
    assert search.n_trained_ == search.best_estimator_.regressor_[-1].n_trained_params_
    assert search.predict(X).shape == y.shape


def test_the_twin_has_no_scaffold_to_draw_anew():
    search = quick(deep(resample="epoch"), ranks=[1]).fit(X, Y)
    assert search.best_estimator_.resample == "epoch"
    static = quick(deep(), ranks=[1]).fit(X, Y)
    np.testing.assert_array_equal(search.losses_["full"], static.losses_["full"])
    assert (search.losses_[1] != static.losses_[1]).any()


def test_folds_may_be_a_splitter():
    known([0.0], cv=TimeSeriesSplit(3), refit=False)
    assert {fit.rows for fit in KnownRanks.fits} == {tuple(range(n)) for n in (6, 12, 18)}


def test_a_fit_leaves_nothing_of_an_earlier_one():
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    search = quick(deep(), ranks=[2], subspace=True).fit(frame, Y)
    earlier = set(vars(search))
    search.set_params(refit=False, subspace=False).fit(X[:, :40], Y)
    gone = {"best_estimator_", "feature_names_in_", "subspace_dimension_"}
    assert earlier - set(vars(search)) == gone
    assert not hasattr(search, "n_features_in_")


def test_ctrl_c_in_a_fit_ends_the_search(monkeypatch):
    from deepreservoir.losses import SoftmaxCrossEntropy

    calls, original = [], SoftmaxCrossEntropy.__call__

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(SoftmaxCrossEntropy, "__call__", interrupted)
    search = quick(deep(), ranks=[1, 2])
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert len(calls) == 7
    assert not hasattr(search, "rank_")


# Readings of the dimension --------------------------------------------------------------------


def test_components_are_those_of_pca_dense_or_sparse():
    rng = np.random.default_rng(0)
    low = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 12)) + 1e-3 * rng.normal(size=(60, 12))
    values = np.linalg.svd(low - low.mean(axis=0), compute_uv=False) ** 2
    expected = int(np.searchsorted(values.cumsum() / values.sum(), 0.95)) + 1
    assert 2 <= expected <= 3
    assert components_for(low, 0.95) == expected
    assert components_for(scipy.sparse.csr_matrix(low), 0.95) == expected
    assert components_for(low.tolist(), 0.9999999) > 3


def test_components_of_rows_that_are_equal_or_too_wide():
    assert components_for(np.ones((5, 3)), 0.95) == 0
    assert components_for(scipy.sparse.csr_matrix(np.ones((5, 3))), 0.95) == 0
    assert components_for(scipy.sparse.csr_matrix((5, SPARSE_FEATURES + 1)), 0.95) is None


def test_sparse_rows_are_searched_on_as_dense_ones_are():
    # Rows that are one batch are sorted by their bytes, so dropout would fall on other rows.
    model = deep(dropout=0.0, adapter_dropout=0.0)
    found = [quick(model, ranks=[2]).fit(rows, Y) for rows in (X, scipy.sparse.csr_matrix(X))]
    assert found[0].pca_components_ == found[1].pca_components_ > 3
    np.testing.assert_allclose(found[0].losses_[2], found[1].losses_[2], rtol=1e-4)


@pytest.mark.long_in_the_shim
def test_the_subspace_dimension_stands_beside_on_demand():
    search = quick(deep(), ranks=[2]).fit(X, Y)
    assert not hasattr(search, "subspace_dimension_")
    plain = {"dropout": 0.0, "weight_decay": 0.0, "ema_decay": None, "activation": "relu"}
    search = quick(deep(max_iter=20, **plain), ranks=[2], subspace=True).fit(X, Y)
    assert 1 <= search.subspace_dimension_ < search.baseline_["n_trained"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fits_that_have_not_converged_are_counted_in_one_warning(n_jobs):
    X, y = load_digits(n_class=3, return_X_y=True)
    model = DeepReservoirClassifier((8,), max_iter=2, tol=0.0)
    search = RankSearch(model, ranks=(1, 2), cv=2, n_seeds=2, refit=False, random_state=0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        search.set_params(n_jobs=n_jobs).fit(X[:90] / 16, y[:90])
    (only,) = [each for each in found if issubclass(each.category, ConvergenceWarning)]
    assert re.match(r"[1-9]\d* of (8|12) fits had not converged", str(only.message))


def test_other_warnings_of_fits_are_issued():
    X, y = load_digits(n_class=3, return_X_y=True)

    class Warned(DeepReservoirClassifier):
        def fit(self, X, y):
            warnings.warn("of this fit", UserWarning, stacklevel=1)
            return super().fit(X, y)

    search = RankSearch(Warned((8,), max_iter=2), ranks=(1,), cv=2, n_seeds=1, refit=False)
    with pytest.warns(UserWarning, match="of this fit"):
        search.fit(X[:60] / 16, y[:60])
