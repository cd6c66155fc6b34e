"""Series of chaotic flows: Lorenz-63, Lorenz-96 and Rossler.

They are integrated by scipy's DOP853, with tolerances far below the accuracy of any forecast.
A chaotic trajectory amplifies rounding errors: over many Lyapunov times, series computed on two
machines may diverge, although their statistics stay the same.

A seed perturbs the start with bits of `deepreservoir.scaffold.Stream`. Without a seed, the start
is the standard one and the series is always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from ..scaffold import Stream, check_seed

LYAPUNOV_EXPONENTS: dict[str, float] = {
    "lorenz63": 0.9056,  # Sprott, Chaos and Time-Series Analysis, 2003
    "rossler": 0.0714,  # Sprott 2003
    # For tau = 17. The tangent equation over three runs of 986,000 time units gives 0.00515 with a
    # standard error of 0.00002; the value is often quoted as 0.006.
    "mackey_glass": 0.0052,
    "henon": 0.4192,  # Sprott 2003
}
"""Largest Lyapunov exponent at the default parameters (natural logarithm), per unit of time for
flows and per step for maps."""

LYAPUNOV_TIMES: dict[str, float] = {name: 1 / rate for name, rate in LYAPUNOV_EXPONENTS.items()}
"""Time in which an error grows by a factor of e, in units of time for flows and steps for maps."""

_RTOL, _ATOL = 1e-10, 1e-12
_STEEPEST = 1e100
_LONGEST = 1e9  # units of time
_EVALUATIONS = 3000  # per unit of time; about 300 are normally needed


def check_steps(value: Any, name: str = "n_steps", *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`, or raise a ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)


def check_number(value: Any, name: str, *, zero: bool = False) -> float:
    """Return `value` as a positive float (or zero, if allowed), or raise a ValueError."""
    number = isinstance(value, int | float | np.integer | np.floating)
    number = number and not isinstance(value, bool) and 0 <= value < np.inf
    if not number or (value == 0 and not zero):
        kind = "non-negative" if zero else "positive"
        raise ValueError(f"{name} must be a {kind} finite number; got {value!r}")
    return float(value)


def check_real(value: Any, name: str) -> float:
    """Return `value` as a float, or raise a ValueError that names it.

    Values that are not finite are accepted here: the trajectory diverges, which is reported.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name} must be a number; got {value!r}")
    return float(value)


