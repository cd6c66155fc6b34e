"""Echo state property and Lyapunov exponents: whether a reservoir forgets its initial state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from .jacobian import Tangent, checked_input, push, slopes_along, slopes_of
from .observables import check_count, check_observable, finite_blocks, uniform
from .readout import RidgeFit
from .reservoir import Reservoir
from .stack import ReservoirStack


@dataclass(frozen=True)
class Convergence:
    """Convergence of runs from different initial states under the same input.

    Attributes
    ----------
    index : float
        Final distance divided by the initial one: about 0 if the reservoir forgets its initial
        state, of the order of 1 if it does not.
    rate : float
        Slope of the logarithm of the distance per step, fitted up to the step at which rounding
        dominates; minus infinity if the runs meet within one step.
    distances : ndarray, shape (time + 1,)
        Root mean square distance of the runs from their mean, before the first step and after
        every step.
    """

    index: float
    rate: float
    distances: np.ndarray


def echo_state_index(
    reservoir: Reservoir | ReservoirStack, u: ArrayLike, seed: int = 0, n_starts: int = 10
) -> Convergence:
    """Run from several random initial states under one input, and measure their convergence.

    With the echo state property, all runs approach the same response (Jaeger, 2001). Without it
    they remain apart, in several responses (an echo index above one; Ceni et al., 2020) or in
    chaos. The measurement uses one input and finitely many initial states, so it can refute the
    property but never prove it.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        Without feedback.
    u : array-like of real numbers, shape (time, n_inputs)
        At least one row.
    seed : int
        Seed of the initial states, which are uniform in [-1, 1) in each unit.
    n_starts : int
        Number of initial states, at least two.

    Returns
    -------
    Convergence

    Raises
    ------
    ValueError
        If `u` has the wrong shape or is not finite, the reservoir has feedback, the states
        diverge, or a parameter is out of range.

    References
    ----------
    Jaeger, The "echo state" approach to analysing and training recurrent neural networks, GMD
    report 148, 2001. Ceni, Ashwin, Livi and Postlethwaite, The echo index and multistability in
    input-driven recurrent neural networks, Physica D 412, 2020.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> ring = RecurrentSpec(units=30, topology="ring", spectral_radius=0.5)
    >>> reservoir = Reservoir(ReservoirSpec(ring, activation="identity"), 1, dtype=np.float64)
    >>> runs = echo_state_index(reservoir, np.ones((20, 1)))
    >>> bool(np.isclose(runs.index, 0.5**20)), bool(np.isclose(runs.rate, np.log(0.5)))
    (True, True)
    """
    check_count(n_starts, "n_starts", least=2)
    series = checked_input(reservoir, u, 0)
    start = uniform(seed, "starts", n_starts * reservoir.units)
    h = start.reshape(n_starts, reservoir.units).astype(reservoir.dtype)
    distances = np.empty(len(series) + 1)
    distances[0] = _spread(h[None])[0]
    inputs = np.broadcast_to(series, (n_starts, *series.shape))
    for steps, states in finite_blocks(reservoir, inputs, h):
        distances[steps.start + 1 : steps.stop + 1] = _spread(states)
    return Convergence(
        float(distances[-1] / distances[0]),
        _slope_of_log(distances, float(np.finfo(reservoir.dtype).eps)),
        distances,
    )


def largest_lyapunov(
    reservoir: Reservoir | ReservoirStack, u: ArrayLike, washout: int = 100, seed: int = 0
) -> float:
    """Return the largest conditional Lyapunov exponent of a driven reservoir, per step.

    This is the mean logarithmic growth of a small difference between states under the same input,
    computed from a tangent vector that is normalised after every step (Benettin et al., 1980). It
    is negative if the reservoir forgets its initial state.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        Without feedback.
    u : array-like of real numbers, shape (time, n_inputs)
        More than `washout` rows; the run starts from the zero state.
    washout : int
        Number of initial steps that are ignored, in which the tangent vector turns towards the
        direction of fastest growth.
    seed : int
        Seed of the initial tangent vector.

    Returns
    -------
    float
        Natural logarithm per step. Minus infinity if every difference vanishes, as in a delay line.

    Raises
    ------
    ValueError
        If `u` has the wrong shape or is not finite, the reservoir has feedback, the states
        diverge, or a parameter is out of range.

    References
    ----------
    Benettin, Galgani, Giorgilli and Strelcyn, Lyapunov characteristic exponents for smooth
    dynamical systems, Meccanica 15, 1980.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> ring = RecurrentSpec(units=30, topology="ring", spectral_radius=0.5)
    >>> reservoir = Reservoir(ReservoirSpec(ring, activation="identity"), 1, dtype=np.float64)
    >>> bool(np.isclose(largest_lyapunov(reservoir, np.ones((300, 1))), np.log(0.5)))
    True
    """
    series = checked_input(reservoir, u, washout)

    def tangents() -> Iterator[Tangent]:
        for _, slopes in slopes_along(reservoir, series):
            for slope in slopes:
                yield partial(push, reservoir, slope, None)

    return _mean_growth(tangents(), uniform(seed, "tangent", reservoir.units), washout)


def autonomous_lyapunov(
    reservoir: Reservoir | ReservoirStack,
    readout: RidgeFit,
    h: np.ndarray,
    n_steps: int = 10_000,
    washout: int = 100,
    seed: int = 0,
) -> float:
    """Return the largest Lyapunov exponent of a reservoir in closed loop, per step.

    The output of the readout is the next input. A reservoir that has learned to forecast a chaotic
    system should have the exponent of that system (Pathak et al., 2017); divide by the time
    between rows to compare the two.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        Without feedback.
    readout : RidgeFit
        Maps states to the next input: coef (n_inputs, units), intercept (n_inputs,).
    h : ndarray, shape (units,)
        Initial state, ideally the last one of a driven run.
    n_steps : int
        Number of steps that the exponent is averaged over.
    washout : int
        Number of steps in closed loop before these.
    seed : int
        Seed of the initial tangent vector.

    Returns
    -------
    float
        Natural logarithm per step.

    Raises
    ------
    ValueError
        If shapes do not match, the reservoir has feedback, the states diverge, or a parameter is
        out of range.

    References
    ----------
    Pathak, Lu, Hunt, Girvan and Ott, Using machine learning to replicate chaotic attractors and
    calculate Lyapunov exponents from data, Chaos 27, 121102, 2017.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> from deepreservoir.esn.readout import RidgeFit
    >>> ring = RecurrentSpec(units=4, topology="ring", spectral_radius=0.5)
    >>> reservoir = Reservoir(ReservoirSpec(ring, activation="identity"), 1, dtype=np.float64)
    >>> silent = RidgeFit(np.zeros((1, 4)), np.zeros(1), 0.0, {})
    >>> bool(np.isclose(autonomous_lyapunov(reservoir, silent, np.ones(4)), np.log(0.5)))
    True
    """
    check_observable(reservoir)
    check_count(n_steps, "n_steps")
    check_count(washout, "washout", least=0)
    if not isinstance(readout, RidgeFit):
        raise TypeError(
            "readout must be a RidgeFit, such as the readout_ of a fitted EchoStateRegressor; got "
            f"{readout!r}"
        )
    expected = (reservoir.n_inputs, reservoir.units)
    if readout.coef.shape != expected:
        raise ValueError(
            "the readout must map the reservoir's states to its next input: coef must have shape "
            f"(n_inputs, units) = {expected}; got {readout.coef.shape}"
        )
    start = np.asarray(h)
    if start.shape != (reservoir.units,) or not np.isfinite(start).all():
        raise ValueError(
            f"h must be one finite state of shape (units,) = ({reservoir.units},); got shape "
            f"{start.shape}"
        )

    def tangents() -> Iterator[Tangent]:
        state = start[None].astype(reservoir.dtype)
        for _ in range(washout + n_steps):
            output = state @ readout.coef.T + readout.intercept  # (1, n_inputs)
            ((_, states),) = finite_blocks(reservoir, output[:, None], state)
            slope = slopes_of(reservoir, state[None], states)[0, 0]
            state = states[-1]
            yield partial(push, reservoir, slope, readout.coef)

    return _mean_growth(tangents(), uniform(seed, "tangent", reservoir.units), washout)


def _mean_growth(tangents: Iterable[Tangent], v: np.ndarray, washout: int) -> float:
    """Return the mean logarithmic growth of v per step, over the steps after the washout."""
    total, counted = 0.0, 0
    v = v / np.linalg.norm(v)
    for t, tangent in enumerate(tangents):
        v = tangent(v)
        length = float(np.linalg.norm(v))
        if length == 0:
            return -np.inf
        v = v / length
        if t >= washout:
            total += np.log(length)
            counted += 1
    return float(total / counted)


def _spread(states: np.ndarray) -> np.ndarray:
    """Return the root mean square distance from the mean run: (time, n, units) -> (time,)."""
    states = states.astype(np.float64, copy=False)
    offsets = states - states[:, :1]  # makes the distance of equal runs exactly zero
    offsets -= offsets.mean(axis=1, keepdims=True)
    return np.sqrt((offsets**2).sum(axis=2).mean(axis=1))


def _slope_of_log(distances: np.ndarray, eps: float) -> float:
    """Return the slope of the logarithm of the distances, up to where rounding dominates."""
    ended = np.flatnonzero(distances <= 1e3 * eps * distances[0])
    logs = np.log(distances[: ended[0]] if ended.size else distances)
    if len(logs) < 2:
        return -np.inf
    t = np.arange(len(logs)) - (len(logs) - 1) / 2
    return float(t @ logs / (t @ t))
