"""What a reservoir's states hold of its past inputs: memory, information processing capacity.

Capacities are those of the best linear readout. They do not change under an invertible linear
map of the states, but rounding decides which directions a readout can still see. The memory of
most linear reservoirs is their number of units in theory and much less in float64 (Ballarin,
Grigoryeva and Ortega, 2023, Memory of recurrent networks: do we compute it right?).
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

#: Steps that a capacity needs for each unit: chance then explains a tenth at most.
LEAST_STEPS = 10

# Chance that a target the states do not hold at all passes the threshold (Dambre et al., 2012).
_CHANCE = 1e-4
# Numbers of a block of targets: what stays in a core's cache.
_BLOCK = 2**20


def check_count(value: object, name: str, least: int = 1) -> int:
    """Return `value` as an int of at least `least`, or raise a ValueError that calls it `name`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)  # type: ignore[call-overload]


def check_observable(reservoir: Reservoir | ReservoirStack) -> None:
    """Raise where this is no reservoir (TypeError), is on a device or waits for feedback."""
    if not isinstance(reservoir, Reservoir | ReservoirStack):
        raise TypeError(
            "reservoir must be a Reservoir or a ReservoirStack, such as the reservoir_ of a fitted "
            f"estimator; got {reservoir!r}"
        )
    if reservoir.device != "cpu":
        raise ValueError(
            "an observable needs a reservoir on the CPU, since it is computed there; got one on "
            f"{reservoir.device!r}. Give reservoir.to('cpu')"
        )
    if reservoir.n_feedback:
        raise ValueError(
            "an observable needs a reservoir that its inputs alone drive, n_feedback = 0; got "
            f"n_feedback = {reservoir.n_feedback}"
        )


def uniform(seed: int, draw: str, n: int) -> np.ndarray:
    """Return n independent numbers, uniform in [-1, 1): float64."""
    words = Stream(seed, "observables", draw).words(n)
    return (words >> np.uint64(11)) * 2.0**-52 - 1


