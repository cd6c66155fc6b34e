"""The derivative of a reservoir's update along a run.

    dh[t] = k dh[t-1] + a f'(x[t]) (W dh[t-1] + W_in du[t])

with k = 1 - a (1 for a step of Euler's method). f' is computed from the states: 1 - f^2 for
tanh, f > 0 for relu.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike

from .observables import check_count, check_observable, finite_blocks
from .reservoir import Reservoir, ReservoirSpec
from .spectrum import spectral_radius_of
from .stack import ReservoirStack

#: Maps a difference of states (units,) to the difference one step later.
Tangent = Callable[[np.ndarray], np.ndarray]


def effective_spectral_radius(
    reservoir: Reservoir | ReservoirStack, u: ArrayLike, n_samples: int = 20, washout: int = 100
) -> float:
    """Return the mean spectral radius of the update's Jacobian along a driven run.

    The Jacobian ``k I + a diag(f') W``, with k = 1 - a (1 in an antisymmetric reservoir), is the
    derivative of a state with respect to the previous one. Saturated units have a small f', so
    strong inputs or biases lower this radius below the spectral radius of the weights. In a deep
    stack the Jacobian is block triangular, and its radius is the largest of its reservoirs' radii.

    Parameters
    ----------
    reservoir : Reservoir or ReservoirStack
        Without feedback.
    u : array-like of real numbers, shape (time, n_inputs)
        More than `washout` rows; the run starts from the zero state.
    n_samples : int
        Number of evenly spaced steps at which the radius is computed, or all steps if there are
        fewer. Each needs the eigenvalues of a units x units matrix.
    washout : int
        Number of initial steps that are ignored.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `u` has the wrong shape or is not finite, the reservoir has feedback, or a parameter is
        out of range.

    References
    ----------
    Verstraeten and Schrauwen, On the quantification of dynamics in reservoir computing, ICANN
    2009.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> recurrent = RecurrentSpec(units=30, spectral_radius=0.9)
    >>> reservoir = Reservoir(ReservoirSpec(recurrent, leak_rate=0.5), n_inputs=1)
    >>> round(effective_spectral_radius(reservoir, np.zeros((200, 1))), 4) <= 0.95
    True
    """
    check_count(n_samples, "n_samples")
    series = checked_input(reservoir, u, washout)
    span = len(series) - washout
    sampled = washout + np.arange(min(n_samples, span)) * span // min(n_samples, span)
    parts = _parts(reservoir)
    weights = [_weights(part) for part, _ in parts]
    radii = []
    for steps, slopes in slopes_along(reservoir, series):
        for t in sampled[(sampled >= steps.start) & (sampled < steps.stop)] - steps.start:
            radii.append(
                max(
                    _radius(W, slopes[t, units], part.spec)
                    for W, (part, units) in zip(weights, parts, strict=True)
                )
            )
    return float(np.mean(radii))


def _parts(reservoir: Reservoir | ReservoirStack) -> list[tuple[Reservoir, slice]]:
    """Return the reservoirs of a stack (or the single one), and the slices of their units."""
    parts = reservoir.parts if isinstance(reservoir, ReservoirStack) else [reservoir]
    ends = np.cumsum([part.units for part in parts]).tolist()
    return [(p, slice(end - p.units, end)) for p, end in zip(parts, ends, strict=True)]


def slopes_of(
    reservoir: Reservoir | ReservoirStack, before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Return f' at each step, from the states before and after it: all (time, n, units).

    It is computed in the dtype of the states with the products of the forward run, so that exact
    zeros of the nonlinearity are recovered as zeros.
    """
    slopes = np.ones_like(after)
    for part, units in _parts(reservoir):
        leak, keep, dtype = part.spec.leak_rate, part.spec.keep, after.dtype.type
        if part.spec.activation == "identity":
            continue
        f = (after[..., units] - before[..., units] * dtype(keep)) / dtype(leak)
        slopes[..., units] = np.maximum(1 - f * f, 0) if part.spec.activation == "tanh" else f > 0
    return slopes


def slopes_along(
    reservoir: Reservoir | ReservoirStack, series: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (steps, f') along a run from the zero state, where f' is (len, units)."""
    h = reservoir.start()
    for steps, states in finite_blocks(reservoir, series[None]):
        before = np.concatenate([h[None], states[:-1]])
        yield steps, slopes_of(reservoir, before, states)[:, 0]
        h = states[-1]


def push(
    reservoir: Reservoir | ReservoirStack,
    slope: np.ndarray,
    readout: np.ndarray | None,
    v: np.ndarray,
) -> np.ndarray:
    """Propagate a difference of states by one step: v, slope (units,) -> (units,).

    With a readout (n_inputs, units), the inputs differ by its output; without one, they are equal.
    """
    du = None if readout is None else readout @ v
    v = v.astype(reservoir.dtype, copy=False)
    out = np.empty_like(v)
    deep = isinstance(reservoir, ReservoirStack) and reservoir.deep
    for part, units in _parts(reservoir):
        inside = part.recurrent.matmul(v[None, units])[0]
        if du is not None:
            inside = inside + part.W_in @ du.astype(part.dtype, copy=False)
        leak, keep = part.dtype.type(part.spec.leak_rate), part.dtype.type(part.spec.keep)
        out[units] = keep * v[units] + leak * slope[units] * inside
        if deep:
            du = out[units]
    return out


def _weights(part: Reservoir) -> np.ndarray | scipy.sparse.csr_matrix:
    """Return W (units, units) in float64, as a sparse matrix if it is stored as one."""
    recurrent = part.recurrent
    return recurrent.matrix.astype(np.float64) if recurrent.sparse else recurrent.dense()


def _radius(
    W: np.ndarray | scipy.sparse.csr_matrix, slope: np.ndarray, spec: ReservoirSpec
) -> float:
    """Return the spectral radius of k I + a diag(f') W."""
    leak, keep = spec.leak_rate, spec.keep
    if scipy.sparse.issparse(W):
        jacobian = scipy.sparse.diags(leak * slope) @ W
        return spectral_radius_of(jacobian + keep * scipy.sparse.identity(len(slope)))
    return spectral_radius_of(leak * slope[:, None] * W + keep * np.eye(len(slope)))


def checked_input(reservoir: Reservoir | ReservoirStack, u: ArrayLike, washout: int) -> np.ndarray:
    """Return the input as a float64 array (time, n_inputs), or raise if it is unsuitable."""
    check_observable(reservoir)
    check_count(washout, "washout", least=0)
    series = np.asarray(u)
    if series.dtype.kind not in "biuf":
        raise ValueError(f"u must hold real numbers; got an array of {series.dtype}")
    if series.ndim != 2 or series.shape[1] != reservoir.n_inputs:
        hint = "; reshape one input with u.reshape(-1, 1)" if series.ndim == 1 else ""
        raise ValueError(
            f"u must be (time, n_inputs) with n_inputs = {reservoir.n_inputs}; got shape "
            f"{series.shape}{hint}"
        )
    if len(series) <= washout:
        raise ValueError(
            f"u must have more rows than the washout of {washout}; got {len(series)}. Give a "
            "longer series or a smaller washout"
        )
    series = series.astype(np.float64, copy=False)
    if not np.isfinite(series).all():
        row = int(np.flatnonzero(~np.isfinite(series).all(axis=1))[0])
        raise ValueError(f"u must be finite; row {row} holds NaN or infinity")
    return series
