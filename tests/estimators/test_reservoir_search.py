"""The search over reservoirs: what it compares, on which rows, and with how many units."""

import pickle
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import HalvingRandomSearchCV, KFold, StratifiedKFold, TimeSeriesSplit
from target import assert_array_equal

from deepreservoir import EchoStateRegressor
from deepreservoir.datasets import mackey_glass, narma10
from deepreservoir.search.reservoirs import (
    PENALTIES,
    reservoir_search,
    score_after_washout,
)

RNG = np.random.default_rng(0)
WAVE = np.sin(np.arange(400) / 5)[:, None] + 0.1 * RNG.normal(size=(400, 1))
WIDE = {"spectral_radius": 0.5, "leak_rate": 0.5, "input_scaling": 0.5}  # all fixed


def small(**params):
    return EchoStateRegressor(**{"units": 45, "washout": 10, "random_state": 0, **params})


def search(model=None, X=WAVE[:-1], y=WAVE[1:, 0], **options):
    options = {"n_candidates": 7, "min_units": 15, "random_state": 0, **options}
    return reservoir_search(model or small(), X, y, **options)


class Spy(EchoStateRegressor):
    """Keeps what it is fitted on and asked for; in one process only."""

    seen: ClassVar = []

    def fit(self, X, y):
        self.seen.append(("fit", X, self.units, self.ridge, self.random_state))
        return super().fit(X, y)

    def predict(self, X):
        self.seen.append(("predict", X, self.units, self.ridge, self.random_state))
        return super().predict(X)


class Fragile(EchoStateRegressor):
    """Fails above a spectral radius."""

    limit = 0.5

    def fit(self, X, y):
        if self.spectral_radius > self.limit:
            raise FloatingPointError("ran away")
        return super().fit(X, y)


class Divergent(EchoStateRegressor):
    """Its predictions diverge."""

    def predict(self, X):
        return np.full_like(super().predict(X), np.nan)


class Voter(ClassifierMixin, BaseEstimator):
    """A classifier of series by their means, with the parameters of a reservoir."""

    def __init__(self, units=50, spectral_radius=0.9, leak_rate=1.0, input_scaling=1.0, ridge=1e-6):
        self.units = units
        self.spectral_radius = spectral_radius
        self.leak_rate = leak_rate
        self.input_scaling = input_scaling
        self.ridge = ridge

    def _means(self, X):
        return np.array([np.mean(series) for series in X])

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.array([self._means(X)[np.asarray(y) == c].mean() for c in self.classes_])
        return self

    def predict(self, X):
        return self.classes_[np.abs(self._means(X)[:, None] - self.means_).argmin(axis=1)]


def test_beats_a_bad_default_on_what_comes_after():
    x = mackey_glass(1200) - 0.9
    X, y = x[:-6], x[6:, 0]
    model = EchoStateRegressor(
        units=90, washout=50, spectral_radius=0.1, input_scaling=10.0, random_state=0
    )
    found = reservoir_search(model, X[:800], y[:800], n_candidates=12, min_units=30, random_state=0)
    errors = [
        1 - score_after_washout(fitted, X[800:], y[800:])
        for fitted in (found.best_estimator_, model.fit(X[:800], y[:800]))
    ]
    assert errors[0] < 0.1 * errors[1]
    assert found.best_score_ > 0.95


def test_the_resource_is_units_and_the_last_round_has_all_of_them():
    found = search(small(units=100), n_candidates=12, min_units=10)
    assert isinstance(found, HalvingRandomSearchCV)
    assert found.resource == "units"
    assert found.n_resources_ == [11, 33, 100]
    assert found.n_candidates_ == [12, 4, 2]
    results = found.cv_results_
    assert results["param_units"].tolist() == [11] * 12 + [33] * 4 + [100] * 2
    assert results["iter"].tolist() == [0] * 12 + [1] * 4 + [2] * 2
    assert found.best_index_ >= 16
    assert found.best_params_["units"] == 100
    best = found.best_estimator_
    assert best.reservoir_.units == best.readout_.coef.shape[1] == 100
    last = results["mean_test_score"][16:]
    assert found.best_score_ == last.max()


