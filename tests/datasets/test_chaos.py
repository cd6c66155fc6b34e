"""Flows, compared with their equations, a more accurate integrator and known exponents."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from deepreservoir.datasets.chaos import (
    LYAPUNOV_EXPONENTS,
    LYAPUNOV_TIMES,
    lorenz63,
    lorenz96,
    rossler,
)
from deepreservoir.datasets.delay import mackey_glass


def lorenz63_slope(_, s):
    return [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]


def rossler_slope(_, s):
    return [-s[1] - s[2], s[0] + 0.2 * s[1], 0.2 + s[2] * (s[0] - 5.7)]


def lorenz96_slope(_, s):
    n = len(s)
    return [(s[(i + 1) % n] - s[i - 2]) * s[i - 1] - s[i] + 8 for i in range(n)]


FLOWS = [
    pytest.param(lorenz63, {}, lorenz63_slope, id="lorenz63"),
    pytest.param(rossler, {}, rossler_slope, id="rossler"),
    pytest.param(lorenz96, {"dims": 6}, lorenz96_slope, id="lorenz96"),
]
ALL = [
    pytest.param(lorenz63, 3, id="lorenz63"),
    pytest.param(rossler, 3, id="rossler"),
    pytest.param(lorenz96, 36, id="lorenz96"),
    pytest.param(mackey_glass, 1, id="mackey_glass"),
]


@pytest.mark.parametrize(("make", "options", "slope"), FLOWS)
def test_each_row_follows_from_the_previous_one(make, options, slope):
    # From row to row, since over a longer span chaos would amplify the errors of both methods.
    dt = 0.25
    series = make(40, dt=dt, **options)
    for now, after in pairwise(series):
        exact = solve_ivp(slope, (0, dt), now, "LSODA", rtol=1e-13, atol=1e-13).y[:, -1]
        np.testing.assert_allclose(after, exact, rtol=0, atol=2e-8)


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_rows_are_finite_float64_of_the_requested_shape(make, dims):
    series = make(20)
    assert series.shape == (20, dims)
    assert series.dtype == np.float64
    assert np.isfinite(series).all()
    assert make(1).shape == (1, dims)


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_discard_drops_the_first_rows_and_nothing_else(make, dims):
    whole = make(30, dt=0.25, discard=0)
    np.testing.assert_allclose(make(20, dt=0.25, discard=2.5), whole[10:], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_the_integration_does_not_depend_on_the_spacing_of_rows(make, dims):
    coarse = make(10, dt=0.5, discard=1.0)
    np.testing.assert_allclose(make(19, dt=0.25, discard=1.0)[::2], coarse, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_a_seed_moves_the_start_and_repeats(make, dims):
    standard, first, second = (make(5, discard=0, seed=seed) for seed in (None, 0, 1))
    np.testing.assert_array_equal(first, make(5, discard=0, seed=0))
    np.testing.assert_array_equal(standard, make(5, discard=0))
    starts = np.stack([standard[0], first[0], second[0]])
    for i in range(3):
        assert not np.isclose(starts[i - 1], starts[i], rtol=0, atol=1e-6).any()
    assert np.abs(starts - standard[0]).max() <= 1


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_a_series_repeats_to_the_last_bit(make, dims):
    # After the transient, where chaos would have amplified any difference of rounding.
    np.testing.assert_array_equal(make(50), make(50))


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_seeds_give_different_series_after_the_transient(make, dims):
    spread = make(200).std(axis=0)
    apart = np.abs(make(200, seed=0) - make(200, seed=1)).mean(axis=0)
    assert (apart > 0.1 * spread).all()


def test_standard_starts():
    np.testing.assert_array_equal(lorenz63(1, discard=0), [[1, 1, 1]])
    np.testing.assert_array_equal(rossler(1, start=(1, 2, 3), discard=0), [[1, 2, 3]])
    np.testing.assert_array_equal(lorenz96(1, dims=4, discard=0), [[8.01, 8, 8, 8]])
    np.testing.assert_allclose(mackey_glass(1, discard=0), [[1.2]], rtol=1e-15)


def test_flows_stay_at_their_fixed_points():
    root = np.sqrt(8 / 3 * 27)
    wing = np.array([root, root, 27.0])
    np.testing.assert_allclose(lorenz63(20, start=wing, discard=0), [wing] * 20, atol=1e-8)
    y = -(5.7 - np.sqrt(5.7**2 - 4 * 0.04)) / 0.4
    inner = np.array([-0.2 * y, y, -y])
    np.testing.assert_allclose(rossler(20, start=inner, discard=0), [inner] * 20, atol=1e-8)
    flat = np.full(5, 3.0)
    ring = lorenz96(20, dims=5, forcing=3.0, start=flat, discard=0)
    np.testing.assert_allclose(ring, [flat] * 20, atol=1e-8)
    # Mackey-Glass: x = (beta / gamma - 1)**(1 / exponent).
    rest = mackey_glass(50, beta=0.4, history=3**0.1, discard=0)
    np.testing.assert_allclose(rest, 3**0.1, rtol=1e-10)


def test_lorenz63_obeys_the_mean_of_its_third_equation():
    # On the attractor mean(z') = 0, so mean(x y) = beta mean(z), up to ends over the span.
    x, y, z = lorenz63(5000, dt=0.02).T
    slack = np.ptp(z) / 100
    assert abs((x * y).mean() - 8 / 3 * z.mean()) < slack + 0.1
    assert 23 < z.mean() < 24.2
    assert (x > 1).any()
    assert (x < -1).any()


def by_steps(tau, n_delays, beta, gamma, exponent, history):
    """Return Mackey-Glass as a function of time, from scipy's dense output per delay."""
    pieces = [lambda t: np.array([history])]
    value = [history]
    for k in range(n_delays):
        delayed = pieces[-1]

        def slope(t, x, delayed=delayed):
            past = delayed(t - tau)
            return beta * past / (1 + past**exponent) - gamma * x

        span = (k * tau, (k + 1) * tau)
        solution = solve_ivp(
            slope, span, value, "DOP853", dense_output=True, rtol=1e-12, atol=1e-13, max_step=0.5
        )
        pieces.append(solution.sol)
        value = solution.y[:, -1]
    return lambda t: pieces[min(int(t // tau), n_delays - 1) + 1](t)[0]


@pytest.mark.parametrize(
    ("tau", "beta", "gamma", "exponent", "history"),
    [(17.0, 0.2, 0.1, 10, 1.2), (30.0, 0.2, 0.1, 10, 0.5), (5.3, 0.4, 0.2, 7.5, 0.9)],
)
def test_mackey_glass_agrees_with_scipy_delay_by_delay(tau, beta, gamma, exponent, history):
    exact = by_steps(tau, 6, beta, gamma, exponent, history)
    times = np.arange(0, 6 * tau, 0.7)
    series = mackey_glass(
        len(times),
        tau,
        beta=beta,
        gamma=gamma,
        exponent=exponent,
        dt=0.7,
        history=history,
        discard=0,
    )
    np.testing.assert_allclose(series[:, 0], [exact(t) for t in times], rtol=0, atol=1e-9)


def test_mackey_glass_converges_as_its_step_is_halved():
    finest = mackey_glass(1000, max_step=0.1, discard=0)
    errors = [
        np.abs(mackey_glass(1000, max_step=step, discard=0) - finest).max()
        for step in (8.5, 4.25, 17 / 8)
    ]
    assert errors[0] > 30 * errors[1] > 30 * 30 * errors[2]
    for step in (1.0, 0.5, 0.25):
        assert np.abs(mackey_glass(1000, max_step=step, discard=0) - finest).max() < 1e-10


def test_mackey_glass_within_the_first_delay_has_its_closed_form():
    # The delayed value is constant there: x relaxes to a level at rate gamma.
    level = 0.2 * 1.2 / (1 + 1.2**10) / 0.1
    t = np.arange(18.0)
    expected = level + (1.2 - level) * np.exp(-0.1 * t)
    np.testing.assert_allclose(mackey_glass(18, discard=0)[:, 0], expected, rtol=1e-13)


def test_mackey_glass_decays_from_a_history_too_large_for_its_power():
    series = mackey_glass(10, history=1e40, discard=0)
    np.testing.assert_allclose(series[:, 0], 1e40 * np.exp(-0.1 * np.arange(10)), rtol=1e-12)


def growth(make, states, gap, span):
    """Mean rate at which a small gap grows along an orbit, rescaled after every span."""
    offset = np.zeros(states.shape[1])
    offset[0] = gap
    logs = []
    for state in states:
        ends = [make(2, dt=span, start=s, discard=0)[1] for s in (state, state + offset)]
        offset = ends[1] - ends[0]
        size = np.linalg.norm(offset)
        logs.append(np.log(size / gap))
        offset *= gap / size
    return np.mean(logs[2:]) / span


@pytest.mark.slow
def test_lorenz63_has_its_known_exponent():
    rate = growth(lorenz63, lorenz63(80, dt=4.0), 1e-7, 4.0)
    # Over 300 units the finite-time exponent scatters by about 0.03.
    assert rate == pytest.approx(LYAPUNOV_EXPONENTS["lorenz63"], abs=0.1)


@pytest.mark.slow
def test_rossler_has_its_known_exponent():
    rate = growth(rossler, rossler(60, dt=50.0), 1e-7, 50.0)
    assert rate == pytest.approx(LYAPUNOV_EXPONENTS["rossler"], abs=0.015)


def test_mackey_glass_has_its_known_exponent():
    # Twin runs whose gap stays small: the slope of the log gap, a mean over many starts.
    rates = []
    for history in np.linspace(0.5, 1.3, 40):
        a, b = (mackey_glass(2000, history=history + gap, discard=500) for gap in (0, 1e-10))
        gaps = np.log(np.abs(a - b).reshape(4, 500).max(axis=1))
        assert gaps[-1] < np.log(0.01)
        rates.append((gaps[-1] - gaps[0]) / 1500)
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) == pytest.approx(LYAPUNOV_EXPONENTS["mackey_glass"], abs=4 * error)
    assert error < 5e-4


def test_lyapunov_times_are_the_inverse_exponents():
    assert LYAPUNOV_TIMES.keys() == LYAPUNOV_EXPONENTS.keys()
    for name, time in LYAPUNOV_TIMES.items():
        assert time * LYAPUNOV_EXPONENTS[name] == pytest.approx(1)


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", None])
@pytest.mark.parametrize(("make", "dims"), ALL)
def test_a_bad_number_of_steps_is_refused_by_name(make, dims, value):
    with pytest.raises(ValueError, match=r"n_steps must be an integer of at least 1; got"):
        make(value)


@pytest.mark.parametrize("value", [0, -0.1, np.nan, np.inf, "1", True, None])
@pytest.mark.parametrize(("make", "dims"), ALL)
def test_a_bad_time_step_is_refused_by_name(make, dims, value):
    with pytest.raises(ValueError, match="dt must be a positive finite number; got"):
        make(5, dt=value)


@pytest.mark.parametrize(("make", "dims"), ALL)
def test_a_bad_discard_or_seed_is_refused_by_name(make, dims):
    with pytest.raises(ValueError, match="discard must be a non-negative finite number; got -1"):
        make(5, discard=-1)
    with pytest.raises(ValueError, match="seed must be a non-negative integer; got -2"):
        make(5, seed=-2)


@pytest.mark.parametrize("name", ["tau", "beta", "gamma", "exponent", "history", "max_step"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_bad_mackey_glass_parameters_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive finite number; got"):
        mackey_glass(5, **{name: value})


@pytest.mark.parametrize("start", [(1, 2), (1, 2, np.nan), ((1, 2, 3),)])
def test_a_bad_start_is_refused(start):
    with pytest.raises(ValueError, match="start must be 3 finite numbers; got"):
        lorenz63(5, start=start)


def test_a_ring_too_small_for_lorenz96_is_refused():
    with pytest.raises(ValueError, match="dims must be an integer of at least 4; got 3"):
        lorenz96(5, dims=3)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: lorenz63(10, sigma=np.nan, discard=0), id="nan"),
        pytest.param(lambda: lorenz63(10, start=(1e200, 1e200, 1), discard=0), id="huge start"),
        pytest.param(
            lambda: rossler(10, start=(200.0, 0.0, 0.0), discard=60),
            id="outside the basin",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: lorenz96(10, forcing=np.inf, start=np.ones(36), discard=0),
            id="infinite forcing",
        ),
    ],
)
def test_a_diverging_trajectory_is_reported(call):
    with pytest.raises(ValueError, match=r"the trajectory from .* diverges before time"):
        call()


@pytest.mark.parametrize(
    ("make", "names"),
    [(lorenz63, ("sigma", "rho", "beta")), (rossler, "abc"), (lorenz96, ("forcing",))],
)
def test_parameters_that_are_not_numbers_are_named(make, names):
    for name in names:
        for value in ("a", None, True):
            with pytest.raises(ValueError, match=f"{name} must be a number; got {value!r}"):
                make(10, **{name: value})


def test_a_time_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match=r"discard \+ dt \* n_steps must be at most 1e\+09"):
        lorenz63(3, discard=1e300)
