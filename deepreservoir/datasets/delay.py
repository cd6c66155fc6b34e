"""Series of the Mackey-Glass delay equation, integrated by the method of steps."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from .chaos import check_number, check_steps, uniform

_NODES = 8  # per substep, including both ends


def _lagrange(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Evaluate the Lagrange polynomials of the nodes at points: (len(at), len(nodes))."""
    others = [np.delete(nodes, j) for j in range(len(nodes))]
    columns = [
        np.prod((at[:, None] - other) / (node - other), axis=1)
        for node, other in zip(nodes, others, strict=True)
    ]
    return np.stack(columns, axis=1)


def _integrals(nodes: np.ndarray, decay: float) -> np.ndarray:
    """Return weights w with ``w @ f(nodes)`` = integral_0^c exp(-decay (c - u)) f(u) du.

    There is one row per node c in [0, 1]; `f` is replaced by its interpolating polynomial.
    """
    points, weights = np.polynomial.legendre.leggauss(2 * len(nodes))
    points, weights = (points + 1) / 2, weights / 2
    rows = [
        c * (weights * np.exp(-decay * c * (1 - points))) @ _lagrange(nodes, c * points)
        for c in nodes
    ]
    return np.array(rows)


def mackey_glass(
    n_steps: int,
    tau: float = 17.0,
    *,
    beta: float = 0.2,
    gamma: float = 0.1,
    exponent: float = 10,
    dt: float = 1.0,
    history: float = 1.2,
    discard: float = 1000.0,
    max_step: float = 0.5,
    seed: int | None = None,
) -> np.ndarray:
    """Return a solution of the blood-cell production equation of Mackey and Glass (1977).

    ``x'(t) = beta x(t - tau) / (1 + x(t - tau)**exponent) - gamma x(t)``.

    Within one delay the delayed values are known, so the equation is linear in x and its solution
    is an integral. It is computed by Gauss-Lobatto-Chebyshev collocation with eight nodes per
    substep. The delayed values coincide with the nodes of the previous delay, so only the output
    rows are interpolated, by the collocation polynomials. With the default parameters, the error
    of a substep is close to rounding.

    Parameters
    ----------
    n_steps : int
        Number of rows.
    tau : float
        Delay, in units of time (days in the original paper). The series is chaotic from about
        16.8 on: 17 is the common, mildly chaotic choice, and 30 a harder one.
    beta, gamma : float
        Rates of production and decay, per unit of time.
    exponent : float
        Steepness of the decline of production with x.
    dt : float
        Time between rows. The integration does not depend on it.
    history : float
        Positive value of x at all times up to 0.
    discard : float
        Duration of the discarded transient before the first row.
    max_step : float
        Largest substep of the integration, in units of time. A delay is divided into the
        smallest number of equal substeps that are not longer.
    seed : int or None
        If given, multiplies the history by a random factor between 0.9 and 1.1.

    Returns
    -------
    ndarray of float64, shape (n_steps, 1)

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Mackey and Glass, Oscillation and chaos in physiological control systems, Science 197,
    1977.

    Examples
    --------
    >>> series = mackey_glass(1000)
    >>> series.shape
    (1000, 1)
    >>> fine = mackey_glass(2000, dt=0.5)
    >>> bool(np.allclose(fine[::2], series, rtol=0, atol=1e-12))
    True
    """
    n_steps = check_steps(n_steps)
    tau, beta, gamma = (
        check_number(value, name)
        for value, name in ((tau, "tau"), (beta, "beta"), (gamma, "gamma"))
    )
    power = check_number(exponent, "exponent")
    dt, max_step = check_number(dt, "dt"), check_number(max_step, "max_step")
    level = check_number(history, "history")
    if seed is not None:
        level *= 0.9 + 0.2 * float(uniform(seed, "datasets/mackey_glass", "start", (1,))[0])

    substeps = int(np.ceil(tau / max_step))
    step = tau / substeps
    nodes = (1 - np.cos(np.pi * np.arange(_NODES) / (_NODES - 1))) / 2
    weights = step * _integrals(nodes, gamma * step).T  # (nodes, nodes)
    decays = np.exp(-gamma * step * nodes)
    decay = float(decays[-1])

    # Position of each row: index of the delay, substep within it, fraction of the substep.
    times = check_number(discard, "discard", zero=True) + dt * np.arange(n_steps)
    delays = np.floor(times / tau).astype(np.int64)
    position = (times - delays * tau) / step
    substep = np.clip(position.astype(np.int64), 0, substeps - 1)
    fractions = _lagrange(nodes, np.clip(position - substep, 0, 1))  # (n_steps, nodes)
    ends = np.searchsorted(delays, np.arange(delays[-1] + 1), side="right").tolist()

    x = np.full((substeps, _NODES), level)  # one delay
    rows = np.empty((n_steps, 1))
    done = 0
    for end in ends:
        with np.errstate(over="ignore"):  # production tends to zero for huge x
            gains = (beta * x / (1 + x**power)) @ weights  # (substeps, nodes)
        starts = accumulate(
            gains[:-1, -1].tolist(), lambda value, gain: decay * value + gain, initial=x[-1, -1]
        )
        x = np.fromiter(starts, np.float64, substeps)[:, None] * decays + gains
        if end > done:
            rows[done:end, 0] = np.einsum("ij,ij->i", fractions[done:end], x[substep[done:end]])
            done = end
    return rows
