"""Forecasts of echo-state networks: generation in a closed loop, and on inputs that are known."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .echo_base import BaseEchoState
from .series import Series


class Forecasting(BaseEchoState):
    """What generates beyond the end of a series."""

    n_outputs_: int
    _end: tuple[np.ndarray, np.ndarray]  # state (1, units) and target (1, n_outputs)

    def _given(self, X: Any) -> Series:
        raise NotImplementedError

    def forecast(self, n_steps: int, X: Any = None, *, inputs: Any = None) -> np.ndarray:
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
        ndarray of float64, shape (n_steps, n_outputs), or (n_series, n_steps, n_outputs)
            The first row is the step after the last one that is known: after the last target of
            training, or the last row of X.

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
        series = None if X is None else self._given(X)
        n = 1 if series is None else len(series.arrays)
        known = None if inputs is None else self._known(inputs, n, int(n_steps))
        if series is None:
            out = self._closed_loop(*self._end, None, known, int(n_steps))
            return out[0]
        out = np.empty((n, n_steps, self.n_outputs_))
        for which, u in series.by_length():
            h, y = self._run_to_end(u, outputs_known=known is None)
            coming = None if known is None else known[which]
            # Without known inputs, the output at the last row of X is the first that is asked for.
            first = y if known is None else None
            out[which] = self._closed_loop(h, y, first, coming, int(n_steps))
        return out[0] if series.kind == "one" else out

    def _known(self, inputs: Any, n: int, n_steps: int) -> np.ndarray:
        """Return the coming inputs as (n_series, n_steps, n_features)."""
        known = np.asarray(inputs, np.float64)
        each = (n_steps, self.n_features_in_)
        if known.shape not in (each, (n, *each)):
            raise ValueError(
                f"inputs must have shape {each}, the coming steps by features, or {(n, *each)}; "
                f"got {known.shape}"
            )
        if not np.isfinite(known).all():
            raise ValueError("inputs contains NaN or infinity")
        return np.broadcast_to(known, (n, *each))

    def _closed_loop(
        self,
        h: np.ndarray,
        y: np.ndarray,
        first: np.ndarray | None,
        known: np.ndarray | None,
        n_steps: int,
    ) -> np.ndarray:
        """Go on from states (n, units) and outputs (n, n_outputs): (n, n_steps, n_outputs)."""
        out = np.empty((len(h), n_steps, self.n_outputs_))
        start = 0
        if first is not None:
            out[:, 0] = first
            start = 1
        for t in range(start, n_steps):
            u = y if known is None else known[:, t]
            h = self._next_state(u, h, y)
            out[:, t] = y = self._output(h)
        return out

    def _next_state(self, u: np.ndarray, h: np.ndarray, y: np.ndarray) -> np.ndarray:
        back = y[:, None] if self.feedback else None
        return self.reservoir_.block(u[:, None], h, back)[-1]

    def _run_to_end(self, u: np.ndarray, outputs_known: bool) -> tuple[np.ndarray, np.ndarray]:
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

    def _predict_free(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run on the model's own output as feedback; return outputs and the last state."""
        h = self.reservoir_.start(len(u))
        y = np.zeros((len(u), self.n_outputs_))
        out = np.empty((*u.shape[:2], self.n_outputs_))
        for t in range(u.shape[1]):
            h = self._next_state(u[:, t], h, y)
            out[:, t] = y = self._output(h)
        return out, h
