"""The kernels of a reservoir against their formula, for any grid, order of threads and weights."""

import cpu_kernels
import numpy as np
import pytest
import scipy.sparse
import target
from target import assert_allclose, assert_array_equal, host, put, xp

from deepreservoir.kernels import sparse_reservoir as kernels
from deepreservoir.kernels.reservoir import leaky_
from deepreservoir.kernels.sparse_reservoir import leaky_sparse_, sparse_product, to_slices

RNG = np.random.default_rng(0)
CURVES = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "identity": lambda x: x}
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


ON_CPU = target.device == "cpu"


@pytest.fixture(autouse=True, params=["forward"] if ON_CPU else cpu_kernels.ORDERS)
def order(request):
    """Run the threads of a kernel in different orders, to detect races."""
    with cpu_kernels.thread_order(request.param):
        yield


def sparse(units, density=0.2, dtype=np.float64):
    """Return weights with rows of all lengths, of which the first and the last are empty."""
    W = RNG.normal(size=(units, units)) * (RNG.random((units, units)) < density)
    W[0] = W[-1] = 0
    W[units // 2] = RNG.normal(size=units)
    return scipy.sparse.csr_matrix((W / (1 + np.abs(W).sum(axis=1, keepdims=True))).astype(dtype))


def where_tests_run(matrix):
    return matrix if ON_CPU else to_slices(matrix, "cuda")


def by_the_formula(W, drive, h, take, activation):
    """Compute the states step by step in float64: drive (time, n, units)."""
    states, h = [], h.astype(np.float64)
    for now in drive.astype(np.float64):
        h = (1 - take) * h + take * CURVES[activation](h @ W.T.astype(np.float64) + now)
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", CURVES)
@pytest.mark.parametrize("take", [1.0, 0.3])
@pytest.mark.parametrize("shape", [(700,), (3, 41)])
def test_a_step_applies_drive_nonlinearity_and_leak(dtype, activation, take, shape):
    drive, x, h = (RNG.normal(size=shape).astype(dtype) for _ in range(3))
    expected = (1 - take) * h + take * CURVES[activation](x.astype(np.float64) + drive)
    states = put(drive)
    leaky_(states, put(x), put(h), dtype(take), dtype(1 - take), activation)
    assert_allclose(states, expected, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", CURVES)
@pytest.mark.parametrize("take", [1.0, 0.3])
@pytest.mark.parametrize(("units", "n"), [(77, 1), (300, 3), (5, 2)])
@pytest.mark.parametrize("links_of_a_block", [1 << 18] if ON_CPU else [0, 1 << 18])
def test_a_sparse_run_follows_the_formula(
    monkeypatch, dtype, activation, take, units, n, links_of_a_block
):
    monkeypatch.setattr(kernels, "_LINKS_OF_A_BLOCK", links_of_a_block)
    W = sparse(units, dtype=dtype)
    drive = RNG.normal(size=(9, n, units)).astype(dtype)
    h = RNG.normal(size=(n, units)).astype(dtype)
    states = put(drive.copy())
    leaky_sparse_(where_tests_run(W), states, put(h), dtype(take), dtype(1 - take), activation)
    expected = by_the_formula(W.toarray(), drive, h, take, activation)
    assert_allclose(states, expected, rtol=1e-5, atol=10 * TOLERANCE[dtype])


def test_the_previous_states_may_be_a_slice():
    W, wide = sparse(20), RNG.normal(size=(3, 50))
    states = put(np.zeros((4, 3, 20)))
    h = put(wide)[:, 10:30]
    leaky_sparse_(where_tests_run(W), states, h, np.float64(0.5), np.float64(0.5), "tanh")
    expected = by_the_formula(W.toarray(), np.zeros((4, 3, 20)), wide[:, 10:30], 0.5, "tanh")
    assert_allclose(states, expected, atol=1e-12)


def test_products_equal_those_of_the_matrix():
    W, h = sparse(100), RNG.normal(size=(7, 100))
    assert_allclose(sparse_product(where_tests_run(W), put(h)), h @ W.toarray().T, atol=1e-12)


def test_nan_stays_nan_and_a_state_without_leak_forgets_infinity():
    drive = put(np.array([np.nan, -1.0, 2.0]))
    zeros, infinite = put(np.zeros(3)), put(np.full(3, np.inf))
    leaky_(drive, zeros, infinite, np.float64(1), np.float64(0), "relu")
    assert_array_equal(drive, [np.nan, 0, 2])


@pytest.mark.parametrize("units", [1, 31, 32, 33, 200])
def test_slices_contain_the_weights_with_little_padding(units):
    matrix = sparse(units, dtype=np.float32)
    slices = to_slices(matrix, target.device)
    assert slices.links == matrix.nnz
    values, columns, starts, lengths = map(
        host, (slices.values, slices.columns, slices.starts, slices.lengths)
    )
    actual = np.zeros((units, units), np.float32)
    for i in range(units):
        at = starts[i // 32] + i % 32 + 32 * np.arange(lengths[i])
        actual[i, columns[at]] = values[at]
    np.testing.assert_array_equal(actual, matrix.toarray())
    longest = np.diff(matrix.indptr).max()
    assert len(values) <= 32 * -(-units // 32) * longest


def test_slices_are_converted_back_to_a_matrix():
    if ON_CPU:
        pytest.skip("slices are a format of devices")
    matrix = sparse(70)
    np.testing.assert_array_equal(to_slices(matrix, "cuda").toarray(), matrix.toarray())


def test_host_and_device_arrays_cannot_be_mixed():
    if ON_CPU:
        pytest.skip("there is one kind of array on the CPU")
    with pytest.raises(TypeError, match="must be on one device"):
        leaky_(xp.zeros(3), np.zeros(3), xp.zeros(3), np.float64(1), np.float64(0), "tanh")
