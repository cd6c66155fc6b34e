"""The echo-state classifier as its users meet it."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from target import host, put

from deepreservoir import EchoStateClassifier, reservoir_search
from deepreservoir.esn import IntrinsicPlasticity

RNG = np.random.default_rng(0)
KINDS = ["last", "mean", (0.5, 1.0), "output_model", "reservoir_model"]


def waves(n=60, seed=0):
    """Series of unequal lengths of two variables, and which of three periods each has."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    series = []
    for label in y:
        t = np.arange(rng.integers(30, 45))
        wave = np.c_[np.sin(t / 2**label), np.cos(t / 2**label)]
        series.append(wave + 0.1 * rng.normal(size=wave.shape))
    return series, np.array(["a", "b", "c"])[y]


def small(**params):
    return EchoStateClassifier(**{"units": 60, "random_state": 0, **params})


@pytest.mark.parametrize("features", KINDS, ids=str)
def test_tells_periods_apart_by_any_features(features):
    X, y = waves(120)
    model = small(features=features, n_components=10).fit(X, y)
    new, wanted = waves(30, seed=1)
    assert model.score(new, wanted) > 0.9
    assert set(model.predict(new)) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "readout", ["ridge", "rls", "lms", RidgeClassifier(), LogisticRegression()], ids=str
)
def test_any_readout(readout):
    X, y = waves(120)
    assert small(readout=readout).fit(X, y).score(*waves(30, seed=1)) > 0.8


def test_handwritten_digits_row_by_row():
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X.reshape(-1, 8, 8) / 16, y, random_state=0)
    model = small(units=200, features=(0.5, 1.0)).fit(parts[0], parts[2])
    assert model.score(parts[1], parts[3]) > 0.98


def test_features_are_what_they_are_called():
    X = RNG.normal(size=(4, 23, 2))
    y = [0, 1, 0, 1]
    for features, wanted in [
        ("last", lambda s: s[:, -1]),
        ("mean", lambda s: s[:, 3:].mean(axis=1)),
        ((0.01, 0.5, 1.0), lambda s: np.concatenate([s[:, 0], s[:, 11], s[:, 22]], axis=1)),
    ]:
        model = small(features=features, washout=3, readout=RidgeClassifier()).fit(X, y)
        found = host(model.features_.of(model.reservoir_, put(X)))
        np.testing.assert_allclose(found, wanted(model.states(X)), atol=1e-12)


@pytest.mark.parametrize("n_components", [5, None])
@pytest.mark.parametrize("features", ["output_model", "reservoir_model"])
@pytest.mark.parametrize("length", [40, 2500])  # within a block, and over several
def test_models_are_ridge_regressions_of_each_series(features, n_components, length):
    X = RNG.normal(size=(2, length, 3))
    model = small(units=20, features=features, n_components=n_components, washout=4)
    model.fit(X, [0, 1])
    states = model.states(X)[:, 4:]
    if n_components is not None:
        rows = states.reshape(-1, 20)
        _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        projection = model.features_.projection
        found = np.abs(host(projection.components) @ axes[:5].T)
        np.testing.assert_allclose(found, np.eye(5), atol=1e-5)  # the same, up to sign
        states = host(projection(put(states)))
    found = host(model.features_.of(model.reservoir_, put(X)))
    for i in range(2):
        wanted = states[i, 1:] if features == "reservoir_model" else X[i, 5:]
        oracle = Ridge(1.0).fit(states[i, :-1], wanted)
        coef = found[i].reshape(states.shape[2] + 1, -1)
        np.testing.assert_allclose(coef[:-1], oracle.coef_.T, atol=1e-6)
        np.testing.assert_allclose(coef[-1], oracle.intercept_, atol=1e-6)


def test_all_forms_of_input_are_one():
    X = RNG.normal(size=(20, 30))
    y = np.arange(20) % 2
    flat = small().fit(X, y)
    assert flat.n_features_in_ == 30
    stack = small().fit(X[:, :, None], y)
    assert stack.n_features_in_ == 1
    lists = small().fit([row[:, None] for row in X], y)
    wanted = flat.predict_proba(X)
    np.testing.assert_array_equal(stack.predict_proba(X[:, :, None]), wanted)
    np.testing.assert_array_equal(stack.predict_proba(X), wanted)
    np.testing.assert_array_equal(lists.predict_proba([row[:, None] for row in X]), wanted)


def test_a_series_does_not_hear_the_others():
    X, y = waves()
    model = small().fit(X, y)
    together = model.predict_proba(X)
    for i in (0, 7, 30):
        np.testing.assert_allclose(model.predict_proba([X[i]])[0], together[i], atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(X[::-1])[::-1], together, atol=1e-9)


def test_probabilities_are_shares_and_their_largest_is_the_prediction():
    X, y = waves()
    for readout in ("ridge", LogisticRegression()):
        model = small(readout=readout).fit(X, y)
        shares = model.predict_proba(X)
        assert (shares >= 0).all()
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        np.testing.assert_array_equal(model.classes_[shares.argmax(axis=1)], model.predict(X))
    assert not hasattr(small(readout=RidgeClassifier()), "predict_proba")


@pytest.mark.parametrize("params", [{}, {"features": "output_model", "n_components": None}])
def test_partial_fit_of_parts_is_a_fit_of_the_whole(params):
    X, y = waves()
    whole = small(**params).fit(X, y)
    parts = small(**params)
    for some in (slice(0, 2), slice(2, 31), slice(31, None)):
        parts.partial_fit(X[some], y[some], classes=["a", "b", "c"])
    np.testing.assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)


