"""Readouts, against scikit-learn's ridge and closed forms."""

from functools import partial

import numpy as np
import pytest
import target
from scipy.linalg import hadamard
from sklearn.linear_model import Ridge, RidgeCV
from target import assert_allclose, host, put

from deepreservoir.esn import online_readout, readout

NormalEquations = partial(readout.NormalEquations, device=target.device)
RecursiveLeastSquares = partial(online_readout.RecursiveLeastSquares, device=target.device)
LeastMeanSquares = partial(online_readout.LeastMeanSquares, device=target.device)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 12)) + 3
Y = X @ RNG.normal(size=(12, 2)) + 5 + 0.1 * RNG.normal(size=(300, 2))


def equations(X=X, Y=Y, parts=7):
    found = NormalEquations(X.shape[1], Y.shape[1])
    for x, y in zip(np.array_split(X, parts), np.array_split(Y, parts), strict=True):
        found.add(put(x), put(y))
    return found


@pytest.mark.parametrize("penalty", [1e-6, 1.0, 100.0])
def test_blocks_give_the_same_ridge_as_all_rows_at_once(penalty):
    wanted = Ridge(penalty).fit(X, Y)
    for fit in (equations().solve(penalty), equations().solve_path((penalty,))):
        assert_allclose(fit.coef, wanted.coef_, atol=1e-8)
        assert_allclose(fit.intercept, wanted.intercept_, atol=1e-7)
        assert fit.penalty == penalty


def test_generalised_cross_validation_agrees_with_its_formula():
    path = (0.01, 1.0, 100.0)
    fit = equations().solve_path(path)
    centred = X - X.mean(axis=0)
    for penalty in path:
        hat = centred @ np.linalg.solve(centred.T @ centred + penalty * np.eye(12), centred.T)
        residual = (Y - Y.mean(axis=0)) - hat @ (Y - Y.mean(axis=0))
        freedom = len(X) - 1 - np.trace(hat)
        assert fit.scores[penalty] == pytest.approx(
            len(X) * (residual**2).sum() / freedom**2, rel=1e-6
        )
    assert fit.penalty == min(path, key=fit.scores.get)


def test_the_selected_penalty_is_close_to_that_of_leave_one_out():
    noisy = Y + 20 * RNG.normal(size=Y.shape)
    path = tuple(10.0**k for k in range(-3, 6))
    wanted = RidgeCV(path).fit(X, noisy).alpha_
    assert 0.1 <= equations(Y=noisy).solve_path(path).penalty / wanted <= 10


def test_held_out_rows_select_the_penalty_by_their_error():
    held_out = equations(X[200:], Y[200:])
    training = equations(X[:200], Y[:200])
    fit = training.solve_path((0.1, 1e5), held_out)
    wanted = Ridge(0.1).fit(X[:200], Y[:200])
    error = ((wanted.predict(X[200:]) - Y[200:]) ** 2).mean()
    assert fit.scores[0.1] == pytest.approx(error, rel=1e-6)
    assert fit.penalty == 0.1


def test_dependent_states_without_a_penalty_give_the_minimum_norm_solution():
    doubled = np.hstack([X, X])
    fit = equations(doubled).solve(0.0)
    centred, wanted = doubled - doubled.mean(axis=0), Y - Y.mean(axis=0)
    assert_allclose(fit.coef.T, np.linalg.pinv(centred) @ wanted, atol=1e-6)


def test_recursive_least_squares_ends_at_the_ridge_solution():
    learner = RecursiveLeastSquares(12, 2, penalty=1e-3)
    for x, y in zip(np.array_split(X, 5), np.array_split(Y, 5), strict=True):
        learner.add(put(x), put(y))
    rows = np.hstack([X, np.ones((300, 1))])
    penalties = np.diag([*np.full(12, 1e-3), 1e-6])  # that of the intercept is small
    # Targets are differences from the first one.
    wanted = np.linalg.solve(rows.T @ rows + penalties, rows.T @ (Y - Y[0]))
    assert_allclose(learner.fit().coef.T, wanted[:-1], atol=1e-6)
    assert_allclose(learner.fit().intercept, wanted[-1] + Y[0], atol=1e-5)


# Targets about any mean -------------------------------------------------------------------------

# Offsets of whole numbers, on targets of few digits: adding them does not round the targets.
COARSE = np.round(Y * 1024) / 1024
OFFSETS = [1e3, -1e6, 1e9]


def recursive(Y):
    learner = RecursiveLeastSquares(12, 2, penalty=1e-3)
    for x, y in zip(np.array_split(X, 9), np.array_split(Y, 9), strict=True):
        learner.add(put(x), put(y))
    return learner.fit()


def selected(Y):
    return equations(Y=Y).solve_path((1e-4, 0.1, 100.0))


def validated(Y):
    return equations(X[:200], Y[:200]).solve_path((1e-4, 0.1, 100.0), equations(X[200:], Y[200:]))


