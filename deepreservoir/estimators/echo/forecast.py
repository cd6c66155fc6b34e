"""Forecasts of echo-state networks, in closed loop or on known future inputs."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...backend import Array, Device, Movable, array_module, device_module, to_device
from ..base.device_input import checked_array, place_of
from .base import BaseEchoState
from .frame_end import FrameEnd, labelled, output_names
from .series import Series, is_many


@dataclass(frozen=True)
class End(Movable):
    """State at the end of training, from which a forecast continues.

    Attributes
    ----------
    state : array, shape (1, units)
    target : array of float64, shape (1, n_outputs)
    place : {"cpu", "cuda", "cuda:N"}
        Where the training series were.
    """

    state: Array
    target: Array
    place: Device


class Forecasting(BaseEchoState):
    """Base class of estimators that can forecast beyond the end of a series."""

    n_outputs_: int
    _end: End
    _frame_end: FrameEnd | None = None
    _output_names: list[Any] | None = None

    def _input_series(self, X: Any) -> Series:
        raise NotImplementedError

    def forecast(self, n_steps: int, X: Any = None, *, inputs: Any = None) -> Any:
        """Forecast in closed loop: the output of each step is the input of the next.

        Parameters
        ----------
        n_steps : int
        X : array-like, shape (time, n_features) or (n_series, time, n_features), or list of \
