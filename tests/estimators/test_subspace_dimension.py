"""The random-subspace dimension, of a task whose dimension is known and of digits."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, subspace_dimension

K = 4


def linear_task(n=250, width=40, seed=2):
    """Rows of K dimensions in `width` columns, and a target that needs all K of them."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, K))
    directions = np.linalg.qr(rng.normal(size=(width, K)))[0]
    return hidden @ directions.T, hidden.sum(axis=1)


def linear(**given):
    """Linear regression by gradient descent: one weight a feature, and a bias."""
    params = {"optimizer": "sgd", "learning_rate_init": 0.3, "momentum": 0.95}
    params |= {"weight_decay": 0.0, "schedule": "constant", "max_iter": 800, "tol": 0.0}
    params |= {"n_iter_no_change": 800}
    return DeepReservoirRegressor((), adapter="none", **params | given)


@pytest.mark.long_in_the_shim
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(linear(), id="alone"),
        pytest.param(
            TransformedTargetRegressor(linear(), transformer=StandardScaler()),
            id="held by what clones it",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_linear_task_has_the_dimension_of_its_rows_and_one_for_the_bias(model):
    """Fewer directions leave some of the target out of reach, whatever is trained."""
    X, y = linear_task()
    found = subspace_dimension(model, X, y, share=0.99, random_state=2)
    assert found.baseline > 0.999
    assert found.n_parameters == 41
    assert found.dimension == K + 1
    assert found.scores[K + 1] >= 0.99 * found.baseline > found.scores[K]
    assert list(found.scores) == sorted(found.scores)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X[:300] / 16, y[:300]


def deep(**given):
    return DeepReservoirClassifier((16,), max_iter=15, learning_rate_init=0.02, **given)


@pytest.mark.long_in_the_shim
def test_digits_are_learned_in_far_fewer_directions_than_there_are(digits):
    found = subspace_dimension(deep(), *digits, random_state=0)
    assert found.n_parameters == 64 * 16 + 16 + 16 * 4 + 4
    assert found.baseline > 0.9
    assert 2 < found.dimension < 120
    before = max(d for d in found.scores if d < found.dimension)
    assert before == found.dimension - 1
    assert found.scores[before] < 0.9 * found.baseline <= found.scores[found.dimension]


@pytest.mark.long_in_the_shim
def test_the_same_random_state_finds_the_same_and_a_pipeline_is_fitted_whole(digits):
    X, y = digits
    first, second = (subspace_dimension(deep(), X, y, random_state=3) for _ in range(2))
    assert first == second
    # Scaled back by the pipeline, rows a thousand times as large are the same task.
    model = make_pipeline(StandardScaler(), deep())
    found = [subspace_dimension(model, rows, y, random_state=3) for rows in (X, 1024 * X)]
    assert found[0] == found[1]


def test_the_estimator_is_left_as_it_was(digits):
    model = deep(random_state=1)
    before = clone(model).get_params()
    subspace_dimension(model, *digits, share=0.3, random_state=0)
    assert model.get_params() == before
    assert not hasattr(model, "network_")


@pytest.mark.long_in_the_shim
def test_a_step_of_adam_is_as_long_as_that_of_the_whole_network():
    """Else few directions would be few steps: the rate goes with the root of their share."""
    X, y = linear_task()
    model = linear(optimizer="adam", learning_rate_init=0.01, max_iter=200)
    found = subspace_dimension(model, X, y, share=0.9, random_state=0)
    assert found.dimension <= K + 2


def test_noise_has_no_dimension_and_that_is_said():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    with pytest.warns(UserWarning, match=r"the fully trained network scores -\d.*is meaningless"):
        found = subspace_dimension(DeepReservoirRegressor((8,), max_iter=20), X, y, random_state=0)
    assert found.dimension is None
    assert found.scores == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"share": 0}, "share must be a number above 0 and below 1; got 0"),
        ({"share": 1.5}, "share must be a number above 0"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a number above 0 and below 1"),
        ({"estimator": LogisticRegression()}, "LogisticRegression has none"),
        ({"estimator": deep(adapter="full")}, "got 'full'"),
    ],
)
def test_bad_input_is_refused_before_any_training(given, message, digits, monkeypatch):
    def reached(*args, **kwargs):
        raise AssertionError("training was reached")

    monkeypatch.setattr("deepreservoir.estimators.base.prepared_fit.train", reached)
    arguments = {"estimator": deep()} | given
    with pytest.raises(ValueError, match=message):
        subspace_dimension(arguments.pop("estimator"), *digits, **arguments)
