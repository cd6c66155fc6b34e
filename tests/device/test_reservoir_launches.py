"""The steps of a block in one launch: the formula's states, however rows and steps are divided."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
from deepreservoir.esn import reservoir as reservoirs
from deepreservoir.kernels import cuda, sparse_reservoir
from deepreservoir.kernels import reservoir as kernels
from deepreservoir.kernels.cuda import multiprocessors
from deepreservoir.kernels.hadamard_reservoir import hadamard_reservoir_fits, leaky_hadamard_
from deepreservoir.kernels.reservoir import launch_run, leaky_dense_, parts_of_run
from deepreservoir.kernels.sparse_reservoir import leaky_sparse_, to_slices

RNG = np.random.default_rng(0)
CURVES = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "identity": lambda x: x}
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def given(units, n=2, time=5, dtype=np.float64):
    """Return weights of a stable reservoir, drives of a block and states before it."""
    W = RNG.normal(size=(units, units)) / (2 * np.sqrt(units))
    drive, h = RNG.normal(size=(time, n, units)), RNG.normal(size=(n, units))
    return W.astype(dtype), drive.astype(dtype), h.astype(dtype)


def sparse(units, share=0.3, dtype=np.float64):
    """Return weights with rows of all lengths, of which the last is empty."""
    W = given(units)[0] * (RNG.random((units, units)) < share)
    W[-1] = 0
    return scipy.sparse.csr_matrix(W.astype(dtype))


def by_the_formula(W, drive, h, take, activation):
    states, h, W = [], h.astype(np.float64), W.astype(np.float64)
    for now in drive.astype(np.float64):
        h = (1 - take) * h + take * CURVES[activation](h @ W.T + now)
        states.append(h)
    return np.array(states)


def factors(take, dtype):
    return dtype(take), dtype(1 - take)


# Hadamard weights --------------------------------------------------------------------------


def signs(units, dtype):
    before, after = RNG.choice([-1.0, 1.0], size=(2, units)).astype(dtype)
    return before, after * dtype(0.9 / np.sqrt(units))


@both_types
@pytest.mark.parametrize(
    ("activation", "take"), [("tanh", 0.3), ("tanh", 1.0), ("relu", 0.7), ("identity", 1.0)]
)
@pytest.mark.parametrize("units", [8, 16, 32, 64, 128, 256])
def test_hadamard_states_follow_the_formula(cupy, units, activation, take, dtype):
    before, after = signs(units, dtype)
    _, drive, h = given(units, 3, dtype=dtype)
    states = cupy.asarray(drive)
    arrays = map(cupy.asarray, (before, after))
    leaky_hadamard_(*arrays, states, cupy.asarray(h), *factors(take, dtype), activation)
    W = after[:, None] * scipy.linalg.hadamard(units) * before
    wanted = by_the_formula(W, drive, h, take, activation)
    np.testing.assert_allclose(states.get(), wanted, rtol=1e-5, atol=TOLERANCE[dtype])


def test_hadamard_states_depend_on_no_order_and_no_cut(cupy, thread_order):
    before, after = map(cupy.asarray, signs(64, np.float32))
    _, drive, h = given(64, time=9, dtype=np.float32)
    whole, cut = cupy.asarray(drive), cupy.asarray(drive)
    last, options = cupy.asarray(h), (*factors(0.4, np.float32), "tanh")
    leaky_hadamard_(before, after, whole, last, *options)
    for part in (slice(0, 4), slice(4, 4), slice(4, 5), slice(5, 9)):
        leaky_hadamard_(before, after, cut[part], last, *options)
        last = cut[part][-1] if part.start < part.stop else last
    np.testing.assert_array_equal(cut.get(), whole.get())


def test_a_hadamard_reservoir_fits_where_its_state_fits_into_shared_memory():
    assert [hadamard_reservoir_fits(n, np.float32) for n in (4, 8, 8192, 16384)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [hadamard_reservoir_fits(n, np.float64) for n in (4096, 8192)] == [True, False]


@pytest.mark.parametrize("units", [4, 64])
def test_a_hadamard_reservoir_is_on_the_device_what_it_is_on_the_host(cupy, units):
    spec = ReservoirSpec(RecurrentSpec(units, "hadamard"), leak_rate=0.6, bias_scaling=0.3)
    reservoir = Reservoir(spec, 2, dtype=np.float64)
    u = RNG.normal(size=(3, 20, 2))
    there = reservoir.to("cuda").states(cupy.asarray(u))
    np.testing.assert_allclose(there.get(), reservoir.states(u), atol=1e-12)


# Dense and sparse weights ------------------------------------------------------------------


@both_types
@pytest.mark.parametrize(("activation", "take"), [("tanh", 0.3), ("relu", 1.0)])
@pytest.mark.parametrize("units", [1, 33, 70])
@pytest.mark.parametrize("whole", [True, False], ids=["one launch", "launches per step"])
def test_dense_states_follow_the_formula(cupy, monkeypatch, units, activation, take, dtype, whole):
    if not whole:
        monkeypatch.setattr(kernels, "_WHOLE_BYTES", 0)
    W, drive, h = given(units, dtype=dtype)
    states = cupy.asarray(drive)
    weights = cupy.asarray(np.asfortranarray(W))
    leaky_dense_(weights, states, cupy.asarray(h), *factors(take, dtype), activation)
    wanted = by_the_formula(W, drive, h, take, activation)
    np.testing.assert_allclose(states.get(), wanted, rtol=1e-5, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("n", [1, 3])
def test_dense_states_of_the_host_follow_the_formula(n):
    W, drive, h = given(20, n)
    states = drive.copy()
    leaky_dense_(np.asfortranarray(W), states, h, *factors(0.4, np.float64), "tanh")
    np.testing.assert_allclose(states, by_the_formula(W, drive, h, 0.4, "tanh"), atol=1e-12)


@pytest.mark.parametrize("rows", [256, 32], ids=["one pass", "passes of 32 rows"])
def test_sparse_states_follow_the_formula_in_any_number_of_passes(
    cupy, monkeypatch, rows, thread_order
):
    source = sparse_reservoir._SOURCE.replace("#define ROWS 256", f"#define ROWS {rows}")
    monkeypatch.setattr(kernels, "_ROWS", rows)
    monkeypatch.setattr(cuda, "_registry", {})
    W, (_, drive, h) = sparse(77), given(77)
    states = cupy.asarray(drive)
    monkeypatch.setattr(sparse_reservoir, "_SPARSE", kernels.RunKernels("leaky_rows", source))
    leaky_sparse_(to_slices(W, "cuda"), states, cupy.asarray(h), *factors(0.4, np.float64), "tanh")
    wanted = by_the_formula(W.toarray(), drive, h, 0.4, "tanh")
    np.testing.assert_allclose(states.get(), wanted, atol=1e-12)


def runs(cupy):
    """Return (kernels, weights on the device) of both formats, for 100 units."""
    W, slices = given(100)[0], to_slices(sparse(100), "cuda")
    columns = slices.starts, slices.lengths, slices.columns, slices.values
    return {
        "dense": (kernels._DENSE, (cupy.asarray(np.ascontiguousarray(W.T)),)),
        "sparse": (sparse_reservoir._SPARSE, columns),
    }


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_states_depend_on_no_division_of_rows_and_steps(cupy, monkeypatch, form, thread_order):
    run, weights = runs(cupy)[form]
    _, drive, h = given(100, 2, 4)
    options = *factors(0.4, np.float64), "tanh"

    def states(parts, steps):
        now, last = cupy.asarray(drive), cupy.asarray(h)
        for first in range(0, len(drive), steps):
            block = now[first : first + steps]
            launch_run(run, weights, block, last, parts, *options)
            last = block[-1]
        return now.get()

    whole = states(1, 4)
    for parts in (2, 3, 4):  # blocks need not wait for one another in launches of one step
        np.testing.assert_array_equal(states(parts, 1), whole)
    most = min(4, multiprocessors() // 2)
    np.testing.assert_array_equal(states(max(1, most), 3), whole)
    monkeypatch.setattr(kernels, "_MOST_THREADS", 256)
    monkeypatch.setattr(kernels, "_MOST_THREADS_OF_MANY", 256)
    np.testing.assert_array_equal(states(1, 2), whole)


def test_no_steps_are_no_launch(cupy):
    for run, weights in runs(cupy).values():
        nothing = cupy.zeros((0, 2, 100))
        h = cupy.zeros((2, 100))
        launch_run(run, weights, nothing, h, 1, np.float64(1), np.float64(0), "tanh")


@pytest.mark.parametrize("links_of_a_block", [0, 1 << 18])
def test_states_too_large_for_shared_memory_stay_in_global_memory(
    cupy, monkeypatch, links_of_a_block
):
    monkeypatch.setattr(sparse_reservoir, "fits_run", lambda units, dtype: False)
    monkeypatch.setattr(sparse_reservoir, "_LINKS_OF_A_BLOCK", links_of_a_block)
    W, (_, drive, h) = sparse(300, 0.05), given(300)
    states = cupy.asarray(drive)
    leaky_sparse_(to_slices(W, "cuda"), states, cupy.asarray(h), *factors(0.4, np.float64), "tanh")
    wanted = by_the_formula(W.toarray(), drive, h, 0.4, "tanh")
    np.testing.assert_allclose(states.get(), wanted, atol=1e-12)


def test_series_share_the_multiprocessors(monkeypatch):
    monkeypatch.setattr(kernels, "multiprocessors", lambda: 132)
    megabyte = 1 << 20
    assert parts_of_run(1, 500, megabyte) == 16
    assert parts_of_run(1, 500, 50 * megabyte) == 16  # not fewer than 32 rows each
    assert parts_of_run(30, 500, megabyte) == 4
    assert parts_of_run(256, 500, megabyte) == 1
    assert parts_of_run(1, 20, 1600) == 1


# Blocks of steps ---------------------------------------------------------------------------


def test_blocks_are_larger_on_a_device_within_a_limit_of_numbers(cupy):
    reservoir = Reservoir(ReservoirSpec(RecurrentSpec(16)), 1)
    assert [steps.stop for steps in reservoir.block_steps(1, 5000)] == [2048, 4096, 5000]
    there = reservoir.to("cuda")
    assert [steps.stop for steps in there.block_steps(1, 20_000)] == [16_384, 20_000]
    assert [steps.stop for steps in there.block_steps(16_384, 3)] == [1, 2, 3]
    there.units = reservoirs._DEVICE_NUMBERS // 3000
    assert next(there.block_steps(1, 5000)).stop == 3000


@pytest.mark.parametrize("topology", ["random", "dense", "hadamard", "kronecker"])
def test_states_do_not_depend_on_the_size_of_blocks(cupy, monkeypatch, topology):
    there = Reservoir(ReservoirSpec(RecurrentSpec(16, topology)), 2, device="cuda")
    u = cupy.asarray(RNG.normal(size=(2, 30, 2)))
    whole = there.states(u).get()
    monkeypatch.setattr(reservoirs, "BLOCK", 10)
    monkeypatch.setattr(reservoirs, "_DEVICE_BLOCK", 14)
    np.testing.assert_allclose(there.states(u).get(), whole, atol=1e-6)
