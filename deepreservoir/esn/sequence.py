"""Features of a whole series: vectors of fixed length from states of any length.

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

#: Named kinds of features; the fifth kind is a tuple of shares of the length.
FEATURES = ("last", "mean", "output_model", "reservoir_model")


@dataclass(frozen=True)
class Projection(Movable):
    """Principal components of states: ``(h - mean) components^T``.

    Attributes
    ----------
    mean : array of float64, shape (units,)
    components : array of float64, shape (n_components, units)
        In order of decreasing variance.
    """

    mean: Array
    components: Array

    def __call__(self, states: Array) -> Array:
        return (states - self.mean) @ self.components.T


def principal_components(
    driven: Driven, groups: Iterable[Array], washout: int, n_components: int
) -> Projection:
    """Return the principal components of all states after the washout, in one pass.

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
            states = states[max(0, washout - steps.start) :]
            rows = states.reshape(-1, driven.units)
            moments.add(rows, rows[:, :0])
    mean, covariance = moments.moments()
    return Projection(mean, leading_vectors(covariance, n_components))


@dataclass(frozen=True)
class SequenceFeatures(Movable):
    """Features of a series.

    Parameters
    ----------
    kind : {"last", "mean", "output_model", "reservoir_model"} or tuple of float
        The last state; the mean of the states after the washout; the coefficients of a ridge
        regression from each state to the next input; those of one to the next state; or the
        concatenated states at these shares of the length, each in (0, 1].
    washout : int
    penalty : float
        Ridge penalty of the two models.
    projection : Projection, optional
        Applied to the states before the two models are fitted.
    """

    kind: str | tuple[float, ...]
    washout: int = 0
    penalty: float = 1.0
    projection: Projection | None = None

    def check_steps(self, steps: int) -> None:
        """Raise a ValueError if a series of this many steps is too short for the features."""
        after = {"mean": 1, "output_model": 2, "reservoir_model": 2}.get(str(self.kind), 0)
        if after and steps < self.washout + after:
            raise ValueError(
                f"features={self.kind!r} needs series of at least washout + {after} = "
                f"{self.washout + after} steps; the shortest has {steps}"
            )

    def of(self, driven: Driven, u: Array, noise_seed: int | None = None) -> Array:
        """Return the features (n, n_features), in float64, of series (n, time, n_inputs)."""
        blocks = driven.blocks(u, noise_seed=noise_seed)
        if self.kind == "last":
            return self._at(blocks, u, (1.0,))
        if self.kind == "mean":
            return self._mean(blocks, u)
        if isinstance(self.kind, tuple):
            return self._at(blocks, u, self.kind)
        return self._model(blocks, u)

    def _at(self, blocks: Blocks, u: Array, shares: tuple[float, ...]) -> Array:
        times = [max(0, ceil(share * u.shape[1] - 1e-9) - 1) for share in shares]
        selected: dict[int, Array] = {}
        for steps, states in blocks:
            for t in times:
                if steps.start <= t < steps.stop:
                    selected[t] = states[t - steps.start].astype(np.float64)
        return array_module(u).concatenate([selected[t] for t in times], axis=1)

    def _mean(self, blocks: Blocks, u: Array) -> Array:
        total: Any = 0.0
        for steps, states in blocks:
            states = states[max(0, self.washout - steps.start) :]
            total = total + states.sum(axis=0, dtype=np.float64)
        return total / (u.shape[1] - self.washout)

    def _model(self, blocks: Blocks, u: Array) -> Array:
        """Fit one small ridge regression per series, in one pass over the states."""
        xp = array_module(u)
        predict_state = self.kind == "reservoir_model"
        n, time = u.shape[:2]
        first = self.washout  # the first state that is used
        xx, xy = xp.zeros((0, 0, 0)), xp.zeros((0, 0, 0))
        before: Array | None = None  # last state of the previous block: (n, 1, width)
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
            # Rows of z are the states up to `end`; the target of each is the following one.
            x = xp.concatenate([z[:, :-1], xp.ones((n, z.shape[1] - 1, 1))], axis=2)
            y = z[:, 1:] if predict_state else u[:, end - z.shape[1] + 1 : end]
            if xx.size == 0:
                xx = xp.zeros((n, x.shape[2], x.shape[2]))
                xy = xp.zeros((n, x.shape[2], y.shape[2]))
            xx += x.swapaxes(1, 2) @ x
            xy += x.swapaxes(1, 2) @ y
        shrink = xp.full(xx.shape[1], self.penalty)
        shrink[-1] = 1e-9 * max(1, time)  # the constant is hardly penalised
        coef = solve(xx + xp.diag(shrink), xy)
        return coef.reshape(n, -1)
