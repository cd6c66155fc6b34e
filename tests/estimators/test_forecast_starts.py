"""A forecast is the same from the end of training, from a given series, and from many."""

import numpy as np
import pytest

from deepreservoir import EchoStateRegressor
from deepreservoir.datasets import mackey_glass

X = mackey_glass(800) - 0.95
INPUTS = np.random.default_rng(0).normal(size=(20, 1))
PARAMS = [
    {},
    {"units": (40, 30)},
    {"topology": "antisymmetric", "leak_rate": 0.02},
    {"plasticity": 3},
    {"washout": 50, "leak_rate": 0.3, "bias_scaling": 0.5},
]


@pytest.mark.parametrize("params", PARAMS, ids=str)
@pytest.mark.parametrize("readout", ["ridge", "rls"])
@pytest.mark.parametrize("feedback", [False, True])
def test_all_starts_give_the_same_forecast(feedback, readout, params):
    settings = {"units": 60, "ridge": 1e-4, "random_state": 0, **params}
    model = EchoStateRegressor(feedback=feedback, readout=readout, **settings).fit(X[:-1], X[1:])
    wanted = model.forecast(15)
    assert wanted.shape == (15, 1)
    for found in (
        model.forecast(15, X),
        model.forecast(15, [X])[0],
        model.forecast(15, np.stack([X, X]))[1],
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(
        model.forecast(20, X, inputs=INPUTS), model.predict(np.r_[X, INPUTS])[-20:], atol=1e-4
    )


def test_targets_of_one_axis_are_forecast_as_a_column():
    model = EchoStateRegressor(60, random_state=0).fit(X[:-1], X[1:, 0])
    assert model.predict(X).shape == (800,)
    assert model.forecast(3).shape == (3, 1)
