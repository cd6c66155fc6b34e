"""The echo-state regressor: a target for every step of a series."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..esn.readout import LeastMeanSquares, NormalEquations, RecursiveLeastSquares, RidgeFit
from .echo_base import BaseEchoState
from .series import Series, is_many, many_series, many_targets

_READOUTS = ("ridge", "rls", "lms")


class EchoStateRegressor(RegressorMixin, BaseEchoState):
    """A reservoir and a trained readout: a target for every step of a series.

    ``h[t] = (1 - a) h[t-1] + a f(W h[t-1] + W_in u[t] + b)``, of which only the readout of h is
    trained (Jaeger, 2001). Rows of X are time. Many series run side by side, and nothing leaks
    from one into the next.

    Parameters
    ----------
    units : int or tuple of int, default=500
        Size of the state; a tuple joins several reservoirs.
    spectral_radius : float, default=0.9
        Largest magnitude of the recurrent weights' eigenvalues, set exactly.
    leak_rate : float, default=1.0
        a, in (0, 1]; 1 has no leak.
    input_scaling : float, default=1.0
        Bound of the uniform input weights.
    bias_scaling : float, default=0.0
        Bound of the uniform biases.
    density : float or int, default=0.1
        Share of recurrent links that are there, or the number that each unit hears.
    topology : str, default="random"
        One of ``deepreservoir.esn.TOPOLOGIES``.
    arrangement : {"deep", "grouped"}, default="deep"
        Of several reservoirs: each reads the one before, or all read the input.
    feedback : bool, default=False
        Feed the output of the step before back into the reservoir; the true one in `fit`, its
        own in `predict`.
    noise : float, default=0.0
        Standard deviation of noise inside the nonlinearity, in `fit`.
    washout : int, default=0
        Steps at the start of each series that the readout is not trained on.
    ridge : float or sequence of float, default=1e-6
        Penalty of the readout. Of several, the best by generalised cross-validation is taken;
        the decomposition is one.
    readout : {"ridge", "rls", "lms"} or a scikit-learn regressor, default="ridge"
        Ridge regression from streamed normal equations; recursive least squares or normalised
        least mean squares, step by step; or any regressor, on all states at once.
    activation : {"tanh", "relu", "identity"}, default="tanh"
    dtype : {"float32", "float64"}, default="float32"
        Of the states; the readout is solved in float64.
    random_state : int, RandomState instance or None, default=None
    device : {"cpu", "auto"}, default="cpu"

    Attributes
    ----------
    reservoir_ : ReservoirStack
    readout_ : RidgeFit or the fitted regressor
        For ridge: coef (n_outputs, units), intercept, penalty, and the score of each penalty.
    reservoir_seed_ : int
    n_features_in_ : int

    Raises
    ------
    ValueError
        From `fit`, for a parameter or data out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import EchoStateRegressor
    >>> x = np.sin(np.arange(600) / 5)[:, None]
    >>> model = EchoStateRegressor(units=100, washout=50, random_state=0)
    >>> model = model.fit(x[:-1], x[1:])
    >>> future = model.forecast(20)
    >>> bool(np.abs(future[:, 0] - np.sin(np.arange(600, 620) / 5)).max() < 0.05)
    True
    """

    def __init__(
        self,
        units: int | tuple[int, ...] = 500,
        *,
        spectral_radius: float = 0.9,
        leak_rate: float = 1.0,
        input_scaling: float = 1.0,
        bias_scaling: float = 0.0,
        density: float | int = 0.1,
        topology: str = "random",
        arrangement: str = "deep",
        feedback: bool = False,
        noise: float = 0.0,
        washout: int = 0,
        ridge: Any = 1e-6,
        readout: Any = "ridge",
        activation: str = "tanh",
        dtype: str = "float32",
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.units = units
        self.spectral_radius = spectral_radius
        self.leak_rate = leak_rate
        self.input_scaling = input_scaling
        self.bias_scaling = bias_scaling
        self.density = density
        self.topology = topology
        self.arrangement = arrangement
        self.feedback = feedback
        self.noise = noise
        self.washout = washout
        self.ridge = ridge
        self.readout = readout
        self.activation = activation
        self.dtype = dtype
        self.random_state = random_state
        self.device = device

    # Reading the input ------------------------------------------------------------------

    def _read(self, X: Any, y: Any, reset: bool) -> tuple[Series, list[np.ndarray]]:
        width = None if reset else self.n_features_in_
        if is_many(X):
            series = many_series(X, width=width)
            targets, flat = many_targets(y, series)
            if reset:
                self.n_features_in_ = series.width
        else:
            X, y = validate_data(
                self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
            )
            flat = y.ndim == 1
            series, targets = Series([X], "one"), [y.reshape(len(y), -1).astype(np.float64)]
        shortest = min(len(array) for array in series.arrays)
        if self.washout >= shortest:
            raise ValueError(
                f"washout must be less than the length of every series, {shortest}; "
                f"got {self.washout}"
            )
        if reset:
            self._flat, self.n_outputs_ = flat, targets[0].shape[1]
        elif targets[0].shape[1] != self.n_outputs_:
            raise ValueError(
                f"y must have {self.n_outputs_} outputs as before; got {targets[0].shape[1]}"
            )
        return series, targets

    def _check_readout(self) -> None:
        if isinstance(self.readout, str):
            if self.readout not in _READOUTS:
                raise ValueError(
                    f"readout must be one of {_READOUTS} or a scikit-learn regressor; "
                    f"got {self.readout!r}"
                )
        elif not hasattr(self.readout, "fit") or not hasattr(self.readout, "predict"):
            raise ValueError(
                f"readout must have fit and predict, as a regressor has; got {self.readout!r}"
            )

    # Fitting ----------------------------------------------------------------------------

    def fit(self, X: Any, y: Any) -> Self:
        """Train the readout.

        Parameters
        ----------
        X : array-like, shape (time, n_features) or (n_series, time, n_features), or list of \
