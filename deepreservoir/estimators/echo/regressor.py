"""The echo-state regressor, which predicts a target for every step of a series."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from copy import copy
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ...backend import Array, Device, array_module, resolve_device, to_device
from ...checks import check_flag, check_real
from ...esn.state_blocks import harvest
from ..base.device_input import checked_features, checked_pair, place_of
from ..base.series_names import check_series_names
from ..base.unchanged import unchanged_on_failure
from .descriptions import documented
from .forecast import End, Forecasting
from .series import (
    Series,
    check_numeric,
    check_rows,
    is_many,
    many_series,
    many_targets,
    pooled,
    stacked,
)
from .sklearn_readout import WholeFit
from .weights import weights_of_steps

Rows = tuple[Array, Array, Array | None, bool]


@documented
@dataclass(eq=False, repr=False)
class EchoStateRegressor(RegressorMixin, Forecasting):
    """Echo-state network that predicts a target for every step of a series.

    The state of the reservoir is ``h[t] = (1 - a) h[t-1] + a f(W h[t-1] + W_in u[t] + b)``, and
    only the readout of h is trained (Jaeger, 2001). The rows of X are time steps. Several series
    are run in parallel and independently of each other.

    Parameters
    ----------
    {parameters:
    feedback : bool, default=False
        Whether to feed the output of the previous step back into the reservoir: the true output
        in `fit`, the predicted one in `predict`.
    ridge : float or sequence of float, default=1e-6
        Penalty of the readout. Among several, the best one is selected by generalised
        cross-validation or on held-out rows, with a single decomposition.
    validation_fraction : float, default=0.0
        Share of steps at the end of each series that are held out to select one of several
        penalties. The readout is then refitted to all steps. Where the share is less than one
        step, the penalty is selected by generalised cross-validation.
    readout : {"ridge", "rls", "lms"} or a scikit-learn regressor, default="ridge"
        Ridge regression from streamed normal equations; recursive least squares or normalised
        least mean squares, step by step; or any regressor, which is fitted to all states at once.
    }
    dtype : {"float32", "float64"}, default="float32"
        Data type of the states; the readout is solved in float64.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    {attributes}
    n_outputs_ : int

    Raises
    ------
    ValueError
        Raised by `fit` if a parameter or the data is out of range.

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

    _: KW_ONLY
    feedback: bool = False
    validation_fraction: float = 0.0

    def _check_params(self) -> None:
        super()._check_params()
        self._check_readout("regressor")
        check_flag("feedback", self.feedback)
        check_real("validation_fraction", self.validation_fraction, 0, 0.9)
        if self.validation_fraction and (self.readout != "ridge" or len(self._penalties()) == 1):
            raise ValueError(
                "validation_fraction needs several penalties to choose from: set ridge to a "
                "sequence, such as (1e-8, 1e-6, 1e-4), and readout='ridge'"
            )

    def _read(
        self, X: Any, y: Any, sample_weight: Any, reset: bool, device: Device
    ) -> tuple[Series, list[Array], list[np.ndarray] | None]:
        """Return the series, the targets and the weights of the steps of each of them."""
        place = place_of(device, X=X, y=y, sample_weight=sample_weight)
        width = None if reset else self.n_features_in_
        if is_many(X):
            series = many_series(X, width=width, place=place)
            check_series_names(self, series.names, reset)
            targets, flat = many_targets(y, series)
            if reset:
                self.n_features_in_ = series.width
        else:
            if place == "cuda":
                X, y = checked_pair(self, X, y, reset=reset)
            else:
                check_rows(X)
                X, y = validate_data(
                    self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
                )
            check_numeric(y)
            flat = y.ndim == 1
            series = Series([X], "one", place)
            targets = [y.reshape(len(y), -1).astype(np.float64, copy=False)]
        self._check_washout(series)
        if reset:
            self._flat, self.n_outputs_ = flat, targets[0].shape[1]
        for target in targets:
            if target.shape[1] != self.n_outputs_:
                raise ValueError(
                    f"every series of y must have {self.n_outputs_} outputs; got {target.shape[1]}"
                )
        return series, targets, weights_of_steps(sample_weight, series, some=reset)

    # Fitting ----------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the readout.

        Parameters
        ----------
        X : array-like, shape (time, n_features) or (n_series, time, n_features), or list of \
