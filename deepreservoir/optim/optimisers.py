"""Optimisers of a flat parameter vector.

An optimiser object is immutable; training passes its state explicitly:

    state = optimiser.init(theta)
    optimiser.update(theta, grad, state, rate, decay_mask)      # in place

Those here, except L-BFGS, also separate the numbers that change from step to step from the update
itself, so that the numbers of many steps can be tabulated (:class:`TabulatedOptimiser`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..backend import Array, array_module, to_host
from ..kernels import adam_


@dataclass
class OptimiserState:
    """State of an optimiser: the number of steps taken, and its moment vectors.

    Parameters
    ----------
    step : int, default=0
        Number of steps taken.
    moments : list of array, each of shape (n_params,)
        Vectors that the optimiser keeps between steps: the velocity of SGD, or the first and the
        second moment of Adam and AdamW. They have the dtype and the device of the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.optim import AdamW
    >>> state = AdamW().init(np.zeros(3))
    >>> state.step, len(state.moments)
    (0, 2)
    """

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

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.optim import SGD
    >>> theta, sgd = np.array([1.0, -1.0]), SGD(momentum=0.0, nesterov=False)
    >>> sgd.update(theta, np.array([2.0, 0.0]), sgd.init(theta), 0.1, np.ones(2))
    >>> theta
    array([ 0.8, -1. ])
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
    """Adam (Kingma and Ba, 2015, algorithm 1), with weight decay as an L2 penalty.

    Parameters
    ----------
    beta1, beta2 : float, default=0.9 and 0.999
        Decay rates of the first and of the second moment.
    eps : float, default=1e-8
        Added to the square root of the corrected second moment.
    weight_decay : float, default=0
        Factor of the decayed parameters, which is added to the gradient.

    Examples
    --------
    The first step changes each parameter by about the learning rate, whatever the gradient is.

    >>> import numpy as np
    >>> from deepreservoir.optim import Adam
    >>> theta, adam = np.array([1.0, -1.0]), Adam()
    >>> adam.update(theta, np.array([100.0, -0.01]), adam.init(theta), 0.1, np.ones(2))
    >>> theta.round(4)
    array([ 0.9, -0.9])
    """

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
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2): Adam with decoupled weight decay.

    Parameters
    ----------
    beta1, beta2, eps : float, default=0.9, 0.999 and 1e-8
        As in :class:`Adam`.
    weight_decay : float, default=0.01
        The decayed parameters lose this share of themselves per step, times the learning rate.

    Examples
    --------
    Only the parameters that the mask selects decay.

    >>> import numpy as np
    >>> from deepreservoir.optim import AdamW
    >>> theta, adamw = np.array([1.0, 1.0]), AdamW(weight_decay=0.5)
    >>> state, decay_mask = adamw.init(theta), np.array([1.0, 0.0])
    >>> adamw.update(theta, np.zeros(2), state, 0.1, decay_mask)
    >>> theta, state.step
    (array([0.95, 1.  ]), 1)
    """

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

    Examples
    --------
    The estimators use it with ``optimizer="lbfgs"``; a plan of one's own takes the object.

    >>> from deepreservoir.optim import LBFGS
    >>> from deepreservoir.training import Plan
    >>> plan = Plan(LBFGS(max_fun=500), rate=1.0, epochs=50)  # the rate has no effect
    >>> plan.optimiser.max_fun
    500
    """

    max_fun: int = 15000
    weight_decay: float = 0.0
