"""Averages of the weights over training steps."""

from __future__ import annotations

from ..backend import Array, array_module


class WeightAverage:
    """Exponential moving average of the parameters, with bias correction.

    Parameters
    ----------
    theta : array, shape (n_params,)
    decay : float
        In (0, 1); 0.999 averages over about the last thousand steps.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.optim import WeightAverage
    >>> average = WeightAverage(np.zeros(1), decay=0.5)
    >>> average.update(np.array([1.0]))
    >>> average.update(np.array([4.0]))
    >>> average.value()
    array([3.])
    """

    def __init__(self, theta: Array, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.sum = array_module(theta).zeros_like(theta)

    def update(self, theta: Array) -> None:
        self.steps += 1
        self.accumulate(theta)

    def accumulate(self, theta: Array) -> None:
        """Do the part of `update` that changes arrays."""
        self.sum *= self.decay
        self.sum += (1 - self.decay) * theta

    def value(self) -> Array:
        """Return the average, after at least one update."""
        return self.sum / (1 - self.decay**self.steps)
