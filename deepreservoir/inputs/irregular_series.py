"""Series of unequal length, at irregular times, in which some values were not observed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Self

import numpy as np

_NUMERIC = "biuf"
_DATES = "mM"


@dataclass(frozen=True)
class IrregularSeries:
    """Several series, checked and concatenated.

    It can be indexed like an array of series, and estimators accept it as X: so series carry
    their times through splits, folds and sweeps. :func:`irregular_series` makes one.

    Attributes
    ----------
    values : ndarray of float64, shape (n_steps, n_channels)
        NaN stands for a value that was not observed. The last step of each series has at least
        one observed value.
    times : ndarray of float64, shape (n_steps,)
        Increasing within each series.
    bounds : ndarray of int, shape (n_series + 1,)
        Series i has the steps from ``bounds[i]`` to ``bounds[i + 1]``.
    names : tuple of str, optional
        Names of the channels.

    Examples
    --------
    >>> from deepreservoir import irregular_series
    >>> series = irregular_series([[[1.0], [2.0]], [[3.0], [4.0], [5.0]]], [[0, 2], [0, 1, 5]])
    >>> len(series), series.lengths.tolist(), series[1:].times.tolist()
    (2, [2, 3], [0.0, 1.0, 5.0])
    """

    values: np.ndarray
    times: np.ndarray
    bounds: np.ndarray
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def shape(self) -> tuple[int]:
        """(n_series,), by which scikit-learn indexes it like an array."""
        return (len(self),)

    @property
    def ndim(self) -> int:
        return 1

    @property
    def size(self) -> int:
        """Number of values, observed or not."""
        return int(self.values.size)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            "an IrregularSeries holds series of unequal length, and cannot be an array; pass it to "
            "an estimator of series, or use its attribute values"
        )

    @property
    def n_channels(self) -> int:
        return int(self.values.shape[1])

    @property
    def lengths(self) -> np.ndarray:
        """Number of steps of each series, (n_series,)."""
        return np.diff(self.bounds)

    def __getitem__(self, index: Any) -> Self:
        """Return the series at `index`: an integer, a slice, a mask or an array of integers."""
        if isinstance(index, tuple):  # scikit-learn indexes an array as array[index, ...]
            index = index[0]
        chosen = np.atleast_1d(np.arange(len(self))[index])
        rows = concatenated_ranges(self.bounds[chosen], self.bounds[chosen + 1])
        bounds = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        return type(self)(self.values[rows], self.times[rows], bounds, self.names)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def arrays(self) -> list[np.ndarray]:
        """Return the values of each series, (n_steps, n_channels)."""
        return [self.values[slice(*pair)] for pair in pairwise(self.bounds)]

    def filled(self) -> np.ndarray:
        """Return the values, each carried forward until the next observation of its channel.

        Values before the first observation remain NaN.
        """
        filled = self.values.copy()
        rows = np.arange(len(filled))
        first = np.repeat(self.bounds[:-1], self.lengths)  # of the series of each step
        for channel in range(self.n_channels):
            observed = ~np.isnan(self.values[:, channel])
            latest = np.maximum.accumulate(np.where(observed, rows, -1))
            known = latest >= first
            filled[known, channel] = self.values[latest[known], channel]
        return filled

    def gaps(self) -> np.ndarray:
        """Return the time since the step before, (n_steps,); 0 for the first step of a series."""
        gaps = np.diff(self.times, prepend=self.times[:1])
        gaps[self.bounds[:-1]] = 0.0
        return gaps


def concatenated_ranges(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return the integers of several ranges, one range after another."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def irregular_series(X: Any, times: Any = None) -> IrregularSeries:
    """Return series in any of the accepted forms, checked, as one object.

    Steps after the last observation of a series are left out: they are padding.

    Parameters
    ----------
    X : list of array-like or DataFrame, array, or IrregularSeries
        A list, or an array of objects, of (n_steps, n_channels) arrays or DataFrames of any
        lengths; an array of shape (n_series, n_steps, n_channels); or one of shape (n_series,
        n_steps), whose rows are series of one channel. NaN, or a masked value of a masked array,
        stands for a value that was not observed.
    times : list of array-like, or array-like of shape (n_series, n_steps) or (n_steps,), optional
        Times of the steps, increasing within each series: numbers in any unit, or dates or
        durations, which are converted to seconds. Dates, and integers that float64 cannot hold,
        are counted from the first step of their series. By default those of the DataFrames' indices
        if X has DataFrames, and otherwise 0, 1, 2, ...

    Returns
    -------
    IrregularSeries

    Raises
    ------
    ValueError
        If a series has no observation, another number of channels than the others, values that
        are neither finite nor NaN, or times that do not increase. The message names the series.
    TypeError
        If X is in none of these forms.

    Examples
    --------
    >>> series = irregular_series([[[1.0], [2.0]], [[3.0], [float("nan")], [5.0]]])
    >>> len(series), series.lengths.tolist(), series.gaps().tolist()
    (2, [2, 3], [0.0, 1.0, 0.0, 1.0, 1.0])
    """
    if isinstance(X, IrregularSeries):
        if times is not None:
            raise ValueError("X is an IrregularSeries, which has its times: times must be None")
        return X
    items = _items(X)
    stamps = _stamps(times, len(items))
    values: list[np.ndarray] = []
    at: list[np.ndarray] = []
    names: tuple[str, ...] | None = None
    for i, item in enumerate(items):
        frame = _is_frame(item)
        array = _numbers(item, i)
        if values and array.shape[1] != values[0].shape[1]:
            raise ValueError(
                f"X[{i}] has {array.shape[1]} channels, but X[0] has {values[0].shape[1]}: all "
                "series must have the same channels"
            )
        if frame:
            own = tuple(map(str, item.columns))
            if names is not None and own != names:
                raise ValueError(
                    f"X[{i}] has the columns {', '.join(own)}, but X[0] has {', '.join(names)}: "
                    "all series must have the same columns, in the same order"
                )
            names = own
        index = item.index if frame and stamps is None else None
        kept = _last_observed(array, i)
        values.append(array[:kept])
        at.append(_times(index if stamps is None else stamps[i], len(array), kept, i))
    bounds = np.cumsum([0, *map(len, values)])
    return IrregularSeries(np.concatenate(values), np.concatenate(at), bounds, names)


def have_times(X: Any) -> bool:
    """Return whether X, in a form that :func:`irregular_series` accepts, has times of its own.

    An IrregularSeries has, and so have DataFrames, unless their indices are the default ones.
    """
    if isinstance(X, IrregularSeries):
        return True
    return any(_is_frame(item) and not _is_default(item.index) for item in _items(X))


def _is_default(index: Any) -> bool:
    """Return whether an index is the one that pandas makes where none is given."""
    return getattr(index, "start", None) == 0 and getattr(index, "step", None) == 1


def _is_frame(item: Any) -> bool:
    return hasattr(item, "columns") and hasattr(item, "index")


def _items(X: Any) -> Sequence[Any]:
    """Return X as a sequence of series."""
    if _is_frame(X):
        raise TypeError(
            "X is one DataFrame; expected a list with a DataFrame per series. Split a long table: "
            "[group for _, group in frame.groupby(column)]"
        )
    if getattr(X, "dtype", None) == np.dtype(object) and getattr(X, "ndim", 0) == 1:
        X = list(X)  # series of any lengths, in an array or a pandas Series
    if isinstance(X, list | tuple):
        if any(getattr(item, "ndim", 0) == 1 for item in X):
            raise ValueError(
                "X is a list of 1-D arrays; a series must be 2-D (n_steps, n_channels). Reshape "
                "series of one channel: [x.reshape(-1, 1) for x in X]"
            )
        if X and not any(isinstance(item, list) and _is_flat(item) for item in X):
            return X
    array = np.asarray(_without_mask(X))
    if array.ndim not in (2, 3) or array.dtype.kind not in _NUMERIC + "O":
        raise TypeError(
            "X must be a list of series (n_steps, n_channels), an array (n_series, n_steps, "
            f"n_channels), or an array (n_series, n_steps) of series of one channel; got "
            f"{type(X).__name__} of shape {array.shape} and dtype {array.dtype}"
        )
    if not len(array):
        raise ValueError(f"X must have at least one series; got an array of shape {array.shape}")
    return array[:, :, None] if array.ndim == 2 else array  # type: ignore[return-value]


def _is_flat(item: list[Any]) -> bool:
    return all(np.ndim(entry) == 0 for entry in item)


def _without_mask(values: Any) -> Any:
    """Return a masked array of real numbers with NaN for its masked values, and others as is."""
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in _NUMERIC:
        return np.ma.filled(values.astype(np.float64), np.nan)
    return values


def _numbers(item: Any, i: int) -> np.ndarray:
    """Return the values of one series as float64, (n_steps, n_channels)."""
    for dtype in item.dtypes if _is_frame(item) else [getattr(item, "dtype", None)]:
        if getattr(dtype, "kind", "") == "c":
            raise ValueError(
                f"X[{i}] must hold real numbers; got dtype {dtype}. Pass the real and the "
                "imaginary part as channels of their own"
            )
    try:
        array = np.asarray(_without_mask(item), np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X[{i}] must hold numbers, or NaN where nothing was observed: {error}"
        ) from None
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(
            f"X[{i}] must be 2-D, (n_steps, n_channels), with at least one channel; got shape "
            f"{array.shape}"
        )
    infinite = np.argwhere(np.isinf(array))
    if len(infinite):
        step, channel = infinite[0].tolist()
        raise ValueError(
            f"X[{i}] has {array[step, channel]} at step {step}, channel {channel}: expected a "
            "finite number, or NaN if it was not observed"
        )
    return array


def _last_observed(array: np.ndarray, i: int) -> int:
    """Return the number of steps up to the last one with an observation."""
    observed = np.flatnonzero(~np.isnan(array).all(axis=1))
    if not len(observed):
        raise ValueError(
            f"X[{i}] has no observation: expected at least one value that is not NaN; got shape "
            f"{array.shape}. Leave the series out"
        )
    return int(observed[-1]) + 1


def _stamps(times: Any, n: int) -> Sequence[Any] | None:
    """Return the times of each series, or None if they are not given."""
    if times is None:
        return None
    if not isinstance(times, list | tuple) or not any(np.ndim(each) for each in times):
        times = np.asarray(times)
        if times.ndim == 1 and not any(np.ndim(each) for each in times):
            return [times] * n  # dates with a time zone are objects
    if len(times) != n:
        raise ValueError(f"times must have one entry per series of X, {n}; got {len(times)}")
    return times


def _as_numpy(stamps: np.ndarray, i: int) -> np.ndarray:
    """Return objects that are dates or durations as those of NumPy, dates with a zone in UTC."""
    if stamps.dtype != object or not any(isinstance(each, date | timedelta) for each in stamps):
        return stamps
    missing = [each is None or each != each for each in stamps]  # NaT and NaN are not themselves
    if any(missing):
        raise ValueError(f"the times of X[{i}] have no date at step {missing.index(True)}")
    if all(isinstance(each, timedelta) for each in stamps):
        return np.array([_scalar(each, "to_timedelta64", np.timedelta64) for each in stamps])
    if not all(isinstance(each, date) for each in stamps):
        return stamps
    aware = [isinstance(each, datetime) and each.tzinfo is not None for each in stamps]
    if any(aware) and not all(aware):
        raise ValueError("the times of a series must all have a time zone, or none of them")
    if any(aware):
        stamps = np.array([each.astimezone(UTC).replace(tzinfo=None) for each in stamps], object)
    return np.array([_scalar(each, "to_datetime64", np.datetime64) for each in stamps])


def _scalar(each: Any, method: str, otherwise: Callable[[Any], Any]) -> Any:
    """Return a date or a duration of NumPy; those of pandas keep their nanoseconds."""
    return getattr(each, method)() if hasattr(each, method) else otherwise(each)


def _whole_numbers(stamps: np.ndarray) -> np.ndarray:
    """Return integers as float64, counted from the first if they would lose digits otherwise."""
    if stamps.max() > 1 << 53 or stamps.min() < -(1 << 53):
        whole = stamps.astype(object)  # their differences may be beyond the type of the stamps
        return (whole - whole[0]).astype(np.float64)
    return stamps.astype(np.float64)


def _times(stamps: Any, n: int, kept: int, i: int) -> np.ndarray:
    """Return the times of the first `kept` of the n steps of series i as float64."""
    if stamps is None:
        return np.arange(kept, dtype=np.float64)
    if getattr(stamps, "tz", None) is not None:
        stamps = stamps.tz_convert(None)  # to UTC
    array = np.asarray(stamps)
    if array.shape != (n,):
        raise ValueError(
            f"the times of X[{i}] must have shape ({n},), one per step; got {array.shape}"
        )
    array = _as_numpy(array[:kept], i)
    if array.dtype.kind in _DATES:
        if np.isnat(array).any():
            raise ValueError(f"the times of X[{i}] have no date at step {np.isnat(array).argmax()}")
        if array.dtype.kind == "M" and np.datetime_data(array.dtype)[0] in ("Y", "M"):
            array = array.astype("datetime64[D]")  # the first day
        since = array - array[0] if array.dtype.kind == "M" else array
        times = since / np.timedelta64(1, "s")
    elif array.dtype.kind in "iu":
        times = _whole_numbers(array)
    else:
        try:
            times = array.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"the times of X[{i}] must be numbers or dates; got {array[:1].tolist()} of dtype "
                f"{array.dtype}. Pass them as times"
            ) from None
    bad = np.flatnonzero(~np.isfinite(times))
    if len(bad):
        raise ValueError(f"the times of X[{i}] must be finite; step {bad[0]} has {times[bad[0]]}")
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        step = int(late[0]) + 1
        what = "repeat" if times[step] == times[step - 1] else "decrease"
        raise ValueError(
            f"the times of X[{i}] {what}: step {step} is at {array[step]} after {array[step - 1]}. "
            "They must increase from step to step: sort the steps, and merge those of one time"
        )
    return times
