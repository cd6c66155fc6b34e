"""Numeric targets: their magnitude, constants up to rounding, and the form of predictions."""

import numpy as np
import pytest

from deepreservoir import DeepReservoirRegressor

X = np.random.default_rng(0).normal(size=(90, 5))
Y = 2 * X[:, 0] + 1


def model(**params):
    return DeepReservoirRegressor((16,), rank=2, random_state=0, **{"max_iter": 50, **params})


@pytest.mark.parametrize("exponent", [-1000, -560, 540, 990])
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}], ids=str)
def test_targets_are_fitted_in_their_own_units(exponent, params):
    plain, scaled = model(**params).fit(X, Y), model(**params).fit(X, np.ldexp(Y, exponent))
    np.testing.assert_array_equal(scaled.y_scale_, np.ldexp(plain.y_scale_, exponent))
    np.testing.assert_allclose(scaled.predict(X), np.ldexp(plain.predict(X), exponent), rtol=1e-12)


def test_targets_too_large_to_predict_are_refused():
    with pytest.raises(ValueError, match=r"y must be at most 1e\+300 in absolute value.* Divide y"):
        model().fit(X, 1e300 * Y)


def test_ordinary_targets_are_scaled_by_their_deviation():
    fitted = model(max_iter=1).fit(X, Y)
    assert (fitted.y_mean_, fitted.y_scale_) == (Y.mean(), Y.std())


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 123.456])
def test_constant_targets_have_the_scale_one(value):
    weights = np.linspace(0.1, 1, len(X))
    for fitted in (
        model(max_iter=1).fit(X, np.full(len(X), value)),
        model(max_iter=1).fit(X, np.full(len(X), value), sample_weight=weights),
        model(max_iter=1).partial_fit(X[:1], [value]),
    ):
        assert fitted.y_scale_ == 1
        assert fitted.y_mean_ == pytest.approx(value)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("first", [(90,), (90, 1)])
def test_predictions_have_the_form_of_the_latest_targets(method, first):
    fitted = model(max_iter=1, warm_start=True)
    for shape in (first, (90, 1), (90,), (90, 1)):
        train = getattr(fitted, method)
        assert train(X, Y.reshape(shape)).predict(X).shape == shape


def test_held_out_targets_do_not_change_the_form_of_predictions():
    column = Y[:, None]
    assert model(max_iter=1).fit(X, Y, eval_set=(X, column)).predict(X).shape == Y.shape
