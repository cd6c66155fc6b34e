"""Intrinsic plasticity: each unit tunes its own gain and bias, without a target.

A unit's outputs are brought towards a normal distribution, which is the most informative one of
a given mean and deviation (Schrauwen, Wardermann, Verstraeten, Steil and Stroobandt, Improving
reservoirs using intrinsic plasticity, Neurocomputing 71, 2008, equations 13 and 14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..backend import Array, array_module, device_module, to_host
from ..checks import is_finite_number
from .reservoir import Reservoir, Tuning
from .stack import ReservoirStack


@dataclass(frozen=True)
class IntrinsicPlasticity:
    """How units are tuned.

    With y = tanh(a x + b), every step moves

        b by -rate (-mean / v + y / v (2 v + 1 - y^2 + mean y)),  v = deviation^2
        a by rate / a + x times what b was moved by

    averaged over series that run side by side.

    Parameters
    ----------
    epochs : int
        Passes over the series.
    mean, deviation : float
        Of the outputs that are aimed at; the mean in (-1, 1).
    rate : float

    Raises
    ------
    ValueError
        For a value out of range.

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
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise ValueError(f"epochs must be an integer of at least 1; got {self.epochs!r}")
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
        """Tune the reservoirs of a stack in place, first to last.

        Parameters
        ----------
        stack : ReservoirStack
            Of tanh units.
        series : sequence of array, each (n_series, time, n_inputs)
            Of the stack's device.
        feedback : sequence of array, each (n_series, time, n_feedback), optional

        Raises
        ------
        ValueError
            For another nonlinearity, or if a gain runs away.
        """
        for i, part in enumerate(stack.parts):
            if part.spec.activation != "tanh":
                raise ValueError(
                    "intrinsic plasticity is for activation='tanh', whose outputs have a range; "
                    f"got {part.spec.activation!r}"
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
        """Run over series of one length once; gain and bias are moved in place."""
        part = stack.parts[which]
        h = part.start(len(u))
        for steps, inputs in stack.inputs_of(which, u, feedback):
            back = None if feedback is None else feedback[:, steps].swapaxes(0, 1)
            for drive in part.drive(inputs.swapaxes(0, 1), back):
                h = self._step(part, h, drive, gain, bias)
            if not (array_module(gain).isfinite(gain).all() and (gain > 0).all()):
                raise ValueError(
                    f"intrinsic plasticity ran away: a gain left the positive numbers. Lower its "
                    f"rate, {self.rate}"
                )

    def _step(self, part: Reservoir, h: Array, drive: Array, gain: Array, bias: Array) -> Array:
        x = (part.recurrent.matmul(h) + drive).astype(np.float64)
        y = array_module(x).tanh(gain * x + bias)
        v = self.deviation**2
        moved = -self.rate * (-self.mean / v + y / v * (2 * v + 1 - y * y + self.mean * y))
        gain += self.rate / gain + (moved * x).mean(axis=0)
        bias += moved.mean(axis=0)
        leak = part.spec.leak_rate
        return (part.spec.keep * h + leak * y).astype(part.dtype)