(time, n_features)
            One series, several of equal length, or several of any length. Each is run from the
            zero state.
        y : array-like, shape (time,) or (time, n_outputs), or one of these per series
        sample_weight : number or array-like, optional
            Weights of the squared errors: (time,) for one series; for several, one number per
            series, or (time,) for each of them. Steps of weight zero have no part in the readout:
            where a target is unknown, it may be any finite number. Neither `plasticity` nor, with
            ``feedback=True``, the targets that are fed back depend on weights. Generalised
            cross-validation, which chooses among several penalties of `ridge`, counts steps by the
            ratios of their weights.

        Returns
        -------
        self
        """
        with unchanged_on_failure(self):
            self._check_params()
            device = resolve_device(self.device)
            series, targets, weights = self._read(X, y, sample_weight, True, device)
            n_feedback = self.n_outputs_ if self.feedback else 0
            self.reservoir_ = self._build(self.n_features_in_, n_feedback)
            if self.plasticity:
                groups = list(series.by_length(device))
                back = None
                if self.feedback:
                    back = [_shifted(_targets_of(targets, which, device)) for which, _ in groups]
                self._tune([u for _, u in groups], back)
            self._learner, self._online = None, False
            self._learn(series, targets, weights)
            self._learn_labels(X, y)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the readout on more series, each run from the zero state.

        A ridge readout adds them to its normal equations, so the result equals that of a single
        `fit` to all series, unless there is `plasticity`: the reservoir is tuned on the series of
        the first call. The equations have units x units entries, and are pickled only after
        `partial_fit` has been called.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        self
        """
        with unchanged_on_failure(self, in_place=True):
            if not isinstance(self.readout, str):
                raise ValueError(
                    "partial_fit needs readout='ridge', 'rls' or 'lms'; a scikit-learn regressor "
                    "is fitted to all states at once"
                )
            if not hasattr(self, "reservoir_"):
                self.fit(X, y, sample_weight)
                self._check_online()
                return self
            self._check_params()
            self._check_online()
            self._learn(*self._read(X, y, sample_weight, False, self._device()))
            self._learn_labels(X, y)
        return self

    def retrained(self, X: Any, y: Any, washout: int | None = None) -> Self:
        """Return a copy with the same reservoir, whose readout is trained on other series only.

        This saves drawing the reservoir. If the reservoir does not depend on the series, that is
        without `plasticity`, the result is that of `fit`; only `noise` is other noise.

        Parameters
        ----------
        X, y : as in fit
        washout : int, optional
            By default that of this estimator.

        Returns
        -------
        EchoStateRegressor

        Examples
        --------
        >>> import numpy as np
        >>> from deepreservoir import EchoStateRegressor
        >>> x = np.sin(np.arange(300) / 5)[:, None]
        >>> model = EchoStateRegressor(units=50, random_state=0).fit(x[:99], x[1:100])
        >>> again = model.retrained(x[:-1], x[1:])
        >>> wanted = EchoStateRegressor(units=50, random_state=0).fit(x[:-1], x[1:])
        >>> bool((again.forecast(5) == wanted.forecast(5)).all())
        True
        """
        check_is_fitted(self, "readout_")
        model = copy(self)
        if washout is not None:
            model.washout = washout
        model._check_params()
        read = model._read(X, y, None, False, model._device())
        model._learner, model._online = None, False
        model._learn(*read)
        model._flat = np.ndim(y[-1] if is_many(X) else y) == 1
        model._learn_labels(X, y)
        return model

    def _learn(
        self, series: Series, targets: list[Array], weights: list[np.ndarray] | None
    ) -> None:
        with closing(self._rows(series, targets, weights)) as rows:
            self._learn_rows(rows)
        if weights is not None and weights[-1][-1] == 0:  # the last target may be any number
            self._end = replace(self._end, target=self._output(self._end.state))

    def _learn_rows(self, rows: Iterable[Rows]) -> None:
        if not isinstance(self.readout, str):
            whole = WholeFit(self.readout)
            for states, y, weights, _ in rows:
                whole.add(states, y, weights)
            self.readout_ = whole.fit()
            return
        if self._learner is None:
            self._learner = self._make_learner(self.reservoir_.units, self.n_outputs_)
        for states, y, weights, held_out in rows:
            if held_out:
                self._learner.hold_out(states, y, weights)
            else:
                self._learner.add(states, y, weights)
        self.readout_ = self._learner.fit()

    def _rows(
        self, series: Series, targets: list[Array], weights: list[np.ndarray] | None
    ) -> Generator[Rows]:
        """Yield (states (n, units), targets (n, n_outputs), weights (n,) or None, held out).

        The last state is stored.
        """
        last, device = len(series.arrays) - 1, self.reservoir_.device
        groups = series.by_length(device)
        if self.readout == "lms":  # whose result depends on the order of the rows
            groups = series.by_length(device, in_order=True, most=1)
        for which, u in groups:
            y = _targets_of(targets, which, device)
            w = None if weights is None else to_device(stacked(weights, which), device)
            back = _shifted(y) if self._has_feedback else None
            used = u.shape[1] - self.washout
            border = u.shape[1] - int(self.validation_fraction * used)
            noise = self._next_noise()
            with closing(harvest(self.reservoir_, u, y, self.washout, back, noise)) as blocks:
                for first, states, block_y in blocks:
                    cut = min(max(border - first, 0), len(states))
                    for part, held_out in ((slice(0, cut), False), (slice(cut, None), True)):
                        if len(states[part]):
                            block_w = None
                            if w is not None:
                                block_w = w[:, first : first + len(states)][:, part].T.ravel()
                            yield _flat(states[part]), _flat(block_y[part]), block_w, held_out
            if last in which:
                i = which.index(last)
                self._end = End(states[-1, i : i + 1].copy(), y[i, -1:].copy(), series.place)

    # Predicting -------------------------------------------------------------------------

    @property
    def _has_feedback(self) -> bool:
        """Whether the fitted reservoir reads the outputs; the parameter may have changed since."""
        return bool(self.reservoir_.n_feedback)

    def _input_series(self, X: Any) -> Series:
        check_is_fitted(self, "readout_")
        place = place_of(self._device(), X=X)
        if is_many(X):
            series = many_series(X, width=self.n_features_in_, place=place)
            check_series_names(self, series.names, reset=False)
            return series
        if place == "cuda":
            return Series([checked_features(self, X, reset=False)], "one", place)
        check_rows(X)
        return Series([validate_data(self, X, reset=False, dtype=np.float64)], "one")

    def predict(self, X: Any) -> Any:
        """Predict the output at every step; each series is run from the zero state.

        Returns
        -------
        array of float64, (time,) or (time, n_outputs), or one of these per series
            In the form of X.
        """
        series = self._input_series(X)
        outputs = series.gather(
            (which, self._predict_free(u)[0] if self._has_feedback else self._predict_driven(u))
            for which, u in series.by_length(self.reservoir_.device)
        )
        return series.like([out[:, 0] if self._flat else out for out in outputs])

    def _predict_driven(self, u: Array) -> Array:
        out = array_module(u).empty((*u.shape[:2], self.n_outputs_))
        for steps, states in self.reservoir_.blocks(u):
            outputs = self._output(_flat(states)).reshape(*states.shape[:2], -1)
            out[:, steps] = outputs.swapaxes(0, 1)
        return out

    def states(self, X: Any) -> Any:
        """Return the reservoir's states (time, units) of each series, in the form of X."""
        series = self._input_series(X)
        return series.like(
            series.gather(
                (which, self._states_of(u)) for which, u in series.by_length(self.reservoir_.device)
            )
        )

    def _states_of(self, u: Array) -> Array:
        back = _shifted(self._predict_free(u)[0]) if self._has_feedback else None
        return self.reservoir_.states(u, feedback=back)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of `predict` over all steps of all series, including the washout.

        The steps of several series are pooled, and the scores of several outputs are averaged.
        ``deepreservoir.search.reservoirs.score_after_washout`` excludes the washout.

        Parameters
        ----------
        X, y : as in fit
        sample_weight : as in fit

        Returns
        -------
        float
        """
        series = self._input_series(X)
        weights = weights_of_steps(sample_weight, series)
        of_steps = None if weights is None else np.concatenate(weights)
        if is_many(X):
            many_targets(y, series)  # raises if X and y do not match
        elif place_of("cuda", X=X, y=y) == "cpu":
            return float(super().score(X, y, of_steps))
        y_true, y_pred = pooled(X, y), pooled(X, self.predict(X))
        return float(r2_score(y_true, y_pred, sample_weight=of_steps))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _flat(block: Array) -> Array:
    """Flatten a block to rows: (time, n_series, width) -> (time * n_series, width)."""
    return block.reshape(-1, block.shape[2])


def _targets_of(targets: list[Array], which: list[int], device: Device) -> Array:
    """Return the targets of series of equal length: (n_series, time, n_outputs)."""
    return to_device(stacked(targets, which), device)


def _shifted(y: Array) -> Array:
    """Return the target of the previous step, zeros at step 0: (n_series, time, n_outputs)."""
    xp = array_module(y)
    return xp.concatenate([xp.zeros_like(y[:, :1]), y[:, :-1]], axis=1)