(time, n_features), optional
            Series to continue, each run from the zero state. By default, the forecast continues
            from the end of training. With ``feedback=True``, the feedback at step t of X is X[t],
            the true output of the previous step (zeros at step 0), as in `fit`; the model's own
            outputs are fed back in the forecast only.
        inputs : array-like, shape (n_steps, n_features), optional
            Known inputs of the future steps, for a model whose outputs are not its inputs. With
            ``feedback=True``, the model's outputs are fed back in addition, also during X, since
            its true outputs are unknown. Either one array for all series, or an array of shape
            (n_series, n_steps, n_features).

        Returns
        -------
        array of float64, shape (n_steps, n_outputs), or (n_series, n_steps, n_outputs)
            The first row is the step after the last known one, which is the last target of
            training or the last row of X. A CuPy array if the arguments are CuPy arrays or,
            without arrays as arguments, if those of `fit` were. A pandas DataFrame if `inputs`
            or X is one or, without arrays as arguments, if those of `fit` were: its index is that
            of `inputs`, or continues that of the series. A list of them for a list. Saved files
            contain the names of the outputs, but not the index of training.

        Raises
        ------
        ValueError
            If `inputs` is not given and the outputs cannot be used as inputs, because their
            number is not that of the features. Fit on ``(x[:-1], x[1:])`` instead.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from deepreservoir import EchoStateRegressor
        >>> days = pd.date_range("2024-01-01", periods=200)
        >>> x = pd.DataFrame({"level": np.sin(np.arange(200) / 5)}, index=days)
        >>> model = EchoStateRegressor(units=50, random_state=0).fit(x[:-1], x[1:])
        >>> model.forecast(2).round(2)
                    level
        2024-07-19   0.75
        2024-07-20   0.60
        """
        if inputs is None:
            self._check_order()
        forecast = self._forecast_array(n_steps, X, inputs)
        return labelled(forecast, X, inputs, self._frame_end, self._output_names)

    def _learn_labels(self, X: Any, y: Any) -> None:
        """Learn the labels of the last DataFrame that was trained on; X and y are valid."""
        if is_many(X):
            X, y = X[-1], y[-1]
        self._frame_end = FrameEnd.of(X, y)
        self._output_names = output_names(X, y, self.n_outputs_)

    def _check_order(self) -> None:
        """Raise a ValueError if outputs have the names of the inputs in another order."""
        names = getattr(self, "feature_names_in_", None)
        outputs = self._output_names
        if names is None or outputs is None:
            return
        read, given = [*map(str, names)], [*map(str, outputs)]
        if read != given and sorted(read) == sorted(given):
            raise ValueError(
                f"outputs are fed back as inputs, but the columns of y, {given}, are those of X in "
                f"another order, {read}. Fit on y[X.columns], or give inputs"
            )

    def _forecast_array(self, n_steps: int, X: Any, inputs: Any) -> Array:
        """Return the forecast as an array; the arguments are those of `forecast`."""
        check_is_fitted(self, "readout_")
        self._check_steps(n_steps, closed=inputs is None)
        device = self._device()
        place = place_of(device, X=X, inputs=inputs)
        series = None if X is None else self._input_series(X)
        n = 1 if series is None else len(series.arrays)
        known = None if inputs is None else self._known_inputs(inputs, n, int(n_steps), place)
        if series is None:
            end = self._end
            if known is None and device != "cpu":
                place = end.place
            out = self._closed_loop(end.state, end.target, None, known, int(n_steps))
            return to_device(out[0], place)
        out = device_module(place).empty((n, n_steps, self.n_outputs_))
        for which, u in series.by_length(device):
            h, y = self._run_to_end(u, outputs_known=known is None)
            future = None if known is None else known[which]
            # Without known inputs, the output at the last row of X is the first forecast.
            first = y if known is None else None
            out[which] = to_device(self._closed_loop(h, y, first, future, int(n_steps)), place)
        return out[0] if series.kind == "one" else out

    def historical_forecasts(self, n_steps: int, X: Any, starts: Any) -> Array:
        """Forecast from several rows of one series, which is run only once.

        Parameters
        ----------
        n_steps : int
        X : array-like, shape (time, n_features)
        starts : array-like of int, shape (n_starts,)
            How many rows of X are known to each forecast, increasing, from 1 to the length of X.

        Returns
        -------
        array of float64, shape (n_starts, n_steps, n_outputs)
            Entry i is ``forecast(n_steps, X[:starts[i]])``, up to rounding. A CuPy array if X is
            one.

        Raises
        ------
        ValueError
            If the outputs cannot be used as inputs, X is several series, or `starts` is out of
            range.

        Examples
        --------
        >>> import numpy as np
        >>> from deepreservoir import EchoStateRegressor
        >>> x = np.sin(np.arange(300) / 5)[:, None]
        >>> model = EchoStateRegressor(units=50, random_state=0).fit(x[:199], x[1:200])
        >>> model.historical_forecasts(10, x, [200, 250, 290]).shape
        (3, 10, 1)
        """
        check_is_fitted(self, "readout_")
        self._check_steps(n_steps)
        series = self._input_series(X)
        if series.kind != "one":
            raise ValueError("X must be one series (time, n_features); got several")
        (u,) = series.arrays
        rows = np.asarray(starts)
        inside = rows.ndim == 1 and len(rows) and rows.dtype.kind in "iu"
        if not inside or rows[0] < 1 or rows[-1] > len(u) or (np.diff(rows) <= 0).any():
            raise ValueError(
                f"starts must be increasing numbers of rows from 1 to {len(u)}; got {starts!r}"
            )
        u = to_device(u[None, : rows[-1]], self._device())
        h = array_module(u).empty((len(rows), self.reservoir_.units), self.reservoir_.dtype)
        for steps, states in self.reservoir_.blocks(u, feedback=self._known_feedback(u)):
            first, stop = np.searchsorted(rows, [steps.start + 1, steps.stop + 1])
            for i in range(first, stop):
                h[i] = states[int(rows[i]) - 1 - steps.start, 0]
        y = self._output(h)
        return to_device(self._closed_loop(h, y, y, None, int(n_steps)), series.place)

    def _check_steps(self, n_steps: int, closed: bool = True) -> None:
        """Raise a ValueError if outputs cannot become inputs, or for a number of no steps."""
        if isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
            raise ValueError(f"n_steps must be an integer of at least 1; got {n_steps!r}")
        if closed and self.n_outputs_ != self.n_features_in_:
            raise ValueError(
                f"forecast needs as many outputs as features, since outputs become inputs; got "
                f"{self.n_outputs_} and {self.n_features_in_}. Fit on (x[:-1], x[1:]), or pass "
                f"the future inputs: inputs of shape ({n_steps}, {self.n_features_in_})"
            )

    def _known_inputs(self, inputs: Any, n: int, n_steps: int, place: Device) -> Array:
        """Return the future inputs (n_series, n_steps, n_features) on the reservoir's device."""
        if place == "cuda":
            known = checked_array(inputs, "inputs", ndim=(2, 3))
        else:
            known = np.asarray(inputs, np.float64)
        each = (n_steps, self.n_features_in_)
        if known.shape not in (each, (n, *each)):
            raise ValueError(
                f"inputs must have shape {each}, future steps by features, or {(n, *each)}; got "
                f"{known.shape}"
            )
        if place == "cpu" and not np.isfinite(known).all():
            raise ValueError("inputs contains NaN or infinity")
        known = to_device(known, self.reservoir_.device)
        return array_module(known).broadcast_to(known, (n, *each))

    def _closed_loop(
        self,
        h: Array,
        y: Array,
        first: Array | None,
        known: Array | None,
        n_steps: int,
    ) -> Array:
        """Continue from states (n, units) and outputs (n, n_outputs): (n, n_steps, n_outputs)."""
        out = array_module(h).empty((len(h), n_steps, self.n_outputs_))
        start = 0
        if first is not None:
            out[:, 0] = first
            start = 1
        for t in range(start, n_steps):
            u = y if known is None else known[:, t]
            h = self._next_state(u, h, y)
            out[:, t] = y = self._output(h)
        return out

    def _next_state(self, u: Array, h: Array, y: Array) -> Array:
        back = y[:, None] if self._has_feedback else None
        return self.reservoir_.block(u[:, None], h, back)[-1]

    def _run_to_end(self, u: Array, outputs_known: bool) -> tuple[Array, Array]:
        """Return the last states and outputs of series (n, time, n_features).

        `outputs_known` says that outputs are the inputs of the next step, so the outputs during
        the series are known.
        """
        if self._has_feedback and not outputs_known:
            out, h = self._predict_free(u)
            return h, out[:, -1]
        for _, states in self.reservoir_.blocks(u, feedback=self._known_feedback(u)):
            h = states[-1]
        return h, self._output(h)

    def _known_feedback(self, u: Array) -> Array | None:
        """Return the feedback during series whose inputs are the outputs of the step before."""
        if not self._has_feedback:
            return None
        back = u.copy()
        back[:, 0] = 0
        return back

    def _predict_free(self, u: Array) -> tuple[Array, Array]:
        """Run with the model's own outputs as feedback; return outputs and the last state."""
        h = self.reservoir_.start(len(u))
        xp = array_module(u)
        y = xp.zeros((len(u), self.n_outputs_))
        out = xp.empty((*u.shape[:2], self.n_outputs_))
        for t in range(u.shape[1]):
            h = self._next_state(u[:, t], h, y)
            out[:, t] = y = self._output(h)
        return out, h
