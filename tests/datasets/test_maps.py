"""Maps and tasks in discrete time, compared with independent implementations."""

import re

import numpy as np
import pytest

from deepreservoir.datasets.chaos import LYAPUNOV_EXPONENTS
from deepreservoir.datasets.maps import (
    MSO_FREQUENCIES,
    henon,
    multiple_superimposed_oscillators,
    narma10,
)


def test_henon_agrees_with_reservoirpy():
    datasets = pytest.importorskip("reservoirpy.datasets")
    # Rounding grows e-fold every 2.4 steps: 30 steps leave about 1e-10.
    series = henon(30, a=1.4, b=0.3)
    theirs = datasets.henon_map(30, a=1.4, b=0.3, x0=series[0])
    np.testing.assert_allclose(series, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("a", "b"), [(1.4, 0.3), (1.2, 0.1)])
def test_each_henon_row_follows_from_the_previous_one(a, b):
    x, y = henon(500, a=a, b=b, seed=4).T
    np.testing.assert_allclose(x[1:], 1 - a * x[:-1] ** 2 + y[:-1], rtol=0, atol=1e-14)
    np.testing.assert_allclose(y[1:], b * x[:-1], rtol=0, atol=1e-15)


def test_henon_stays_at_its_fixed_point_for_some_steps():
    x = (-0.7 + np.sqrt(0.49 + 5.6)) / 2.8
    np.testing.assert_allclose(
        henon(10, start=(x, 0.3 * x), discard=0), [[x, 0.3 * x]] * 10, atol=1e-11
    )


def test_henon_has_its_known_exponent():
    tangent, logs = np.array([1.0, 0.0]), []
    for x in henon(20_000)[:, 0]:
        tangent = np.array([[-2.8 * x, 1.0], [0.3, 0.0]]) @ tangent
        size = np.linalg.norm(tangent)
        logs.append(np.log(size))
        tangent /= size
    assert np.mean(logs) == pytest.approx(LYAPUNOV_EXPONENTS["henon"], abs=0.02)


def test_henon_discards_steps_from_its_start():
    whole = henon(30, discard=0, start=(0.1, 0.2))
    np.testing.assert_array_equal(whole[0], [0.1, 0.2])
    np.testing.assert_array_equal(henon(20, discard=10, start=(0.1, 0.2)), whole[10:])


def test_henon_seeds_move_the_start():
    starts = np.array([henon(1, discard=0, seed=seed)[0] for seed in (None, 0, 1, 2)])
    assert len(np.unique(starts[:, 0])) == len(np.unique(starts[:, 1])) == 4
    assert 0 < np.abs(starts).max() <= 0.1
    np.testing.assert_array_equal(henon(50, seed=2), henon(50, seed=2))


@pytest.mark.parametrize("options", [{"start": (2.0, 2.0)}, {"a": 3.0}, {"a": np.nan}])
def test_a_diverging_henon_map_is_reported(options):
    with pytest.raises(ValueError, match=r"the Henon map diverges within .* steps from start"):
        henon(100, **options)


def narma_by_hand(u, y):
    """Return the next output from the ten newest inputs and outputs, the oldest first."""
    total = 0.0
    for value in y:
        total += value
    return 0.3 * y[-1] + 0.05 * y[-1] * total + 1.5 * u[0] * u[-1] + 0.1


@pytest.mark.parametrize("seed", [0, 3])
def test_narma_targets_follow_the_recursion(seed):
    u, y = (column[:, 0] for column in narma10(400, seed))
    for t in range(10, 400):
        # Row t pairs u(t) with y(t+1): the outputs up to y(t) are the targets before it.
        assert y[t] == pytest.approx(narma_by_hand(u[t - 9 : t + 1], y[t - 10 : t]), rel=1e-12)


def test_narma_inputs_are_uniform_up_to_a_half():
    u, y = narma10(5000, seed=1)
    assert u.shape == y.shape == (5000, 1)
    assert u.dtype == y.dtype == np.float64
    assert 0 <= u.min() < 0.001
    assert 0.499 < u.max() < 0.5
    # Standard errors: 0.002 of the mean, 0.014 of a correlation.
    assert u.mean() == pytest.approx(0.25, abs=0.01)
    for lag in (1, 2, 9):
        assert abs(np.corrcoef(u[lag:, 0], u[:-lag, 0])[0, 1]) < 0.07