def test_the_best_of_a_round_go_on():
    results = search(n_candidates=9).cv_results_
    draws = [
        tuple(params[name] for name in sorted(WIDE)) for params in results["params"]
    ]  # nine, then three
    best = np.argsort(results["mean_test_score"][:9])[-3:]
    assert set(draws[9:]) == {draws[i] for i in best}


def test_folds_are_in_the_order_of_time_and_rows_are_never_left_out():
    Spy.seen.clear()
    rows = np.arange(397.0)[:, None] / 400
    model = Spy(units=45, density=0.3, washout=10, random_state=3)
    found = search(model, rows, np.sin(30 * rows[:, 0]), n_candidates=4)
    assert isinstance(found.cv, TimeSeriesSplit)
    *folds, refit = Spy.seen
    assert len(folds) == 2 * 5 * (4 + 2)
    for fit, predict in zip(folds[::2], folds[1::2], strict=True):
        assert (fit[0], predict[0]) == ("fit", "predict")
        train, test = fit[1][:, 0] * 400, predict[1][:, 0] * 400
        np.testing.assert_allclose(train, np.arange(len(train)), atol=1e-9)
        np.testing.assert_allclose(test, len(train) + np.arange(len(test)), atol=1e-9)
    assert {len(predict[1]) for predict in folds[1::2]} == {397 // 6}
    assert [fit[2] for fit in folds[::2]] == [15] * 20 + [45] * 10
    np.testing.assert_array_equal(refit[1], rows)
    assert {call[3] for call in Spy.seen} == {PENALTIES}
    assert {call[4] for call in Spy.seen} == {3}


def test_each_candidate_chooses_from_the_whole_path_of_penalties():
    model = small(ridge=1e3)
    found = search(model, ridge=(1e-4, 1.0, 1e6))
    assert set(found.best_estimator_.readout_.scores) == {1e-4, 1.0, 1e6}
    assert found.best_estimator_.readout_.penalty in {1e-4, 1.0}
    assert "ridge" not in found.best_params_
    assert model.ridge == 1e3
    assert not hasattr(model, "readout_")
    assert search(ridge=0.5, n_candidates=2).best_estimator_.ridge == (0.5,)


def test_another_readout_keeps_its_own_ridge():
    found = search(small(readout="rls", ridge=0.25, units=15), n_candidates=2)
    assert found.best_estimator_.ridge == 0.25
    assert search(small(readout=Ridge(0.1)), n_candidates=2).best_estimator_.ridge == 1e-6


def test_the_score_leaves_the_washout_of_each_series_out():
    model = small(washout=30).fit(WAVE[:200], WAVE[1:201])
    X, y = WAVE[200:-1], WAVE[201:]
    expected = r2_score(y[30:], model.predict(X)[30:])
    assert score_after_washout(model, X, y) == pytest.approx(expected, abs=1e-12)
    assert expected != pytest.approx(r2_score(y, model.predict(X)), abs=1e-4)
    parts = [slice(0, 80), slice(80, 199)]
    truth = np.concatenate([y[part][30:] for part in parts])
    guess = np.concatenate([model.predict(X[part])[30:] for part in parts])
    many = score_after_washout(model, [X[p] for p in parts], [y[p] for p in parts])
    assert many == pytest.approx(r2_score(truth, guess), abs=1e-12)
    with pytest.raises(ValueError, match="longer than the washout of 30"):
        score_after_washout(model, X[:30], y[:30])
    found = search(model, n_candidates=2, cv=TimeSeriesSplit(2))
    i, (train, test) = found.best_index_, list(TimeSeriesSplit(2).split(WAVE[:-1]))[1]
    again = clone(found.best_estimator_).fit(WAVE[:-1][train], WAVE[1:, 0][train])
    assert found.cv_results_["split1_test_score"][i] == score_after_washout(
        again, WAVE[:-1][test], WAVE[1:, 0][test]
    )


@pytest.mark.parametrize("form", ["list", "stack"])
def test_many_series_are_split_as_wholes(form):
    u, y = narma10(420)
    if form == "list":
        bounds = np.cumsum([0, 60, 75, 60, 90, 65, 70])
        X, Y = ([a[i:j] for i, j in pairwise(bounds)] for a in (u, y[:, 0]))
    else:
        X, Y = u.reshape(6, 70, 1), y.reshape(6, 70, 1)
    Spy.seen.clear()
    found = search(Spy(units=45, washout=10, random_state=0), X, Y, n_candidates=4)
    assert isinstance(found.cv, KFold)
    assert found.n_splits_ == 5
    assert found.best_score_ > 0.3
    whole = {np.asarray(series).tobytes() for series in X}
    for fit, predict in zip(Spy.seen[:-1:2], Spy.seen[1:-1:2], strict=True):
        train, test = ({np.asarray(s).tobytes() for s in call[1]} for call in (fit, predict))
        assert train | test == whole
        assert not train & test
    assert len(found.predict(X)) == 6


def test_a_classifier_is_split_by_class_and_scored_by_accuracy():
    y = np.repeat(["a", "b"], [12, 4])
    X = RNG.normal(size=(16, 20)) + np.where(y == "a", 0, 3)[:, None]
    found = reservoir_search(Voter(), X, y, n_candidates=4, min_units=10, random_state=0)
    assert isinstance(found.cv, StratifiedKFold)
    assert found.n_splits_ == 4
    assert found.scoring is None
    assert found.best_score_ == 1.0
    series = [row[:, None] for row in X]
    assert reservoir_search(Voter(), series, y, n_candidates=2).best_score_ == 1.0


def test_a_given_cv_and_scoring_are_used():
    found = search(cv=TimeSeriesSplit(2), scoring="neg_mean_squared_error", n_candidates=2)
    assert found.n_splits_ == 2
    assert -0.5 < found.best_score_ < 0


@pytest.mark.slow
@pytest.mark.host(reason="another process runs on the device that it is asked for, not on ours")
def test_the_same_seed_finds_the_same_and_in_two_processes_too():
    one, again, two = search(), search(), search(n_jobs=2)
    other = search(random_state=1)
    for found in (again, two):
        assert found.best_params_ == one.best_params_
        for name in ("mean_test_score", "params"):
            np.testing.assert_array_equal(found.cv_results_[name], one.cv_results_[name])
        assert_array_equal(found.best_estimator_.readout_.coef, one.best_estimator_.readout_.coef)
    assert other.best_params_ != one.best_params_


def test_pickle_and_clone():
    found = search(n_candidates=4)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(WAVE), found.predict(WAVE))
    refitted = clone(found).fit(WAVE[:-1], WAVE[1:, 0])
    assert refitted.best_params_ == found.best_params_
    assert refitted.n_resources_ == found.n_resources_


