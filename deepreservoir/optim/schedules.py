"""Learning-rate schedules: functions of the training step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """A function from the training step, counted from 0, to a factor of the learning rate."""

    def __call__(self, step: int) -> float: ...


@dataclass(frozen=True)
class Constant:
    """A constant learning rate: the factor is 1 at every step.

    Examples
    --------
    >>> from deepreservoir.optim import Constant
    >>> Constant()(1000)
    1.0
    """

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, 2017, equation 5, without restarts).

    Parameters
    ----------
    steps : int
        Number of steps until 0 is reached; the factor stays at 0 afterwards. At least 1.

    Examples
    --------
    >>> from deepreservoir.optim import Cosine
    >>> rate = Cosine(100)
    >>> [round(rate(step), 3) for step in (0, 25, 50, 100, 120)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """

    steps: int

    def __call__(self, step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))


@dataclass(frozen=True)
class Exponential:
    """Smooth exponential decay by a factor of `gamma` every `every` steps.

    Parameters
    ----------
    gamma : float
        Factor per `every` steps, in (0, 1] for a decay.
    every : int
        Number of steps, such as those of an epoch. Between its multiples, the factor is a
        fractional power of `gamma`.

    Examples
    --------
    >>> from deepreservoir.optim import Exponential
    >>> rate = Exponential(gamma=0.25, every=10)
    >>> [rate(step) for step in (0, 5, 10, 20)]
    [1.0, 0.5, 0.25, 0.0625]
    """

    gamma: float
    every: int

    def __call__(self, step: int) -> float:
        return float(self.gamma ** (step / self.every))


@dataclass(frozen=True)
class WarmUp:
    """Linear increase over `steps` steps, followed by the schedule `then` from its beginning.

    Parameters
    ----------
    steps : int
        Number of steps of the increase, from ``1 / (steps + 1)`` to ``steps / (steps + 1)``.
    then : Schedule
        A function of the step, such as :class:`Cosine`. After the increase, it starts from its
        own step 0.

    Examples
    --------
    >>> from deepreservoir.optim import Cosine, WarmUp
    >>> rate = WarmUp(4, Cosine(10))
    >>> [round(rate(step), 2) for step in (0, 1, 2, 3, 4, 9, 14)]
    [0.2, 0.4, 0.6, 0.8, 1.0, 0.5, 0.0]
    """

    steps: int
    then: Schedule

    def __call__(self, step: int) -> float:
        if step < self.steps:
            return (step + 1) / (self.steps + 1)
        return self.then(step - self.steps)