def refitted(Y):
    learner = readout.RidgeLearner(12, 2, (1e-4, 0.1, 100.0), target.device)
    for part in (slice(0, 90), slice(90, 200)):
        learner.add(put(X[part]), put(Y[part]))
    learner.hold_out(put(X[200:]), put(Y[200:]))
    return learner.fit()


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize(
    "fitted", [recursive, lambda Y: equations(Y=Y).solve(1e-6), selected, validated, refitted]
)
def test_the_mean_of_the_targets_costs_no_digits(fitted, offset):
    wanted, found = fitted(COARSE), fitted(COARSE + offset)
    assert_allclose(found.coef, wanted.coef, rtol=1e-7, atol=1e-7)
    assert_allclose(host(found.intercept) - offset, wanted.intercept, atol=1e-6)
    assert found.penalty == wanted.penalty
    assert found.scores == pytest.approx(wanted.scores, rel=1e-6)


ROUNDED = np.round(X * 1024) / 1024


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize(
    "fitted",
    [
        lambda X: equations(X).solve(1e-6),
        lambda X: equations(X).solve_path((1e-4, 0.1, 100.0)),
        lambda X: equations(X[:200], Y[:200]).solve_path(
            (1e-4, 0.1, 100.0), equations(X[200:], Y[200:])
        ),
        lambda X: equations(X[:90], Y[:90]).merged(equations(X[90:], Y[90:])).solve(1e-6),
    ],
)
def test_the_mean_of_the_states_costs_no_digits(fitted, offset):
    wanted, found = fitted(ROUNDED), fitted(ROUNDED + offset)
    assert_allclose(found.coef, wanted.coef, rtol=1e-7, atol=1e-7)
    assert found.penalty == wanted.penalty
    assert found.scores == pytest.approx(wanted.scores, rel=1e-5)
    shift = host(wanted.intercept) - offset * host(found.coef).sum(axis=1)
    assert_allclose(found.intercept, shift, rtol=1e-12, atol=1e-6)


def test_the_error_on_rows_that_are_fitted_exactly_is_not_negative():
    exact = equations(X[:, :1] + 1e6, 3 * X[:, :1])
    fit = exact.solve_path((0.0,), exact)
    assert 0 <= fit.scores[0.0] < 1e-12


def test_sums_of_two_sets_are_those_of_all_rows():
    drift = np.linspace(0, 1e4, 300)[:, None]  # the parts have other means
    X, shifted = ROUNDED + drift * np.arange(12) / 100, Y + drift
    found = equations(X[:50], shifted[:50]).merged(equations(X[50:], shifted[50:])).solve(1e-3)
    wanted = Ridge(1e-3, solver="svd").fit(X, shifted)
    assert_allclose(found.coef, wanted.coef_, rtol=1e-6)
    assert_allclose(found.intercept, wanted.intercept_, rtol=1e-6)
    empty = NormalEquations(12, 2)
    for both in (empty.merged(equations()), equations().merged(empty)):
        assert_allclose(both.solve(1.0).coef, equations().solve(1.0).coef)


def test_least_mean_squares_recovers_noiseless_targets():
    # Columns of a Hadamard matrix are orthogonal, so no direction is learned much more slowly than
    # the others; rows of several lengths show that a step is divided by the length of its row.
    rows = hadamard(16)[:, 1:13] * np.array([[1.0], [3.0]] * 8)
    exact = rows @ RNG.normal(size=(12, 1)) + 2
    learner = LeastMeanSquares(12, 1, rate=0.5)
    for _ in range(200):
        learner.add(put(rows), put(exact))
    fit = learner.fit()
    assert_allclose(rows @ host(fit.coef).T + host(fit.intercept), exact, atol=1e-3)


def test_fitting_without_rows_is_refused():
    with pytest.raises(ValueError, match="at least one row of states after the washout"):
        NormalEquations(3, 1).solve(1.0)


# Weights ----------------------------------------------------------------------------------------

WEIGHTS = RNG.integers(0, 4, 300).astype(float)
REPEATED = np.repeat(np.arange(300), WEIGHTS.astype(int))


def weighted(learner, weights=WEIGHTS, parts=7):
    for one in np.array_split(np.arange(300), parts):
        learner.add(put(X[one]), put(Y[one]), put(weights[one]))
    return learner


@pytest.mark.parametrize("penalty", [1e-6, 1.0, 100.0])
def test_weighted_rows_give_the_ridge_of_scikit_learn(penalty):
    weights = RNG.random(300)
    wanted = Ridge(penalty).fit(X, Y, weights)
    fit = weighted(NormalEquations(12, 2), weights).solve(penalty)
    assert_allclose(fit.coef, wanted.coef_, atol=1e-8)
    assert_allclose(fit.intercept, wanted.intercept_, atol=1e-7)


def test_a_row_of_weight_n_is_n_rows_also_in_the_choice_of_a_penalty_on_held_out_rows():
    path = (0.01, 1.0, 100.0)
    fit = weighted(NormalEquations(12, 2)).solve_path(path, weighted(NormalEquations(12, 2)))
    repeated = equations(X[REPEATED], Y[REPEATED])
    wanted = repeated.solve_path(path, repeated)
    assert_allclose(fit.coef, wanted.coef, rtol=1e-7)
    assert fit.scores == pytest.approx(wanted.scores, rel=1e-8)