def test_pickle_clone_pipeline_and_searches():
    X, y = waves()
    model = small(features="reservoir_model", plasticity=IntrinsicPlasticity(epochs=1)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()
    flat = np.array([series[:30, 0] for series in X])
    pipeline = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(pipeline, {"echostateclassifier__leak_rate": [0.3, 1.0]}, cv=3)
    assert search.fit(flat, y).best_score_ > 0.5
    assert cross_val_score(small(), flat, y, scoring="roc_auc_ovr").mean() > 0.7
    found = reservoir_search(small(), X, y, n_candidates=3, min_units=20, random_state=0)
    assert found.best_score_ > 0.9


def test_float32_states_and_noise_and_stacks():
    X, y = waves()
    for params in ({"dtype": "float32"}, {"noise": 0.01}, {"units": (30, 30)}):
        model = small(**params).fit(X, y)
        assert model.score(X, y) > 0.9
        np.testing.assert_array_equal(small(**params).fit(X, y).predict(X), model.predict(X))


@pytest.mark.parametrize("kind", [np.array, lambda s: tuple(map(np.float32, s)), list])
def test_shares_of_the_length_in_any_sequence(kind):
    X = RNG.normal(size=(10, 30))
    y = np.arange(10) % 2
    found, wanted = (
        small(features=shares).fit(X, y).predict_proba(X) for shares in (kind((0.5, 1.0)), (0.5, 1))
    )
    np.testing.assert_array_equal(found, wanted)
    small(features=kind((0.5, 1.0))).partial_fit(X, y, classes=[0, 1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"features": "first"}, "features must be one of .*got 'first'"),
        (
            {"features": (0.0, 1.0)},
            r"features must be a sequence of shares of the length in \(0, 1\]",
        ),
        ({"features": ()}, "features must be a sequence of shares"),
        ({"features": None}, "features must be a sequence of shares"),
        ({"features": 0.5}, r"such as \(0.5, 1.0\), .*got 0.5"),
        ({"features": (True,)}, "features must be a sequence of shares"),
        ({"features": True}, "features must be a sequence of shares"),
        ({"units": ()}, r"units must be an integer of at least 1, or a tuple of them.*got \(\)"),
        ({"n_components": 0}, "n_components must be an integer of at least 1"),
        ({"feature_penalty": 0}, r"feature_penalty must be a number in \(0"),
        (
            {"washout": 30},
            "washout must be less than the length of every series, 30.*Lower washout",
        ),
        ({"washout": 29, "features": "output_model"}, "at least washout . 2 = 31 steps"),
        ({"readout": "svm"}, "readout must be one of .* scikit-learn classifier"),
        ({"units": -1}, "units must be an integer of at least 1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_parameters_out_of_range_are_named(params, message):
    X = RNG.normal(size=(10, 30))
    with pytest.raises(ValueError, match=message):
        small(**params).fit(X, np.arange(10) % 2)


def test_input_that_does_not_fit_is_named():
    X, y = waves()
    model = small().fit(X, y)
    with pytest.raises(ValueError, match=r"series of 2 variables: .*a single series as X\[None\]"):
        model.predict(X[0])
    with pytest.raises(ValueError, match=r"X\[1\] has 1"):
        model.predict([X[0], X[1][:, :1]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small().fit(X, y[:-1])
    with pytest.raises(ValueError, match="at least two classes; got one class"):
        small().fit(X, ["a"] * len(X))
    with pytest.raises(ValueError, match="NaN"):
        small().fit(np.full((4, 10), np.nan), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="2D array"):
        small().fit(np.ones(10), [0, 1] * 5)


def test_partial_fit_says_what_it_needs():
    X, y = waves()
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        small().partial_fit(X, y)
    with pytest.raises(ValueError, match="partial_fit needs readout='ridge'"):
        small(readout=RidgeClassifier()).partial_fit(X, y, ["a", "b", "c"])
    with pytest.raises(ValueError, match="needs n_components=None"):
        small(features="reservoir_model").partial_fit(X, y, ["a", "b", "c"])
    model = small().partial_fit(X, y, ["a", "b", "c"])
    with pytest.raises(ValueError, match="classes must be the same as in the first call"):
        model.partial_fit(X, y, ["a", "b"])
    with pytest.raises(ValueError, match=r"y may only contain the classes .*got .*d"):
        model.partial_fit(X[:1], ["d"])


def test_a_pickle_holds_what_partial_fit_needs_only_after_partial_fit():
    X, y = waves()
    fitted = small(units=200).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(ValueError, match=r"Fit again .* or call partial_fit before pickling"):
        again.partial_fit(X, y)
    online = small(units=200).partial_fit(X, y, classes=["a", "b", "c"])
    copy = pickle.loads(pickle.dumps(online))
    first, second = online.partial_fit(X, y), copy.partial_fit(X, y)
    np.testing.assert_array_equal(host(first.readout_.coef), host(second.readout_.coef))


@pytest.mark.parametrize(
    ("features", "least", "message"),
    [
        ("mean", 11, "washout must be less than the length of every series, 10; got 10"),
        ("output_model", 12, r"at least washout \+ 2 = 12 steps; the shortest has 11"),
    ],
)
def test_series_too_short_to_predict_are_refused(features, least, message):
    X, y = waves()
    model = small(features=features, washout=10).fit(X, y)
    assert len(model.predict([series[:least] for series in X])) == len(X)
    with pytest.raises(ValueError, match=message):
        model.predict([*X, X[0][: least - 1]])
