"""Methods to forecast a series in closed loop, with a common interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ...esn import NVAR
from ...esn.readout import NormalEquations
from ...estimators import DeepReservoirRegressor, EchoStateRegressor

_RIDGE = tuple(10.0**power for power in range(-10, 3))

# Bound of a diverging closed loop, in standard deviations, so that no model gets infinite inputs.
_FAR = 1e6


class Forecaster(ABC):
    """Base class of methods that are trained on one series and continue others.

    Attributes
    ----------
    trained : int
        Number of trained parameters, after `fit`.
    from_seed : bool
        Whether weights are generated from a seed, which has to be stored, too.
    """

    trained = 0
    from_seed = False

    @abstractmethod
    def fit(self, series: np.ndarray) -> None:
        """Train on a series (time, d)."""

    @abstractmethod
    def forecast(self, history: np.ndarray, n_steps: int) -> np.ndarray:
        """Continue histories (n, time, d) by n_steps rows: (n, n_steps, d)."""


class EchoState(Forecaster):
    """An echo-state network whose output becomes its input."""

    from_seed = True

    def __init__(self, seed: int, **params: Any) -> None:
        self.model = EchoStateRegressor(random_state=seed, dtype="float64", **params)

    def fit(self, series: np.ndarray) -> None:
        self.model.fit(series[:-1], series[1:])
        self.trained = self.model.readout_.coef.size + self.model.readout_.intercept.size

    def forecast(self, history: np.ndarray, n_steps: int) -> np.ndarray:
        return self.model.forecast(n_steps, history)


class Persistence(Forecaster):
    """Repeat the last value."""

    def fit(self, series: np.ndarray) -> None:
        pass

    def forecast(self, history: np.ndarray, n_steps: int) -> np.ndarray:
        return np.repeat(history[:, -1:], n_steps, axis=1)


class SeasonalNaive(Forecaster):
    """Repeat the last season.

    Parameters
    ----------
    period : int
        Length of a season in steps.

    Examples
    --------
    >>> history = np.array([[[9.0], [1.0], [2.0]]])
    >>> SeasonalNaive(2).forecast(history, 5)[0, :, 0]
    array([1., 2., 1., 2., 1.])
    """

    def __init__(self, period: int) -> None:
        self.period = period

    def fit(self, series: np.ndarray) -> None:
        pass

    def forecast(self, history: np.ndarray, n_steps: int) -> np.ndarray:
        rows = history.shape[1] - self.period + np.arange(n_steps) % self.period
        return history[:, rows]


class _Incremental(Forecaster):
    """Base class of methods that predict the next increment from the last few rows."""

    lags: int

    @abstractmethod
    def _increments(self, windows: np.ndarray) -> np.ndarray:
        """Return the increments of the next step: (n, lags, d) -> (n, d)."""

    def forecast(self, history: np.ndarray, n_steps: int) -> np.ndarray:
        rows = np.concatenate(
            [history[:, -self.lags :], np.empty((len(history), n_steps, history.shape[2]))], axis=1
        )
        for t in range(self.lags, self.lags + n_steps):
            ahead = rows[:, t - 1] + self._increments(rows[:, t - self.lags : t])
            rows[:, t] = np.clip(ahead, -_FAR, _FAR)
        return rows[:, self.lags :]

    def _windows(self, series: np.ndarray) -> np.ndarray:
        """Return every window that is followed by a row: (n, lags, d)."""
        windows = np.lib.stride_tricks.sliding_window_view(series[:-1], self.lags, axis=0)
        return windows.swapaxes(1, 2)


class NextGeneration(_Incremental):
    """Ridge regression on lagged values and their monomials (Gauthier et al., 2021)."""

    def __init__(self, features: NVAR) -> None:
        self.features = features
        self.lags = features.warmup + 1

    def fit(self, series: np.ndarray) -> None:
        rows = self.features.transform(series[:-1])
        equations = NormalEquations(rows.shape[1], series.shape[1])
        equations.add(rows, np.diff(series[self.features.warmup :], axis=0))
        self.readout = equations.solve_path(_RIDGE)
        self.trained = self.readout.coef.size + self.readout.intercept.size

    def _increments(self, windows: np.ndarray) -> np.ndarray:
        rows = np.concatenate([self.features.transform(window) for window in windows])
        return rows @ self.readout.coef.T + self.readout.intercept


class LinearWindows(NextGeneration):
    """Ridge regression on the last few rows."""

    def __init__(self, lags: int) -> None:
        super().__init__(NVAR(lags, order=(), constant=False))


class DeepWindows(_Incremental):
    """A deep reservoir, or the same network fully trained, on the last few rows."""

    def __init__(self, lags: int, seed: int, **params: Any) -> None:
        self.lags = lags
        self.from_seed = params.get("adapter") != "full"
        self.model = DeepReservoirRegressor(scaffold_seed=seed, random_state=seed, **params)

    def fit(self, series: np.ndarray) -> None:
        windows = self._windows(series)
        targets = np.diff(series[self.lags - 1 :], axis=0)
        self.model.fit(windows.reshape(len(windows), -1), np.squeeze(targets))
        self.trained = self.model.n_trained_params_

    def _increments(self, windows: np.ndarray) -> np.ndarray:
        n, _, d = windows.shape
        return np.asarray(self.model.predict(windows.reshape(n, -1))).reshape(n, d)
