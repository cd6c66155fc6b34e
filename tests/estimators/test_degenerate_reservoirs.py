"""Reservoirs at the edge: tiny, very sparse, of radius 0, or with as many units as steps."""

import numpy as np
import pytest

from deepreservoir import EchoStateRegressor
from deepreservoir.datasets import mackey_glass
from deepreservoir.esn.topology import TOPOLOGIES

X = np.sin(np.arange(400) / 5)[:, None]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("radius", [0, 0.9, 3.0])
def test_predictions_are_finite_or_the_message_says_what_to_change(topology, radius):
    fitted = 0
    for units in (1, 2, 3, 5, 16):
        for density in (0.01, 0.1, 1.0, 1):
            model = EchoStateRegressor(
                units, density=density, spectral_radius=radius, topology=topology, random_state=0
            )
            try:
                model.fit(X[:200], X[1:201])
            except ValueError as error:
                words = ("units", "density", "radius", "spectral")
                assert any(word in str(error) for word in words)  # noqa: PT017
                continue
            fitted += 1
            assert np.isfinite(model.predict(X[200:])).all()
    assert fitted


def test_as_many_units_as_steps_are_no_worse_than_fewer():
    noisy = X[1:201] + 0.05 * np.random.default_rng(0).normal(size=(200, 1))
    path = tuple(10.0**p for p in range(-12, 1))
    for n in (80, 99, 100, 101, 150):
        model = EchoStateRegressor(100, random_state=0, ridge=path).fit(X[:n], noisy[:n])
        assert model.score(X[200:399], X[201:400]) > 0.9


@pytest.mark.parametrize("mean", [0, 20, 1e3, 1e5])
def test_the_recursive_readout_is_the_ridge_readout_about_any_mean(mean):
    series = mackey_glass(900)
    series = (series - series.mean()) / series.std()
    inputs, targets = series[:-1], series[1:]

    def error(readout):
        model = EchoStateRegressor(
            60,
            readout=readout,
            leak_rate=0.7,
            bias_scaling=0.2,
            input_scaling=0.3,
            washout=100,
            dtype="float64",
            ridge=1e-6,
            random_state=0,
        )
        model.fit(inputs[:600], targets[:600] + mean)
        return np.sqrt(np.mean((model.predict(inputs[600:]) - mean - targets[600:])[100:] ** 2))

    assert error("rls") < 1.5 * error("ridge") < 0.1
