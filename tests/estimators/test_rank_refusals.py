"""RankSearch refuses before any training: by name, with what was expected and what came."""

from pathlib import Path

import numpy as np
import pytest
from known_ranks import ROWS, ZEROS, KnownRanks
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import CausalLanguageModel, DeepReservoirClassifier, RankSearch

X, Y = load_digits(n_class=3, return_X_y=True)
X, Y = X[:240] / 16, Y[:240]


@pytest.fixture(autouse=True)
def _no_fits():
    KnownRanks.fits.clear()


def deep(**given):
    return DeepReservoirClassifier((8, 5), **given)


REFUSED = [
    ({"eps": -0.1}, "eps must be a finite number of at least 0"),
    ({"eps": np.nan}, "eps must be a finite number of at least 0"),
    ({"eps": np.inf}, "eps must be a finite number of at least 0"),
    ({"eps": "small"}, "eps must be a finite number of at least 0; got 'small'"),
    ({"threshold": np.nan}, "threshold must be a finite number, or None; got nan"),
    ({"threshold": "high"}, "threshold must be a finite number, or None; got 'high'"),
    ({"eps": True}, "eps must be a finite number of at least 0"),
    ({"ranks": []}, r"ranks must be integers, such as \(1, 2, 4, 8\); got \[\]"),
    ({"ranks": [1, 2.0]}, "ranks must be integers.*got 2.0"),
    ({"ranks": [True]}, "ranks must be integers.*got True"),
    ({"ranks": "12"}, "ranks must be integers.*got '12'"),
    ({"ranks": 4}, "ranks must be integers.*got 4"),
    ({"ranks": [0, 1]}, "ranks must be between 1 and 5.*got 0"),
    (
        {"ranks": [1, 6]},
        r"between 1 and 5, which is min\(d_in, d_out\) of hidden layer 1 \(8 -> 5\); got 6",
    ),
    ({"cv": 1}, "cv must be an integer of at least 2; got 1"),
    ({"cv": 2.5}, "cv must be an integer of at least 2; got 2.5"),
    ({"cv": None}, "cv must be an integer of at least 2; got None"),
    ({"cv": 500}, r"^500 folds need at least as many rows; got 240 samples\. Lower cv"),
    ({"cv": 90}, r"^90 folds need at least 90 rows of every class; class \d has \d+"),
    ({"cv": "five"}, "cv"),
    ({"cv": [3]}, "cv must be a number of folds, a splitter"),
    ({"cv": []}, "cv must yield pairs"),
    ({"cv": [([0, 1], [])]}, "cv must yield pairs"),
    ({"cv": [([0, 1], [240])]}, "indices from 0 to 239"),
    ({"cv": [([0.5, 1], [2])]}, "cv must yield pairs"),
    ({"cv": [(np.flatnonzero(Y < 2), np.flatnonzero(Y == 2))]}, r"of fold 0 lack \[2\]"),
    ({"cv": GroupKFold(2)}, "groups"),
    ({"n_seeds": 0}, "n_seeds must be an integer of at least 1; got 0"),
    ({"n_seeds": 1.5}, "n_seeds must be an integer"),
    ({"confidence": 1.0}, "confidence must be a number above 0 and below 1; got 1.0"),
    ({"confidence": 0}, "confidence must be a number above 0"),
    ({"scoring": "nope"}, "nope"),
    ({"scoring": 3}, "scoring must be one name.*got 3"),
    ({"scoring": ["accuracy"]}, "scoring must be one name"),
    ({"scoring": "roc_auc"}, "scoring='roc_auc' does not suit this task"),
    ({"random_state": -1}, "random_state|RandomState|Seed|seed"),
]


@pytest.fixture
def no_training(monkeypatch):
    def reached(*args, **kwargs):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.estimators.base.prepared_fit.train", reached)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("given", "message"), REFUSED, ids=lambda v: str(v)[:40])