def finite_blocks(
    reservoir: Reservoir | ReservoirStack, u: np.ndarray, h: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield what `reservoir.blocks` yields, or raise a ValueError where the states grow away."""
    blocks = reservoir.blocks(u, h)
    while True:
        with np.errstate(over="ignore", invalid="ignore"):
            block = next(blocks, None)
        if block is None:
            return
        if not float(np.abs(block[1][-1]).max()) < 1e100:  # squares must stay finite, too
            raise ValueError(
                "the states grow beyond all bounds; choose a smaller spectral_radius, a bounded "
                "activation or, where outputs become inputs, a larger ridge"
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
    """Return how well a readout recalls the input of each number of steps ago.

    The input is i.i.d. and uniform in [-1, 1); a ridge readout is fitted to ``u[t - k]`` for each
    delay k, and the curve is the squared correlation of its output with ``u[t - k]``. The sum of
    the curve is the short-term memory capacity, at most the number of units. The present input,
    delay 0, is not counted.

    On the steps it was fitted to, a readout explains a share of about units / n_steps of any
    target by chance, which over many delays adds up to a false memory. So the curve is of steps
    of its own, as many as were fitted: what chance leaves there is 1 / n_steps a delay. States
    are seen a block at a time and never held.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        Of one input, without feedback.
    max_delay : int
    n_steps : int
        Steps the readout is fitted to, at least 10 a unit; as many again are scored.
    washout : int
        Steps dropped before these; at least `max_delay` are.
    seed : int
        Of the input.
    ridge : float
        Penalty on the squared coefficients, beside a sum of squared errors over `n_steps`.

    Returns
    -------
    ndarray of float64, shape (max_delay,)
        Squared correlations of delays 1 to `max_delay`, in [0, 1].

    Raises
    ------
    ValueError
        If the reservoir has other inputs than one or feedback, `n_steps` is too small for its
        units, or a number is out of range.

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
    targets = lagged[skip - max_delay :]  # of the step before, last; of max_delay before, first
    series = u[None, :, None]
    h = reservoir.start()
    for _, states in finite_blocks(reservoir, series[:, :skip]):
        h = states[-1]

    equations = NormalEquations(reservoir.units, max_delay)
    for steps, states in finite_blocks(reservoir, series[:, skip : skip + n_steps], h):
        equations.add(states[:, 0], targets[steps])
        h = states[-1]
    fit = equations.solve_path((ridge,))  # by eigenvalues: rounding is no direction

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
    np.divide(rt**2, rr * tt, out=curve, where=rr > 1e-12 * tt)  # else nothing is recalled
    return np.minimum(curve[::-1], 1)  # rounding may pass it


@dataclass(frozen=True)
class ProcessingCapacity:
    """Capacities of polynomial targets, summed by their degree.

    Attributes
    ----------
    by_degree : dict of int to float
    rank : int
        Independent directions of the states, and the most that capacities can sum to.
    threshold : float
        Smallest capacity that counts.
    n_targets : int
        Number of targets that were tried.
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
    """Return which functions of the past inputs the states hold, by polynomial degree.

    The input is i.i.d. and uniform in [-1, 1). A target is a product of Legendre polynomials of
    inputs of different delays, so that different targets are uncorrelated; its degree is the sum
    of theirs. Its capacity is the share of its variance that
    the best linear readout explains. All capacities sum to the rank of the states where the
    memory of the reservoir fades, and the targets that were tried to no more than that.

    Of N independent states, chance explains about N / n_steps of any target. Capacities below
    ``2 t / n_steps`` count as zero, with t what a chi-squared variable of N degrees of freedom
    exceeds once in 10,000 (the supplement of the paper); from the others the share of chance is
    taken, as in an adjusted coefficient of determination. Targets are uncorrelated over all time
    but not quite over `n_steps`: a total may pass the rank by a percent at 10,000 steps.

    States are held, with an orthonormal basis of theirs, in float64: about
    ``24 * n_steps * units`` bytes at the most.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        Of one input, without feedback.
    max_delays : sequence of int
        Largest delay for degree 1, for degree 2, and so on; 0 is the present input. There are
        ``comb(max_delay + degree, degree)`` targets of a degree.
    n_steps : int
        At least 10 a unit.
    washout : int
        Steps dropped before these; at least the largest delay are.
    seed : int
        Of the input.

    Returns
    -------
    ProcessingCapacity

    Raises
    ------
    ValueError
        If the reservoir has other inputs than one or feedback, `n_steps` is too small for its
        units, or a number is out of range.

    References
    ----------
    Dambre, Verstraeten, Schrauwen and Massar, Information processing capacity of dynamical
    systems, Scientific Reports 2, 514, 2012.

    Examples
    --------
    A linear reservoir holds nothing but linear functions.

    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> ring = RecurrentSpec(units=10, topology="ring", spectral_radius=0.8)
    >>> reservoir = Reservoir(ReservoirSpec(ring, activation="identity"), 1, dtype=np.float64)
    >>> found = information_processing_capacity(reservoir, max_delays=(40, 8))
    >>> found.rank, {degree: round(c, 1) for degree, c in found.by_degree.items()}
    (10, {1: 10.0, 2: 0.0})
    """
    if not isinstance(max_delays, Iterable):
        raise ValueError(
            "max_delays must hold the largest delay of each degree, such as (40, 8); got "
            f"{max_delays!r}"
        )
    delays = [check_count(d, f"max_delays[{i}]", least=0) for i, d in enumerate(max_delays)]
    if not delays:
        raise ValueError("max_delays must hold the largest delay of degree 1 at least; got none")
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
            held = ((targets @ basis) ** 2).sum(axis=1) / (targets**2).sum(axis=1)
            held = held[held >= threshold]
            by_degree[degree] += float(((held - chance) / (1 - chance)).sum())
            n_targets += len(targets)
    return ProcessingCapacity(by_degree, rank, threshold, n_targets)


def _check_run(reservoir: Reservoir | ReservoirStack, n_steps: int, washout: int) -> int:
    check_observable(reservoir)
    if reservoir.n_inputs != 1:
        raise ValueError(
            f"a capacity is measured on a reservoir of one input; got {reservoir.n_inputs} inputs"
        )
    check_count(washout, "washout", least=0)
    n_steps = check_count(n_steps, "n_steps")
    if n_steps < LEAST_STEPS * reservoir.units:
        raise ValueError(
            f"n_steps must be at least {LEAST_STEPS} * units = {LEAST_STEPS * reservoir.units}, "
            f"since chance explains units / n_steps of any target; got {n_steps}"
        )
    return n_steps


def _states_after(reservoir: Reservoir | ReservoirStack, u: np.ndarray, skip: int) -> np.ndarray:
    """Return the states of the steps from `skip` on, in the reservoir's dtype: (time, units)."""
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
    """Yield all targets of one degree, some at a time: (targets, n_steps).

    A target is a multiset of delays; a delay that is in it d times gives the polynomial of
    degree d of the input of that delay. `table` holds the polynomials, (degree, time).
    """
    end = table.shape[1]
    chosen = combinations_with_replacement(range(max_delay + 1), degree)
    while some := list(islice(chosen, max(1, _BLOCK // n_steps))):
        block = np.ones((len(some), n_steps))
        for row, delays in zip(block, some, strict=True):
            for delay, power in Counter(delays).items():
                row *= table[power, end - n_steps - delay : end - delay]
        yield block
