"""Intrinsic plasticity: unsupervised tuning of the gain and bias of each unit.

The outputs of a unit are moved towards a normal distribution, which has the largest entropy for
a given mean and standard deviation (Schrauwen, Wardermann, Verstraeten, Steil and Stroobandt,
Improving reservoirs using intrinsic plasticity, Neurocomputing 71, 2008, equations 13 and 14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..backend import Array, array_module, device_module, to_host
from ..checks import check_integer, is_finite_number
from .reservoir import Reservoir, Tuning
from .stack import ReservoirStack


@dataclass(frozen=True)
class IntrinsicPlasticity:
    """Intrinsic plasticity of tanh units.

    With y = tanh(a x + b) and v = deviation^2, every step adds

        db = -rate (-mean / v + y / v (2 v + 1 - y^2 + mean y))  to b
        da = rate / a + x db                                     to a

    averaged over the series that are run together.

    Parameters
    ----------
    epochs : int
        Passes over the series.
    mean, deviation : float
        Of the target distribution; the mean must be in (-1, 1).
    rate : float
        Learning rate.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, ReservoirSpec
    >>> stack = ReservoirStack([ReservoirSpec(RecurrentSpec(50))], n_inputs=1)
    >>> u = np.sin(np.arange(200.0) / 5).reshape(1, 200, 1)
    >>> IntrinsicPlasticity(epochs=2).tune(stack, [u])
    >>> stack.parts[0].tuning.gain.shape
    (50,)
    """

    epochs: int = 5
    mean: float = 0.0
    deviation: float = 0.5
    rate: float = 5e-4

    def __post_init__(self) -> None:
        check_integer("epochs", self.epochs, 1)
        if not is_finite_number(self.mean) or not -1 < self.mean < 1:
            raise ValueError(f"mean must be in (-1, 1), the range of tanh; got {self.mean!r}")
        for name in ("deviation", "rate"):
            value = getattr(self, name)
            if not (is_finite_number(value) and value > 0):
                raise ValueError(f"{name} must be a positive finite number; got {value!r}")

    def tune(
        self,
        stack: ReservoirStack,
        series: Sequence[Array],
        feedback: Sequence[Array] | None = None,
    ) -> None:
        """Tune the reservoirs of a stack in place, from the first to the last.

        Parameters
        ----------
        stack : ReservoirStack
            Its units must be tanh units.
        series : sequence of array, each (n_series, time, n_inputs)
            On the device of the stack.
        feedback : sequence of array, each (n_series, time, n_feedback), optional

        Raises
        ------
        ValueError
            If the activation is not tanh, or a gain diverges.
        """
        for i, part in enumerate(stack.parts):
            if part.spec.activation != "tanh":
                raise ValueError(
                    "intrinsic plasticity needs activation='tanh', which has bounded outputs; got "
                    f"{part.spec.activation!r}"
                )
            xp = device_module(part.device)
            gain, bias = xp.ones(part.units), xp.zeros(part.units)
            for _ in range(self.epochs):
                for j, u in enumerate(series):
                    back = None if feedback is None else feedback[j]
                    self._pass(stack, i, u, back, gain, bias)
            stack.parts[i] = part.tuned(Tuning(to_host(gain), to_host(bias)))

    def _pass(
        self,
        stack: ReservoirStack,
        which: int,
        u: Array,
        feedback: Array | None,
        gain: Array,
        bias: Array,
    ) -> None:
        """Run once over series of equal length, and update gain and bias in place."""
        part = stack.parts[which]
        h = part.start(len(u))
        for steps, inputs in stack.inputs_of(which, u, feedback):
            back = None if feedback is None else feedback[:, steps].swapaxes(0, 1)
            for drive in part.drive(inputs.swapaxes(0, 1), back):
                h = self._step(part, h, drive, gain, bias)
            if not (array_module(gain).isfinite(gain).all() and (gain > 0).all()):
                raise ValueError(
                    f"intrinsic plasticity diverged: a gain is no longer positive and finite. "
                    f"Lower its rate, {self.rate}"
                )

    def _step(self, part: Reservoir, h: Array, drive: Array, gain: Array, bias: Array) -> Array:
        x = (part.recurrent.matmul(h) + drive).astype(np.float64)
        y = array_module(x).tanh(gain * x + bias)
        v = self.deviation**2
        db = -self.rate * (-self.mean / v + y / v * (2 * v + 1 - y * y + self.mean * y))
        gain += self.rate / gain + (db * x).mean(axis=0)
        bias += db.mean(axis=0)
        leak = part.spec.leak_rate
        return (part.spec.keep * h + leak * y).astype(part.dtype)
