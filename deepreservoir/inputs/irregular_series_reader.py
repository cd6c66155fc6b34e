"""Series as inputs of networks: scaled, filled forward, with masks and elapsed times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np

from ..backend import Array, Device, to_device, to_host
from ..checks import check_flag, is_finite_number
from ..moments import moments, scale_of
from .base import Batch, Index, Inputs, Reader
from .finite import cast_finite
from .irregular_series import IrregularSeries, irregular_series
from .table import CHUNK_ROWS

_OPTIONS = ("standardize", "forward_fill", "masks", "clip", "time_scale")
_PLAIN = frozenset(("n_channels", "n_steps", "time_unit", *_OPTIONS))


class IrregularSeriesReader(Reader):
    """The reader of series.

    Parameters
    ----------
    standardize : bool, default=True
        Whether each channel is centred and divided by its standard deviation, both over the
        observed values of the training samples.
    clip : float or None, default=None
        Limit on the absolute value of standardised values.
    forward_fill : bool, default=True
        Whether a value is carried forward until its channel is observed again; otherwise, and
        before the first observation, the value is 0: the mean, after standardization.
    masks : bool, default=True
        Whether each channel has a second column, which is 1 where it was observed and 0 elsewhere.
    time_scale : float or "auto", default="auto"
        What elapsed times are divided by; ``"auto"`` is their mean over the training samples.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> reader = IrregularSeriesReader().fit([[[1.0], [3.0]]])
    >>> reader.sizes()
    {'n_inputs': 2, 'n_steps': 2}
    """

    def __init__(
        self,
        standardize: bool = True,
        clip: float | None = None,
        forward_fill: bool = True,
        masks: bool = True,
        time_scale: float | Literal["auto"] = "auto",
    ) -> None:
        for name, flag in (
            ("standardize", standardize),
            ("forward_fill", forward_fill),
            ("masks", masks),
        ):
            check_flag(name, flag)
        if clip is not None and not (is_finite_number(clip) and clip > 0):
            raise ValueError(f"clip must be a positive number or None; got {clip!r}")
        if time_scale != "auto" and not (is_finite_number(time_scale) and time_scale > 0):
            raise ValueError(f"time_scale must be 'auto' or a positive number; got {time_scale!r}")
        self.standardize, self.forward_fill = bool(standardize), bool(forward_fill)
        self.masks = bool(masks)
        self.clip = None if clip is None else float(clip)
        self.time_scale = time_scale if isinstance(time_scale, str) else float(time_scale)
        self.time_unit = 1.0 if isinstance(time_scale, str) else float(time_scale)
        self.n_channels, self.n_steps = 0, 1
        self.mean = self.scale = np.empty(0)
        self._irregular: bool | None = None

    @property
    def has_times(self) -> bool:
        """Whether the training samples had other times than 0, 1, 2, ..., as far as is known.

        After loading, it is inferred from the unit of elapsed times.
        """
        if self._irregular is None:
            return self.time_scale == "auto" and self.time_unit != 1.0
        return self._irregular

    def fit(self, X: Any) -> Self:
        series = irregular_series(X)
        self.n_channels = series.n_channels
        self.n_steps = max(1, round(float(series.lengths.mean())))
        self.mean, self.scale = np.zeros(self.n_channels), np.ones(self.n_channels)
        return self

    def fit_training(self, inputs: Inputs) -> None:
        assert isinstance(inputs, IrregularSeriesInputs)
        series, gaps = inputs.series, inputs.series.gaps()
        later = gaps[gaps > 0]
        self._irregular = bool((later != 1).any())
        if self.time_scale == "auto":
            self.time_unit = float(later.mean()) if len(later) else 1.0
        if not self.standardize:
            return
        for channel in range(self.n_channels):
            values = series.values[:, channel]
            observed = values[~np.isnan(values)]
            if len(observed):
                mean, deviation = moments(observed)
                self.mean[channel] = mean
                self.scale[channel] = scale_of(deviation, mean, len(observed))

    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> IrregularSeriesInputs:
        return IrregularSeriesInputs(irregular_series(X), self, dtype, device)

    def columns(self, series: IrregularSeries) -> np.ndarray:
        """Return the values that a network reads at each step, (n_steps, n_inputs), float64."""
        values = series.filled() if self.forward_fill else series.values.copy()
        if self.standardize:
            values -= self.mean
            values /= self.scale
            if self.clip is not None:
                np.clip(values, -self.clip, self.clip, out=values)
        np.nan_to_num(values, copy=False, nan=0.0)
        if self.masks:
            values = np.concatenate([values, ~np.isnan(series.values)], axis=1)
        return values

    @property
    def width(self) -> int:
        return self.n_channels

    def sizes(self) -> dict[str, Any]:
        return {"n_inputs": self.n_channels * (1 + self.masks), "n_steps": self.n_steps}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        plain = {name: getattr(self, name) for name in sorted(_PLAIN)}
        return plain, {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        if set(plain) != _PLAIN or not {"mean", "scale"} <= set(tensors):
            raise ValueError(
                f"the state of a reader of series is {', '.join(sorted(_PLAIN))} and the arrays "
                f"mean and scale; got {sorted(plain)} and {sorted(tensors)}"
            )
        reader = cls(**{name: plain[name] for name in _OPTIONS})
        for name in ("n_channels", "n_steps"):
            if type(plain[name]) is not int or plain[name] < 1:
                raise ValueError(
                    f"{name} must be an integer of at least 1; got {plain[name]!r:.60}"
                )
        unit = plain["time_unit"]
        if not (is_finite_number(unit) and unit > 0):
            raise ValueError(f"time_unit must be a positive number; got {unit!r:.60}")
        reader.n_channels, reader.n_steps = plain["n_channels"], plain["n_steps"]
        reader.time_unit = float(unit)
        for name in ("mean", "scale"):
            array = tensors[name]
            if array.dtype != np.float64 or array.shape != (reader.n_channels,):
                raise ValueError(
                    f"{name} must be float64 of shape ({reader.n_channels},); got {array.dtype} of "
                    f"shape {array.shape}"
                )
            if not np.isfinite(array).all() or (name == "scale" and not (array > 0).all()):
                raise ValueError(f"{name} must be finite, and a scale positive")
        reader.mean, reader.scale = tensors["mean"], tensors["scale"]
        return reader


class IrregularSeriesInputs(Inputs):
    """Series, supplied as padded batches.

    A batch has ``x`` (n, time, n_inputs), and the side arrays ``elapsed`` (n, time), the scaled
    time since the step before, and ``lengths`` (n,), the number of steps of each series, which
    stays on the host. What padding contains is undefined.

    Parameters
    ----------
    series : IrregularSeries
    reader : IrregularSeriesReader
        It is asked for columns when the first batch is taken: its statistics may be fitted later
        than these inputs are made.
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}

    Examples
    --------
    >>> from deepreservoir import irregular_series
    >>> series = irregular_series([[[1.0], [2.0]], [[3.0], [4.0], [5.0]]], [[0, 2], [0, 1, 5]])
    >>> reader = IrregularSeriesReader().fit(series)
    >>> inputs = reader.read(series, np.float32, "cpu")
    >>> reader.fit_training(inputs)
    >>> batch = inputs.take(np.array([0, 1]))
    >>> batch.x.shape[:2], batch.side["lengths"].tolist()
    ((2, 3), [2, 3])
    """

    side_names: ClassVar[tuple[str, ...]] = ("elapsed", "lengths")

    def __init__(
        self,
        series: IrregularSeries,
        reader: IrregularSeriesReader,
        dtype: np.dtype[Any] | type,
        device: Device = "cpu",
    ) -> None:
        self.series, self.reader = series, reader
        self.dtype, self.device = np.dtype(dtype), device
        self._starts, self._lengths = series.bounds[:-1], series.lengths

    def __len__(self) -> int:
        return len(self.series)

    @property
    def takes_device_index(self) -> bool:
        return False

    @cached_property
    def _columns(self) -> tuple[Array, Array]:
        """Columns (n_steps, n_inputs) and elapsed times (n_steps,) of all series."""
        columns = cast_finite(self.reader.columns(self.series), self.dtype)
        gaps = self.series.gaps() / self.reader.time_unit
        elapsed = cast_finite(gaps, self.dtype, "elapsed times")
        return to_device(columns, self.device), to_device(elapsed, self.device)

    def take(self, index: Array, step: int | None = None) -> Batch:
        columns, elapsed = self._columns
        lengths = self._lengths[index]
        steps = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)  # padding: the last
        rows = to_device(self._starts[index][:, None] + steps, self.device)  # (n, time)
        return Batch(columns[rows], {"elapsed": elapsed[rows], "lengths": lengths})

    def subset(self, index: np.ndarray) -> Self:
        return type(self)(self.series[index], self.reader, self.dtype, self.device)

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        """Yield series of similar length together, the shortest first."""
        step_bytes = max(1, sample_bytes // self.reader.n_steps)
        order = np.argsort(self._lengths, kind="stable")
        first = 0
        while first < len(order):
            lengths = self._lengths[order[first : first + CHUNK_ROWS]]
            padded = lengths * np.arange(1, len(lengths) + 1) * step_bytes
            size = max(1, int(np.searchsorted(padded, nbytes, side="right")))
            index = order[first : first + size]
            yield index, self.take(index)
            first += size

    def keys(self) -> list[bytes]:
        """Return the bytes of the values and times of each series."""
        parts = [slice(*pair) for pair in pairwise(self.series.bounds.tolist())]
        values, times = self.series.values, self.series.times
        return [values[part].tobytes() + times[part].tobytes() for part in parts]

    def digest(self) -> str:
        columns, elapsed = map(to_host, self._columns)
        sha = hashlib.sha256(f"series{columns.shape}{columns.dtype.str}".encode())
        for array in (columns, elapsed, self.series.bounds.astype("<i8")):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()
