"""Means and deviations against NumPy, for constant columns and for values of any magnitude."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from deepreservoir.moments import moments, scale_of

X = np.random.default_rng(0).normal(size=(57, 3)) * [1, 30, 0.01] + [0, 1000, 5]


def test_ordinary_columns_have_the_bits_of_numpy():
    mean, deviation = moments(X)
    np.testing.assert_array_equal(mean, X.mean(axis=0))
    np.testing.assert_array_equal(deviation, X.std(axis=0))
    mean, deviation = moments(X[:, 0])
    assert (mean, deviation) == (X[:, 0].mean(), X[:, 0].std())
    np.testing.assert_array_equal(scale_of(deviation, mean, len(X)), deviation)


def test_a_weight_counts_as_copies():
    copies = np.arange(len(X)) % 4
    for weighted, repeated in zip(
        moments(X, copies), moments(np.repeat(X, copies, axis=0)), strict=True
    ):
        np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


@pytest.mark.parametrize("exponent", [-1000, -600, 500, 1000])
def test_powers_of_two_change_no_bit_of_the_digits(exponent):
    wanted, found = moments(X), moments(np.ldexp(X, exponent))
    np.testing.assert_array_equal(found, np.ldexp(wanted, exponent))
    mixed = moments(np.column_stack([X[:, 0], np.ldexp(X[:, 1], exponent)]))
    np.testing.assert_array_equal(mixed[0], [wanted[0][0], np.ldexp(wanted[0][1], exponent)])


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 0.5, 123.456, -1e-7, 1e200, 1e-300, 5e-324])
@pytest.mark.parametrize("n", [1, 7, 400])
def test_a_constant_column_is_divided_by_one(value, n):
    mean, deviation = moments(np.full((n, 2), value))
    np.testing.assert_array_equal(scale_of(deviation, mean, n), [1.0, 1.0])
    np.testing.assert_allclose(mean, value, rtol=1e-12)


def test_columns_are_constant_where_they_are_for_scikit_learn():
    noise = np.arange(100) % 2 * np.spacing(0.3)
    table = np.column_stack([0.3 + noise, 0.3 + 1e6 * noise, 1e-9 * X[:50, 0].repeat(2) + 1])
    mean, deviation = moments(table)
    found = scale_of(deviation, mean, len(table))
    np.testing.assert_allclose(found, StandardScaler().fit(table).scale_, rtol=1e-6)
    assert (found == 1).tolist() == [True, False, False]
