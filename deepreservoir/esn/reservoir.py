"""The leaky reservoir, which runs many series in parallel.

    h[t] = (1 - a) h[t-1] + a f(W h[t-1] + W_in u[t] + W_fb y[t-1] + b + noise)

(Jaeger, 2001; Lukosevicius, 2012). With ``topology="antisymmetric"`` a is the step of Euler's
method, and the state does not leak: h[t] = h[t-1] + a f(...) (Gallicchio, 2022). A reservoir
object does not store a state: runs take one and return one, so series cannot affect each other.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from ..backend import Array, Device, Movable, array_module, device_module, to_device
from ..checks import check_choice, check_real
from ..choices import ProductName
from ..kernels import draw_rows
from ..kernels.linalg import linear
from ..scaffold import Stream
from ..scaffold.tables import lane_table
from . import compiled
from .topology import RecurrentSpec, check_product, draw_recurrent, recurrent_digest

ACTIVATIONS = ("tanh", "relu", "identity")

#: Rows (steps times series) per block: their drive is computed in one product, and their states
#: are yielded together. Large enough for X^T X to run at full speed.
BLOCK = 2048

# On a device a block takes a few launches, whose time does not depend on its size. So it has more
# rows there, up to a limit, and a limit of numbers in all states of a block.
_DEVICE_BLOCK, _DEVICE_NUMBERS = 1 << 14, 1 << 24


@dataclass(frozen=True)
class ReservoirSpec:
    """Specification of a reservoir, apart from the number of its inputs.

    Parameters
    ----------
    recurrent : RecurrentSpec
    leak_rate : float
        The leak rate a, in (0, 1]; 1 means no leaky integration. For
        ``topology="antisymmetric"`` it is the step of Euler's method.
    input_scaling, feedback_scaling : float
        Bounds of the uniformly distributed input and feedback weights.
    bias_scaling : float
        Bound of the uniformly distributed biases.
    activation : {"tanh", "relu", "identity"}
    noise : float
        Standard deviation of the normal noise inside the nonlinearity during training.
    product : {"auto", "sparse", "dense"}
        Whether recurrent products read the nonzero weights only or all of them; see
        :class:`~deepreservoir.esn.recurrent.Recurrent`.

    Raises
    ------
    ValueError
        For a value out of range.

    Examples
    --------
    >>> from deepreservoir.esn import RecurrentSpec, Reservoir, ReservoirSpec
    >>> spec = ReservoirSpec(RecurrentSpec(units=100), leak_rate=0.5, input_scaling=0.3)
    >>> reservoir = Reservoir(spec, n_inputs=3)
    >>> spec.units, spec.keep
    (100, 0.5)
    """

    recurrent: RecurrentSpec
    leak_rate: float = 1.0
    input_scaling: float = 1.0
    feedback_scaling: float = 1.0
    bias_scaling: float = 0.0
    activation: str = "tanh"
    noise: float = 0.0
    product: ProductName = "auto"

    def __post_init__(self) -> None:
        check_real("leak_rate", self.leak_rate, 0, 1, open_low=True)
        for name in ("input_scaling", "feedback_scaling", "bias_scaling", "noise"):
            check_real(name, getattr(self, name), 0, inf)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_product(self.product, self.recurrent.topology)

    @property
    def units(self) -> int:
        return self.recurrent.units

    @property
    def keep(self) -> float:
        """Factor of the previous state: 1 - a, or 1 for a step of Euler's method."""
        return self.recurrent.definition.keep(self.leak_rate)

    def uniform(self, draw: str, width: int, bound: float) -> np.ndarray:
        """Draw weights from U(-bound, bound): (units, width), float64."""
        stream = Stream(self.recurrent.seed, self.recurrent.path, f"reservoir/{draw}")
        unit = lane_table("uniform")[stream.rows(0, self.units, width)]
        return unit.astype(np.float64) * (bound / np.sqrt(3))


@dataclass(frozen=True)
class Tuning:
    """Gain and bias of each unit inside its nonlinearity: ``f(gain * x + bias)``.

    Attributes
    ----------
    gain, bias : ndarray of float64, shape (units,)
    """

    gain: np.ndarray
    bias: np.ndarray