@pytest.mark.long_in_the_shim
@pytest.mark.parametrize(
    ("params", "sizes"),
    [
        pytest.param({"units": 500}, [55, 166, 500], marks=pytest.mark.slow),
        ({"units": 140}, [15, 46, 140]),
        ({"units": 14}, [14]),
        ({"units": 64, "topology": "hadamard"}, [16, 64]),
        ({"units": (60, 48)}, [(20, 16), (60, 48)]),
        ({"units": (64, 128), "topology": "hadamard"}, [(16, 32), (64, 128)]),
        ({"units": 135, "density": 20}, [45, 135]),
        ({"units": 135, "density": 0.5}, [15, 45, 135]),
        ({"units": 47, "topology": "kronecker"}, [15, 47]),
    ],
    ids=str,
)
def test_sizes_of_the_rounds(params, sizes):
    found = search(small(**params), n_candidates=10, cv=TimeSeriesSplit(2))
    units = found.cv_results_["param_units"]
    assert list(dict.fromkeys(units.tolist())) == sizes
    assert found.n_resources_ == [int(np.sum(size)) for size in sizes]
    assert found.best_estimator_.reservoir_.units == np.sum(sizes[-1])
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_candidates_are_drawn_between_the_bounds():
    found = search(
        small(units=15),
        n_candidates=30,
        spectral_radius=(0.2, 0.4),
        leak_rate=(0.01, 1),
        input_scaling=2,
        cv=TimeSeriesSplit(2),
    )
    draws = {
        name: np.array([params[name] for params in found.cv_results_["params"]]) for name in WIDE
    }
    radius, leak = draws["spectral_radius"], draws["leak_rate"]
    assert radius.min() >= 0.2
    assert radius.max() <= 0.4
    assert 0.27 < np.median(radius) < 0.33
    assert leak.min() >= 0.01
    assert leak.max() <= 1
    assert 0.03 < np.median(leak) < 0.3  # log-uniform: the middle is 0.1
    assert set(draws["input_scaling"]) == {2.0}