@pytest.mark.parametrize("factor", [1 / 300, 2.0, 1e6])
def test_only_the_ratios_of_weights_matter_in_cross_validation(factor):
    path = (0.01, 1.0, 100.0)
    # The squared errors are `factor` times as large, and so are the penalties of the same fits.
    scaled = weighted(NormalEquations(12, 2), factor * WEIGHTS)
    fit = scaled.solve_path(tuple(factor * penalty for penalty in path))
    wanted = weighted(NormalEquations(12, 2)).solve_path(path)
    assert fit.penalty == pytest.approx(factor * wanted.penalty)
    assert_allclose(fit.coef, wanted.coef, rtol=1e-9)
    assert list(fit.scores.values()) == pytest.approx(
        [factor * score for score in wanted.scores.values()], rel=1e-8
    )


def test_rows_of_tiny_weight_do_not_count_in_cross_validation():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 60)), rng.normal(size=(400, 1))
    weights = np.where(np.arange(400) < 80, 1.0, 1e-9)
    path = tuple(10.0**k for k in range(-8, 5))
    few, tiny = NormalEquations(60, 1), NormalEquations(60, 1)
    few.add(put(X[:80]), put(y[:80]))
    tiny.add(put(X), put(y), put(weights))
    assert tiny.solve_path(path).penalty == few.solve_path(path).penalty
    # As many coefficients as rows leave no error to choose by, at small penalties.
    few = NormalEquations(60, 1)
    few.add(put(X[:50]), put(y[:50]))
    fit = few.solve_path((1e-300, *path))
    assert fit.scores[1e-300] == np.inf
    assert fit.penalty > 1


def test_targets_whose_squares_are_not_finite_choose_no_penalty():
    words = r"squares of the targets.* or give one penalty"
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match=words):
        equations(X, 1e200 * Y).solve_path((0.1, 1.0))


@pytest.mark.parametrize("kind", [RecursiveLeastSquares, LeastMeanSquares])
def test_a_readout_of_no_rows_is_refused(kind):
    readout = kind(3, 1)
    readout.add(put(X[:5, :3]), put(Y[:5, :1]), put(np.zeros(5)))
    with pytest.raises(ValueError, match="at least one row of states after the washout"):
        readout.fit()


@pytest.mark.parametrize("penalty", [1e-6, 1.0, 100.0])
def test_recursive_least_squares_do_not_depend_on_the_first_row(penalty):
    order = np.random.default_rng(0).permutation(300)
    wanted = Ridge(penalty, solver="svd").fit(X, Y + 50)
    for rows in (np.arange(300), order):
        readout = RecursiveLeastSquares(12, 2, penalty=penalty)
        readout.add(put(X[rows]), put(Y[rows] + 50))
        fit = readout.fit()
        assert_allclose(fit.coef, wanted.coef_, rtol=1e-5, atol=1e-7)
        assert_allclose(fit.intercept, wanted.intercept_, rtol=1e-6)


def test_weighted_sums_of_two_sets_are_those_of_all_rows():
    parts = [NormalEquations(12, 2), NormalEquations(12, 2)]
    for part, rows in zip(parts, (slice(0, 90), slice(90, 300)), strict=True):
        part.add(put(X[rows]), put(Y[rows]), put(WEIGHTS[rows]))
    wanted = Ridge(1e-3, solver="svd").fit(X, Y, WEIGHTS)
    assert_allclose(parts[0].merged(parts[1]).solve(1e-3).coef, wanted.coef_, rtol=1e-8)


@pytest.mark.parametrize("kind", [RecursiveLeastSquares, LeastMeanSquares])
def test_online_rows_of_weight_n_are_n_rows_one_after_another(kind):
    wanted = kind(12, 2)
    wanted.add(put(X[REPEATED]), put(Y[REPEATED]))
    found = weighted(kind(12, 2)).fit()
    assert_allclose(found.coef, wanted.fit().coef, rtol=1e-6)
    assert_allclose(found.intercept, wanted.fit().intercept, rtol=1e-6)


def test_held_out_rows_without_weight_choose_nothing():
    learner = readout.RidgeLearner(12, 2, (0.1, 1.0), target.device)
    learner.add(put(X[:200]), put(Y[:200]))
    learner.hold_out(put(X[200:]), put(Y[200:]), put(np.zeros(100)))
    with pytest.raises(ValueError, match="all held-out rows have weight zero"):
        learner.fit()


@pytest.mark.parametrize("kind", [RecursiveLeastSquares, LeastMeanSquares])
def test_online_readouts_of_states_without_bounds_are_refused(kind):
    learner = kind(1, 1)
    with np.errstate(all="ignore"):
        learner.add(put(np.array([[1.0], [1e200]])), put(np.array([[1.0], [1.0]])))
        learner.add(put(np.array([[np.inf]])), put(np.array([[1.0]])))
    with pytest.raises(ValueError, match="coefficients of the readout are not finite"):
        learner.fit()