class Driven(Movable, ABC):
    """Base class of systems that are driven by series, in blocks of steps.

    A subclass has `units`, `dtype`, `device`, `parallel` and :meth:`block`. All input and output
    arrays are on the device (CuPy arrays for ``"cuda"``).
    """

    units: int
    dtype: np.dtype
    device: Device

    @abstractmethod
    def parallel(self, n_series: int) -> bool:
        """Return whether a run of this many series already uses several cores."""

    @abstractmethod
    def block(
        self,
        u: Array,
        h: Array,
        feedback: Array | None = None,
        noise_seed: int | None = None,
        first: int = 0,
    ) -> Array:
        """Return the states of one block of steps: u (n, time, n_inputs) -> (time, n, units).

        `first` is the index of its first step, by which the noise is keyed.
        """

    def start(self, n_series: int = 1) -> Array:
        """Return the initial state: zeros (n_series, units)."""
        return device_module(self.device).zeros((n_series, self.units), self.dtype)

    def block_steps(self, n_series: int, time: int) -> Iterator[slice]:
        """Yield the slice of steps of each block of a run."""
        rows = BLOCK
        if self.device != "cpu":
            rows = max(BLOCK, min(_DEVICE_BLOCK, _DEVICE_NUMBERS // self.units))
        length = max(1, rows // n_series)
        for first in range(0, time, length):
            yield slice(first, min(first + length, time))

    def blocks(
        self,
        u: Array,
        h: Array | None = None,
        feedback: Array | None = None,
        noise_seed: int | None = None,
    ) -> Generator[tuple[slice, Array]]:
        """Yield (steps, states) in order, in blocks of at most `BLOCK` rows, or more on a device.

        Parameters
        ----------
        u : array, shape (n_series, time, n_inputs)
        h : array, shape (n_series, units), optional
            Initial state, zeros by default.
        feedback : array, shape (n_series, time, n_feedback), optional
            Output of the previous step, for each step.
        noise_seed : int, optional
            Seed of the noise; without one there is no noise.

        Yields
        ------
        steps : slice
        states : array, shape (len, n_series, units)
            A new array for each block, with time first so that each step is contiguous.

        Raises
        ------
        TypeError
            If an array is not on the device.
        """
        n, time = u.shape[:2]
        h = self.start(n) if h is None else h
        for steps in self.block_steps(n, time):
            back = None if feedback is None else feedback[:, steps]
            states = self.block(u[:, steps], h, back, noise_seed, steps.start)
            h = states[-1]
            yield steps, states

    def states(self, u: Array, h: Array | None = None, feedback: Array | None = None) -> Array:
        """Return all states of series of equal length: (n, time, n_inputs) -> (n, time, units)."""
        out = device_module(self.device).empty((*u.shape[:2], self.units), self.dtype)
        for steps, states in self.blocks(u, h, feedback):
            out[:, steps] = states.swapaxes(0, 1)
        return out


class Reservoir(Driven):
    """A reservoir for a given number of inputs.

    Parameters
    ----------
    spec : ReservoirSpec
    n_inputs : int
    n_feedback : int, default=0
        Number of outputs that are fed back.
    dtype : numpy dtype, default=float32
    factor : float, optional
        Scale of the recurrent weights, if it is known from an earlier draw of the same weights;
        see `draw_recurrent`.
    tuning : Tuning, optional
        Gains and biases from intrinsic plasticity.
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"
        Where it runs. A pickle does not depend on the device and is loaded on the CPU; see
        :meth:`to`.

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
        self.recurrent = draw_recurrent(
            spec.recurrent, self.dtype, factor, unit_gain, device, spec.product
        )
        weights = spec.uniform("inputs", self.n_inputs, spec.input_scaling)
        self.W_in = self._placed(gain * weights)  # (units, n_inputs)
        b = (gain * spec.uniform("bias", 1, spec.bias_scaling))[:, 0] + shift
        self.b = self._placed(b)
        self._biased = bool(b.any())
        if spec.noise:
            # A float32 lookup table; the noise has the same bits on every device.
            lanes = lane_table("normal") * np.float32(spec.noise)
            self._noise_of = to_device(lanes, device)
        if self.n_feedback:
            back = spec.uniform("feedback", self.n_feedback, spec.feedback_scaling)
            self.W_fb = self._placed(gain * back)  # (units, n_feedback)

    def _placed(self, weights: np.ndarray) -> Array:
        return to_device(weights.astype(self.dtype), self.device)

    def parallel(self, n_series: int) -> bool:
        if self.device != "cpu":
            return True  # the device runs asynchronously anyway
        links = self.recurrent.links_for(n_series)
        if links is not None:
            return n_series > compiled.LANES and compiled.worth_threads(links, BLOCK)
        return self.recurrent.structured or n_series > 1

    def tuned(self, tuning: Tuning) -> Reservoir:
        """Return a copy of this reservoir with the gains and biases of `tuning`."""
        return self._again(tuning, self.device)

    def to(self, device: Device) -> Reservoir:
        """Return this reservoir on a device, or itself if it is already there."""
        return self if device == self.device else self._again(self.tuning, device)

    def _again(self, tuning: Tuning | None, device: Device) -> Reservoir:
        factor = self.recurrent.factor
        return Reservoir(
            self.spec, self.n_inputs, self.n_feedback, self.dtype, factor, tuning, device
        )

    def digest(self) -> str:
        """Return the SHA-256 of all random weights, before scaling and tuning."""
        sha = hashlib.sha256(recurrent_digest(self.spec.recurrent).encode())
        widths = {"inputs": self.n_inputs, "bias": 1, "feedback": self.n_feedback}
        for draw, width in widths.items():
            sha.update(self.spec.uniform(draw, width, 1.0).astype("<f8").tobytes())
        return sha.hexdigest()

    # Weights are redrawn from the specification and are not pickled.

    def __getstate__(self) -> dict[str, Any]:
        names = ("spec", "n_inputs", "n_feedback", "dtype", "tuning")
        return {name: getattr(self, name) for name in names} | {"factor": self.recurrent.factor}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def drive(self, u: Array, feedback: Array | None = None) -> Array:
        """Return the input of each unit from outside: (..., n_inputs) -> (..., units)."""
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
        array_module(u, h, self.W_in)  # raises if host and device arrays are mixed
        back = None if feedback is None else feedback.swapaxes(0, 1)
        states = self.drive(u.swapaxes(0, 1), back)  # replaced by the states in place
        if noise_seed is not None and self.spec.noise:
            states += self._noise(noise_seed, first, states.shape[0], states.shape[1])
        h = h.astype(self.dtype, copy=False)
        self.recurrent.run(states, h, self._take, self._keep, self.spec.activation)
        return states

    def _noise(self, seed: int, first: int, time: int, n: int) -> Array:
        stream = Stream(seed, self.spec.recurrent.path, "reservoir/noise")
        start, stop = first * n, (first + time) * n
        rows = draw_rows(self._noise_of, stream.key, start, stop, self.units)
        return rows.reshape(time, n, self.units).astype(self.dtype, copy=False)
