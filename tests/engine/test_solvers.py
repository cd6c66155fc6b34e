"""Linear algebra on every device: NumPy's answers, and NumPy's errors."""

import numpy as np
import pytest
from target import assert_allclose, host, put

from deepreservoir.kernels.linalg import eigh, leading_vectors, linear, solve, solve_positive

RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(9, 6))
POSITIVE = ROOT.T @ ROOT
RIGHT = RNG.normal(size=(6, 2))


@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 6)])
def test_linear_is_a_product_with_the_transpose(shape):
    x = RNG.normal(size=shape)
    assert_allclose(linear(put(x), put(ROOT)), x @ ROOT.T, atol=1e-12)


def test_linear_takes_rows_that_are_not_contiguous():
    x = RNG.normal(size=(2, 3, 6))
    wanted = x.swapaxes(0, 1) @ ROOT.T
    assert_allclose(linear(put(x).swapaxes(0, 1), put(ROOT)), wanted, atol=1e-12)


def test_a_positive_system_is_solved():
    found = solve_positive(put(POSITIVE), put(RIGHT))
    np.testing.assert_allclose(POSITIVE @ host(found), RIGHT, atol=1e-10)


def test_a_system_that_is_not_positive_is_an_error():
    with pytest.raises(np.linalg.LinAlgError):
        solve_positive(put(POSITIVE - 100 * np.eye(6)), put(RIGHT))


def test_many_systems_are_solved_at_once():
    a, b = RNG.normal(size=(4, 5, 5)), RNG.normal(size=(4, 5, 3))
    np.testing.assert_allclose(a @ host(solve(put(a), put(b))), b, atol=1e-10)


def test_a_singular_system_is_an_error():
    with pytest.raises(np.linalg.LinAlgError):
        solve(put(np.zeros((2, 3, 3))), put(np.ones((2, 3, 1))))


def test_eigenvalues_ascend_with_their_vectors():
    values, vectors = map(host, eigh(put(POSITIVE)))
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(POSITIVE @ vectors, vectors * values, atol=1e-10)


def test_leading_vectors_are_those_of_the_largest_eigenvalues_first():
    found = host(leading_vectors(put(POSITIVE), 2))
    values = np.linalg.eigvalsh(POSITIVE)[::-1]
    assert found.shape == (2, 6)
    np.testing.assert_allclose(found @ POSITIVE @ found.T, np.diag(values[:2]), atol=1e-10)


def test_leading_vectors_of_what_is_not_finite_are_refused():
    with pytest.raises(ValueError, match="infs or NaNs"):
        leading_vectors(put(np.full((3, 3), np.nan)), 1)
