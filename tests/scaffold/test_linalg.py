"""Orthogonal and spectral-radius scaffolds: what their definitions promise, by other means.

The oracles are NumPy's eigenvalues and singular values of the finished float32 weights.
"""

import numpy as np
import pytest
from target import device

from deepreservoir.scaffold import ScaffoldSpec, get_family, linalg, make_scaffold, tables

SQUARE = [(1, 1), (2, 2), (33, 33), (120, 120)]
OBLONG = [(1, 7), (7, 1), (20, 64), (64, 20), (50, 51)]


def weights_of(family, shape, seed=0, scale=1.0):
    return make_scaffold(
        ScaffoldSpec(family, shape, seed, "layers.0", scale), device=device
    ).dense()


def normal_lanes(family, shape, seed=0):
    stream = ScaffoldSpec(family, shape, seed, "layers.0").stream
    return tables.lane_table(get_family(family).table)[stream.rows(0, *shape)]


def gram(weights):
    """Inner products of the rows or columns, whichever are fewer."""
    w = weights.astype(np.float64)
    return w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w


def read_only(array):
    array.flags.writeable = False
    return array


def spectral_size(weights):
    """Spectral radius of a square matrix, largest singular value of another."""
    w = weights.astype(np.float64)
    if w.shape[0] == w.shape[1]:
        return np.abs(np.linalg.eigvals(w)).max()
    return np.linalg.svd(w, compute_uv=False)[0]


@pytest.mark.parametrize("shape", SQUARE + OBLONG)
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    weights = weights_of("orthogonal", shape)
    assert weights.shape == shape
    assert weights.dtype == np.float32
    np.testing.assert_allclose(gram(weights), np.eye(min(shape)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", SQUARE + OBLONG)
def test_orthogonal_is_the_qr_factor_with_a_positive_diagonal(shape):
    # Q^T A upper triangular with a positive diagonal holds for one Q alone, and that one is
    # uniform on the Stiefel manifold.
    weights, normal = weights_of("orthogonal", shape), normal_lanes("orthogonal", shape)
    if shape[0] < shape[1]:
        weights, normal = weights.T, normal.T
    r = weights.T.astype(np.float64) @ normal
    np.testing.assert_allclose(np.tril(r, -1), 0, rtol=0, atol=1e-5)
    assert np.all(np.diagonal(r) > 0)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_gain_multiplies_an_orthogonal_scaffold(scale):
    weights = weights_of("orthogonal", (20, 64), scale=scale)
    np.testing.assert_allclose(gram(weights), scale**2 * np.eye(20), rtol=0, atol=scale**2 * 1e-6)


@pytest.mark.parametrize("family", ["orthogonal", "spectral_radius"])
def test_the_family_s_own_scale_is_a_gain_of_one(family):
    np.testing.assert_array_equal(
        weights_of(family, (20, 31), scale="family"), weights_of(family, (20, 31), scale=1.0)
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("shape", SQUARE)
def test_spectral_radius_is_0_95_where_square(shape, seed):
    weights = weights_of("spectral_radius", shape, seed)
    assert spectral_size(weights) == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize("shape", OBLONG)
def test_largest_singular_value_is_0_95_where_not_square(shape):
    weights = weights_of("spectral_radius", shape)
    assert spectral_size(weights) == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize("shape", [(40, 40), (40, 70)])
def test_a_gain_multiplies_the_spectral_radius(shape):
    weights = weights_of("spectral_radius", shape, scale=1.6)
    assert spectral_size(weights) == pytest.approx(0.95 * 1.6, abs=2e-6)


@pytest.mark.parametrize("shape", [(40, 40), (40, 70)])
def test_spectral_weights_are_the_normal_lanes_times_one_float32_number(shape):
    # So only that one number can depend on the LAPACK in use.
    spec = ScaffoldSpec("spectral_radius", shape, 0, "layers.0")
    expected = normal_lanes("spectral_radius", shape) * spec.factor
    assert spec.factor.dtype == np.float32
    np.testing.assert_array_equal(make_scaffold(spec, device=device).dense(), expected)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("shape", [(200, 200), (160, 220), (220, 160)])
def test_arnoldi_finds_what_the_dense_decomposition_finds(shape, seed, monkeypatch):
    normal = normal_lanes("spectral_radius", shape, seed)
    exact = linalg.spectral_factor(normal, 0.95)
    assert exact == pytest.approx(0.95 / spectral_size(normal), rel=1e-12)

    monkeypatch.setattr(linalg, "_DENSE_LIMIT", 100)
    with monkeypatch.context() as patch:
        # The other branch must be the one that runs: take the dense routines away.
        patch.setattr(linalg.scipy.linalg, "eigvals", None)
        patch.setattr(linalg.np.linalg, "norm", None)
        iterated = linalg.spectral_factor(normal, 0.95)
    assert iterated == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("shape", [(200, 200), (160, 220)])
def test_arnoldi_gives_the_same_bits_each_time(shape, monkeypatch):
    monkeypatch.setattr(linalg, "_DENSE_LIMIT", 100)
    normal = normal_lanes("spectral_radius", shape)
    assert linalg.spectral_factor(normal, 0.95) == linalg.spectral_factor(normal, 0.95)


@pytest.mark.parametrize("shape", [(5, 5), (5, 9), (9, 5)])
def test_the_matrix_given_is_not_written(shape):
    normal = read_only(normal_lanes("orthogonal", shape))
    before = normal.copy()
    linalg.orthogonal(normal)
    linalg.spectral_factor(normal, 0.95)
    np.testing.assert_array_equal(normal, before)
    # float64 needs no conversion, so there a routine could overwrite its input.
    double = read_only(normal.astype(np.float64))
    linalg.orthogonal(double)
    linalg.spectral_factor(double, 0.95)
    np.testing.assert_array_equal(double, before)