def test_narma_has_no_transient_and_no_padding():
    _, y = narma10(2000, seed=0)
    assert y.min() > 0.1
    assert abs(y[:50].mean() - y.mean()) < 3 * y.std() / np.sqrt(5)


def test_a_shorter_narma_is_the_beginning_of_a_longer_one():
    for short, long in zip(narma10(100, 2), narma10(300, 2), strict=True):
        np.testing.assert_array_equal(short, long[:100])


def test_narma_seeds_differ():
    assert not np.isclose(narma10(100, 0)[0], narma10(100, 1)[0]).all()


def test_narma_reports_the_row_at_which_it_diverges():
    # One series of 20,000 rows in about eleven diverges: sixty that do not have odds of 1 to 300.
    for seed in range(60):
        try:
            _, y = narma10(20_000, seed)
        except ValueError as error:
            found = re.search(rf"diverges for seed {seed} at row (\d+) ", str(error))
            break
        assert y.max() < 2
    row = int(found.group(1))
    y = narma10(row, seed)[1][:, 0]
    assert y.max() <= 2
    with pytest.raises(ValueError, match=f"choose another seed, or n_steps of at most {row}$"):
        narma10(row + 1, seed)
    # It does not come back: even the weakest inputs, zero, let it grow without bound.
    recent = [*y[-9:], 2.0]
    for _ in range(12):
        recent = [*recent[1:], narma_by_hand([0.0], recent)]
    assert recent[-1] > 10


@pytest.mark.parametrize("k", [1, 2, 8])
def test_oscillators_are_a_sum_of_sines(k):
    series = multiple_superimposed_oscillators(50, k=k)
    frequencies = [0.2, 0.311, 0.42, 0.51, 0.63, 0.74, 0.85, 0.97][:k]
    expected = [[sum(np.sin(w * t) for w in frequencies)] for t in range(50)]
    np.testing.assert_allclose(series, expected, rtol=0, atol=1e-13)
    finer = multiple_superimposed_oscillators(99, k=k, dt=0.5)
    np.testing.assert_allclose(finer[::2], series, rtol=0, atol=1e-13)


def test_oscillator_seeds_change_phases_but_not_frequencies():
    a, b = (multiple_superimposed_oscillators(400, k=4, seed=seed) for seed in (0, 1))
    assert not np.isclose(a[0], b[0])
    times = np.arange(400)[:, None] * np.array(MSO_FREQUENCIES[:4])
    basis = np.hstack([np.sin(times), np.cos(times)])
    weights, residual, *_ = np.linalg.lstsq(basis, a, rcond=None)
    assert residual[0] < 1e-20
    np.testing.assert_allclose(np.hypot(weights[:4], weights[4:]), 1, rtol=1e-10)


@pytest.mark.parametrize("make", [henon, narma10, multiple_superimposed_oscillators])
@pytest.mark.parametrize("value", [0, -3, 1.5, True, None])
def test_a_bad_number_of_steps_is_refused_by_name(make, value):
    with pytest.raises(ValueError, match="n_steps must be an integer of at least 1; got"):
        make(value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: henon(5, discard=-1), "discard must be an integer of at least 0; got -1"),
        (lambda: henon(5, discard=None), "discard must be an integer of at least 0; got None"),
        (lambda: henon(5, a="a"), "a must be a number; got 'a'"),
        (lambda: henon(5, b=None), "b must be a number; got None"),
        (lambda: henon(5, start=(1, 2, 3)), "start must be 2 finite numbers; got"),
        (lambda: henon(5, seed=-1), "seed must be a non-negative integer; got -1"),
        (lambda: narma10(5, seed=None), "seed must be a non-negative integer; got None"),
        (
            lambda: multiple_superimposed_oscillators(5, k=9),
            "k must be between 1 and 8; got 9",
        ),
        (
            lambda: multiple_superimposed_oscillators(5, k=0),
            "k must be an integer of at least 1; got 0",
        ),
        (
            lambda: multiple_superimposed_oscillators(5, dt=0),
            "dt must be a positive finite number; got 0",
        ),
    ],
)
def test_bad_parameters_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
