"""Trajectories as inputs of networks: windows of steps with their returns-to-go."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np

from ..backend import Array, Device, to_device, to_host
from ..checks import check_integer, is_finite_number
from ..moments import moments, scale_of
from ..scaffold import Stream
from .base import Batch, Inputs, Reader
from .finite import cast_finite
from .trajectories import Trajectories, trajectories

_SIZES = ("n_observations", "n_actions", "max_steps", "context")
_PLAIN = frozenset((*_SIZES, "return_scale", "max_return"))


class TrajectoryReader(Reader):
    """The reader of trajectories.

    Observations are standardised by their mean and standard deviation over the training
    trajectories. Returns-to-go are divided by `return_scale`; actions by the largest absolute value
    of each entry, if it is above 1, so that the network can output them as hyperbolic tangents.

    Parameters
    ----------
    context : int, default=20
        Number of steps of a window.
    max_steps : int, optional
        Number of time steps that are told apart: later ones count as the last. By default, the
        length of the longest trajectory.
    return_scale : float or "auto", default="auto"
        What returns-to-go are divided by; ``"auto"`` is the largest absolute value of those of
        the training trajectories.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> episode = {"observations": [[0.0], [2.0]], "actions": [[0.5], [0.2]], "rewards": [1, 3]}
    >>> reader = TrajectoryReader(context=2).fit([episode])
    >>> reader.sizes()
    {'n_observations': 1, 'n_actions': 1, 'max_steps': 2}
    >>> inputs = reader.read([episode], np.float32, "cpu")
    >>> reader.fit_training(inputs)
    >>> batch = inputs.take(np.array([0]))
    >>> batch.x.tolist(), batch.side["time_steps"].tolist()
    ([[[1.0, -1.0, 0.5], [0.75, 1.0, 0.20000000298023224]]], [[0, 1]])
    """

    def __init__(
        self,
        context: int = 20,
        max_steps: int | None = None,
        return_scale: float | Literal["auto"] = "auto",
    ) -> None:
        check_integer("context", context, 1)
        if max_steps is not None:
            check_integer("max_steps", max_steps, 1)
        if return_scale != "auto" and not (is_finite_number(return_scale) and return_scale > 0):
            raise ValueError(
                f"return_scale must be 'auto' or a positive number; got {return_scale!r}"
            )
        self.context = int(context)
        self.max_steps = 0 if max_steps is None else int(max_steps)
        self._auto = isinstance(return_scale, str)
        self.return_scale = 1.0 if isinstance(return_scale, str) else float(return_scale)
        self.n_observations = self.n_actions = 0
        self.max_return = 0.0
        self.mean = self.scale = self.action_scale = np.empty(0)

    def fit(self, X: Any) -> Self:
        given = trajectories(X)
        self.n_observations = int(given.observations.shape[1])
        self.n_actions = int(given.actions.shape[1])
        self.max_steps = self.max_steps or int(given.lengths.max())
        self.mean, self.scale = np.zeros(self.n_observations), np.ones(self.n_observations)
        self.action_scale = np.ones(self.n_actions)
        return self

    def fit_training(self, inputs: Inputs) -> None:
        assert isinstance(inputs, TrajectoryWindows)
        given = inputs.trajectories
        self.mean, deviation = moments(given.observations.astype(np.float64))
        self.scale = scale_of(deviation, self.mean, len(given.observations))
        largest = np.abs(given.actions).max(axis=0)
        self.action_scale = np.maximum(1.0, largest.astype(np.float64))
        self.max_return = float(given.returns().max())
        if self._auto:
            self.return_scale = float(np.abs(given.returns_to_go()).max()) or 1.0

    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> TrajectoryWindows:
        given = trajectories(X)
        for name, expected in (
            ("observations", self.n_observations),
            ("actions", self.n_actions),
        ):
            width = getattr(given, name).shape[1]
            if width != expected:
                raise ValueError(
                    f"the {name} of X have {width} entries per step; expected {expected}, as in fit"
                )
        return TrajectoryWindows(given, self, dtype, device)

    def columns(
        self, returns_to_go: np.ndarray, observations: np.ndarray, actions: np.ndarray
    ) -> np.ndarray:
        """Return what a network reads of each step, (n_steps, 1 + n_observations + n_actions)."""
        scaled = (returns_to_go[:, None] / self.return_scale, (observations - self.mean))
        return np.concatenate([scaled[0], scaled[1] / self.scale, actions / self.action_scale], 1)

    def numbered(self, time: np.ndarray) -> np.ndarray:
        """Return the numbers of time steps by which a network tells them apart, int32."""
        return np.minimum(time, self.max_steps - 1).astype(np.int32)

    def sizes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _SIZES[:3]}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        plain = {name: getattr(self, name) for name in sorted(_PLAIN)}
        arrays = {name: getattr(self, name) for name in ("mean", "scale", "action_scale")}
        return plain, arrays

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        names = {"mean", "scale", "action_scale"}
        if set(plain) != _PLAIN or not names <= set(tensors):
            raise ValueError(
                f"the state of a reader of trajectories is {', '.join(sorted(_PLAIN))} and the "
                f"arrays {', '.join(sorted(names))}; got {sorted(plain)} and {sorted(tensors)}"
            )
        for name in _SIZES:
            if type(plain[name]) is not int or plain[name] < 1:
                raise ValueError(
                    f"{name} must be an integer of at least 1; got {plain[name]!r:.60}"
                )
        if not is_finite_number(plain["max_return"]):
            raise ValueError(f"max_return must be finite; got {plain['max_return']!r:.60}")
        if plain["return_scale"] == "auto":
            raise ValueError("return_scale must be a positive number; got 'auto'")
        reader = cls(plain["context"], plain["max_steps"], plain["return_scale"])
        reader.n_observations, reader.n_actions = plain["n_observations"], plain["n_actions"]
        reader.max_return = float(plain["max_return"])
        widths = {"mean": reader.n_observations, "scale": reader.n_observations}
        for name, width in {**widths, "action_scale": reader.n_actions}.items():
            array = tensors[name]
            if array.dtype != np.float64 or array.shape != (width,):
                raise ValueError(
                    f"{name} must be float64 of shape ({width},); got {array.dtype} of shape "
                    f"{array.shape}"
                )
            if not np.isfinite(array).all() or (name != "mean" and not (array > 0).all()):
                raise ValueError(f"{name} must be finite, and a scale positive")
            setattr(reader, name, array)
        return reader


class TrajectoryWindows(Inputs):
    """Windows of consecutive steps of trajectories.

    A batch has ``x`` (n, context, 1 + n_observations + n_actions): returns-to-go, observations and
    actions, scaled; and the side arrays ``time_steps`` (n, context); ``actions`` (n, context,
    n_actions), scaled, which are predicted; ``kept`` (n, context), 1 for the steps of the window
    and 0 for padding, whose content is undefined; ``lengths`` (n,), on the host, the number of
    steps of each window; and ``n_kept``, their sum. A window that is shorter than the context is
    padded at its end, where causal attention does not look.

    Parameters
    ----------
    trajectories : Trajectories
    reader : TrajectoryReader
        It is asked for columns when the first batch is taken: its statistics may be fitted later
        than these inputs are made.
    dtype : numpy dtype
    device : {"cpu", "cuda"}
    windows : ndarray of int, shape (n, 3), optional
        Trajectory of each window, its first step and its number of steps; by default, windows
        that follow each other cover each trajectory.
    seed : int, optional
        If it is given, training steps do not take these windows, but as many that are drawn from
        the same trajectories, keyed by the seed and the training step.

    Examples
    --------
    >>> from deepreservoir import trajectories
    >>> two = trajectories([(np.ones((n, 3)), np.ones((n, 2)), np.ones(n)) for n in (4, 6)])
    >>> reader = TrajectoryReader(context=4).fit(two)
    >>> windows = reader.read(two, np.float32, "cpu")
    >>> windows.windows.tolist(), len(windows.ending_at_each_step())
    ([[0, 0, 4], [1, 0, 4], [1, 4, 2]], 10)
    """

    side_names: ClassVar[tuple[str, ...]] = ("time_steps", "actions", "kept", "n_kept", "lengths")

    def __init__(
        self,
        trajectories: Trajectories,
        reader: TrajectoryReader,
        dtype: np.dtype[Any] | type,
        device: Device = "cpu",
        windows: np.ndarray | None = None,
        seed: int | None = None,
    ) -> None:
        self.trajectories, self.reader = trajectories, reader
        self.dtype, self.device = np.dtype(dtype), device
        self.windows = _covering(trajectories, reader.context) if windows is None else windows
        self.seed = seed

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def takes_device_index(self) -> bool:
        return False

    def drawn(self, seed: int) -> TrajectoryWindows:
        """Return inputs of which training steps take windows at random places."""
        return self._with(self.windows, seed)

    def ending_at_each_step(self) -> TrajectoryWindows:
        """Return one window for each step, which is its last, with the steps before it."""
        lengths = self.trajectories.lengths
        owner = np.repeat(np.arange(len(lengths)), lengths)
        step = np.arange(lengths.sum()) - np.repeat(self.trajectories.bounds[:-1], lengths)
        first = np.maximum(0, step + 1 - self.reader.context)
        return self._with(np.stack([owner, first, step + 1 - first], axis=1), None)

    def _with(self, windows: np.ndarray, seed: int | None) -> TrajectoryWindows:
        return type(self)(self.trajectories, self.reader, self.dtype, self.device, windows, seed)

    @cached_property
    def _columns(self) -> Array:
        """Columns (n_steps, 1 + n_observations + n_actions) of all trajectories."""
        given = self.trajectories
        columns = self.reader.columns(given.returns_to_go(), given.observations, given.actions)
        return to_device(cast_finite(columns, self.dtype), self.device)

    def take(self, index: Array, step: int | None = None) -> Batch:
        owner, first, length = self.windows[index].T
        if step is not None and self.seed is not None:
            first, length = self._drawn(owner, index, step)
        place = np.arange(self.reader.context)
        kept = place < length[:, None]  # (n, context)
        time = first[:, None] + np.minimum(place, length[:, None] - 1)
        rows = to_device(self.trajectories.bounds[owner][:, None] + time, self.device)
        x = self._columns[rows]  # (n, context, columns)
        side = {
            "time_steps": to_device(self.reader.numbered(time), self.device),
            "actions": x[:, :, 1 + self.reader.n_observations :],
            "kept": to_device(kept.astype(self.dtype), self.device),
            "n_kept": int(length.sum()),
            "lengths": length,
        }
        return Batch(x, side)

    def _drawn(
        self, owner: np.ndarray, index: np.ndarray, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return first steps and lengths of windows, of which each step is in as many."""
        assert self.seed is not None, "checked by the caller"
        words = Stream(self.seed, "", "windows").words(len(self), substream=step)[index]
        lengths, context = self.trajectories.lengths[owner], self.reader.context
        # A window may begin before its trajectory, or end after it: what is inside is taken.
        places = (lengths + context - 1).astype(np.uint64)
        start = (words % places).astype(np.int64) - (context - 1)
        first = np.maximum(start, 0)
        return first, np.minimum(start + context, lengths) - first

    def subset(self, index: np.ndarray) -> TrajectoryWindows:
        return self._with(self.windows[index], self.seed)

    def keys(self) -> None:
        return None

    def digest(self) -> str:
        columns = to_host(self._columns)
        sha = hashlib.sha256(f"trajectories{columns.shape}{columns.dtype.str}".encode())
        for array in (columns, self.trajectories.bounds.astype("<i8"), self.windows.astype("<i8")):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def _covering(given: Trajectories, context: int) -> np.ndarray:
    """Return windows (trajectory, first step, number of steps) that cover each trajectory once."""
    lengths = given.lengths
    counts = -(-lengths // context)
    owner = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first = number * context
    return np.stack([owner, first, np.minimum(context, lengths[owner] - first)], axis=1)
