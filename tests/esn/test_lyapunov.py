"""Exponents, radii along a run and convergence, against closed forms and finite differences."""

import numpy as np
import pytest

from deepreservoir.esn import (
    TOPOLOGIES,
    RecurrentSpec,
    Reservoir,
    ReservoirSpec,
    ReservoirStack,
    autonomous_lyapunov,
    echo_state_index,
    effective_spectral_radius,
    largest_lyapunov,
)
from deepreservoir.esn.lyapunov import _mean_growth
from deepreservoir.esn.readout import NormalEquations, RidgeFit

pytestmark = pytest.mark.host(reason="observables are computed on the CPU")
RNG = np.random.default_rng(0)


def make(units=16, topology="random", rho=0.9, n_inputs=1, n_feedback=0, dtype=np.float64, **rest):
    spec = ReservoirSpec(RecurrentSpec(units, topology, rho, density=0.5), **rest)
    return Reservoir(spec, n_inputs, n_feedback, dtype)


def stack(arrangement, n_inputs=1, **options):
    specs = [
        ReservoirSpec(RecurrentSpec(units, "random", rho, density=0.5, seed=units), leak, **options)
        for units, rho, leak in ((9, 0.8, 0.5), (7, 1.1, 1.0), (5, 0.7, 0.3))
    ]
    return ReservoirStack(specs, n_inputs, arrangement=arrangement, dtype=np.float64)


