"""The leaky reservoir: a state driven by series, many side by side.

    h[t] = (1 - a) h[t-1] + a f(W h[t-1] + W_in u[t] + W_fb y[t-1] + b + noise)

(Jaeger, 2001; Lukosevicius, 2012). With ``topology="antisymmetric"`` a is the step of Euler's
method, and the state does not leak: h[t] = h[t-1] + a f(...) (Gallicchio, 2022). A reservoir
holds no state: runs are given one and return one, so nothing leaks from one series into the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..scaffold import Stream
from ..scaffold.families import lane_table
from . import compiled
from .topology import RecurrentSpec, draw_recurrent

ACTIVATIONS = ("tanh", "relu", "identity")

#: Rows (steps times series) whose drive is computed as one product, and whose states are
#: handed out at a time: enough for X^T X to run at the speed of the machine.
BLOCK = 2048


@dataclass(frozen=True)
class ReservoirSpec:
    """Everything that decides a reservoir but the number of its inputs.

    Parameters
    ----------
    recurrent : RecurrentSpec
    leak_rate : float
        a, in (0, 1]; 1 has no leak. For ``topology="antisymmetric"`` the step of Euler's method.
    input_scaling, feedback_scaling : float
        Bound of the uniform weights of inputs and feedback.
    bias_scaling : float
        Bound of the uniform biases.
    activation : {"tanh", "relu", "identity"}
    noise : float
        Standard deviation of normal noise inside the nonlinearity, while training.
    """

    recurrent: RecurrentSpec
    leak_rate: float = 1.0
    input_scaling: float = 1.0
    feedback_scaling: float = 1.0
    bias_scaling: float = 0.0
    activation: str = "tanh"
    noise: float = 0.0

    @property
    def units(self) -> int:
        return self.recurrent.units

    @property
    def keep(self) -> float:
        """Factor of the state before: 1 - a, but 1 for a step of Euler's method."""
        return 1.0 if self.recurrent.topology == "antisymmetric" else 1 - self.leak_rate

    def uniform(self, draw: str, width: int, bound: float) -> np.ndarray:
        """Draw weights from U(-bound, bound): (units, width), float64."""
        stream = Stream(self.recurrent.seed, self.recurrent.path, f"reservoir/{draw}")
        unit = lane_table("uniform")[stream.rows(0, self.units, width)]
        return unit.astype(np.float64) * (bound / np.sqrt(3))


