"""Weights of samples and of classes in echo-state networks."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDRegressor
from sklearn.neighbors import KNeighborsRegressor
from target import assert_allclose, assert_array_equal, host, put

from deepreservoir import EchoStateClassifier, EchoStateRegressor, load, save

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 50, 2))
Y = X.cumsum(axis=1)
WEIGHTS = RNG.integers(0, 3, (6, 50)).astype(float)
WASHOUT = 5


def regressor(**params):
    given = {"units": 20, "washout": WASHOUT, "ridge": 1e-3, "random_state": 0, **params}
    return EchoStateRegressor(dtype="float64", **given)


def ridge_of(model, X, Y, weights):
    states = host(model.states(put(X)))[..., WASHOUT:, :].reshape(-1, 20)
    after = weights[..., WASHOUT:].ravel()
    return Ridge(1e-3).fit(states, Y[..., WASHOUT:, :].reshape(-1, 2), after)


def test_one_series_has_the_ridge_of_its_weighted_states():
    model = regressor().fit(put(X[0]), put(Y[0]), put(WEIGHTS[0]))
    wanted = ridge_of(model, X[0], Y[0], WEIGHTS[0])
    assert_allclose(model.readout_.coef, wanted.coef_, rtol=1e-6)
    assert_allclose(model.readout_.intercept, wanted.intercept_, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (WEIGHTS, WEIGHTS),
        (list(WEIGHTS), WEIGHTS),
        (WEIGHTS[:, 0] + 1, np.repeat(WEIGHTS[:, :1] + 1, 50, axis=1)),
        (2.5, np.full((6, 50), 2.5)),
    ],
    ids=["steps", "list", "series", "number"],
)
@pytest.mark.host(reason="forms of host arrays")
def test_several_series_have_weights_of_steps_or_of_series(given, meant):
    model = regressor().fit(X, Y, given)
    assert_allclose(model.readout_.coef, ridge_of(model, X, Y, meant).coef_, rtol=1e-6)
    in_parts = regressor()
    for part in (slice(0, 2), slice(2, 6)):
        weights = given if isinstance(given, float) else given[part]
        in_parts.partial_fit(X[part], Y[part], sample_weight=weights)
    assert_allclose(in_parts.readout_.coef, model.readout_.coef, rtol=1e-6)


def test_steps_without_weight_may_have_any_target():
    spoiled = np.where(WEIGHTS[..., None] > 0, Y, 1e6)
    fitted = [regressor().fit(put(X), put(y), put(WEIGHTS)) for y in (Y, spoiled)]
    assert_allclose(fitted[0].readout_.coef, fitted[1].readout_.coef, rtol=1e-9)


def test_weights_select_the_penalty_on_held_out_steps():
    weights = np.ones((6, 50))
    weights[:, 45:] = 0  # half of the held-out steps, whose targets are spoiled
    spoiled = np.where(weights[..., None] > 0, Y, 1e3)
    params = {"ridge": (1e-6, 1e-2, 1e6), "validation_fraction": 0.2}
    model = regressor(**params).fit(put(X), put(spoiled), put(weights))
    assert model.readout_.penalty < 1e6
    assert all(score < 1e5 for score in model.readout_.scores.values())


@pytest.mark.host(reason="the message is about host arrays")
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((5, 50)), "one entry per series of X, 6; got 5"),
        ([np.ones(50)] * 5 + [np.ones(49)], r"sample_weight\[5\] must have shape \(50,\)"),
        (-WEIGHTS, r"sample_weight\[0\] must not be negative; got -2.0"),
        (WEIGHTS * np.nan, "contains NaN"),
        (np.zeros((6, 50)), "positive for at least one sample; got only zeros"),
        ([["a"] * 50] * 6, "must be numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    model = regressor()
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, weights)
    assert not hasattr(model, "readout_")


@pytest.mark.host(reason="readouts of scikit-learn are on the host")
def test_readouts_of_scikit_learn_get_the_weights():
    model = regressor(readout=Ridge(1e-3)).fit(X, Y, WEIGHTS)
    assert_allclose(model.readout_.coef_, ridge_of(model, X, Y, WEIGHTS).coef_, rtol=1e-6)
    with pytest.raises(ValueError, match="KNeighborsRegressor, the readout, does not take"):
        regressor(readout=KNeighborsRegressor()).fit(X, Y, WEIGHTS)


# Classes ----------------------------------------------------------------------------------------

ROWS = RNG.normal(size=(60, 15)).cumsum(axis=1)
LABELS = (ROWS[:, -1] > 4.5).astype(int)
OF_ROWS = RNG.integers(0, 3, 60).astype(float)


def classifier(**params):
    return EchoStateClassifier(**{"units": 20, "ridge": 1.0, "random_state": 0, **params})


def features_of(model, rows):
    return host(model.states(put(rows))).mean(axis=1)


def encoded(labels):
    return (labels[:, None] == np.unique(LABELS)).astype(float)


def test_a_weighted_series_counts_that_often():
    model = classifier(ridge=1.0).fit(put(ROWS), put(LABELS), put(OF_ROWS))
    each = np.repeat(np.arange(60), OF_ROWS.astype(int))
    wanted = classifier(ridge=1.0).fit(put(ROWS[each]), put(LABELS[each]))
    assert_allclose(model.readout_.coef, wanted.readout_.coef, rtol=1e-6)


def test_balanced_classes_are_those_of_scikit_learn():
    model = classifier(class_weight="balanced").fit(put(ROWS), put(LABELS))
    wanted = RidgeClassifier(1.0, class_weight="balanced").fit(features_of(model, ROWS), LABELS)
    # Scikit-learn has one output of -1 and 1 where this has two of 0 and 1.
    assert_allclose(2 * host(model.readout_.coef)[1], wanted.coef_, rtol=1e-6)
    assert (host(model.predict(ROWS)) == wanted.predict(features_of(model, ROWS))).all()


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_only_the_ratios_of_class_weights_matter(factor):
    weights = {0: 1.0 * factor, 1: 3.0 * factor}
    model = classifier(class_weight=weights).fit(put(ROWS), put(LABELS), put(OF_ROWS))
    of_class = np.where(LABELS == 1, 1.5, 0.5)
    wanted = Ridge(1.0).fit(features_of(model, ROWS), encoded(LABELS), OF_ROWS * of_class)
    assert_allclose(model.readout_.coef, wanted.coef_, rtol=1e-6)
    in_parts = classifier(class_weight=weights)
    for part in (slice(0, 40), slice(40, 60)):
        in_parts.partial_fit(
            put(ROWS[part]), put(LABELS[part]), np.unique(LABELS), put(OF_ROWS[part])
        )
    assert_allclose(in_parts.readout_.coef, wanted.coef_, rtol=1e-6)


def test_balanced_weights_find_more_of_a_rare_class():
    plain, balanced = (
        classifier(class_weight=weight).fit(put(ROWS), put(LABELS)) for weight in (None, "balanced")
    )
    found = [(host(model.predict(ROWS)) == 1).sum() for model in (plain, balanced)]
    assert found[0] < (LABELS == 1).sum() <= found[1]


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: -1.0}, "must be finite and not negative"),
        ({0: 0.0, 1: 0.0}, "positive for at least one class"),
        ({2: 1.0}, "not in class_weight"),
    ],
)
def test_class_weights_that_make_no_sense_are_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(put(ROWS), put(LABELS))


def test_balanced_weights_cannot_be_learned_in_parts():
    with pytest.raises(ValueError, match="set class_weight to a dict with a weight per class"):
        classifier(class_weight="balanced").partial_fit(put(ROWS), put(LABELS), np.unique(LABELS))


@pytest.mark.parametrize("class_weight", [None, "balanced", {"calm": 1.0, "storm": 3.0}], ids=str)
@pytest.mark.host(reason="labels are text")
def test_files_keep_the_weights_of_classes(class_weight, tmp_path):
    labels = np.array(["calm", "storm"])[LABELS]
    model = classifier(class_weight=class_weight).fit(ROWS, labels)
    loaded = load(save(model, tmp_path / "m.safetensors"))
    assert loaded.class_weight == class_weight
    assert (loaded.predict(ROWS) == model.predict(ROWS)).all()


def test_least_mean_squares_takes_series_in_the_order_given():
    lengths = (30, 40, 30)
    series = [put(RNG.normal(size=(n, 2))) for n in lengths]
    targets = [one[:, :1] * 2 for one in series]
    whole = EchoStateRegressor(10, density=0.5, readout="lms", random_state=0)
    whole.fit(series, targets)
    parts = EchoStateRegressor(10, density=0.5, readout="lms", random_state=0)
    for one, target in zip(series, targets, strict=True):
        parts.partial_fit([one], [target])
    assert_allclose(whole.readout_.coef, parts.readout_.coef, rtol=1e-6)
    labels = put(np.array([0, 1, 1]))
    whole = EchoStateClassifier(10, density=0.5, readout="lms", random_state=0)
    whole.fit(series, labels)
    parts = EchoStateClassifier(10, density=0.5, readout="lms", random_state=0)
    for i, one in enumerate(series):
        parts.partial_fit([one], labels[i : i + 1], classes=[0, 1])
    assert_allclose(whole.readout_.coef, parts.readout_.coef, rtol=1e-9)


@pytest.mark.parametrize("feedback", [False, True])
def test_a_forecast_does_not_begin_with_an_unknown_target(feedback):
    x = np.sin(np.arange(500) / 5)[:, None]
    y, weights = x[1:].copy(), np.ones(499)
    y[-1], weights[-1] = 7.0, 0.0
    for fit in ("fit", "partial_fit"):
        model = regressor(units=100, washout=50, ridge=1e-8, feedback=feedback)
        model = getattr(model, fit)(put(x[:-1]), put(y), sample_weight=put(weights))
        found = host(model.forecast(5)).ravel()
        assert_allclose(found, np.sin(np.arange(500, 505) / 5), atol=0.02)


@pytest.mark.parametrize("readout", ["ridge", "rls", "lms"])
def test_weights_only_in_the_washout_are_refused(readout):
    weights = np.where(np.arange(50) < WASHOUT, 1.0, 0.0)
    with pytest.raises(ValueError, match="at least one row of states after the washout"):
        regressor(readout=readout).fit(put(X[0]), put(Y[0]), put(weights))


@pytest.mark.parametrize("readout", ["ridge", "rls", "lms"])
def test_later_series_may_all_be_without_weight(readout):
    model = regressor(readout=readout).partial_fit(put(X[:2]), put(Y[:2]))
    before = host(model.readout_.coef).copy()
    model.partial_fit(put(X[2:]), put(Y[2:]), sample_weight=put(np.zeros(4)))
    assert_allclose(model.readout_.coef, before, rtol=1e-12)
    classes = classifier(readout=readout).partial_fit(put(ROWS), put(LABELS), classes=[0, 1])
    before = host(classes.readout_.coef).copy()
    classes.partial_fit(put(ROWS), put(LABELS), sample_weight=put(np.zeros(60)))
    assert_allclose(classes.readout_.coef, before, rtol=1e-12)


@pytest.mark.host(reason="the readout is on the host")
def test_rows_without_weight_have_no_part_in_readouts_of_scikit_learn():
    readout = SGDRegressor(random_state=0, tol=None, max_iter=20)
    weights = np.where(np.arange(50) % 3, 1.0, 0.0)
    spoiled = np.where(weights[:, None] > 0, Y[0, :, :1], 5.0)
    fitted = [regressor(readout=readout).fit(X[0], y, weights) for y in (Y[0, :, :1], spoiled)]
    assert_array_equal(fitted[0].readout_.coef_, fitted[1].readout_.coef_)
    known = classifier(readout=LogisticRegression(), class_weight={0: 1.0, 1: 0.0})
    assert known.fit(ROWS, LABELS).predict_proba(ROWS).shape == (60, 2)


@pytest.mark.parametrize(
    "weights", [{0: 1.0, 1: 2.0}, {0.0, 1.0}, np.ones(2, complex), [1j, 1.0]], ids=repr
)
def test_what_is_no_list_of_weights_is_refused(weights):
    with pytest.raises(ValueError, match="sample_weight"):
        regressor().fit(X[:2], Y[:2], weights)


@pytest.mark.host(reason="pandas is on the host")
def test_a_table_of_weights_is_refused():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"a list or an array.*per series.*DataFrame"):
        regressor().fit(X, Y, pd.DataFrame(WEIGHTS))


def test_a_score_takes_the_weights_that_a_fit_takes():
    model = classifier().fit(put(ROWS), put(LABELS), 2.0)
    assert model.score(put(ROWS), put(LABELS), 2.0) == model.score(put(ROWS), put(LABELS))
    with pytest.raises(ValueError, match="must not be negative"):
        model.score(put(ROWS), put(LABELS), -put(np.ones(60)))


@pytest.mark.parametrize("weight", [1e-170, 1e160])
def test_weights_whose_squares_have_no_finite_sum_are_refused(weight):
    words = r"sample_weight\[0\] must be 0 or from 1e-100 to 1e\+100.*Divide all weights"
    with pytest.raises(ValueError, match=words):
        regressor(ridge=(1e-3, 1.0)).fit(put(X[:2]), put(Y[:2]), put(np.full((2, 50), weight)))