def radius_of(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def jacobian(reservoir, u, h):
    """Return the Jacobian by central differences: u (n_inputs,), h (units,) -> (units, units)."""
    moved = np.concatenate([np.eye(len(h)), -np.eye(len(h))]) * 1e-6 + h
    after = reservoir.block(np.broadcast_to(u, (len(moved), 1, len(u))), moved)[0]
    return ((after[: len(h)] - after[len(h) :]) / 2e-6).T


EVERY = [
    *(make(topology=topology, leak_rate=0.4, bias_scaling=0.3) for topology in TOPOLOGIES),
    make(activation="relu", leak_rate=0.4),
    make(activation="relu"),
    make(n_inputs=3, rho=1.5),
    make(300, rho=1.2),
    stack("deep"),
    stack("grouped", n_inputs=2),
    stack("deep", activation="relu"),
]


def name(reservoir):
    if isinstance(reservoir, ReservoirStack):
        return "deep" if reservoir.deep else "grouped"
    spec = reservoir.spec
    return f"{spec.recurrent.topology}-{spec.activation}-{spec.units}"


# Radius along a run -----------------------------------------------------------------------


@pytest.mark.parametrize("leak_rate", [1.0, 0.3])
def test_radius_of_a_linear_ring_has_its_closed_form(leak_rate):
    ring = make(topology="ring", rho=0.8, activation="identity", leak_rate=leak_rate)
    found = effective_spectral_radius(ring, RNG.normal(size=(150, 1)))
    assert found == pytest.approx(1 - leak_rate + 0.8 * leak_rate)


@pytest.mark.parametrize("reservoir", EVERY, ids=name)
def test_radius_agrees_with_finite_differences(reservoir):
    u = RNG.normal(size=(41, reservoir.n_inputs))
    before = reservoir.states(u[None, :40])[0, -1]
    found = effective_spectral_radius(reservoir, u, washout=40)
    expected = radius_of(jacobian(reservoir, u[40], before))
    # A nilpotent matrix shows its rounding by a root of it.
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_radius_is_a_mean_over_evenly_spaced_steps():
    reservoir, u = make(leak_rate=0.5), RNG.normal(size=(412, 1))
    states = reservoir.states(u[None])[0]
    at = (100, 256)  # the second one begins a block
    expected = [radius_of(jacobian(reservoir, u[t], states[t - 1])) for t in at]
    found = effective_spectral_radius(reservoir, u, n_samples=2)
    assert found == pytest.approx(np.mean(expected), rel=1e-6)


def test_radius_of_a_sparse_reservoir_above_the_dense_limit():
    spec = RecurrentSpec(600, "random", 0.9, density=5)
    reservoir = Reservoir(ReservoirSpec(spec, leak_rate=0.5), 1)
    assert reservoir.recurrent.sparse
    u = np.zeros((10, 1))  # at rest all slopes are one
    expected = radius_of(0.5 * reservoir.recurrent.dense() + 0.5 * np.eye(600))
    found = effective_spectral_radius(reservoir, u, n_samples=1, washout=0)
    assert found == pytest.approx(expected, rel=1e-5)


def test_strong_input_lowers_the_radius():
    u = RNG.normal(size=(200, 1))
    weak, strong = (
        effective_spectral_radius(make(60, input_scaling=scaling), u) for scaling in (0.01, 5)
    )
    assert weak == pytest.approx(0.9, abs=0.01)
    assert strong < 0.7 * weak


# Convergence ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_linear_ring_converges_at_its_radius(dtype):
    ring = make(topology="ring", rho=0.7, activation="identity", dtype=dtype)
    found = echo_state_index(ring, np.zeros((300, 1)))
    assert found.rate == pytest.approx(np.log(0.7), abs=1e-3)
    assert found.index < 1e-30  # long past where the fit ends, for there is no input to round
    np.testing.assert_allclose(found.distances[1:9] / found.distances[:8], 0.7, rtol=1e-4)


def test_a_contracting_reservoir_forgets_its_start_and_a_chaotic_one_does_not():
    u = np.zeros((500, 1))
    tame, wild = (echo_state_index(make(100, rho=rho), u) for rho in (0.8, 3.0))
    assert tame.index < 1e-10
    assert tame.rate < -0.1
    assert 0.1 < wild.index < 10
    assert abs(wild.rate) < 0.01


def test_input_can_make_a_chaotic_reservoir_forget_its_start():
    wild = make(100, rho=1.5, input_scaling=5.0)
    free = echo_state_index(wild, np.zeros((400, 1)))
    driven = echo_state_index(wild, RNG.normal(size=(400, 1)))
    assert driven.index < 1e-6 < 0.1 < free.index


def test_a_delay_line_forgets_its_start_within_as_many_steps_as_units():
    found = echo_state_index(make(6, "delay_line"), RNG.normal(size=(10, 1)))
    assert (found.distances[:6] > 0).all()
    assert (found.distances[6:] < 1e-12).all()
    one = echo_state_index(make(1, "delay_line"), RNG.normal(size=(10, 1)))
    assert (one.index, one.rate) == (0, -np.inf)


def test_first_and_last_distances():
    reservoir, u = stack("deep"), RNG.normal(size=(300, 1))
    found = echo_state_index(reservoir, u, n_starts=2000)
    assert found.distances.shape == (301,)
    assert found.distances[0] == pytest.approx(np.sqrt(reservoir.units / 3), rel=0.02)
    assert found.index == found.distances[-1] / found.distances[0]


def test_starts_depend_on_the_seed_only():
    first, again, other = (
        echo_state_index(make(), np.zeros((3, 1)), seed=seed).distances for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first[0] != other[0]


# Exponents --------------------------------------------------------------------------------


def test_growth_of_the_logistic_map_is_ln_2():
    def tangents(x=0.3):
        for _ in range(100_000):
            yield lambda v, x=x: 4 * (1 - 2 * x) * v
            x = 4 * x * (1 - x)

    assert _mean_growth(tangents(), np.ones(1), 100) == pytest.approx(np.log(2), abs=2e-3)


def test_growth_of_the_henon_map_is_the_published_value():
    def tangents(x=0.1, y=0.1):
        for _ in range(100_000):
            yield lambda v, x=x: np.array([[-2.8 * x, 1], [0.3, 0]]) @ v
            x, y = 1 - 1.4 * x * x + y, 0.3 * x

    assert _mean_growth(tangents(), np.ones(2), 100) == pytest.approx(0.419, abs=3e-3)


def test_growth_ignores_the_washout():
    tangents = [lambda v: 0.5 * v] * 10 + [lambda v: 0.9 * v] * 10
    assert _mean_growth(tangents, np.ones(3), 10) == pytest.approx(np.log(0.9))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("leak_rate", [1.0, 0.3])
@pytest.mark.parametrize("topology", ["random", "ring", "hadamard", "cycle_jumps"])
def test_exponent_of_a_linear_reservoir_is_the_logarithm_of_its_radius(topology, leak_rate, dtype):
    reservoir = make(topology=topology, activation="identity", leak_rate=leak_rate, dtype=dtype)
    found = largest_lyapunov(reservoir, RNG.normal(size=(4000, 1)))
    W = reservoir.recurrent.dense()
    expected = np.log(radius_of((1 - leak_rate) * np.eye(16) + leak_rate * W))
    assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("arrangement", ["deep", "grouped"])
def test_exponent_of_a_linear_stack_is_that_of_its_slowest_part(arrangement):
    reservoir = stack(arrangement, activation="identity")
    # The largest radius is above one: the states grow, but not in so few steps.
    found = largest_lyapunov(reservoir, np.zeros((1000, 1)))
    assert found == pytest.approx(np.log(1.1), abs=5e-3)


@pytest.mark.parametrize(
    "reservoir",
    # Not chaotic, for then rounding would make two runs of one.
    [make(60, rho=1.2), make(60, rho=1.5, leak_rate=0.3), make(40, activation="relu"), *EVERY[-3:]],
    ids=name,
)
def test_exponent_agrees_with_two_nearby_runs(reservoir):
    u = RNG.normal(size=(3000, reservoir.n_inputs))
    found = largest_lyapunov(reservoir, u, washout=100)
    pair = np.zeros((2, reservoir.units))
    pair[1] = 1e-7 * RNG.normal(size=reservoir.units) / np.sqrt(reservoir.units)
    growth = []
    for t, now in enumerate(u):
        length = np.linalg.norm(pair[1] - pair[0])
        pair = reservoir.block(np.broadcast_to(now, (2, 1, len(now))), pair)[0]
        grown = np.linalg.norm(pair[1] - pair[0])
        if t >= 100:
            growth.append(np.log(grown / length))
        pair[1] = pair[0] + (pair[1] - pair[0]) * (1e-7 / grown)
    assert found == pytest.approx(np.mean(growth), abs=4e-3)


def test_exponent_distinguishes_chaos_from_rest_and_agrees_with_the_convergence():
    u = np.zeros((2000, 1))
    u[0] = 1  # off the fixed point
    assert largest_lyapunov(make(200, rho=3.0), u) > 0.1
    tame, steady = make(50, rho=0.8), np.full((3000, 1), 0.3)  # ends in a fixed point
    rate = echo_state_index(tame, steady).rate
    assert largest_lyapunov(tame, steady) == pytest.approx(rate, rel=0.05)


def test_exponent_of_a_delay_line_is_minus_infinity():
    assert largest_lyapunov(make(topology="delay_line"), np.ones((200, 1))) == -np.inf


# Exponents in closed loop -----------------------------------------------------------------


@pytest.mark.parametrize("reservoir_kind", ["single", "deep", "grouped"])
def test_exponent_of_a_linear_closed_loop_is_the_logarithm_of_its_radius(reservoir_kind):
    n_inputs = 2
    if reservoir_kind == "single":
        reservoir = make(n_inputs=n_inputs, activation="identity", leak_rate=0.6)
    else:
        reservoir = stack(reservoir_kind, n_inputs, activation="identity")
    coef = 0.03 * np.random.default_rng(1).normal(size=(n_inputs, reservoir.units))
    readout = RidgeFit(coef, np.array([0.2, -0.1]), 0.0, {})

    def loop(h):  # (n, units) -> (n, units)
        return reservoir.block((h @ coef.T)[:, None], h)[0]

    expected = np.log(radius_of(loop(np.eye(reservoir.units)).T))
    found = autonomous_lyapunov(reservoir, readout, np.ones(reservoir.units), n_steps=1500)
    assert found == pytest.approx(expected, abs=5e-3)


def test_a_reservoir_that_has_learnt_the_henon_map_has_its_exponent():
    x = [0.1, 0.1]
    for _ in range(3000):
        x.append(1 - 1.4 * x[-1] ** 2 + 0.3 * x[-2])
    u = np.array(x[100:])[:, None]
    reservoir = make(200, rho=0.3, bias_scaling=1.0)
    states = reservoir.states(u[None, :-1])[0]
    equations = NormalEquations(200, 1)
    equations.add(states[100:], u[101:])
    readout = equations.solve(1e-8)
    found = autonomous_lyapunov(reservoir, readout, states[-1], n_steps=5000)
    assert found == pytest.approx(0.419, abs=0.02)


# Bad input --------------------------------------------------------------------------------

MEASURES = [effective_spectral_radius, largest_lyapunov, echo_state_index]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("u", "message"),
    [
        (np.ones((200, 2)), r"n_inputs = 1; got shape \(200, 2\)"),
        (np.ones(200), "reshape"),
        (np.array([["a"]]), "real numbers"),
        (np.ones((0, 1)), "more rows than the washout"),
        (np.where(np.arange(200) == 7, np.nan, 0.0)[:, None], "row 7"),
    ],
)
def test_bad_input_series_are_refused(measure, u, message):
    with pytest.raises(ValueError, match=message):
        measure(make(), u)


@pytest.mark.parametrize("measure", MEASURES)
def test_feedback_is_refused(measure):
    with pytest.raises(ValueError, match="n_feedback = 2"):
        measure(make(n_feedback=2), np.ones((200, 1)))


@pytest.mark.parametrize("measure", MEASURES)
def test_diverging_states_are_refused(measure):
    with pytest.raises(ValueError, match="the states diverge"):
        measure(make(rho=1.5, activation="identity"), np.ones((2000, 1)))


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (effective_spectral_radius, {"n_samples": 0}, "n_samples"),
        (effective_spectral_radius, {"washout": 200}, "washout of 200; got 200"),
        (largest_lyapunov, {"washout": -1}, "washout"),
        (largest_lyapunov, {"washout": 200}, "washout of 200; got 200"),
        (largest_lyapunov, {"seed": -1}, "seed"),
        (echo_state_index, {"n_starts": 1}, "n_starts must be an integer of at least 2"),
        (echo_state_index, {"seed": 0.5}, "seed"),
    ],
)
def test_bad_parameters_are_refused(measure, options, message):
    with pytest.raises(ValueError, match=message):
        measure(make(), np.ones((200, 1)), **options)


@pytest.mark.parametrize(
    ("coef", "h", "options", "message"),
    [
        (np.ones((2, 16)), np.ones(16), {}, r"\(1, 16\); got \(2, 16\)"),
        (np.ones((1, 15)), np.ones(16), {}, r"\(1, 16\); got \(1, 15\)"),
        (np.ones((1, 16)), np.ones((1, 16)), {}, "h must be one finite state of shape"),
        (np.ones((1, 16)), np.full(16, np.nan), {}, "finite"),
        (np.ones((1, 16)), np.ones(16), {"n_steps": 0}, "n_steps"),
        (np.ones((1, 16)), np.ones(16), {"washout": -1}, "washout"),
        (np.full((1, 16), 9.0), np.ones(16), {}, "larger ridge"),
    ],
)
def test_bad_closed_loops_are_refused(coef, h, options, message):
    readout = RidgeFit(coef, np.zeros(len(coef)), 0.0, {})
    with pytest.raises(ValueError, match=message):
        autonomous_lyapunov(make(activation="identity"), readout, h, **options)


def test_an_object_that_is_not_a_readout_is_named():
    with pytest.raises(TypeError, match=r"readout must be a RidgeFit.*got None"):
        autonomous_lyapunov(make(), None, np.ones(16))