def uniform(seed: object, path: str, draw: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw float64 values in [0, 1) from the first 53 bits of the words of a stream."""
    words = Stream(check_seed(seed, "seed"), path, draw).words(int(np.prod(shape)))
    return (words >> np.uint64(11)).reshape(shape) * 2.0**-53


def moved_start(
    start: Sequence[float] | np.ndarray, dims: int, seed: int | None, path: str, spread: float
) -> np.ndarray:
    """Return `start` as an array (dims,), perturbed by up to `spread` if there is a seed."""
    point = np.array(start, dtype=np.float64)
    if point.shape != (dims,) or not np.isfinite(point).all():
        raise ValueError(f"start must be {dims} finite numbers; got {start!r}")
    if seed is not None:
        point += spread * (2 * uniform(seed, path, "start", (dims,)) - 1)
    return point


def _flow(
    rhs: Callable[[float, np.ndarray], object],
    start: np.ndarray,
    n_steps: int,
    dt: float,
    discard: float,
) -> np.ndarray:
    """Integrate dx/dt = rhs(t, x), and return the states at discard + dt * (0, 1, ...)."""
    n_steps = check_steps(n_steps)
    dt = check_number(dt, "dt")
    times = check_number(discard, "discard", zero=True) + dt * np.arange(n_steps)
    if times[-1] == 0:
        return start[None]
    if times[-1] > _LONGEST:
        raise ValueError(f"discard + dt * n_steps must be at most {_LONGEST:g}; got {times[-1]:g}")

    budget = iter(range(int(_EVALUATIONS * (times[-1] + 10))))

    def bounded(time: float, state: np.ndarray) -> np.ndarray:
        # Without these checks, scipy's step control would never stop on NaN, and take very long
        # on states so large that its steps become tiny.
        slope = np.asarray(rhs(time, state))
        if not np.abs(slope).max() < _STEEPEST:
            raise FloatingPointError(f"its slope exceeds {_STEEPEST:g} at time {time:g}")
        if next(budget, None) is None:
            raise FloatingPointError(f"its steps become too small at time {time:g}")
        return slope

    try:
        with np.errstate(over="ignore", invalid="ignore"):
            solution = solve_ivp(
                bounded, (0.0, times[-1]), start, "DOP853", t_eval=times, rtol=_RTOL, atol=_ATOL
            )
        if not solution.success:
            raise FloatingPointError(solution.message)
    except FloatingPointError as error:
        raise ValueError(
            f"the trajectory from {start.tolist()} diverges before time {times[-1]:g} ({error}); "
            "choose another start or other parameters"
        ) from None
    return np.ascontiguousarray(solution.y.T)


def lorenz63(
    n_steps: int,
    dt: float = 0.02,
    *,
    sigma: float = 10.0,
    rho: float = 28.0,
    beta: float = 8 / 3,
    start: Sequence[float] = (1.0, 1.0, 1.0),
    discard: float = 50.0,
    seed: int | None = None,
) -> np.ndarray:
    """Return a trajectory of the convection equations of Lorenz (1963).

    ``x' = sigma (y - x)``, ``y' = x (rho - z) - y``, ``z' = x y - beta z``.

    Parameters
    ----------
    n_steps : int
        Number of rows.
    dt : float
        Time between rows, in the (dimensionless) units of the equations. The Lyapunov time
        is 1.104 units (`LYAPUNOV_TIMES`), and a turn around a wing takes about 0.7.
    sigma, rho, beta : float
        Prandtl number, relative Rayleigh number and aspect ratio of the convection cells.
    start : sequence of 3 floats
        State at time 0.
    discard : float
        Duration of the discarded transient before the first row, in the same units.
    seed : int or None
        If given, perturbs each coordinate of the start by up to 0.1.

    Returns
    -------
    ndarray of float64, shape (n_steps, 3)
        Columns x, y, z.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the trajectory diverges.

    References
    ----------
    Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20, 1963.

    Examples
    --------
    >>> lorenz63(500, dt=0.02).shape
    (500, 3)
    """
    sigma, rho = check_real(sigma, "sigma"), check_real(rho, "rho")
    beta = check_real(beta, "beta")

    def rhs(_: float, state: np.ndarray) -> tuple[float, float, float]:
        x, y, z = state.tolist()
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    point = moved_start(start, 3, seed, "datasets/lorenz63", 0.1)
    return _flow(rhs, point, n_steps, dt, discard)


def rossler(
    n_steps: int,
    dt: float = 0.1,
    *,
    a: float = 0.2,
    b: float = 0.2,
    c: float = 5.7,
    start: Sequence[float] = (1.0, 1.0, 1.0),
    discard: float = 200.0,
    seed: int | None = None,
) -> np.ndarray:
    """Return a trajectory of the equations of Rossler (1976).

    ``x' = -y - z``, ``y' = x + a y``, ``z' = b + z (x - c)``.

    Parameters
    ----------
    n_steps : int
        Number of rows.
    dt : float
        Time between rows, in the units of the equations. A turn takes about 5.9 units, and
        the Lyapunov time is 14 (`LYAPUNOV_TIMES`).
    a, b, c : float
        Parameters of the equations.
    start : sequence of 3 floats
        State at time 0.
    discard : float
        Duration of the discarded transient before the first row, in the same units.
    seed : int or None
        If given, perturbs each coordinate of the start by up to 0.1.

    Returns
    -------
    ndarray of float64, shape (n_steps, 3)
        Columns x, y, z.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the trajectory diverges.

    References
    ----------
    Rossler, An equation for continuous chaos, Phys. Lett. A 57, 1976.

    Examples
    --------
    >>> rossler(100).shape
    (100, 3)
    """
    a, b, c = check_real(a, "a"), check_real(b, "b"), check_real(c, "c")

    def rhs(_: float, state: np.ndarray) -> tuple[float, float, float]:
        x, y, z = state.tolist()
        return -y - z, x + a * y, b + z * (x - c)

    point = moved_start(start, 3, seed, "datasets/rossler", 0.1)
    return _flow(rhs, point, n_steps, dt, discard)


def lorenz96(
    n_steps: int,
    dims: int = 36,
    forcing: float = 8.0,
    dt: float = 0.01,
    *,
    start: Sequence[float] | np.ndarray | None = None,
    discard: float = 20.0,
    seed: int | None = None,
) -> np.ndarray:
    """Return a trajectory of the ring of `dims` coupled variables of Lorenz (1996).

    ``x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + forcing``, indices modulo `dims`.

    Parameters
    ----------
    n_steps : int
        Number of rows.
    dims : int
        Number of variables, at least 4.
    forcing : float
        Constant forcing; the system is chaotic from about 5 on.
    dt : float
        Time between rows, in the units of the equations. According to Lorenz, one unit
        corresponds to 5 days in the atmosphere.
    start : sequence of `dims` floats, optional
        State at time 0; by default `forcing` in all variables, plus 0.01 in the first.
    discard : float
        Duration of the discarded transient before the first row, in the same units.
    seed : int or None
        If given, perturbs each coordinate of the start by up to 1.

    Returns
    -------
    ndarray of float64, shape (n_steps, dims)

    Raises
    ------
    ValueError
        If a parameter is out of range, or the trajectory diverges.

    References
    ----------
    Lorenz, Predictability: a problem partly solved, ECMWF seminar, 1996.

    Examples
    --------
    >>> lorenz96(100, dims=8).shape
    (100, 8)
    """
    dims = check_steps(dims, "dims", least=4)  # so that all neighbours are distinct
    forcing = check_real(forcing, "forcing")
    if start is None:
        start = np.full(dims, forcing)
        start[0] += 0.01
    ring = np.empty(dims + 3)  # with two ghost cells before the variables, and one after

    def rhs(_: float, state: np.ndarray) -> np.ndarray:
        ring[2:-1] = state
        ring[:2], ring[-1] = state[-2:], state[0]
        return (ring[3:] - ring[:-3]) * ring[1:-2] - state + forcing

    point = moved_start(start, dims, seed, "datasets/lorenz96", 1.0)
    return _flow(rhs, point, n_steps, dt, discard)