def block_steps(n_series: int, time: int) -> Iterator[slice]:
    """Yield the steps of each block, of at most `BLOCK` rows."""
    length = max(1, BLOCK // n_series)
    for first in range(0, time, length):
        yield slice(first, min(first + length, time))


@dataclass(frozen=True)
class Tuning:
    """Gain and bias of each unit, inside its nonlinearity: ``f(gain * x + bias)``.

    Attributes
    ----------
    gain, bias : ndarray of float64, shape (units,)
    """

    gain: np.ndarray
    bias: np.ndarray


class Driven(ABC):
    """What is driven by series: runs over them, a block of steps at a time.

    A subclass has `units`, `dtype`, `parallel` and :meth:`block`.
    """

    units: int
    dtype: np.dtype

    @abstractmethod
    def parallel(self, n_series: int) -> bool:
        """Say whether a run of so many series uses several cores by itself."""

    @abstractmethod
    def block(
        self,
        u: np.ndarray,
        h: np.ndarray,
        feedback: np.ndarray | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> np.ndarray:
        """Return the states of a few steps: u (n, time, n_inputs) -> (time, n, units).

        `first` is the number of the first step, which the noise is keyed by.
        """

    def start(self, n_series: int = 1) -> np.ndarray:
        """Return the state before any input: zeros, (n_series, units)."""
        return np.zeros((n_series, self.units), self.dtype)

    def blocks(
        self,
        u: np.ndarray,
        h: np.ndarray | None = None,
        feedback: np.ndarray | None = None,
        noise_seed: int | None = None,
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (steps, states) from first to last, at most `BLOCK` rows at a time.

        Parameters
        ----------
        u : ndarray, shape (n_series, time, n_inputs)
        h : ndarray, shape (n_series, units), optional
            State to go on from; zeros unless given.
        feedback : ndarray, shape (n_series, time, n_feedback), optional
            Output of the step before each.
        noise_seed : int, optional
            Switches the noise on.

        Yields
        ------
        steps : slice
        states : ndarray, shape (len, n_series, units)
            Time first, so that a step is contiguous. A new array each time.
        """
        n, time = u.shape[:2]
        h = self.start(n) if h is None else h
        for steps in block_steps(n, time):
            back = None if feedback is None else feedback[:, steps]
            states = self.block(u[:, steps], h, back, noise_seed, steps.start)
            h = states[-1]
            yield steps, states

    def states(
        self, u: np.ndarray, h: np.ndarray | None = None, feedback: np.ndarray | None = None
    ) -> np.ndarray:
        """Return all states of series of one length: (n, time, n_inputs) -> (n, time, units)."""
        out = np.empty((*u.shape[:2], self.units), self.dtype)
        for steps, states in self.blocks(u, h, feedback):
            out[:, steps] = states.swapaxes(0, 1)
        return out


class Reservoir(Driven):
    """A reservoir for inputs of one width.

    Parameters
    ----------
    spec : ReservoirSpec
    n_inputs : int
    n_feedback : int, default=0
        Width of what the output feeds back.
    dtype : numpy dtype, default=float32
    factor : float, optional
        Of the same recurrent weights drawn before; see `draw_recurrent`.
    tuning : Tuning, optional
        What intrinsic plasticity has found.

    Examples
    --------
    >>> spec = ReservoirSpec(RecurrentSpec(units=50))
    >>> reservoir = Reservoir(spec, n_inputs=1)
    >>> reservoir.states(np.ones((2, 30, 1))).shape
    (2, 30, 50)
    """

    def __init__(
        self,
        spec: ReservoirSpec,
        n_inputs: int,
        n_feedback: int = 0,
        dtype: np.dtype | type = np.float32,
        factor: float | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.spec, self.units = spec, spec.units
        self.n_inputs, self.n_feedback = n_inputs, n_feedback
        self.tuning = tuning
        self.dtype = np.dtype(dtype)
        self._take = self.dtype.type(spec.leak_rate)
        self._keep = self.dtype.type(spec.keep)
        gain = 1.0 if tuning is None else tuning.gain[:, None]
        shift = 0.0 if tuning is None else tuning.bias
        self.recurrent = draw_recurrent(
            spec.recurrent, self.dtype, factor, None if tuning is None else tuning.gain
        )
        wide = spec.uniform("inputs", self.n_inputs, spec.input_scaling)
        self.W_in = (gain * wide).astype(self.dtype)  # (units, n_inputs)
        b = gain * spec.uniform("bias", 1, spec.bias_scaling)
        self.b = (b[:, 0] + shift).astype(self.dtype)
        if self.n_feedback:
            back = spec.uniform("feedback", self.n_feedback, spec.feedback_scaling)
            self.W_fb = (gain * back).astype(self.dtype)  # (units, n_feedback)

    def _links(self, n_series: int) -> compiled.Links | None:
        """Return what the compiled loops read, if they are to run so many series."""
        fast = self.recurrent.sparse or compiled.beats_dense(n_series)
        return self.recurrent.links if fast else None

    def parallel(self, n_series: int) -> bool:
        links = self._links(n_series)
        if links is not None:
            return n_series > compiled.LANES and compiled.worth_threads(links, BLOCK)
        return self.recurrent.structured or n_series > 1

    def tuned(self, tuning: Tuning) -> Reservoir:
        """Return this reservoir with gains and biases of its units' own."""
        return Reservoir(
            self.spec, self.n_inputs, self.n_feedback, self.dtype, self.recurrent.factor, tuning
        )

    # Weights follow from the specification, and need not travel.

    def __getstate__(self) -> dict[str, Any]:
        names = ("spec", "n_inputs", "n_feedback", "dtype", "tuning")
        return {name: getattr(self, name) for name in names} | {"factor": self.recurrent.factor}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def drive(self, u: np.ndarray, feedback: np.ndarray | None = None) -> np.ndarray:
        """Return what inputs and feedback give to each unit: (..., n_inputs) -> (..., units)."""
        drive = u.astype(self.dtype, copy=False) @ self.W_in.T
        if feedback is not None:
            drive += feedback.astype(self.dtype, copy=False) @ self.W_fb.T
        if self.b.any():
            drive += self.b
        return drive

    def _activate(self, x: np.ndarray) -> None:
        if self.spec.activation == "tanh":
            np.tanh(x, out=x)
        elif self.spec.activation == "relu":
            np.maximum(x, np.zeros(x.shape[-1:], x.dtype), out=x)

    def step(self, h: np.ndarray, drive: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the next state: h (n, units), drive (n, units) -> (n, units)."""
        x = self.recurrent.matmul(h, out=out)
        x += drive
        self._activate(x)
        if self._keep != 0:
            x *= self._take
            x += h * self._keep
        return x

    def block(
        self,
        u: np.ndarray,
        h: np.ndarray,
        feedback: np.ndarray | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> np.ndarray:
        back = None if feedback is None else feedback.swapaxes(0, 1)
        states = self.drive(u.swapaxes(0, 1), back)  # becomes the states in place
        if noise_seed is not None and self.spec.noise:
            states += self._noise(noise_seed, first, states.shape[0], states.shape[1])
        self._run(states, h.astype(self.dtype, copy=False))
        return states

    def _run(self, drive: np.ndarray, h: np.ndarray) -> None:
        """Turn the drive of a block (time, n, units) into its states, in place."""
        links = self._links(len(h))
        if links is not None:
            compiled.run(links, drive, h, self._take, self._keep, self.spec.activation)
            return
        if len(h) == 1 and not self.recurrent.structured and not self.recurrent.sparse:
            self._run_single(drive[:, 0], h[0])
            return
        x = np.empty_like(h)
        for t in range(len(drive)):
            drive[t] = self.step(h, drive[t], out=x)
            h = drive[t]

    def _run_single(self, drive: np.ndarray, h: np.ndarray) -> None:
        """The same for one series and dense weights: vectors, and nothing allocated."""
        W = self.recurrent.matrix
        x, old = np.empty_like(h), np.empty_like(h)
        for now in drive:
            np.dot(W, h, out=x)
            now += x
            self._activate(now)
            if self._keep != 0:
                now *= self._take
                np.multiply(h, self._keep, out=old)
                now += old
            h = now

    def _noise(self, seed: int, first: int, time: int, n: int) -> np.ndarray:
        path = self.spec.recurrent.path
        stream = Stream(seed, path, "reservoir/noise")
        lanes = stream.rows(first * n, (first + time) * n, self.units)
        normal = lane_table("normal")[lanes].reshape(time, n, self.units)
        return (normal * np.float32(self.spec.noise)).astype(self.dtype, copy=False)
