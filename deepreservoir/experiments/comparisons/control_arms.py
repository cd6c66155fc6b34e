"""A reference for Decision Transformers: behaviour cloning by ridge regression."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ...inputs import Trajectories, trajectories
from .arms import RIDGE_PENALTIES
from .task import Record, Task


class RidgeCloning:
    """A linear function from the observation and the return-to-go of a step to its action.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> observations = rng.normal(size=(20, 2))
    >>> episode = {"observations": observations, "actions": observations / 9, "rewards": [1.0] * 20}
    >>> model = RidgeCloning().fit([episode])
    >>> model.score([episode]) > -1e-4
    True
    """

    def __init__(self) -> None:
        self.model = make_pipeline(StandardScaler(), RidgeCV(alphas=RIDGE_PENALTIES))

    @staticmethod
    def _features(given: Trajectories) -> np.ndarray:
        return np.column_stack([given.observations, given.returns_to_go()])

    def fit(self, X: Any, y: Any = None) -> Self:
        given = trajectories(X)
        self.model.fit(self._features(given), given.actions)
        return self

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean squared error of the actions."""
        given = trajectories(X)
        error = self.model.predict(self._features(given)) - given.actions
        return -float(np.mean(error**2))

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients and intercepts."""
        ridge = self.model[-1]
        return int(ridge.coef_.size + np.size(ridge.intercept_))


def behaviour_cloning(task: Task, seed: int) -> Record | None:
    """Fit a linear policy to trajectories; None for other data."""
    if not task.of_trajectories:
        return None
    model = RidgeCloning()
    cost = task.fit(model)
    return task.record(
        "behaviour_cloning", None, seed, model, cost, model.n_coefficients, False
    )  # fmt: skip