def test_parameters_out_of_range_are_named_before_any_training(given, message):
    with pytest.raises(ValueError, match=message):
        RankSearch(deep(), **given).fit(X, Y)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(), "have a parameter 'rank'.*LogisticRegression has none"),
        (DeepReservoirClassifier, "estimator must be an estimator, such as"),
        ("deep", "estimator must be an estimator"),
        (deep(adapter="full"), "adapter must be one that has a rank.*got 'full'"),
        (deep(adapter="none"), "must have a layer with a rank; it has none with adapter='none'"),
        (deep(activation="sine"), "activation must be one of"),
        (deep(max_iter=0), "max_iter must be an integer"),
        (
            make_pipeline(StandardScaler(), BaggingClassifier(LogisticRegression())),
            "Pipeline has none",
        ),
    ],
    ids=lambda v: str(v)[:40],
)
def test_estimators_that_have_no_rank_to_search_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        RankSearch(model).fit(X, Y)


class TwoRanks(KnownRanks):
    def __init__(self, inner=None, rank=1, adapter="lora", random_state=None):
        self.inner = inner
        self.rank = rank
        self.adapter = adapter
        self.random_state = random_state


class NoAdapter(DummyClassifier):
    def __init__(self, rank=1):
        self.rank = rank


class NoSeed(KnownRanks):
    def __init__(self, losses=(1.0,), full=0.0, rank=1, adapter="lora"):
        self.losses, self.full, self.rank, self.adapter = losses, full, rank, adapter


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (TwoRanks(KnownRanks()), {}, "TwoRanks has 2: inner__rank, rank"),
        (NoAdapter(), {}, "rank must come with a parameter 'adapter'.*NoAdapter has no adapter"),
        (NoSeed(), {"ranks": [1]}, "n_seeds must be 1 for an estimator without random_state"),
        (KnownRanks(), {}, "ranks must be given"),
        (KnownRanks(), {"ranks": [0]}, "ranks must be at least 1; got 0"),
        (KnownRanks(), {"ranks": [1], "subspace": True}, "the subspace dimension needs"),
    ],
)
def test_other_estimators_are_refused_with_the_reason(model, given, message):
    with pytest.raises(ValueError, match=message):
        RankSearch(model, **given).fit(ROWS, ZEROS)
    assert KnownRanks.fits == []


@pytest.mark.usefixtures("no_training")
def test_data_that_cannot_be_are_refused():
    bad = X.copy()
    bad[3, 2] = np.nan
    for rows, targets, message in (
        (bad, Y, "NaN"),
        (X[:, 0], Y, "2D array"),
        (X[:-1], Y, "inconsistent"),
        (X, None, "requires y"),
        (X, X[:, 20] + 0.5, "continuous"),
        (X, np.zeros(240), "class"),
    ):
        with pytest.raises(ValueError, match=message):
            RankSearch(deep()).fit(rows, targets)


@pytest.mark.parametrize(
    "rows", [iter(["a text", "another"]), Path("corpus.txt")], ids=["iterator", "path"]
)
def test_samples_without_rows_for_folds_are_refused(rows):
    with pytest.raises(ValueError, match=r"X must have rows .* Pass list\(X\) instead of an iter"):
        RankSearch(CausalLanguageModel()).fit(rows)


def test_a_loss_that_is_no_number_is_an_error_that_says_where():
    def endless(model, X, y):
        return 0.0 if model.adapter == "full" else -np.inf

    search = RankSearch(KnownRanks(), ranks=[1], cv=2, n_seeds=1, scoring=endless)
    with pytest.raises(ValueError, match=r"the loss of rank 1 is inf on fold 0 with seed \d+"):
        search.fit(ROWS, ZEROS)


def test_one_class_is_refused_since_every_rank_predicts_it():
    search = RankSearch(DeepReservoirClassifier((8,), max_iter=1))
    with pytest.raises(ValueError, match=r"at least 2 classes, .* got 1 class: 'a'"):
        search.fit(np.zeros((20, 3)), np.full(20, "a"))
