"""What the defaults of the estimators can learn, and the paper's rule for biases beside them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor
from deepreservoir.experiments import MNIST_MEDIUM, Protocol

GENERATOR = np.random.default_rng(0)
LINE = GENERATOR.uniform(-1.5, 1.5, (400, 1))


def test_a_network_by_default_places_waves():
    y = np.sin(3 * LINE[:, 0])
    model = DeepReservoirRegressor(random_state=0).fit(LINE[:300], y[:300])
    assert model.score(LINE[300:], y[300:]) > 0.97


def test_a_network_by_default_places_thresholds():
    X = 2 * LINE
    y = np.abs(X[:, 0]) < 1
    model = DeepReservoirClassifier(random_state=0).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.96


def test_iris_by_default():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), DeepReservoirClassifier(random_state=0))
    assert cross_val_score(model, X, y, cv=5).mean() > 0.94


@pytest.mark.parametrize("estimator", [DeepReservoirClassifier, DeepReservoirRegressor])
def test_noise_is_not_learned_by_heart(estimator):
    X, noise = GENERATOR.standard_normal((300, 10)), GENERATOR.standard_normal(300)
    y = noise if estimator is DeepReservoirRegressor else noise > 0
    model = estimator(random_state=0)
    assert cross_val_score(model, X, y, cv=3).mean() > (
        -0.35 if estimator is DeepReservoirRegressor else 0.4
    )


@pytest.mark.parametrize("adapter", ["lora", "dora", "none", "full"])
def test_hidden_layers_have_biases_with_every_adapter(adapter):
    sizes = {}
    for bias in (True, False, "paper"):
        model = DeepReservoirClassifier((5, 4), adapter=adapter, bias=bias, max_iter=1)
        sizes[bias] = model.fit(LINE, LINE[:, 0] > 0).n_trained_params_
    assert clone(model).set_params(bias=True).bias is DeepReservoirClassifier().bias is True
    assert sizes[True] - sizes[False] == 5 + 4
    assert sizes["paper"] == sizes[True if adapter == "full" else False]


def test_the_papers_protocol_has_the_papers_counts():
    params = MNIST_MEDIUM.parameters()
    model = DeepReservoirClassifier(**params)
    assert model.network_config(784, 10).n_params == 21_774
    model.set_params(adapter="full")
    assert model.network_config(784, 10).n_params == 575_050


def test_a_protocol_can_change_what_the_paper_sets():
    assert Protocol().parameters()["bias"] == "paper"
    assert Protocol().changed(bias=True).parameters()["bias"] is True