def test_all_fixed_is_one_candidate():
    assert search(**WIDE, n_candidates=5).n_candidates_ == [1]


@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_candidates_that_fail_do_not_end_the_search():
    model = Fragile(units=45, washout=10, random_state=0)
    with pytest.warns(FitFailedWarning, match="fits failed"):
        found = search(model, spectral_radius=(0.1, 0.9), n_candidates=8)
    scores = found.cv_results_["mean_test_score"]
    assert 0 < np.isnan(scores[:8]).sum() < 8
    assert np.isfinite(scores[8:]).all()
    assert found.best_params_["spectral_radius"] <= 0.5


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_if_all_fail_the_error_says_so():
    model = Fragile(units=45, washout=10, random_state=0)
    with pytest.raises(ValueError, match=r"(?s)fits failed.*ran away"):
        search(model, spectral_radius=(0.6, 0.9))
    runaway = small(activation="identity")
    with pytest.raises(ValueError, match=r"(?s)fits failed.*without bound.*lower spectral_radius"):
        search(runaway, spectral_radius=(30, 40), leak_rate=1.0, n_candidates=3)
    with pytest.raises(ValueError, match=r"none of 3 candidates with units=45 .* spectral_radius"):
        search(Divergent(units=45, washout=10, random_state=0), n_candidates=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spectral_radius": (0.9, 0.1)}, r"spectral_radius must be bounds .* got \(0.9, 0.1\)"),
        ({"spectral_radius": (0.5, 0.5)}, "spectral_radius must be bounds"),
        ({"spectral_radius": (0.5, float("nan"))}, "spectral_radius must be bounds"),
        ({"spectral_radius": "big"}, "spectral_radius must be bounds"),
        ({"leak_rate": (0.1, 1.5)}, "leak_rate must be bounds .* up to 1.0"),
        ({"leak_rate": 0}, "leak_rate must be bounds"),
        ({"input_scaling": (0, 1)}, "input_scaling must be bounds"),
        ({"input_scaling": (0.1, 0.2, 0.3)}, "input_scaling must be bounds"),
        ({"input_scaling": True}, "input_scaling must be bounds"),
        ({"ridge": ()}, "ridge must be a penalty"),
        ({"ridge": (1e-3, -1)}, "ridge must be a penalty"),
        ({"n_candidates": 0}, "n_candidates must be an integer of at least 1; got 0"),
        ({"factor": 1}, "factor must be an integer of at least 2; got 1"),
        ({"min_units": 0}, "min_units must be an integer of at least 1; got 0"),
        ({"model": Ridge()}, "Ridge lacks units, ridge, spectral_radius"),
        ({"model": small(units=0)}, "units must be an integer of at least 1; got 0"),
        ({"model": small(units=48, topology="hadamard")}, "a power of two of units; got 48"),
        ({"model": small(washout=70)}, r"longer than the washout of 70 .* the shortest has 66"),
        ({"model": "esn"}, r"must be an estimator, such as EchoStateRegressor\(\); got 'esn'"),
        ({"model": EchoStateRegressor}, "estimator must be an estimator"),
        ({"y": None}, "y must contain the targets"),
        ({"X": WAVE[:, 0]}, r"(?s)Expected 2D array, got 1D.*reshape"),
        ({"X": np.where(WAVE > 0.9, np.nan, WAVE)}, "NaN"),
        ({"X": [WAVE, WAVE[:, 0]], "y": [WAVE, WAVE]}, r"x.reshape\(-1, 1\) for x in X"),
        ({"X": [WAVE, WAVE], "y": [WAVE, WAVE[:-1]]}, r"y\[1\] must have shape"),
        ({"X": [WAVE, WAVE], "y": [WAVE]}, "one entry per series of X, 2; got 1"),
        ({"X": [WAVE], "y": [WAVE]}, "need at least two series; got 1"),
        ({"X": [WAVE, WAVE[:11]], "y": [WAVE, WAVE[:11]]}, "the shortest has 11. Lower washout"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_before_any_work(options, message, monkeypatch):
    monkeypatch.setattr(EchoStateRegressor, "fit", lambda *_: pytest.fail("work was done"))
    with pytest.raises(ValueError, match=message):
        search(**options)
