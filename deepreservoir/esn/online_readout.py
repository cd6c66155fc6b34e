"""Online readouts, trained row by row: recursive least squares and least mean squares."""

from __future__ import annotations

import numpy as np

from ..backend import Array, Device, Movable, array_module, device_module, to_host
from .readout import GROWING, RidgeFit, counted_rows, no_rows


class RecursiveLeastSquares(Movable):
    """Recursive least squares with forgetting: exact after every row (Haykin, chapter 10).

    Targets are differences from the first row's, so that a mean far from zero costs no digits.

    Parameters
    ----------
    n_features, n_outputs : int
    forgetting : float, default=1.0
        Factor by which the weight of past rows shrinks with each new row, in (0, 1].
    penalty : float, default=1e-6
        Initial ridge penalty of the coefficients. That of the intercept is at most 1e-6, so that
        the result does not depend on which row comes first.
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"

    Examples
    --------
    >>> from deepreservoir.esn.online_readout import RecursiveLeastSquares
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> readout = RecursiveLeastSquares(n_features=2, n_outputs=1)
    >>> readout.add(X, X @ [[2.0], [-1.0]] + 5)
    >>> fitted = readout.fit()
    >>> fitted.coef.round(3), fitted.intercept.round(3)
    (array([[ 2., -1.]]), array([5.]))
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        forgetting: float = 1.0,
        penalty: float = 1e-6,
        device: Device = "cpu",
    ) -> None:
        xp = device_module(device)
        self.forgetting = forgetting
        self.coef = xp.zeros((n_outputs, n_features + 1))  # the last column is the intercept
        self.P = xp.eye(n_features + 1) / penalty
        self.P[-1, -1] = 1 / min(penalty, 1e-6)
        self.origin = xp.zeros(n_outputs)
        self.started = False

    def add(self, X: Array, y: Array, weights: Array | None = None) -> None:
        """Update the readout row by row: X (n, n_features), y (n, n_outputs), weights (n,)."""
        xp = array_module(X, y)
        X, y, weights = counted_rows(X, y.astype(np.float64), weights)
        if not self.started and len(y):
            self.origin, self.started = y[0].copy(), True
        rows, y = _with_ones(X), y - self.origin
        if weights is not None:  # the squared error of each row counts that much
            root = xp.sqrt(weights)[:, None]
            rows, y = root * rows, root * y
        for x, target in zip(rows, y, strict=True):
            Px = self.P @ x
            gain = Px / (self.forgetting + x @ Px)
            self.coef += xp.outer(target - self.coef @ x, gain)
            self.P -= xp.outer(gain, Px)
            self.P /= self.forgetting

    def fit(self) -> RidgeFit:
        """Return the current readout."""
        if not self.started:
            raise no_rows()
        return _online(self.coef[:, :-1].copy(), self.coef[:, -1] + self.origin)


class LeastMeanSquares(Movable):
    """Normalised least mean squares: one small step per row (Widrow and Hoff, 1960).

    Parameters
    ----------
    n_features, n_outputs : int
    rate : float, default=0.1
        Step size in (0, 2), divided by the squared norm of the row.
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"

    Examples
    --------
    >>> from deepreservoir.esn.online_readout import LeastMeanSquares
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> readout = LeastMeanSquares(n_features=2, n_outputs=1, rate=0.5)
    >>> readout.add(X, X @ [[2.0], [-1.0]])
    >>> readout.fit().coef.round(3)
    array([[ 2., -1.]])
    """

    def __init__(
        self, n_features: int, n_outputs: int, rate: float = 0.1, device: Device = "cpu"
    ) -> None:
        self.rate = rate
        self.started = False
        self.coef = device_module(device).zeros((n_outputs, n_features + 1))

    def add(self, X: Array, y: Array, weights: Array | None = None) -> None:
        """Update the readout row by row: X (n, n_features), y (n, n_outputs), weights (n,).

        A step multiplies the error of its row by ``1 - rate``; one of weight w does so w times.
        """
        xp = array_module(X, y)
        X, y, weights = counted_rows(X, y.astype(np.float64), weights)
        self.started = self.started or len(y) > 0
        rates = [self.rate] * len(X) if weights is None else self._repeated(to_host(weights))
        for x, target, rate in zip(_with_ones(X), y, rates, strict=True):
            self.coef += xp.outer(target - self.coef @ x, x) * (rate / (x @ x))

    def _repeated(self, weights: np.ndarray) -> list[float]:
        """Return the rates of single steps that stand for steps repeated by their weights."""
        if self.rate > 1:
            raise ValueError(
                f"weights need a rate of at most 1, so that steps can be repeated a fraction of a "
                f"time; got {self.rate!r}"
            )
        return (1 - (1 - self.rate) ** weights).tolist()

    def fit(self) -> RidgeFit:
        """Return the current readout."""
        if not self.started:
            raise no_rows()
        return _online(self.coef[:, :-1].copy(), self.coef[:, -1].copy())


def _online(coef: Array, intercept: Array) -> RidgeFit:
    """Return a readout that was trained row by row, or raise if it has diverged."""
    xp = array_module(coef)
    if not bool(xp.isfinite(coef).all() & xp.isfinite(intercept).all()):
        raise ValueError(
            f"the coefficients of the readout are not finite. {GROWING}; or use readout='ridge'"
        )
    return RidgeFit(coef, intercept, 0.0, {})


def _with_ones(X: Array) -> Array:
    """Return the rows in float64 with a column of ones appended: (n, n_features + 1)."""
    xp = array_module(X)
    return xp.hstack([X.astype(np.float64), xp.ones((len(X), 1))])
