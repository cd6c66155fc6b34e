"""Memory capacity and information processing capacity of a reservoir.

Capacities are those of the best linear readout. In theory they are invariant under an invertible
linear map of the states, but rounding limits the directions that a readout can use: the memory
capacity of most linear reservoirs equals their number of units in exact arithmetic, and is much
smaller in float64 (Ballarin, Grigoryeva and Ortega, 2023, Memory of recurrent networks: do we
compute it right?).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, islice

import numpy as np
import scipy.linalg
import scipy.special

from ..scaffold import Stream
from .dimensions import centred, rank_of
from .readout import NormalEquations
from .reservoir import Reservoir
from .stack import ReservoirStack

#: Smallest number of steps per unit; chance then explains at most a tenth of a target.
LEAST_STEPS = 10

# Probability that a target unrelated to the states passes the threshold (Dambre et al., 2012).
_CHANCE = 1e-4
# Values per block of targets, so that a block fits a core's cache.
_BLOCK = 2**20


def check_count(value: object, name: str, least: int = 1) -> int:
    """Return `value` as an int, or raise a ValueError unless it is an integer >= `least`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)  # type: ignore[call-overload]


def check_observable(reservoir: Reservoir | ReservoirStack) -> None:
    """Raise if `reservoir` is not a reservoir (TypeError), is on a device or uses feedback."""
    if not isinstance(reservoir, Reservoir | ReservoirStack):
        raise TypeError(
            "reservoir must be a Reservoir or a ReservoirStack, such as the reservoir_ of a fitted "
            f"estimator; got {reservoir!r}"
        )
    if reservoir.device != "cpu":
        raise ValueError(
            "observables are computed on the CPU and need a reservoir there; got one on "
            f"{reservoir.device!r}. Pass reservoir.to('cpu')"
        )
    if reservoir.n_feedback:
        raise ValueError(
            "observables need a reservoir that is driven by its inputs only, with n_feedback = 0; "
            f"got n_feedback = {reservoir.n_feedback}"
        )


def uniform(seed: int, draw: str, n: int) -> np.ndarray:
    """Draw n independent float64 values, uniform in [-1, 1)."""
    words = Stream(seed, "observables", draw).words(n)
    return (words >> np.uint64(11)) * 2.0**-52 - 1


