"""Ridge readouts, fitted block by block from normal equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..backend import Array, Device, Movable, array_module, device_module, device_of
from ..kernels.linalg import eigh, solve_positive

#: What makes sums that are not finite, and what to do about it.
GROWING = (
    "States that grow without bound do this: lower spectral_radius and input_scaling, or use "
    "activation='tanh'. So do targets beyond 1e150: scale them"
)


@dataclass(frozen=True)
class RidgeFit(Movable):
    """A fitted ridge readout: ``y = x coef^T + intercept``.

    Attributes
    ----------
    coef : array of float64, shape (n_outputs, n_features)
    intercept : array of float64, shape (n_outputs,)
    penalty : float
        The penalty of the fit.
    scores : dict of float to float
        Score of each candidate penalty, lower is better: generalised cross-validation, or the
        error on held-out rows.
    """

    coef: Array
    intercept: Array
    penalty: float
    scores: dict[float, float]


class NormalEquations(Movable):
    """X^T X and X^T y in float64, accumulated over blocks in constant memory.

    Rows and targets are accumulated as differences from the means of the first block, since sums of
    squares about zero would lose the digits of states and targets far from zero.

    Parameters
    ----------
    n_features, n_outputs : int
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"
        Where the rows are, and where everything is computed.

    Examples
    --------
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> equations = NormalEquations(1, 1)
    >>> equations.add(X, y)
    >>> fit = equations.solve(0.0)
    >>> fit.coef.round(6), fit.intercept.round(6)
    (array([[2.]]), array([1.]))
    """

    def __init__(self, n_features: int, n_outputs: int, device: Device = "cpu") -> None:
        xp = device_module(device)
        self.rows = 0
        self.weight: float = 0  # the sum of the rows' weights, each 1 by default
        self.squared_weight: float = 0  # the sum of their squares
        self.xx = xp.zeros((n_features, n_features))
        self.xy = xp.zeros((n_features, n_outputs))
        self.yy = xp.zeros(n_outputs)
        self.x_sum = xp.zeros(n_features)
        self.y_sum = xp.zeros(n_outputs)
        self.x_origin: Array = None  # known once there are rows, as y_origin is
        self.y_origin: Array = None

    def add(self, X: Array, y: Array, weights: Array | None = None) -> None:
        """Add rows: X (n, n_features), y (n, n_outputs), and their weights (n,)."""
        X, y, weights = counted_rows(X, y, weights)
        if not len(X):
            return
        if self.x_origin is None:
            self.x_origin = X.mean(axis=0, dtype=np.float64)
            self.y_origin = y.mean(axis=0, dtype=np.float64)
        X, y = X - self.x_origin, y - self.y_origin  # float64
        self.rows += len(X)
        if weights is None:
            self.weight += len(X)
            self.squared_weight += len(X)
            self.x_sum += X.sum(axis=0)
            self.y_sum += y.sum(axis=0)
        else:
            self.weight += float(weights.sum())
            self.squared_weight += float(weights @ weights)
            self.x_sum += weights @ X
            self.y_sum += weights @ y
            root = array_module(weights).sqrt(weights)[:, None]
            X, y = root * X, root * y
        self.xx += X.T @ X  # NumPy detects the symmetry and does half the work
        self.xy += X.T @ y
        self.yy += (y * y).sum(axis=0)

    def merged(self, other: NormalEquations) -> NormalEquations:
        """Return the normal equations of the rows of both objects."""
        if self.x_origin is None or other.x_origin is None:
            return other if self.x_origin is None else self
        both = object.__new__(NormalEquations)
        both.x_origin, both.y_origin = self.x_origin, self.y_origin
        both.rows = self.rows + other.rows
        both.weight, n = self.weight + other.weight, other.weight
        both.squared_weight = self.squared_weight + other.squared_weight
        # The rows of the other are x + dx and y + dy, as seen from the origins of this one.
        dx, dy = other.x_origin - self.x_origin, other.y_origin - self.y_origin
        outer = array_module(dx).outer
        along = outer(other.x_sum, dx)
        both.xx = self.xx + other.xx + along + along.T + n * outer(dx, dx)
        both.xy = self.xy + other.xy + outer(other.x_sum, dy) + outer(dx, other.y_sum + n * dy)
        both.yy = self.yy + other.yy + 2 * dy * other.y_sum + n * dy**2
        both.x_sum = self.x_sum + other.x_sum + n * dx
        both.y_sum = self.y_sum + other.y_sum + n * dy
        return both

    def moments(self) -> tuple[Array, Array]:
        """Return the mean of the rows, (n_features,), and their covariance times their weight."""
        x_mean = self.x_sum / self.weight
        xx = self.xx - self.weight * array_module(x_mean).outer(x_mean, x_mean)
        return x_mean + self.x_origin, xx

    def _centred(self) -> tuple[Array, Array, Array, Array, Array]:
        if self.x_origin is None:
            raise no_rows()
        x_mean, y_mean = self.x_sum / self.weight, self.y_sum / self.weight
        xp, xx = array_module(x_mean), self.moments()[1]
        xy = self.xy - self.weight * xp.outer(x_mean, y_mean)
        yy = self.yy - self.weight * y_mean**2
        # Solvers differ in what they make of infinities: some raise, and some return NaN.
        if not bool(xp.isfinite(xx).all() & xp.isfinite(xy).all()):
            raise ValueError(
                f"the sums of squares that a readout is solved from are not finite. {GROWING}"
            )
        return xx, xy, yy, x_mean + self.x_origin, y_mean + self.y_origin

    def solve(self, penalty: float) -> RidgeFit:
        """Solve for one penalty; the intercept is not penalised."""
        xx, xy, _, x_mean, y_mean = self._centred()
        diagonal = array_module(xx).arange(len(xx))
        xx[diagonal, diagonal] += penalty
        try:
            coef = solve_positive(xx, xy)
        except np.linalg.LinAlgError:
            # Linearly dependent states without a penalty: take the minimum-norm solution.
            return self.solve_path((penalty,))
        return _fit(coef, x_mean, y_mean, penalty, {})

    def solve_path(
        self, penalties: tuple[float, ...], held_out: NormalEquations | None = None
    ) -> RidgeFit:
        """Solve for the best of several penalties with a single decomposition.

        Parameters
        ----------
        penalties : tuple of float
        held_out : NormalEquations, optional
            Rows that the penalty is chosen on. By default it is chosen by generalised
            cross-validation (Golub, Heath and Wahba, 1979). Of rows with weights it counts as many
            as have the same variance of a mean, ``sum(w)^2 / sum(w^2)`` (Kish, 1965), which depends
            only on the ratios of weights: rows of tiny weight do not count. Penalties are in units
            of the weights.
        """
        xx, xy, yy, x_mean, y_mean = self._centred()
        xp = array_module(xx)
        if not bool(xp.isfinite(yy).all()):
            raise ValueError(
                "the squares of the targets, by which a penalty is chosen, are not finite: scale "
                "the targets, or give one penalty"
            )
        values, vectors = eigh(xx)
        values = xp.maximum(values, 0)
        # Eigenvalues below the rounding error of the largest carry no information.
        cut = values[-1] * len(values) * np.finfo(np.float64).eps
        rotated = vectors.T @ xy  # (n_features, n_outputs)
        count = self.weight**2 / self.squared_weight
        scores, coefs = {}, {}
        for penalty in penalties:
            shifted = values + penalty
            nonzero = shifted > cut
            inverse = xp.where(nonzero, 1 / xp.where(nonzero, shifted, 1), 0)
            coef = vectors @ (inverse[:, None] * rotated)
            coefs[penalty] = coef
            if held_out is None:
                shrunk = rotated * inverse[:, None]
                residual = yy - 2 * (shrunk * rotated).sum(axis=0)
                residual += (values[:, None] * shrunk**2).sum(axis=0)
                freedom = float(count - 1 - (values * inverse).sum())
                gcv = float(count * xp.maximum(residual, 0).sum())
                # As many coefficients as rows leave no error to judge a penalty by.
                scores[penalty] = gcv / freedom**2 if freedom > 1e-9 * count else np.inf
            else:
                scores[penalty] = held_out.squared_error(coef, y_mean - x_mean @ coef)
        known = {penalty: score for penalty, score in scores.items() if score < np.inf}
        best = min(known, key=known.__getitem__) if known else max(scores)
        return _fit(coefs[best], x_mean, y_mean, best, scores)

    def squared_error(self, coef: Array, intercept: Array) -> float:
        """Return the mean squared error on these rows: coef (n_features, n_outputs)."""
        intercept = intercept + self.x_origin @ coef - self.y_origin
        error = self.yy - 2 * (coef * self.xy).sum(axis=0) + ((self.xx @ coef) * coef).sum(axis=0)
        error += 2 * intercept * (self.x_sum @ coef) - 2 * intercept * self.y_sum
        error += self.weight * intercept**2
        # A sum of squares that rounding leaves below zero is zero.
        return max(0.0, float(error.sum() / self.weight / len(error)))


def _fit(
    coef: Array,
    x_mean: Array,
    y_mean: Array,
    penalty: float,
    scores: dict[float, float],
) -> RidgeFit:
    return RidgeFit(coef.T.copy(), y_mean - x_mean @ coef, float(penalty), scores)


class RidgeLearner(Movable):
    """Ridge regression with one penalty, or the best of several by GCV or on held-out rows.

    If the penalty is chosen on held-out rows, the readout is then refitted to all rows.

    Parameters
    ----------
    n_features, n_outputs : int
    penalties : tuple of float
    device : {"cpu", "cuda", "cuda:N"}, default="cpu"
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        penalties: tuple[float, ...],
        device: Device = "cpu",
    ) -> None:
        self.penalties = penalties
        self.equations = NormalEquations(n_features, n_outputs, device)
        self.held_out: NormalEquations | None = None

    def add(self, X: Array, y: Array, weights: Array | None = None) -> None:
        """Add rows to the fit: X (n, n_features), y (n, n_outputs), and their weights (n,)."""
        self.equations.add(X, y, weights)

    def hold_out(self, X: Array, y: Array, weights: Array | None = None) -> None:
        """Add held-out rows, on which the penalty is chosen, and their weights (n,)."""
        if self.held_out is None:
            n_features, n_outputs = self.equations.xy.shape
            self.held_out = NormalEquations(n_features, n_outputs, device_of(X))
        self.held_out.add(X, y, weights)

    def fit(self) -> RidgeFit:
        """Return the readout fitted to the rows added so far."""
        if len(self.penalties) == 1 and self.held_out is None:
            return self.equations.solve(self.penalties[0])
        if self.held_out is not None and not self.held_out.rows:
            raise ValueError(
                "all held-out rows have weight zero, so that no penalty can be chosen on them; set "
                "validation_fraction=0, which chooses it by generalised cross-validation"
            )
        best = self.equations.solve_path(self.penalties, self.held_out)
        if self.held_out is None:
            return best
        refitted = self.equations.merged(self.held_out).solve(best.penalty)
        return replace(refitted, scores=best.scores)


def no_rows() -> ValueError:
    """Return the error of a readout without any row."""
    return ValueError(
        "a readout needs at least one row of states after the washout, of positive weight if there "
        "are weights; got none"
    )


def counted_rows(X: Array, y: Array, weights: Array | None) -> tuple[Array, Array, Array | None]:
    """Return rows, targets and weights without the rows of weight zero, which have no effect."""
    if weights is None:
        return X, y, None
    counted = weights > 0
    return X[counted], y[counted], weights[counted]
