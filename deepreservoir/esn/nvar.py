"""Next-generation reservoir computing: polynomials of lagged values instead of states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, groupby
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..frames import column_names, framed, is_frame

_BLOCK = 2**18  # values per block of time, so that a block fits a core's cache


def _positive(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a positive integer; got {value!r}")


@dataclass(frozen=True)
class NVAR:
    """Nonlinear vector autoregression: lagged values of a series and their monomials.

    The columns are, in this order: a constant 1 (if `constant`); the linear part
    ``x(t), x(t - stride), ..., x(t - (delays - 1) stride)``, starting with all features of the
    newest tap; then, for each degree of `order`, all monomials of exactly that degree in the
    linear part, each once, in lexicographic order. There are neither states nor random weights;
    only a readout of these features is trained.

    Parameters
    ----------
    delays : int
        Number of taps, including the current value.
    stride : int
        Steps between taps.
    order : int or tuple of int
        Degree or degrees of the monomials, each at least 2. With an empty tuple there is only the
        linear part.
    constant : bool
        Whether the first column is 1.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Gauthier, Bollt, Griffith and Barbosa, Next generation reservoir computing, Nature
    Communications 12, 2021: equations 4 to 6.

    Examples
    --------
    >>> features = NVAR(delays=2, stride=1, order=2)
    >>> features.transform(np.array([[1.0], [2.0], [3.0]]))
    array([[1., 2., 1., 4., 2., 1.],
           [1., 3., 2., 9., 6., 4.]])
    >>> features.feature_names(1)
    ['1', 'x0(t)', 'x0(t-1)', 'x0(t)^2', 'x0(t) x0(t-1)', 'x0(t-1)^2']
    """

    delays: int = 2
    stride: int = 1
    order: int | tuple[int, ...] = 2
    constant: bool = True

    def __post_init__(self) -> None:
        _positive(self.delays, "delays")
        _positive(self.stride, "stride")
        degrees = self.order if isinstance(self.order, tuple) else (self.order,)
        for degree in degrees:
            whole = isinstance(degree, int | np.integer) and not isinstance(degree, bool)
            if not whole or degree < 2:
                raise ValueError(
                    "order must be a degree of at least 2 or a tuple of such degrees; the linear "
                    f"part is always included, () leaves only that; got {self.order!r}"
                )
        if len(set(degrees)) < len(degrees):
            raise ValueError(f"order must not repeat a degree; got {self.order!r}")
        if not isinstance(self.constant, bool | np.bool_):
            raise ValueError(f"constant must be True or False; got {self.constant!r}")

    @property
    def degrees(self) -> tuple[int, ...]:
        """Degrees of the monomials, in the order of `order`."""
        return self.order if isinstance(self.order, tuple) else (self.order,)

    @property
    def warmup(self) -> int:
        """Number of initial rows without features: ``(delays - 1) * stride``."""
        return (self.delays - 1) * self.stride

    def n_features(self, d: int) -> int:
        """Return the number of columns for a series of `d` features."""
        _positive(d, "d")
        taps = self.delays * d
        return int(self.constant) + taps + sum(comb(taps + p - 1, p) for p in self.degrees)

    def feature_names(self, d: int, variables: Sequence[str] | None = None) -> list[str]:
        """Return the names of the columns for a series of `d` features.

        Parameters
        ----------
        d : int
        variables : sequence of str, length d, optional
            Names of the features; x0, x1 and so on by default.
        """
        _positive(d, "d")
        variables = [f"x{i}" for i in range(d)] if variables is None else variables
        lags = [f"t-{tap * self.stride}" if tap else "t" for tap in range(self.delays)]
        taps = [f"{variable}({lag})" for lag in lags for variable in variables]
        names = ["1"] if self.constant else []
        names += taps
        for degree in self.degrees:
            for monomial in combinations_with_replacement(taps, degree):
                powers = ((name, len(list(same))) for name, same in groupby(monomial))
                names.append(" ".join(n if p == 1 else f"{n}^{p}" for n, p in powers))
        return names

    def transform(self, series: Any) -> Any:
        """Return the features of one series; nothing is stored between calls.

        Parameters
        ----------
        series : array-like of real numbers, shape (time, d)
            One series, oldest row first, of more than `warmup` rows.

        Returns
        -------
        ndarray, shape (time - warmup, n_features(d))
            Row i belongs to time ``i + warmup``. The dtype is float32 for a float32 series,
            and float64 otherwise. A DataFrame with the labels of these rows and the names of
            the features if the series is one.

        Raises
        ------
        ValueError
            If the series is not two-dimensional, is too short, or is not finite.
        """
        array = _checked(series, self.warmup)
        n_rows = len(array) - self.warmup
        out = np.empty((n_rows, self.n_features(array.shape[1])), array.dtype)
        block = max(64, _BLOCK // out.shape[1])
        for start in range(0, n_rows, block):
            stop = min(start + block, n_rows)
            out[start:stop] = self._columns(array, start, stop).T
        if not is_frame(series):
            return out
        names = self.feature_names(array.shape[1], [str(name) for name in column_names(series)])
        return framed(out, series.index[self.warmup :], names)

    def _columns(self, series: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return rows [start, stop) of the features as (n_features, stop - start).

        Time is the last axis, so that each product reads contiguous memory.
        """
        d = series.shape[1]
        taps, first = self.delays * d, int(self.constant)
        out = np.empty((self.n_features(d), stop - start), series.dtype)
        out[:first] = 1
        for tap in range(self.delays):
            lag = self.warmup - tap * self.stride
            out[first + tap * d : first + (tap + 1) * d] = series[start + lag : stop + lag].T
        linear = out[first : first + taps]

        offsets, at = {}, first + taps
        for degree in self.degrees:
            offsets[degree] = at
            at += comb(taps + degree - 1, degree)
        lower = linear
        for degree in range(2, max(self.degrees, default=1) + 1):
            size = comb(taps + degree - 1, degree)
            at = offsets.get(degree, -1)
            block = out[at : at + size] if at >= 0 else np.empty((size, stop - start), out.dtype)
            _multiply(linear, lower, degree, block)
            lower = block
        return out


def _multiply(linear: np.ndarray, lower: np.ndarray, degree: int, out: np.ndarray) -> None:
    """Fill `out` with the monomials of a degree, computed from those of the degree below.

    In lexicographic order, the monomials of the lower degree in variables i, i + 1, ... are at
    the end of `lower`. Multiplying them by variable i gives the monomials whose first variable
    is i.
    """
    at = 0
    for i in range(len(linear)):
        size = comb(len(linear) - i + degree - 2, degree - 1)
        np.multiply(linear[i], lower[len(lower) - size :], out=out[at : at + size])
        at += size


def _checked(series: ArrayLike, warmup: int) -> np.ndarray:
    array = np.asarray(series)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"series must hold real numbers; got an array of {array.dtype}")
    if array.ndim != 2 or array.shape[1] == 0:
        hint = "; reshape one variable with series.reshape(-1, 1)" if array.ndim == 1 else ""
        raise ValueError(
            f"series must be 2-D (time, features) with at least one feature; got shape "
            f"{array.shape}{hint}"
        )
    if len(array) <= warmup:
        raise ValueError(
            f"series must have at least {warmup + 1} rows, (delays - 1) * stride + 1; "
            f"got {len(array)}"
        )
    if array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"series must be finite; row {row} holds NaN or infinity")
    return array
