"""Series in discrete time: the Henon map, the NARMA-10 task and superimposed oscillators.

Random bits come from `deepreservoir.scaffold.Stream`; the same seed gives the same series.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .chaos import check_number, check_real, check_steps, moved_start, uniform

# In sixty million steps, no output above 1.3 ever returned: the quadratic term dominates. This
# bound is a safe margin above that value and the upper fixed point without input (1.24).
_NARMA_BOUND = 2.0
_NARMA_DISCARD = 200

MSO_FREQUENCIES = (0.2, 0.311, 0.42, 0.51, 0.63, 0.74, 0.85, 0.97)
"""Angular frequencies of the superimposed oscillators, in radians per step."""


def henon(
    n_steps: int,
    *,
    a: float = 1.4,
    b: float = 0.3,
    start: Sequence[float] = (0.0, 0.0),
    discard: int = 100,
    seed: int | None = None,
) -> np.ndarray:
    """Return an orbit of the map of Henon (1976): ``x <- 1 - a x**2 + y``, ``y <- b x``.

    Parameters
    ----------
    n_steps : int
        Number of rows, one per step of the map.
    a, b : float
        Parameters of the map.
    start : sequence of 2 floats
        State before the first step.
    discard : int
        Number of steps before the first row; with 0 the first row is the start.
    seed : int or None
        If given, perturbs each coordinate of the start by up to 0.1.

    Returns
    -------
    ndarray of float64, shape (n_steps, 2)
        Columns x, y. The Lyapunov time is 2.4 steps.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the start lies outside the basin of attraction.

    References
    ----------
    Henon, A two-dimensional mapping with a strange attractor, Commun. Math. Phys. 50, 1976.

    Examples
    --------
    >>> henon(3, discard=0)
    array([[ 0. ,  0. ],
           [ 1. ,  0. ],
           [-0.4,  0.3]])
    """
    n_steps = check_steps(n_steps)
    skipped = check_steps(discard, "discard", least=0)
    a, b = check_real(a, "a"), check_real(b, "b")
    x, y = moved_start(start, 2, seed, "datasets/henon", 0.1).tolist()
    rows = np.empty((n_steps, 2))
    for step in range(-skipped, n_steps):
        if not abs(x) < 1e100:  # its square must be finite
            raise ValueError(
                f"the Henon map diverges within {step + skipped} steps from start {start!r} with "
                f"a = {a}, b = {b}, seed = {seed}; choose another start or other parameters"
            )
        if step >= 0:
            rows[step] = x, y
        x, y = 1 - a * x * x + y, b * x
    return rows


def narma10(n_steps: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the tenth-order nonlinear moving-average task of Atiya and Parlos (2000).

    ``y(t+1) = 0.3 y(t) + 0.05 y(t) (y(t) + ... + y(t-9)) + 1.5 u(t-9) u(t) + 0.1`` with
    independent inputs u, uniform on [0, 0.5). Row t pairs u(t) with y(t+1), the first output
    that depends on u(t).

    Parameters
    ----------
    n_steps : int
        Number of rows. They are preceded by 200 steps, starting from rest, that are discarded.
    seed : int
        Seed of the inputs. A shorter series is the beginning of a longer one with the same seed.

    Returns
    -------
    inputs : ndarray of float64, shape (n_steps, 1)
    targets : ndarray of float64, shape (n_steps, 1)

    Raises
    ------
    ValueError
        If a parameter is out of range, or the recursion diverges, which happens about once in
        200,000 steps (for one seed in twenty at 10,000 rows). The message names the row.

    References
    ----------
    Atiya and Parlos, New results on recurrent network training, IEEE Trans. Neural
    Networks 11, 2000.

    Examples
    --------
    >>> u, y = narma10(1000, seed=0)
    >>> u.shape, y.shape
    ((1000, 1), (1000, 1))
    >>> expected = 0.3 * y[98] + 0.05 * y[98] * y[89:99].sum() + 1.5 * u[90] * u[99] + 0.1
    >>> bool(np.isclose(y[99], expected)[0])
    True
    """
    n_steps = check_steps(n_steps)
    total = n_steps + _NARMA_DISCARD
    inputs = 0.5 * uniform(seed, "datasets/narma10", "inputs", (total,))
    drive = 0.1 + 1.5 * inputs[9:] * inputs[:-9]  # index t is step t + 9
    outputs = np.zeros(total + 1)  # index t is y(t); at rest up to t = 9
    recent = [0.0] * 10  # y(t), y(t-1), ..., in any order: step t replaces y(t-9) by y(t+1)
    y = 0.0
    for step, push in enumerate(drive.tolist(), start=9):
        y = 0.3 * y + 0.05 * y * sum(recent) + push
        if y > _NARMA_BOUND:
            row = step - _NARMA_DISCARD
            remedy = f", or n_steps of at most {row}" if row > 0 else ""
            raise ValueError(
                f"NARMA-10 diverges for seed {seed} at row {row} (target {y:.3g}); "
                f"choose another seed{remedy}"
            )
        recent[step % 10] = y
        outputs[step + 1] = y
    return inputs[_NARMA_DISCARD:, None], outputs[_NARMA_DISCARD + 1 :, None]


def multiple_superimposed_oscillators(
    n_steps: int, k: int = 8, *, dt: float = 1.0, seed: int | None = None
) -> np.ndarray:
    """Return a sum of `k` sines whose common period is too long to be observed.

    ``x(t) = sum_i sin(w_i t + phase_i)`` with the first `k` of `MSO_FREQUENCIES`: 0.2, 0.311,
    0.42, 0.51, 0.63, 0.74, 0.85 and 0.97.

    Parameters
    ----------
    n_steps : int
        Number of rows, at t = 0, dt, 2 dt, ...
    k : int
        Number of oscillators, 1 to 8.
    dt : float
        Time between rows, in the steps that the frequencies refer to; 1 in the original papers.
    seed : int or None
        If given, draws uniformly distributed phases; otherwise all phases are 0.

    Returns
    -------
    ndarray of float64, shape (n_steps, 1)

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Wierstra, Gomez and Schmidhuber, Modeling systems with internal state using Evolino,
    GECCO 2005 (up to four); Koryakin, Lohmann and Butz, Balanced echo state networks,
    Neural Networks 36, 2012 (up to eight).

    Examples
    --------
    >>> multiple_superimposed_oscillators(3, k=2).round(4)
    array([[0.    ],
           [0.5047],
           [0.9721]])
    """
    times = check_number(dt, "dt") * np.arange(check_steps(n_steps))[:, None]
    k = check_steps(k, "k")
    if k > len(MSO_FREQUENCIES):
        raise ValueError(f"k must be between 1 and {len(MSO_FREQUENCIES)}; got {k}")
    phases = np.zeros(k)
    if seed is not None:
        phases = 2 * np.pi * uniform(seed, "datasets/mso", "phases", (k,))
    waves = np.sin(times * np.array(MSO_FREQUENCIES[:k]) + phases)  # (n_steps, k)
    return waves.sum(axis=1, keepdims=True)