def finite_blocks(
    reservoir: Reservoir | ReservoirStack, u: np.ndarray, h: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield from `reservoir.blocks`, or raise a ValueError if the states diverge."""
    blocks = reservoir.blocks(u, h)
    while True:
        with np.errstate(over="ignore", invalid="ignore"):
            block = next(blocks, None)
        if block is None:
            return
        if not float(np.abs(block[1][-1]).max()) < 1e100:  # their squares must be finite, too
            raise ValueError(
                "the states diverge; choose a smaller spectral_radius, a bounded activation or, "
                "if outputs become inputs, a larger ridge"
            )
        yield block


def memory_capacity(
    reservoir: Reservoir | ReservoirStack,
    max_delay: int,
    n_steps: int = 10_000,
    washout: int = 1000,
    seed: int = 0,
    ridge: float = 0.0,
) -> np.ndarray:
    """Return the memory curve: how well a readout recalls the input of k steps ago, for each k.

    The input is i.i.d. and uniform in [-1, 1). A ridge readout is fitted to ``u[t - k]`` for each
    delay k, and the curve is the squared correlation of its output with ``u[t - k]``. The sum of
    the curve is the short-term memory capacity, at most the number of units. The current input,
    delay 0, is not counted.

    On the steps of the fit, a readout explains about units / n_steps of the variance of any
    target by chance, which over many delays adds up to a spurious memory. The curve is therefore
    measured on as many separate steps, where chance contributes only 1 / n_steps per delay.
    States are processed in blocks and never stored.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        With one input and without feedback.
    max_delay : int
    n_steps : int
        Number of steps in the fit, at least 10 per unit; as many more are used for scoring.
    washout : int
        Number of initial steps that are ignored, raised to `max_delay` if it is smaller.
    seed : int
        Seed of the input.
    ridge : float
        Penalty on the squared coefficients, added to the sum of squared errors over `n_steps`.

    Returns
    -------
    ndarray of float64, shape (max_delay,)
        Squared correlation for delays 1 to `max_delay`, in [0, 1].

    Raises
    ------
    ValueError
        If the reservoir does not have exactly one input or uses feedback, `n_steps` is too small
        for its number of units, or a parameter is out of range.

    References
    ----------
    Jaeger, Short term memory in echo state networks, GMD report 152, 2001.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> ring = RecurrentSpec(units=20, topology="ring", spectral_radius=0.95)
    >>> reservoir = Reservoir(ReservoirSpec(ring, activation="identity"), 1, dtype=np.float64)
    >>> curve = memory_capacity(reservoir, max_delay=100, n_steps=2000)
    >>> round(curve.sum())
    19
    """
    max_delay = check_count(max_delay, "max_delay")
    n_steps = _check_run(reservoir, n_steps, washout)
    if not 0 <= ridge < np.inf:
        raise ValueError(f"ridge must be a finite number of at least 0; got {ridge!r}")
    skip = max(washout, max_delay)
    u = uniform(seed, "input", skip + 2 * n_steps)
    lagged = np.lib.stride_tricks.sliding_window_view(u, max_delay)
    targets = lagged[skip - max_delay :]  # by falling delay: max_delay first, 1 last
    series = u[None, :, None]
    h = reservoir.start()
    for _, states in finite_blocks(reservoir, series[:, :skip]):
        h = states[-1]

    equations = NormalEquations(reservoir.units, max_delay)
    for steps, states in finite_blocks(reservoir, series[:, skip : skip + n_steps], h):
        equations.add(states[:, 0], targets[steps])
        h = states[-1]
    fit = equations.solve_path((ridge,))  # drops eigenvalues at the level of rounding

    targets = targets[n_steps:]
    sums = np.zeros((5, max_delay))
    for steps, states in finite_blocks(reservoir, series[:, skip + n_steps :], h):
        recalled = states[:, 0] @ fit.coef.T + fit.intercept
        true = targets[steps]
        terms = (recalled, true, recalled**2, true**2, recalled * true)
        sums += [term.sum(axis=0) for term in terms]
    mean_r, mean_t, rr, tt, rt = sums / n_steps
    rr, tt, rt = rr - mean_r**2, tt - mean_t**2, rt - mean_r * mean_t
    curve = np.zeros(max_delay)
    np.divide(rt**2, rr * tt, out=curve, where=rr > 1e-12 * tt)  # otherwise nothing is recalled
    return np.minimum(curve[::-1], 1)  # rounding may exceed 1


@dataclass(frozen=True)
class ProcessingCapacity:
    """Capacities of polynomial targets, summed by degree.

    Attributes
    ----------
    by_degree : dict of int to float
    rank : int
        Numerical rank of the states, the upper bound of the sum of all capacities.
    threshold : float
        Smallest capacity that is counted.
    n_targets : int
        Number of targets that were evaluated.
    """

    by_degree: dict[int, float]
    rank: int
    threshold: float
    n_targets: int

    @property
    def total(self) -> float:
        """Sum over all degrees."""
        return sum(self.by_degree.values())


def information_processing_capacity(
    reservoir: Reservoir | ReservoirStack,
    max_delays: Sequence[int],
    n_steps: int = 10_000,
    washout: int = 1000,
    seed: int = 0,
) -> ProcessingCapacity:
    """Return how much of each polynomial degree of the past inputs the states can reproduce.

    The input is i.i.d. and uniform in [-1, 1). A target is a product of Legendre polynomials of
    inputs at different delays, so different targets are uncorrelated; its degree is the sum of
    their degrees. Its capacity is the share of its variance that the best linear readout explains.
    If the memory of the reservoir fades, the capacities of all possible targets sum to the rank of
    the states; those of the evaluated targets cannot sum to more.

    With N independent states, chance explains about N / n_steps of any target. Capacities below
    ``2 t / n_steps`` count as zero, where t is exceeded by a chi-squared variable with N degrees
    of freedom with probability 1e-4 (see the supplement of the paper). The contribution of chance
    is subtracted from the others, as in an adjusted coefficient of determination. Over a finite
    number of steps the targets are slightly correlated: at 10,000 steps a total may exceed the
    rank by a percent.

    The states and an orthonormal basis of them are stored in float64, which takes at most about
    ``24 * n_steps * units`` bytes.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        With one input and without feedback.
    max_delays : sequence of int
        Largest delay for degree 1, for degree 2, and so on; 0 is the current input. There are
        ``comb(max_delay + degree, degree)`` targets of a degree.
    n_steps : int
        Number of steps, at least 10 per unit.
    washout : int
        Number of initial steps that are ignored, raised to the largest delay if it is smaller.
    seed : int
        Seed of the input.

    Returns
    -------
    ProcessingCapacity

    Raises
    ------
    ValueError
        If the reservoir does not have exactly one input or uses feedback, `n_steps` is too small
        for its number of units, or a parameter is out of range.

    References
    ----------
    Dambre, Verstraeten, Schrauwen and Massar, Information processing capacity of dynamical
    systems, Scientific Reports 2, 514, 2012.

    Examples
    --------
    A linear reservoir only reproduces linear functions of its inputs.

    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> ring = RecurrentSpec(units=10, topology="ring", spectral_radius=0.8)
    >>> reservoir = Reservoir(ReservoirSpec(ring, activation="identity"), 1, dtype=np.float64)
    >>> capacity = information_processing_capacity(reservoir, max_delays=(40, 8))
    >>> capacity.rank, {degree: round(c, 1) for degree, c in capacity.by_degree.items()}
    (10, {1: 10.0, 2: 0.0})
    """
    if not isinstance(max_delays, Iterable):
        raise ValueError(
            "max_delays must be a sequence of the largest delay per degree, such as (40, 8); got "
            f"{max_delays!r}"
        )
    delays = [check_count(d, f"max_delays[{i}]", least=0) for i, d in enumerate(max_delays)]
    if not delays:
        raise ValueError("max_delays must contain the largest delay of degree 1; got none")
    n_steps = _check_run(reservoir, n_steps, washout)
    skip = max(washout, *delays)
    u = uniform(seed, "input", skip + n_steps)
    basis = _basis(_states_after(reservoir, u, skip))  # (n_steps, rank)
    rank = basis.shape[1]
    threshold = 2 * float(scipy.special.chdtri(rank, _CHANCE)) / n_steps if rank else 1.0
    chance = rank / (n_steps - 1)

    degrees = range(len(delays) + 1)
    table = np.stack([scipy.special.eval_legendre(d, u) for d in degrees])  # (degree, time)
    by_degree, n_targets = {}, 0
    for degree, max_delay in enumerate(delays, start=1):
        by_degree[degree] = 0.0
        for targets in _targets(table, degree, max_delay, n_steps):
            targets -= targets.mean(axis=1, keepdims=True)
            capacities = ((targets @ basis) ** 2).sum(axis=1) / (targets**2).sum(axis=1)
            capacities = capacities[capacities >= threshold]
            by_degree[degree] += float(((capacities - chance) / (1 - chance)).sum())
            n_targets += len(targets)
    return ProcessingCapacity(by_degree, rank, threshold, n_targets)


def _check_run(reservoir: Reservoir | ReservoirStack, n_steps: int, washout: int) -> int:
    check_observable(reservoir)
    if reservoir.n_inputs != 1:
        raise ValueError(
            f"capacities need a reservoir with exactly one input; got {reservoir.n_inputs} inputs"
        )
    check_count(washout, "washout", least=0)
    n_steps = check_count(n_steps, "n_steps")
    if n_steps < LEAST_STEPS * reservoir.units:
        raise ValueError(
            f"n_steps must be at least {LEAST_STEPS} * units = {LEAST_STEPS * reservoir.units}, "
            f"because chance explains units / n_steps of any target; got {n_steps}"
        )
    return n_steps


def _states_after(reservoir: Reservoir | ReservoirStack, u: np.ndarray, skip: int) -> np.ndarray:
    """Return the states from step `skip` on, in the reservoir's dtype: (time, units)."""
    out = np.empty((len(u) - skip, reservoir.units), reservoir.dtype)
    h = reservoir.start()
    for _, states in finite_blocks(reservoir, u[None, :skip, None]):
        h = states[-1]
    for steps, states in finite_blocks(reservoir, u[None, skip:, None], h):
        out[steps] = states[:, 0]
    return out


def _basis(states: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the centred states: (time, units) -> (time, rank)."""
    q, r = scipy.linalg.qr(centred(states), mode="economic", overwrite_a=True, check_finite=False)
    left, values, _ = np.linalg.svd(r)
    return q @ left[:, : rank_of(values, states, float(np.finfo(states.dtype).eps))]


def _targets(table: np.ndarray, degree: int, max_delay: int, n_steps: int) -> Iterator[np.ndarray]:
    """Yield all targets of one degree in blocks (targets, n_steps).

    A target is a multiset of delays. A delay that occurs d times contributes the polynomial of
    degree d of the input at that delay. `table` contains the polynomials, (degree, time).
    """
    end = table.shape[1]
    multisets = combinations_with_replacement(range(max_delay + 1), degree)
    while chunk := list(islice(multisets, max(1, _BLOCK // n_steps))):
        block = np.ones((len(chunk), n_steps))
        for row, delays in zip(block, chunk, strict=True):
            for delay, power in Counter(delays).items():
                row *= table[power, end - n_steps - delay : end - delay]
        yield block
