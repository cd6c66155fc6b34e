"""Optimisers of a flat parameter vector, learning-rate schedules, clipping, weight averaging.

An optimiser object is immutable; training passes its state explicitly:

    state = optimiser.init(theta)
    optimiser.update(theta, grad, state, rate, decay_mask)      # in place

Those here, except L-BFGS, also separate the numbers that change from step to step from the update
itself, so that the numbers of many steps can be tabulated (:class:`TabulatedOptimiser`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from .backend import Array, array_module, to_host
from .kernels import adam_, dot


@dataclass
class OptimiserState:
    """State of an optimiser: the number of steps taken, and its moment vectors."""

    step: int = 0
    moments: list[Array] = field(default_factory=list)

    def __getstate__(self) -> dict[str, Any]:
        # Pickles contain host arrays only, as those of networks do.
        return {"step": self.step, "moments": [to_host(moment) for moment in self.moments]}


class Optimiser(Protocol):
    """Interface of an optimiser."""

    def init(self, theta: Array) -> OptimiserState: ...

    def update(
        self, theta: Array, grad: Array, state: OptimiserState, rate: float, decay_mask: Array
    ) -> None: ...


class TabulatedOptimiser(Optimiser, Protocol):
    """An optimiser whose steps differ only in a few numbers, which are known in advance."""

    def update(
        self, theta: Array, grad: Array, state: OptimiserState, rate: float, decay_mask: Array
    ) -> None:
        state.step += 1
        self.apply(theta, grad, state.moments, self.scalars(state.step, rate), decay_mask)

    def scalars(self, step: int, rate: float) -> tuple[float, ...]:
        """Return the numbers of a step, counted from 1."""
        ...

    def apply(
        self,
        theta: Array,
        grad: Array,
        moments: list[Array],
        scalars: tuple[float, ...] | Array,
        decay_mask: Array,
    ) -> None:
        """Update `theta` and the moments in place.

        The scalars are numbers, or an array on the device of `theta`, which is read when the
        update is run.
        """


@dataclass(frozen=True)
class SGD(TabulatedOptimiser):
    """Stochastic gradient descent with momentum (Sutskever et al., 2013, in PyTorch's form).

    Parameters
    ----------
    momentum : float, default=0.9
    nesterov : bool, default=True
    weight_decay : float, default=0
        Added to the gradient.
    """

    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0

    def init(self, theta: Array) -> OptimiserState:
        return OptimiserState(moments=[array_module(theta).zeros_like(theta)])

    def scalars(self, step: int, rate: float) -> tuple[float, ...]:
        return (rate,)

    def apply(
        self,
        theta: Array,
        grad: Array,
        moments: list[Array],
        scalars: tuple[float, ...] | Array,
        decay_mask: Array,
    ) -> None:
        if self.weight_decay:
            grad = grad + self.weight_decay * decay_mask * theta
        (velocity,) = moments
        velocity *= self.momentum
        velocity += grad
        theta -= scalars[0] * (grad + self.momentum * velocity if self.nesterov else velocity)


@dataclass(frozen=True)
class Adam(TabulatedOptimiser):
    """Adam (Kingma and Ba, 2015); weight decay, if any, is added to the gradient."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled = False

    def init(self, theta: Array) -> OptimiserState:
        xp = array_module(theta)
        return OptimiserState(moments=[xp.zeros_like(theta), xp.zeros_like(theta)])

    def scalars(self, step: int, rate: float) -> tuple[float, ...]:
        root_correction = (1 - self.beta2**step) ** 0.5
        size = rate * root_correction / (1 - self.beta1**step)
        shrink = -rate * self.weight_decay if self.decoupled else 0.0
        return size, self.eps * root_correction, shrink

    def apply(
        self,
        theta: Array,
        grad: Array,
        moments: list[Array],
        scalars: tuple[float, ...] | Array,
        decay_mask: Array,
    ) -> None:
        m, v = moments
        decay = 0.0 if self.decoupled else self.weight_decay
        adam_(theta, grad, m, v, decay_mask, scalars, self.beta1, self.beta2, decay)


@dataclass(frozen=True)
class AdamW(Adam):
    """AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay."""

    weight_decay: float = 1e-2
    decoupled = True


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS (Liu and Nocedal, 1989), as SciPy implements it, over the whole training set.

    It has no steps of its own: :func:`deepreservoir.training.train` hands the loss to
    :func:`scipy.optimize.minimize`.

    Parameters
    ----------
    max_fun : int, default=15000
        Largest number of evaluations of the loss.
    weight_decay : float, default=0
        Factor of half the squared norm of the decayed parameters, which is added to the loss.
    """

    max_fun: int = 15000
    weight_decay: float = 0.0


class Schedule(Protocol):
    """A function from the training step, counted from 0, to a factor of the learning rate."""

    def __call__(self, step: int) -> float: ...


@dataclass(frozen=True)
class Constant:
    """A constant learning rate."""

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Decay from 1 to 0 along half a cosine over `steps` steps (Loshchilov and Hutter, 2017)."""

    steps: int

    def __call__(self, step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))


@dataclass(frozen=True)
class Exponential:
    """Smooth exponential decay by a factor of `gamma` every `every` steps."""

    gamma: float
    every: int

    def __call__(self, step: int) -> float:
        return float(self.gamma ** (step / self.every))


@dataclass(frozen=True)
class WarmUp:
    """Linear increase over `steps` steps, followed by the schedule `then` from its beginning."""

    steps: int
    then: Schedule

    def __call__(self, step: int) -> float:
        if step < self.steps:
            return (step + 1) / (self.steps + 1)
        return self.then(step - self.steps)


def clip_global_norm(grad: Array, limit: float) -> None:
    """Scale `grad` in place so that its Euclidean norm is at most `limit`."""
    xp = array_module(grad)
    norm = xp.sqrt(dot(grad, grad))
    # A NaN norm stays NaN here, and training reports the loss as not finite.
    grad *= xp.minimum(1.0, limit / xp.maximum(norm, 1e-30)).astype(grad.dtype)


class WeightAverage:
    """Exponential moving average of the parameters, with bias correction.

    Parameters
    ----------
    theta : array, shape (n_params,)
    decay : float
        In (0, 1); 0.999 averages over about the last thousand steps.
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