(time, n_features)
            One series, many, or many of unequal lengths. Each starts from the zero state.
        y : array-like, shape (time,) or (time, n_outputs), or as many of these as there are \
series

        Returns
        -------
        self
        """
        self._check_params()
        self._check_readout()
        series, targets = self._read(X, y, reset=True)
        n_feedback = self.n_outputs_ if self.feedback else 0
        self.reservoir_ = self._build(self.n_features_in_, n_feedback)
        self._learner: Any = None
        self._learn(series, targets)
        return self

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train the readout on more series; each starts from the zero state.

        Ridge gathers them into its normal equations, so the result is that of one `fit` on all.
        """
        if not hasattr(self, "reservoir_"):
            return self.fit(X, y)
        if not isinstance(self.readout, str):
            raise ValueError(
                "partial_fit needs readout='ridge', 'rls' or 'lms'; a regressor of scikit-learn "
                "sees all states at once"
            )
        series, targets = self._read(X, y, reset=False)
        self._learn(series, targets)
        return self

    def _learn(self, series: Series, targets: list[np.ndarray]) -> None:
        if not isinstance(self.readout, str):
            states, wanted = zip(*self._rows(series, targets), strict=True)
            y = np.concatenate(wanted)
            self.readout_ = clone(self.readout).fit(
                np.concatenate(states), y[:, 0] if y.shape[1] == 1 else y
            )
            return
        if self._learner is None:
            sizes = (self.reservoir_.units, self.n_outputs_)
            penalty = max(self._penalties()[0], 1e-12)
            self._learner = {
                "ridge": lambda: NormalEquations(*sizes),
                "rls": lambda: RecursiveLeastSquares(*sizes, penalty=penalty),
                "lms": lambda: LeastMeanSquares(*sizes),
            }[self.readout]()
        for states, wanted in self._rows(series, targets):
            self._learner.add(states, wanted)
        if self.readout == "ridge":
            path = self._penalties()
            one = len(path) == 1
            self.readout_ = self._learner.solve(path[0]) if one else self._learner.solve_path(path)
        else:
            self.readout_ = self._learner.fit()

    def _rows(self, series: Series, targets: list[np.ndarray]) -> Any:
        """Yield (states (n, units), targets (n, n_outputs)) after the washout; keep the ends."""
        ends: dict[int, np.ndarray] = {}
        for which, u in series.by_length():
            y = np.stack([targets[i] for i in which])  # (n_series, time, n_outputs)
            back = None
            if self.feedback:
                back = np.concatenate([np.zeros_like(y[:, :1]), y[:, :-1]], axis=1)
            runs = self.reservoir_.blocks(u, feedback=back, noise_seed=self.reservoir_seed_)
            for steps, states in runs:
                skip = max(0, self.washout - steps.start)
                if skip < len(states):
                    wanted = y[:, steps].swapaxes(0, 1)[skip:]
                    yield (
                        states[skip:].reshape(-1, self.reservoir_.units),
                        wanted.reshape(-1, self.n_outputs_),
                    )
            ends |= dict(zip(which, states[-1], strict=True))
        last = len(series.arrays) - 1
        self._end = (ends[last][None].copy(), targets[last][-1:].copy())

    # Predicting -------------------------------------------------------------------------

    def _output(self, states: np.ndarray) -> np.ndarray:
        """Return the outputs of states: (n, units) -> (n, n_outputs), float64."""
        if isinstance(self.readout_, RidgeFit):
            return states @ self.readout_.coef.T + self.readout_.intercept
        return np.asarray(self.readout_.predict(states), np.float64).reshape(len(states), -1)

    def _given(self, X: Any) -> Series:
        check_is_fitted(self, "readout_")
        if is_many(X):
            return many_series(X, width=self.n_features_in_)
        return Series([validate_data(self, X, reset=False, dtype=np.float64)], "one")

    def predict(self, X: Any) -> Any:
        """Return the output for every step, in the form of X; every series starts from zero.

        Returns
        -------
        ndarray of float64, (time,) or (time, n_outputs), or as many as there are series
        """
        series = self._given(X)
        outputs: dict[int, np.ndarray] = {}
        for which, u in series.by_length():
            found = self._predict_free(u)[0] if self.feedback else self._predict_driven(u)
            outputs |= dict(zip(which, found, strict=True))
        ordered = [outputs[i] for i in range(len(series.arrays))]
        return series.like([out[:, 0] if self._flat else out for out in ordered])

    def _predict_driven(self, u: np.ndarray) -> np.ndarray:
        out = np.empty((*u.shape[:2], self.n_outputs_))
        for steps, states in self.reservoir_.blocks(u):
            flat = self._output(states.reshape(-1, self.reservoir_.units))
            out[:, steps] = flat.reshape(*states.shape[:2], -1).swapaxes(0, 1)
        return out

    def _predict_free(
        self, u: np.ndarray, h: np.ndarray | None = None, back: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run on the model's own output as feedback; return outputs and the last state."""
        n = len(u)
        h = self.reservoir_.start(n) if h is None else h
        back = np.zeros((n, self.n_outputs_)) if back is None else back
        out = np.empty((*u.shape[:2], self.n_outputs_))
        for t in range(u.shape[1]):
            _, states = next(self.reservoir_.blocks(u[:, t : t + 1], h, back[:, None]))
            h = states[-1]
            back = out[:, t] = self._output(h)
        return out, h

    def states(self, X: Any) -> Any:
        """Return the reservoir's states for every step, in the form of X: (time, units) each."""
        series = self._given(X)
        found: dict[int, np.ndarray] = {}
        for which, u in series.by_length():
            back = None
            if self.feedback:
                free = self._predict_free(u)[0]
                back = np.concatenate([np.zeros_like(free[:, :1]), free[:, :-1]], axis=1)
            blocks = [s.swapaxes(0, 1) for _, s in self.reservoir_.blocks(u, feedback=back)]
            found |= dict(zip(which, np.concatenate(blocks, axis=1), strict=True))
        return series.like([found[i] for i in range(len(series.arrays))])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def forecast(self, n_steps: int, X: Any = None) -> np.ndarray:
        """Generate: the output of each step is the input of the next.

        Parameters
        ----------
        n_steps : int
        X : array-like, shape (time, n_features), optional
            Series to go on from, from the zero state; where training ended unless given.

        Returns
        -------
        ndarray of float64, shape (n_steps, n_outputs)
            The first row is the step after the last one that is known: after the last target of
            training, or the last row of X.

        Raises
        ------
        ValueError
            If the outputs cannot be inputs: there must be as many as features, so fit on
            ``(x[:-1], x[1:])``.
        """
        check_is_fitted(self, "readout_")
        if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
            raise ValueError(f"n_steps must be an integer of at least 1; got {n_steps!r}")
        if self.n_outputs_ != self.n_features_in_:
            raise ValueError(
                f"forecast needs as many outputs as features, since outputs become inputs; got "
                f"{self.n_outputs_} and {self.n_features_in_}. Fit on (x[:-1], x[1:])"
            )
        if X is None:
            h, y = self._end  # the last target is known, and the first input
            h, y = self._step_on(h, y)
        else:
            u = self._given(X)
            if u.kind != "one":
                raise ValueError("forecast goes on from one series, (time, n_features)")
            h, y = self._run_to_end(u.arrays[0][None])
        out = np.empty((n_steps, self.n_outputs_))
        out[0] = y[0]
        for t in range(1, n_steps):
            h, y = self._step_on(h, y)
            out[t] = y[0]
        return out

    def _step_on(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Feed an output back in: (1, units), (1, n_outputs) -> the next of both."""
        back = y[:, None] if self.feedback else None
        _, states = next(self.reservoir_.blocks(y[:, None], h, back))
        return states[-1], self._output(states[-1])

    def _run_to_end(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.feedback:
            out, h = self._predict_free(u)
            return h, out[:, -1]
        for _, states in self.reservoir_.blocks(u):
            h = states[-1]
        return h, self._output(h)
