"""Several DataFrames as series of an echo-state network: their columns, and the forms of y."""

import numpy as np
import pandas as pd
import pytest

from deepreservoir import EchoStateClassifier, EchoStateRegressor

pytestmark = pytest.mark.host(reason="DataFrames are on the host")
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=80), "b": 10 * RNG.normal(size=80)})
SWAPPED = FRAME[["b", "a"]]


def regressor(**params):
    return EchoStateRegressor(units=30, density=0.2, random_state=0, **params)


def test_columns_in_another_order_are_refused():
    model = regressor().fit([FRAME], [FRAME.a])
    assert model.feature_names_in_.tolist() == ["a", "b"]
    for call in (model.predict, model.states):
        with pytest.raises(ValueError, match=r"X has the columns b, a, but .* expecting a, b"):
            call([SWAPPED])
    assert np.array_equal(model.predict([FRAME])[0], model.predict(FRAME))
    with pytest.raises(ValueError, match="X has the columns b, a"):
        regressor().fit(FRAME, FRAME.a).predict([SWAPPED])
    with pytest.raises(ValueError, match=r"X\[1\] has the columns b, a, but those before it"):
        regressor().fit([FRAME, SWAPPED], [FRAME.a, FRAME.a])


def test_a_forecast_of_columns_in_another_order_is_refused():
    with pytest.raises(ValueError, match=r"the columns of y, .* another order"):
        regressor().fit([FRAME[:-1]], [SWAPPED[1:]]).forecast(2)


def test_names_are_forgotten_with_a_fit_without_them():
    model = regressor().fit([FRAME], [FRAME.a]).fit([FRAME.to_numpy()], [FRAME.a.to_numpy()])
    assert not hasattr(model, "feature_names_in_")


def test_a_classifier_checks_columns_too():
    model = EchoStateClassifier(30, random_state=0).fit([FRAME, 2 * FRAME], ["x", "y"])
    with pytest.raises(ValueError, match="X has the columns b, a"):
        model.predict([SWAPPED])


@pytest.mark.parametrize("of", [pd.DataFrame, np.asarray])
def test_a_classifier_reads_a_pandas_series_of_series(of):
    X = [of(FRAME[: 60 + i]) for i in range(4)]
    index = pd.Index([7, 5, 3, 1])
    given = EchoStateClassifier(30, random_state=0).fit(pd.Series(X, index), list("abab"))
    wanted = EchoStateClassifier(30, random_state=0).fit(X, list("abab"))
    assert np.array_equal(given.predict_proba(pd.Series(X, index)), wanted.predict_proba(X))


@pytest.mark.parametrize("of", [pd.Series, np.asarray])
def test_a_pandas_series_of_series_of_one_feature_is_told_how_to_be_reshaped(of):
    X = pd.Series([of(FRAME.a), of(FRAME.b)])
    with pytest.raises(ValueError, match="X is one Series of arrays; pass a list of 2-D arrays"):
        EchoStateClassifier(30, random_state=0).fit(X, ["x", "y"])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([FRAME.a.to_numpy() * 1j], "must be numbers; got complex numbers"),
        ([pd.date_range("2026", periods=80).to_numpy()], "must be numbers; got dates"),
        ([np.empty((80, 0))], r"y\[0\] must have shape"),
    ],
)
def test_targets_that_are_no_real_numbers_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        regressor().fit([FRAME], y)


def test_dates_as_targets_of_one_series_are_refused():
    with pytest.raises(ValueError, match="must be numbers; got dates"):
        regressor().fit(FRAME, pd.date_range("2026", periods=80).to_numpy())


def test_targets_of_all_series_have_as_many_axes():
    with pytest.raises(ValueError, match=r"y\[0\] has 1 and y\[1\] 2"):
        regressor().fit([FRAME, FRAME], [FRAME.a, FRAME[["a"]]])


def test_scores_take_the_weights_of_fit():
    model = regressor().fit([FRAME, FRAME], [FRAME.a, FRAME.b])
    weights = np.r_[1.0, 3.0]
    steps = np.repeat(weights[:, None], 80, axis=1)
    score = model.score([FRAME, FRAME], [FRAME.a, FRAME.b], weights)
    assert score == model.score([FRAME, FRAME], [FRAME.a, FRAME.b], steps)
    with pytest.raises(ValueError, match="one entry per series of X, 2; got 80"):
        model.score([FRAME, FRAME], [FRAME.a, FRAME.b], np.ones(80))


def test_a_share_that_holds_out_no_step_leaves_the_choice_to_cross_validation():
    path = {"ridge": (1e-6, 1e2)}
    held_out = regressor(validation_fraction=0.01, **path).fit(FRAME, FRAME.a)
    assert held_out.readout_.scores == regressor(**path).fit(FRAME, FRAME.a).readout_.scores


@pytest.mark.parametrize("kind", [list, tuple])
def test_targets_may_be_lists(kind):
    x = FRAME.to_numpy()
    wanted = regressor().fit(x, x[:, 0])
    for X in (x, FRAME, x.tolist()):
        model = regressor().fit(X, kind(x[:, 0].tolist()))
        assert np.array_equal(model.readout_.coef, wanted.readout_.coef)
        model.partial_fit(X, kind(x[:, 0].tolist()))
    both = regressor().fit(FRAME[["a"]], x.tolist())
    assert both._output_names is None
    assert both.forecast(2, inputs=FRAME[["a"]][:2]).shape == (2, 2)


def test_a_number_weights_all_steps_in_fit_and_score():
    model = regressor().fit(FRAME, FRAME.a, sample_weight=2.0)
    assert model.score(FRAME, FRAME.a, sample_weight=2.0) == model.score(FRAME, FRAME.a)


def test_a_retrained_model_predicts_in_the_form_of_its_targets():
    x = FRAME.to_numpy()
    model = regressor().fit(x, x[:, :1])
    assert model.retrained(x, x[:, 0]).predict(x).shape == (80,)
    assert model.retrained([x], [x[:, :1]]).predict(x).shape == (80, 1)
    assert model.predict(x).shape == (80, 1)
