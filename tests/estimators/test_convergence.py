"""The warning after a training that was still improving, and patience on small tables."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from deepreservoir import DeepReservoirClassifier, DeepReservoirRegressor, fit_many
from deepreservoir.estimators.base.convergence import still_improving
from deepreservoir.estimators.base.data import split_rows

pytestmark = pytest.mark.long_in_the_shim

X, Y = load_iris(return_X_y=True)
X = scale(X)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("max_iter", [1, 5])
def test_a_budget_that_is_too_small_is_named(max_iter, schedule):
    model = DeepReservoirClassifier((8,), max_iter=max_iter, schedule=schedule, random_state=0)
    with pytest.warns(ConvergenceWarning, match=rf"\({max_iter}\) reached and.*Increase max_iter"):
        model.fit(X, Y)
    assert model.stop_reason_ == "budget"


def test_networks_that_are_fitted_together_warn_as_well():
    models = [DeepReservoirClassifier((8,), max_iter=2, random_state=0) for _ in range(2)]
    with pytest.warns(ConvergenceWarning, match="still falling"):
        fit_many(models, X, Y)


@pytest.mark.parametrize("estimator", [DeepReservoirClassifier, DeepReservoirRegressor])
def test_a_default_fit_does_not_warn(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        estimator(random_state=0).fit(X, Y)


def test_one_pass_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        DeepReservoirClassifier((8,)).partial_fit(X, Y, classes=[0, 1, 2])


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=60).map(lambda v: sorted(v, reverse=True)),
    st.floats(1e-6, 1e6),
)
def test_convergence_does_not_depend_on_the_unit_of_the_loss(losses, unit):
    scaled = [unit * value for value in losses]
    half, last = losses[(len(losses) - 1) // 2], losses[-1]
    if abs((half - last) - 0.25 * (losses[0] - last)) > 1e-6 * losses[0]:
        assert still_improving(scaled, 0.0) == still_improving(losses, 0.0)


@given(st.integers(2, 100), st.floats(0, 1))
def test_a_constant_loss_does_not_improve(n, value):
    assert not still_improving([value] * n, 1e-4)


# Patience ------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "steps"), [(100, 1), (150, 2)])
def test_patience_lasts_a_hundred_steps_at_least(rows, steps):
    labels = np.arange(rows) % 2  # nothing to learn
    noise = np.random.default_rng(0).standard_normal((rows, 3))
    model = DeepReservoirClassifier(
        (4,), schedule="constant", max_iter=1_000, batch_size=100, tol=10.0, n_iter_no_change=2
    )
    model.fit(noise, labels)
    # The first epoch improves on nothing.
    assert model.stop_reason_ == "converged"
    assert model.n_iter_ == 1 + 100 // steps


def test_patience_counts_epochs_where_they_are_longer():
    noise = np.random.default_rng(0).standard_normal((200, 3))
    model = DeepReservoirRegressor(
        (4,), schedule="constant", max_iter=1_000, batch_size=2, tol=10.0, n_iter_no_change=3
    )
    assert model.fit(noise, noise[:, 0]).n_iter_ == 1 + 3


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_a_rate_that_decays_is_followed_to_its_end(schedule):
    model = DeepReservoirClassifier((4,), schedule=schedule, max_iter=120, tol=10.0)
    assert model.fit(X, Y).n_iter_ == 120
    assert model.stop_reason_ == "budget"


# Held-out rows ---------------------------------------------------------------------------


def test_early_stopping_with_a_class_of_one_row():
    rare = np.append(Y, 7)
    model = DeepReservoirClassifier((8,), max_iter=5, early_stopping=True, random_state=0)
    model.fit(np.vstack([X, [[9.0] * 4]]), rare)
    assert model.classes_.tolist() == [0, 1, 2, 7]
    assert model.predict_proba(X).shape == (len(X), 4)


def test_early_stopping_with_more_classes_than_held_out_rows():
    labels = np.repeat(np.arange(20), 2)
    rows = np.random.default_rng(0).standard_normal((40, 3))
    model = DeepReservoirClassifier(max_iter=3, early_stopping=True, random_state=0)
    assert model.fit(rows, labels).predict(rows).shape == (40,)


@given(st.lists(st.integers(0, 5), min_size=4, max_size=60), st.integers(0, 99))
def test_rows_that_are_single_in_their_class_are_trained_on(labels, seed):
    labels = np.array(labels)
    values, counts = np.unique(labels, return_counts=True)
    single = np.isin(labels, values[counts == 1])
    held = -(-len(labels) // 4)
    if held < 2 or held >= (~single).sum():
        with pytest.raises(ValueError, match=r"cannot hold out|too small"):
            split_rows(len(labels), 0.25, seed, labels)
        return
    trained_on, held_out = split_rows(len(labels), 0.25, seed, labels)
    assert not single[held_out].any()
    assert len(held_out) == held
    assert sorted([*trained_on, *held_out]) == list(range(len(labels)))
