"""What the defaults of the estimators can learn, and the paper's rule for biases beside them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import (
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    SeedGatedClassifier,
    load,
    save,
)
from deepreservoir.estimators.base.training_plan import ema_decay_of
from deepreservoir.experiments import MNIST_MEDIUM, Protocol
from deepreservoir.experiments.comparisons.protocol import default_protocol

pytestmark = pytest.mark.long_in_the_shim

GENERATOR = np.random.default_rng(0)
LINE = GENERATOR.uniform(-1.5, 1.5, (400, 1))


def test_a_network_by_default_places_waves():
    y = np.sin(3 * LINE[:, 0])
    model = DeepReservoirRegressor(random_state=0).fit(LINE[:300], y[:300])
    assert model.score(LINE[300:], y[300:]) > 0.93


def test_a_network_by_default_places_thresholds():
    X = 2 * LINE
    y = np.abs(X[:, 0]) < 1
    model = DeepReservoirClassifier(random_state=0).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.96


@pytest.mark.slow
def test_iris_by_default():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), DeepReservoirClassifier(random_state=0))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(model, X, y, cv=folds).mean() > 0.93


@pytest.mark.parametrize(
    "estimator",
    [pytest.param(DeepReservoirClassifier, marks=pytest.mark.slow), DeepReservoirRegressor],
)
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
    assert sizes["paper"] == sizes[adapter == "full"]


def test_the_papers_protocol_has_the_papers_counts():
    model = DeepReservoirClassifier(**MNIST_MEDIUM.parameters())
    assert model.network_config(784, 10).n_params == 21_774
    model.set_params(adapter="full")
    assert model.network_config(784, 10).n_params == 575_050


def test_a_protocol_can_change_what_the_paper_sets():
    assert Protocol().parameters()["bias"] == "paper"
    assert Protocol().changed(bias=True).parameters()["bias"] is True


@pytest.mark.parametrize("estimator", [DeepReservoirClassifier, DeepReservoirRegressor])
def test_the_decay_follows_the_number_of_steps(estimator):
    X = GENERATOR.standard_normal((260, 2))
    model = estimator((80, 64), max_iter=150).fit(X, X[:, 0] > 0)
    assert model.weight_decay_ == pytest.approx(70 / np.sqrt(150 * 3))
    model = estimator((80, 64), max_iter=600, tol=1e9).fit(X, X[:, 0] > 0)
    assert model.weight_decay_ == pytest.approx(70 / np.sqrt(600 * 3))
    # A short training is regularised by being short.
    model = estimator((80, 16), max_iter=3).fit(X, X[:, 0] > 0)
    assert model.weight_decay_ == pytest.approx(3 / 150 * 70 / np.sqrt(150 * 3) / 4)
    model = estimator((4,), max_iter=3, optimizer="sgd").fit(X, X[:, 0] > 0)
    assert model.weight_decay_ == 1e-4
    model = estimator((4,), max_iter=3, weight_decay=0.25).fit(X, X[:, 0] > 0)
    assert model.weight_decay_ == 0.25
    with pytest.raises(ValueError, match=r"weight_decay must be one of .*auto.*; got 'much'"):
        estimator((4,), weight_decay="much").fit(X, X[:, 0] > 0)


def test_tables_are_compared_at_the_defaults():
    params = default_protocol().parameters()
    for model in (DeepReservoirClassifier(), DeepReservoirRegressor()):
        own = model.get_params()
        # A comparison trains to the end of its budget.
        names = params.keys() & own.keys() - {"n_iter_no_change", "tol"}
        assert {name: params[name] for name in names} == {name: own[name] for name in names}


def test_descriptions_have_the_defaults_of_the_class():
    assert (
        'activation : {"relu", "tanh", "logistic", "gelu", "silu", "identity"}, default="silu"'
        in (DeepReservoirClassifier.__doc__)
    )
    assert 'default="relu"' in SeedGatedClassifier.__doc__


def test_what_auto_stands_for_is_there_after_fit(tmp_path):
    X = GENERATOR.standard_normal((40, 5))
    model = DeepReservoirClassifier((16, 4), max_iter=2).fit(X, X[:, 0] > 0)
    assert model.batch_size_ == len(X)  # fewer than 128
    assert model.weight_decay_ == pytest.approx(2 / 150 * 70 / np.sqrt(150) / 16)
    assert model.ema_decay_ == 0.5
    assert model.network_.config.dropout == pytest.approx(0.3 / 16)
    assert model.ranks_ == {"layers.0": 5, "layers.1": 4}
    assert load(save(model, tmp_path / "m.safetensors")).ranks_ == model.ranks_
    full = DeepReservoirClassifier((16, 4), adapter="full", max_iter=2).fit(X, X[:, 0] > 0)
    assert full.ranks_ == {}


@pytest.mark.parametrize(("max_iter", "window"), [(1, 2), (50, 5), (600, 60), (5_000, 100)])
def test_the_weight_average_is_over_a_tenth_of_the_steps(max_iter, window):
    params = DeepReservoirClassifier(max_iter=max_iter).get_params()
    assert ema_decay_of(params, epoch_steps=1) == pytest.approx(1 - 1 / window)
    assert ema_decay_of(params | {"ema_decay": 0.9}, epoch_steps=1) == 0.9
    assert ema_decay_of(params | {"ema_decay": None}, epoch_steps=1) is None


def test_a_line_is_fitted_by_a_narrow_network_on_few_rows():
    X = GENERATOR.standard_normal((90, 5))
    y = 2 * X[:, 0] + 1
    model = DeepReservoirRegressor((16,), rank=2, max_iter=200, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("name", ["dropout", "ema_decay"])
def test_other_words_than_auto_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be .*'much'"):
        DeepReservoirClassifier(**{name: "much"}).fit(LINE, LINE[:, 0] > 0)
