"""Memory, processing capacity and dimensions, against closed forms."""

from math import comb

import numpy as np
import pytest
import scipy.stats

from deepreservoir.esn import (
    TOPOLOGIES,
    RecurrentSpec,
    Reservoir,
    ReservoirSpec,
    ReservoirStack,
    effective_dimension,
    effective_rank,
    information_processing_capacity,
    memory_capacity,
    state_rank,
)

pytestmark = pytest.mark.host(reason="observables are computed on the CPU")
RNG = np.random.default_rng(0)


def make(units=40, topology="ring", rho=0.9, n_inputs=1, n_feedback=0, dtype=np.float64, **options):
    spec = ReservoirSpec(RecurrentSpec(units, topology, rho), **options)
    return Reservoir(spec, n_inputs, n_feedback, dtype)


def shift_register(units, rho=1.0):
    """A delay line that receives the input at its first unit only."""
    line = make(units, "delay_line", rho, activation="identity")
    line.W_in[:] = 0
    line.W_in[0] = 1
    return line


# Memory -----------------------------------------------------------------------------------


def test_a_linear_ring_recalls_about_as_many_inputs_as_it_has_units():
    total = memory_capacity(make(100, rho=0.99, activation="identity"), 400).sum()
    assert 95 < total <= 100.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_curve_of_a_ring_is_that_of_theory(dtype):
    # Inputs a whole turn apart fall on one direction and share its capacity.
    units, rho = 20, 0.95
    ring = make(units, rho=rho, activation="identity", dtype=dtype)
    found = memory_capacity(ring, 70, n_steps=40_000)
    turns = np.arange(1, 71) // units
    theory = rho ** (2 * units * turns) * (1 - rho ** (2 * units))
    np.testing.assert_allclose(found, theory, atol=0.01)


def test_a_shift_register_recalls_exactly_its_delays():
    found = memory_capacity(shift_register(100), 120)
    np.testing.assert_allclose(found[:99], 1, atol=1e-9)  # unit 0 holds the present input
    assert found[99:].max() < 0.01


# An Euler state network holds a little of thousands of steps; in large steps it grows.
@pytest.mark.parametrize("activation", ["identity", "tanh", "relu"])
@pytest.mark.parametrize("topology", [name for name in TOPOLOGIES if name != "antisymmetric"])
def test_memory_never_exceeds_the_units(topology, activation):
    reservoir = make(16, topology, activation=activation, bias_scaling=0.2)
    found = memory_capacity(reservoir, 200, n_steps=4000)
    assert ((found >= 0) & (found <= 1)).all()
    assert 1 < found.sum() <= 16.5


def test_delays_beyond_memory_have_almost_no_bias():
    n_steps = 2000
    found = memory_capacity(make(100, "random", rho=0.3), 600, n_steps)[100:]
    assert 0.8 / n_steps < found.mean() < 1.2 / n_steps  # units / n_steps is a hundred times that


def test_memory_does_not_depend_on_the_scale_of_the_states():
    loud, quiet = (
        memory_capacity(make(activation="identity", input_scaling=s), 50, 1000) for s in (1e3, 1e-6)
    )
    np.testing.assert_allclose(loud, quiet, atol=1e-6)


def test_a_penalty_reduces_memory():
    reservoir = make(30, "orthogonal", activation="identity", input_scaling=0.01)
    free, held = (memory_capacity(reservoir, 60, 2000, ridge=r).sum() for r in (0.0, 1.0))
    assert held < free - 1


