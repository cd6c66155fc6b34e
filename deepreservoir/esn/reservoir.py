"""The leaky reservoir: a state driven by series, many side by side.

    h[t] = (1 - a) h[t-1] + a f(W h[t-1] + W_in u[t] + W_fb y[t-1] + b + noise)

(Jaeger, 2001; Lukosevicius, 2012). With ``topology="antisymmetric"`` a is the step of Euler's
method, and the state does not leak: h[t] = h[t-1] + a f(...) (Gallicchio, 2022). A reservoir
holds no state: runs are given one and return one, so nothing leaks from one series into the next.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array, Device, Movable, array_module, device_module, to_device
from ..kernels import draw_rows
from ..kernels.linalg import linear
from ..kernels.reservoir import leaky_, leaky_sparse_
from ..scaffold import Stream
from ..scaffold.tables import lane_table
from . import compiled
from .topology import RecurrentSpec, draw_recurrent, recurrent_digest

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
        """Factor of the previous state: 1 - a, but 1 for a step of Euler's method."""
        return self.recurrent.definition.keep(self.leak_rate)

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


class Driven(Movable, ABC):
    """What is driven by series: runs over them, a block of steps at a time.

    A subclass has `units`, `dtype`, `device`, `parallel` and :meth:`block`. Arrays that go in are
    of the device (CuPy arrays for ``"cuda"``), and so are those that come out.
    """

    units: int
    dtype: np.dtype
    device: Device

    @abstractmethod
    def parallel(self, n_series: int) -> bool:
        """Say whether a run of so many series uses several cores by itself."""

    @abstractmethod
    def block(
        self,
        u: Array,
        h: Array,
        feedback: Array | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> Array:
        """Return the states of a few steps: u (n, time, n_inputs) -> (time, n, units).

        `first` is the number of the first step, which the noise is keyed by.
        """

    def start(self, n_series: int = 1) -> Array:
        """Return the state before any input: zeros, (n_series, units)."""
        return device_module(self.device).zeros((n_series, self.units), self.dtype)

    def blocks(
        self,
        u: Array,
        h: Array | None = None,
        feedback: Array | None = None,
        noise_seed: int | None = None,
    ) -> Generator[tuple[slice, Array]]:
        """Yield (steps, states) from first to last, at most `BLOCK` rows at a time.

        Parameters
        ----------
        u : array, shape (n_series, time, n_inputs)
        h : array, shape (n_series, units), optional
            State to go on from; zeros unless given.
        feedback : array, shape (n_series, time, n_feedback), optional
            Output of the step before each.
        noise_seed : int, optional
            Switches the noise on.

        Yields
        ------
        steps : slice
        states : array, shape (len, n_series, units)
            Time first, so that a step is contiguous. A new array each time.

        Raises
        ------
        TypeError
            If an array is not on the device.
        """
        n, time = u.shape[:2]
        h = self.start(n) if h is None else h
        for steps in block_steps(n, time):
            back = None if feedback is None else feedback[:, steps]
            states = self.block(u[:, steps], h, back, noise_seed, steps.start)
            h = states[-1]
            yield steps, states

    def states(self, u: Array, h: Array | None = None, feedback: Array | None = None) -> Array:
        """Return all states of series of one length: (n, time, n_inputs) -> (n, time, units)."""
        out = device_module(self.device).empty((*u.shape[:2], self.units), self.dtype)
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
    device : {"cpu", "cuda"}, default="cpu"
        Where it runs. A pickle is of no device, and comes back on the CPU: see :meth:`to`.

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
        device: Device = "cpu",
    ) -> None:
        self.device = device
        self.spec, self.units = spec, spec.units
        self.n_inputs, self.n_feedback = n_inputs, n_feedback
        self.tuning = tuning
        self.dtype = np.dtype(dtype)
        self._take = self.dtype.type(spec.leak_rate)
        self._keep = self.dtype.type(spec.keep)
        gain = 1.0 if tuning is None else tuning.gain[:, None]
        shift = 0.0 if tuning is None else tuning.bias
        unit_gain = None if tuning is None else tuning.gain
        self.recurrent = draw_recurrent(spec.recurrent, self.dtype, factor, unit_gain, device)
        wide = spec.uniform("inputs", self.n_inputs, spec.input_scaling)
        self.W_in = self._placed(gain * wide)  # (units, n_inputs)
        b = (gain * spec.uniform("bias", 1, spec.bias_scaling))[:, 0] + shift
        self.b = self._placed(b)
        self._biased = bool(b.any())
        if spec.noise:
            # By lane, float32; the noise has the same bits on every device.
            lanes = lane_table("normal") * np.float32(spec.noise)
            self._noise_of = to_device(lanes, device)
        if self.n_feedback:
            back = spec.uniform("feedback", self.n_feedback, spec.feedback_scaling)
            self.W_fb = self._placed(gain * back)  # (units, n_feedback)

    def _placed(self, weights: np.ndarray) -> Array:
        return to_device(weights.astype(self.dtype), self.device)

    def _links(self, n_series: int) -> compiled.Links | None:
        """Return what the compiled loops read, if they are to run so many series."""
        fast = self.recurrent.sparse or compiled.beats_dense(n_series)
        return self.recurrent.links if fast else None

    def parallel(self, n_series: int) -> bool:
        if self.device == "cuda":
            return True  # the device runs beside Python by itself
        links = self._links(n_series)
        if links is not None:
            return n_series > compiled.LANES and compiled.worth_threads(links, BLOCK)
        return self.recurrent.structured or n_series > 1

    def tuned(self, tuning: Tuning) -> Reservoir:
        """Return this reservoir with gains and biases of its units' own."""
        return self._again(tuning, self.device)

    def to(self, device: Device) -> Reservoir:
        """Return this reservoir on a device; itself, if it is there."""
        return self if device == self.device else self._again(self.tuning, device)

    def _again(self, tuning: Tuning | None, device: Device) -> Reservoir:
        factor = self.recurrent.factor
        return Reservoir(
            self.spec, self.n_inputs, self.n_feedback, self.dtype, factor, tuning, device
        )

    def digest(self) -> str:
        """Return the SHA-256 of all that was drawn, before it is scaled and tuned."""
        sha = hashlib.sha256(recurrent_digest(self.spec.recurrent).encode())
        widths = {"inputs": self.n_inputs, "bias": 1, "feedback": self.n_feedback}
        for draw, width in widths.items():
            sha.update(self.spec.uniform(draw, width, 1.0).astype("<f8").tobytes())
        return sha.hexdigest()

    # Weights follow from the specification, and need not travel.

    def __getstate__(self) -> dict[str, Any]:
        names = ("spec", "n_inputs", "n_feedback", "dtype", "tuning")
        return {name: getattr(self, name) for name in names} | {"factor": self.recurrent.factor}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def drive(self, u: Array, feedback: Array | None = None) -> Array:
        """Return what inputs and feedback give to each unit: (..., n_inputs) -> (..., units)."""
        drive = linear(u.astype(self.dtype, copy=False), self.W_in)
        if feedback is not None:
            drive += linear(feedback.astype(self.dtype, copy=False), self.W_fb)
        if self._biased:
            drive += self.b
        return drive

    def block(
        self,
        u: Array,
        h: Array,
        feedback: Array | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> Array:
        array_module(u, h, self.W_in)  # names both kinds, where they are mixed
        back = None if feedback is None else feedback.swapaxes(0, 1)
        states = self.drive(u.swapaxes(0, 1), back)  # becomes the states in place
        if noise_seed is not None and self.spec.noise:
            states += self._noise(noise_seed, first, states.shape[0], states.shape[1])
        self._run(states, h.astype(self.dtype, copy=False))
        return states

    def _run(self, drive: Array, h: Array) -> None:
        """Turn the drive of a block (time, n, units) into its states, in place."""
        recurrent, curve = self.recurrent, self.spec.activation
        links = self._links(len(h))
        if links is not None:
            compiled.run(links, drive, h, self._take, self._keep, curve)
            return
        if recurrent.sparse:
            leaky_sparse_(recurrent.matrix, drive, h, self._take, self._keep, curve)
            return
        x = array_module(drive).empty_like(h)
        if len(h) == 1 and not recurrent.structured and self.device == "cpu":
            # For one series vectors, which NumPy multiplies with less ado.
            drive, h, x = drive[:, 0], h[0], x[0]
            for now in drive:
                np.dot(recurrent.matrix, h, out=x)
                leaky_(now, x, h, self._take, self._keep, curve)
                h = now
            return
        for now in drive:
            recurrent.matmul(h, out=x)
            leaky_(now, x, h, self._take, self._keep, curve)
            h = now

    def _noise(self, seed: int, first: int, time: int, n: int) -> Array:
        stream = Stream(seed, self.spec.recurrent.path, "reservoir/noise")
        start, stop = first * n, (first + time) * n
        rows = draw_rows(self._noise_of, stream.key, start, stop, self.units)
        return rows.reshape(time, n, self.units).astype(self.dtype, copy=False)
