"""What users of scikit-learn rely on beyond its own checks: subclasses, metadata, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import skops.io
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils import get_tags

from deepreservoir import (
    ArtifactError,
    CfCClassifier,
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    EchoStateClassifier,
    EchoStateRegressor,
    GINClassifier,
    Graph,
    RankSearch,
    container,
    irregular_series,
    load,
)
from deepreservoir.artifact.summary import describe
from deepreservoir.experiments import forecast_series

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
GROUPS = np.arange(60) % 6


class Narrow(DeepReservoirClassifier):
    """A subclass that sets most parameters itself."""

    def __init__(self, rank=2):
        super().__init__((8,), rank=rank, max_iter=3, random_state=0)


def search(**given):
    model = DeepReservoirClassifier((8,), max_iter=3)
    return RankSearch(model, eps=9.0, ranks=[1, 2], n_seeds=1, random_state=0, **given)


def test_a_subclass_may_have_fewer_parameters():
    model = Narrow().fit(X, Y)
    assert model.get_params() == {"rank": 2}
    expected = DeepReservoirClassifier((8,), rank=2, max_iter=3, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert np.isfinite(cross_val_score(Narrow(1), X, Y)).all()


def test_groups_of_rows_stay_together_in_a_search():
    found = search(cv=GroupKFold(2)).fit(X, Y, groups=GROUPS)
    splits = list(GroupKFold(2).split(X, Y, GROUPS))
    expected = search(cv=splits).fit(X, Y)
    assert found.losses_.keys() == expected.losses_.keys()
    for rank, losses in found.losses_.items():
        np.testing.assert_array_equal(losses, expected.losses_[rank])
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        search(cv=GroupKFold(2)).fit(X, Y)


def test_the_score_of_a_search_is_by_its_scoring_and_takes_weights():
    weights = RNG.uniform(0, 2, 60)
    plain, scored = search().fit(X, Y), search(scoring="neg_log_loss").fit(X, Y)
    labels, shares = plain.predict(X), scored.predict_proba(X)
    assert plain.score(X, Y) == accuracy_score(Y, labels)
    assert plain.score(X, Y, weights) == accuracy_score(Y, labels, sample_weight=weights)
    assert scored.score(X, Y) == pytest.approx(-log_loss(Y, shares))
    assert scored.score(X, Y, weights) == pytest.approx(-log_loss(Y, shares, sample_weight=weights))


@pytest.mark.parametrize("weights", [{0: np.nan, 1: 1.0}, {0: np.inf}, {0: -1.0}])
def test_weights_of_classes_that_make_no_sense_are_named(weights):
    with pytest.raises(ValueError, match="the weights in class_weight must be finite and not neg"):
        DeepReservoirClassifier((8,), class_weight=weights).fit(X, Y)


@pytest.mark.parametrize(
    "model", [EchoStateRegressor(30, random_state=0), EchoStateClassifier(30, random_state=0)]
)
def test_skops_stores_reservoirs(model):
    model.fit(X, Y)
    data = skops.io.dumps(model)
    again = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("y", [X[:, 0].astype(str), X[:, :1].astype(str)])
def test_numbers_as_text_are_no_targets_of_a_reservoir(y):
    with pytest.raises(ValueError, match="y must be numbers; got text"):
        EchoStateRegressor(30, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"y\[0\] must be numbers; got text"):
        EchoStateRegressor(30, random_state=0).fit([X], [y])


def test_graphs_need_labels_and_are_no_table():
    graphs = [Graph(np.ones((3, 1), int), np.array([[0, 1], [1, 2]]))] * 4
    with pytest.raises(ValueError, match="GINClassifier requires y to be passed"):
        GINClassifier().fit(graphs, None)
    tags = get_tags(GINClassifier()).input_tags
    assert not tags.sparse
    assert not tags.two_d_array


def test_a_pandas_series_of_series_is_read():
    pandas = pytest.importorskip("pandas")
    series = [RNG.standard_normal((n, 2)) for n in (4, 5, 6, 7)]
    model = CfCClassifier(4, rank=1, max_iter=1, random_state=0)
    expected = model.fit(series, [0, 1, 0, 1]).predict_proba(series)
    found = model.fit(pandas.Series(series), [0, 1, 0, 1]).predict_proba(pandas.Series(series))
    np.testing.assert_array_equal(found, expected)


def test_one_column_of_targets_stays_one_column():
    model = DeepReservoirRegressor((8,), max_iter=2, random_state=0).fit(X, X[:, :1])
    assert model.predict(X).shape == (60, 1)


# Series ------------------------------------------------------------------------------------------


def test_times_that_are_left_out_after_a_fit_with_times_are_warned_of():
    series = [RNG.standard_normal((n, 2)) for n in (4, 5, 6, 7)]
    times = [np.arange(len(x)) * 3.0 for x in series]
    model = CfCClassifier(4, rank=1, max_iter=1, random_state=0).fit(
        series, [0, 1] * 2, times=times
    )
    for predict in (model.predict, model.predict_proba, model.decision_function):
        with pytest.warns(UserWarning, match=r"fitted with the times of the steps, and none"):
            predict(series)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            predict(series, times)
            predict(irregular_series(series, times))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "the model was fitted")
        model.fit(series, [0, 1] * 2).predict(series)


def test_columns_that_are_fed_back_in_another_order_are_refused():
    pandas = pytest.importorskip("pandas")
    t = np.arange(200) / 5
    frame = pandas.DataFrame({"a": np.sin(t), "b": np.cos(t)})
    model = EchoStateRegressor(30, random_state=0).fit(frame[:-1], frame[["b", "a"]][1:])
    with pytest.raises(ValueError, match=r"columns of y, \['b', 'a'\], are those of X in another"):
        model.forecast(3)
    assert list(model.fit(frame[:-1], frame[1:]).forecast(3).columns) == ["a", "b"]


def test_a_value_that_is_missing_in_a_series_is_located():
    values = np.sin(np.arange(100.0))[:, None]
    values[7] = np.nan
    with pytest.raises(ValueError, match="row 7 of column 'v' is nan"):
        forecast_series(values, 3, ["v"], units=20)


def test_a_checkpoint_is_not_taken_for_a_model(tmp_path):
    path = tmp_path / "c"
    container.write(path, container.Contents({"kind": "checkpoint"}, {}, {}))
    for read in (load, describe):
        with pytest.raises(ArtifactError, match="a checkpoint of a training run and not a model"):
            read(path)