def test_memory_depends_on_the_seed():
    reservoir = make(20)
    first, again, other = (memory_capacity(reservoir, 9, 500, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_memory_of_a_stack_is_at_least_that_of_its_parts():
    specs = [ReservoirSpec(RecurrentSpec(15, "orthogonal", 0.9, seed=s)) for s in (0, 1)]
    stack = ReservoirStack(specs, 1, arrangement="grouped", dtype=np.float64)
    both = memory_capacity(stack, 60).sum()
    alone = [memory_capacity(Reservoir(spec, 1, dtype=np.float64), 60).sum() for spec in specs]
    assert max(alone) + 1 < both <= 30.5


@pytest.mark.parametrize("bias_scaling", [0.0, 0.5])
def test_states_without_input_have_no_memory(bias_scaling):
    deaf = make(10, input_scaling=0.0, bias_scaling=bias_scaling)
    assert not memory_capacity(deaf, 20, 1000).any()
    capacity = information_processing_capacity(deaf, (5, 5), 1000)
    assert (capacity.rank, capacity.total, capacity.by_degree) == (0, 0, {1: 0, 2: 0})


# Processing capacity ----------------------------------------------------------------------


def test_a_linear_reservoir_has_all_capacity_in_degree_one():
    found = information_processing_capacity(make(activation="identity"), (150, 20, 5))
    assert found.rank == 40
    assert found.by_degree[1] == pytest.approx(40, rel=0.02)
    assert found.by_degree[2] == found.by_degree[3] == 0
    assert found.n_targets == 151 + comb(22, 2) + comb(8, 3)


def test_one_rectified_unit_has_the_capacities_of_its_legendre_series():
    # max(u, 0) = sum of c_d P_d(u): the squares of the normalised c_d by the variance 5/48.
    unit = make(1, "delay_line", activation="relu")
    found = information_processing_capacity(unit, (3, 3, 2, 1), n_steps=200_000)
    expected = {1: 0.8, 2: 0.1875, 3: 0.0, 4: 0.009375}
    assert found.rank == 1
    assert found.by_degree == pytest.approx(expected, abs=2e-3)


def test_a_shift_register_has_one_target_per_delay():
    assert information_processing_capacity(shift_register(5), (0,)).total == pytest.approx(1)
    assert information_processing_capacity(shift_register(5), (3,)).total == pytest.approx(4)
    assert information_processing_capacity(shift_register(5), (9,)).total == pytest.approx(5)


def test_an_odd_reservoir_has_odd_capacities_only_and_a_bias_adds_even_ones():
    odd, both = (
        information_processing_capacity(make(15, "random", bias_scaling=b), (60, 15, 6), 5000)
        for b in (0.0, 0.8)
    )
    assert odd.by_degree[2] == 0
    assert odd.by_degree[3] > 1
    assert both.by_degree[2] > 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("topology", ["random", "ring", "orthogonal", "delay_line"])
def test_capacities_sum_to_at_most_the_rank(topology, dtype):
    reservoir = make(12, topology, bias_scaling=0.3, input_scaling=0.5, dtype=dtype)
    found = information_processing_capacity(reservoir, (80, 30, 12))
    assert found.rank == 12 or (dtype == np.float32 and found.rank == 11)  # one is near rounding
    assert 0.7 * found.rank < found.total <= 1.015 * found.rank


def test_a_capacity_equals_that_of_least_squares():
    reservoir, n_steps = make(10, "random", bias_scaling=0.5), 4000
    found = information_processing_capacity(reservoir, (0,), n_steps, washout=100, seed=3)
    # A linear readout's squared correlation with the present input, the same by regression.
    u = np.random.default_rng(1).uniform(-1, 1, 100 + 50 * n_steps)
    X = reservoir.states(u[None, :, None])[0, 100:]
    X = np.column_stack([X, np.ones(len(X))])
    residual = u[100:] - X @ np.linalg.lstsq(X, u[100:])[0]
    assert found.total == pytest.approx(1 - residual.var() / u[100:].var(), abs=0.01)


def test_the_contribution_of_chance_is_subtracted():
    ring = make(20, rho=0.99, activation="identity")
    found = [information_processing_capacity(ring, (0,), 1000, seed=s).total for s in range(40)]
    # The present input's, as in the curve of a ring; chance would add 20 / 1000 of what is left.
    assert np.mean(found) == pytest.approx(1 - 0.99**40, abs=0.008)


def test_the_washout_is_at_least_the_largest_delay():
    for measure, delays in ((memory_capacity, 60), (information_processing_capacity, (60, 3))):
        none, enough = (measure(make(8), delays, 200, washout=w) for w in (0, 60))
        np.testing.assert_equal(none, enough)


def test_the_threshold_is_that_of_the_paper():
    found = information_processing_capacity(make(30), (5,), n_steps=3000)
    assert found.threshold == pytest.approx(2 * scipy.stats.chi2.isf(1e-4, 30) / 3000)


def test_units_that_copy_each_other_count_once():
    reservoir = make(8, activation="identity")
    reservoir.W_in[:] = 1  # a ring that all inputs enter alike stays alike
    found = information_processing_capacity(reservoir, (40,))
    assert found.rank == 1
    assert found.total <= 1.01


# Dimensions -------------------------------------------------------------------------------


def test_dimensions_of_equal_spread_are_the_number_of_directions():
    states = np.vstack([np.eye(6), -np.eye(6)])
    assert state_rank(states) == 6
    assert effective_rank(states) == pytest.approx(6)
    assert effective_dimension(states) == pytest.approx(6)


def test_dimensions_follow_their_formulas():
    states = RNG.normal(size=(300, 8)) @ RNG.normal(size=(8, 8)) + 5
    eigenvalues = np.linalg.eigvalsh(np.cov(states.T))
    share = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    expected = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    assert effective_dimension(states) == pytest.approx(expected)
    assert effective_rank(states) == pytest.approx(np.exp(scipy.stats.entropy(share)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_rank_ignores_rounding_and_offset(dtype, offset):
    few = RNG.normal(size=(5000, 4)) @ RNG.normal(size=(4, 30))
    assert state_rank((few + offset).astype(dtype)) == 4


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_dimensions_do_not_depend_on_the_scale(scale):
    states = RNG.normal(size=(50, 5))
    for measure in (state_rank, effective_rank, effective_dimension):
        assert measure(states * scale) == pytest.approx(measure(states))


def test_constant_states_have_no_dimension():
    states = np.full((5, 3), 2.0)
    assert state_rank(states) == effective_rank(states) == effective_dimension(states) == 0


def test_fewer_steps_than_units():
    states = RNG.normal(size=(5, 20))
    assert state_rank(states) == 4  # one is taken by the mean


@pytest.mark.parametrize("measure", [state_rank, effective_rank, effective_dimension])
@pytest.mark.parametrize(
    ("states", "message"),
    [
        (np.ones(4), r"\(time, units\)"),
        (np.ones((1, 4)), "two rows"),
        (np.ones((4, 0)), "one unit"),
        ([["a"], ["b"]], "real numbers"),
        ([[1.0], [2.0], [np.nan]], "row 2"),
    ],
)
def test_bad_states_are_refused(measure, states, message):
    with pytest.raises(ValueError, match=message):
        measure(states)


# Bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 399}, r"at least 10 \* units = 400"),
        ({"n_steps": 400.0}, "n_steps must be an integer"),
        ({"washout": -1}, "washout must be an integer of at least 0; got -1"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_runs_are_refused_by_both_capacities(options, message):
    for measure, delays in ((memory_capacity, 5), (information_processing_capacity, (5,))):
        with pytest.raises(ValueError, match=message):
            measure(make(), delays, **options)


@pytest.mark.parametrize(
    ("reservoir", "message"),
    [
        (make(n_inputs=2), "one input; got 2 inputs"),
        (make(n_feedback=1), "n_feedback = 1"),
        (make(rho=1.5, activation="identity"), "the states diverge"),
    ],
)
def test_reservoirs_that_cannot_be_measured_are_refused(reservoir, message):
    for measure, delays in ((memory_capacity, 5), (information_processing_capacity, (5,))):
        with pytest.raises(ValueError, match=message):
            measure(reservoir, delays)


def test_an_object_that_is_not_a_reservoir_is_named():
    for measure, delays in ((memory_capacity, 5), (information_processing_capacity, (5,))):
        with pytest.raises(TypeError, match=r"must be a Reservoir .* fitted estimator; got 'esn'"):
            measure("esn", delays)


@pytest.mark.parametrize("max_delay", [0, -1, 2.5, True])
def test_bad_delays_of_memory_are_refused(max_delay):
    with pytest.raises(ValueError, match="max_delay must be an integer of at least 1"):
        memory_capacity(make(), max_delay)


@pytest.mark.parametrize("ridge", [-1e-9, np.inf, np.nan])
def test_bad_penalties_are_refused(ridge):
    with pytest.raises(ValueError, match="ridge"):
        memory_capacity(make(), 5, ridge=ridge)


@pytest.mark.parametrize(
    ("max_delays", "message"),
    [
        ((), "got none"),
        (5, r"such as \(40, 8\); got 5"),
        ((3, -1), r"max_delays\[1\]"),
        ((1.0,), r"\[0\]"),
    ],
)
def test_bad_delays_of_degrees_are_refused(max_delays, message):
    with pytest.raises(ValueError, match=message):
        information_processing_capacity(make(), max_delays)
