"""What stands for a whole series: features of fixed length from states of any length.

The model spaces follow Bianchi, Scardapane, Lokse and Jenssen, Reservoir computing approaches
for representation and classification of multivariate time series, IEEE TNNLS 32, 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from ..backend import Array, Movable, array_module
from ..kernels.linalg import leading_vectors, solve
from .readout import NormalEquations
from .reservoir import Driven

Blocks = Iterator[tuple[slice, Array]]

#: Features that go by a name; a tuple of shares of the length is the fifth kind.
FEATURES = ("last", "mean", "output_model", "reservoir_model")


@dataclass(frozen=True)
class Projection(Movable):
    """Principal components of states: ``(h - mean) components^T``.

    Attributes
    ----------
    mean : array of float64, shape (units,)
    components : array of float64, shape (n_components, units)
        By falling variance.
    """

    mean: Array
    components: Array

    def __call__(self, states: Array) -> Array:
        return (states - self.mean) @ self.components.T


def principal_components(
    driven: Driven, groups: Iterable[Array], washout: int, n_components: int
) -> Projection:
    """Return the principal components of all states after the washout, from one pass.

    Parameters
    ----------
    driven : Driven
    groups : iterable of array, each (n_series, time, n_inputs)
    washout : int
    n_components : int
    """
    moments = NormalEquations(driven.units, 0, driven.device)
    for u in groups:
        for steps, states in driven.blocks(u):
            kept = states[max(0, washout - steps.start) :]
            rows = kept.reshape(-1, driven.units)
            moments.add(rows, rows[:, :0])
    mean = moments.x_sum / moments.rows
    covariance = moments.xx - moments.rows * array_module(mean).outer(mean, mean)
    return Projection(mean, leading_vectors(covariance, n_components))


@dataclass(frozen=True)
class SequenceFeatures(Movable):
    """A kind of features of a series.

    Parameters
    ----------
    kind : {"last", "mean", "output_model", "reservoir_model"} or tuple of float
        The last state; the mean of states after the washout; the ridge regression that gives the
        next input from a state; the one that gives the next state; or the states at these
        shares of the length, in (0, 1], joined.
    washout : int
    penalty : float
        Ridge penalty of the models.
    projection : Projection, optional
        Of the states, for the models.
    """

    kind: str | tuple[float, ...]
    washout: int = 0
    penalty: float = 1.0
    projection: Projection | None = None

    def check_steps(self, steps: int) -> None:
        """Raise a ValueError if a series of so many steps is too short to have the features."""
        after = {"mean": 1, "output_model": 2, "reservoir_model": 2}.get(str(self.kind), 0)
        if after and steps < self.washout + after:
            raise ValueError(
                f"features={self.kind!r} needs series of at least washout + {after} = "
                f"{self.washout + after} steps; the shortest has {steps}"
            )

    def of(self, driven: Driven, u: Array, noise_seed: int | None = None) -> Array:
        """Return the features of series (n, time, n_inputs), float64: (n, n_features)."""
        blocks = driven.blocks(u, noise_seed=noise_seed)
        if self.kind == "last":
            return self._at(blocks, u, (1.0,))
        if self.kind == "mean":
            return self._mean(blocks, u)
        if isinstance(self.kind, tuple):
            return self._at(blocks, u, self.kind)
        return self._model(blocks, u)

    def _at(self, blocks: Blocks, u: Array, shares: tuple[float, ...]) -> Array:
        wanted = [max(0, ceil(share * u.shape[1] - 1e-9) - 1) for share in shares]
        found: dict[int, Array] = {}
        for steps, states in blocks:
            for t in wanted:
                if steps.start <= t < steps.stop:
                    found[t] = states[t - steps.start].astype(np.float64)
        return array_module(u).concatenate([found[t] for t in wanted], axis=1)

    def _mean(self, blocks: Blocks, u: Array) -> Array:
        total: Any = 0.0
        for steps, states in blocks:
            kept = states[max(0, self.washout - steps.start) :]
            total = total + kept.sum(axis=0, dtype=np.float64)
        return total / (u.shape[1] - self.washout)

    def _model(self, blocks: Blocks, u: Array) -> Array:
        """Solve a small ridge regression for each series, all from one pass over the states."""
        xp = array_module(u)
        own = self.kind == "reservoir_model"
        n, time = u.shape[:2]
        first = self.washout  # the first state that is read
        xx, xy = xp.zeros((0, 0, 0)), xp.zeros((0, 0, 0))
        before: Array | None = None  # the last state of the block before: (n, 1, width)
        for steps, states in blocks:
            rows = states.swapaxes(0, 1)
            z = rows.astype(np.float64) if self.projection is None else self.projection(rows)
            z = z[:, max(0, first - steps.start) :]
            if not z.shape[1]:
                continue
            end = steps.stop
            if before is not None:
                z = xp.concatenate([before, z], axis=1)
            before = z[:, -1:]
            # Rows of z are the states up to `end`; each but the last is given what comes next.
            x = xp.concatenate([z[:, :-1], xp.ones((n, z.shape[1] - 1, 1))], axis=2)
            y = z[:, 1:] if own else u[:, end - z.shape[1] + 1 : end]
            if xx.size == 0:
                xx = xp.zeros((n, x.shape[2], x.shape[2]))
                xy = xp.zeros((n, x.shape[2], y.shape[2]))
            xx += x.swapaxes(1, 2) @ x
            xy += x.swapaxes(1, 2) @ y
        shrink = xp.full(xx.shape[1], self.penalty)
        shrink[-1] = 1e-9 * max(1, time)  # the constant is all but free
        coef = solve(xx + xp.diag(shrink), xy)
        return coef.reshape(n, -1)
