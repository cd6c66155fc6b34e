"""Forecasts of echo-state networks: generation in a closed loop, and on inputs that are known."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...backend import Array, Device, Movable, array_module, device_module, to_device
from ..base.device_input import checked_array, place_of
from .base import BaseEchoState
from .series import Series


@dataclass(frozen=True)
class End(Movable):
    """Where training ended, from which a forecast goes on.

    Attributes
    ----------
    state : array, shape (1, units)
    target : array of float64, shape (1, n_outputs)
    place : {"cpu", "cuda"}
        Where the series were that it was trained on.
    """

    state: Array
    target: Array
    place: Device


class Forecasting(BaseEchoState):
    """What generates beyond the end of a series."""

    n_outputs_: int
    _end: End

    def _given(self, X: Any) -> Series:
        raise NotImplementedError

    def forecast(self, n_steps: int, X: Any = None, *, inputs: Any = None) -> Array:
        """Generate: the output of each step is the input of the next.

        Parameters
        ----------
        n_steps : int
        X : array-like, shape (time, n_features) or (n_series, time, n_features), or list of \
(time, n_features), optional
            Series to go on from, each from the zero state; where training ended unless given.
            With ``feedback=True`` the feedback at step t of it is X[t], the true output of the
            step before (zeros at step 0), as in `fit`: only what is generated runs on its own.
        inputs : array-like, shape (n_steps, n_features), optional
            Inputs of the coming steps where they are known: for a model whose outputs are not
            its inputs. With ``feedback=True`` the outputs go back in beside them, along X too,
            whose true outputs are not known. One for all series, or (n_series, n_steps,
            n_features).

        Returns
        -------
        array of float64, shape (n_steps, n_outputs), or (n_series, n_steps, n_outputs)
            The first row is the step after the last one that is known: after the last target of
            training, or the last row of X. A CuPy array where those that are given are, or in
            `fit` were, CuPy arrays.

        Raises
        ------
        ValueError
            If the outputs cannot be inputs and `inputs` is not given: there must be as many as
            features, so fit on ``(x[:-1], x[1:])``.
        """
        check_is_fitted(self, "readout_")
        if isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
            raise ValueError(f"n_steps must be an integer of at least 1; got {n_steps!r}")
        if inputs is None and self.n_outputs_ != self.n_features_in_:
            raise ValueError(
                f"forecast needs as many outputs as features, since outputs become inputs; got "
                f"{self.n_outputs_} and {self.n_features_in_}. Fit on (x[:-1], x[1:]), or give "
                f"the inputs of the coming steps: inputs, ({n_steps}, {self.n_features_in_})"
            )
        device = self._device()
        place = place_of(device, X=X, inputs=inputs)
        series = None if X is None else self._given(X)
        n = 1 if series is None else len(series.arrays)
        known = None if inputs is None else self._known(inputs, n, int(n_steps), place)
        if series is None:
            end = self._end
            if known is None and device == "cuda":
                place = end.place
            out = self._closed_loop(end.state, end.target, None, known, int(n_steps))
            return to_device(out[0], place)
        out = device_module(place).empty((n, n_steps, self.n_outputs_))
        for which, u in series.by_length(device):
            h, y = self._run_to_end(u, outputs_known=known is None)
            coming = None if known is None else known[which]
            # Without known inputs, the output at the last row of X is the first that is asked for.
            first = y if known is None else None
            out[which] = to_device(self._closed_loop(h, y, first, coming, int(n_steps)), place)
        return out[0] if series.kind == "one" else out

    def _known(self, inputs: Any, n: int, n_steps: int, place: Device) -> Array:
        """Return the coming inputs as (n_series, n_steps, n_features), where the reservoir is."""
        if place == "cuda":
            known = checked_array(inputs, "inputs", ndim=(2, 3))
        else:
            known = np.asarray(inputs, np.float64)
        each = (n_steps, self.n_features_in_)
        if known.shape not in (each, (n, *each)):
            raise ValueError(
                f"inputs must have shape {each}, the coming steps by features, or {(n, *each)}; "
                f"got {known.shape}"
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
        """Go on from states (n, units) and outputs (n, n_outputs): (n, n_steps, n_outputs)."""
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
        back = y[:, None] if self.feedback else None
        return self.reservoir_.block(u[:, None], h, back)[-1]

    def _run_to_end(self, u: Array, outputs_known: bool) -> tuple[Array, Array]:
        """Return the last states and outputs of series (n, time, n_features).

        Where outputs are the inputs of the next step, those of a given series are known.
        """
        back = None
        if self.feedback:
            if not outputs_known:
                out, h = self._predict_free(u)
                return h, out[:, -1]
            back = u.copy()
            back[:, 0] = 0
        for _, states in self.reservoir_.blocks(u, feedback=back):
            h = states[-1]
        return h, self._output(h)

    def _predict_free(self, u: Array) -> tuple[Array, Array]:
        """Run on the model's own output as feedback; return outputs and the last state."""
        h = self.reservoir_.start(len(u))
        xp = array_module(u)
        y = xp.zeros((len(u), self.n_outputs_))
        out = xp.empty((*u.shape[:2], self.n_outputs_))
        for t in range(u.shape[1]):
            h = self._next_state(u[:, t], h, y)
            out[:, t] = y = self._output(h)
        return out, h
