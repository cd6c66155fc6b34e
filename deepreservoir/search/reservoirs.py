"""Search over reservoir parameters: many candidates on small reservoirs, the best on large."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from numbers import Integral
from typing import Any

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.base import clone, is_classifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.utils import check_array, check_consistent_length, check_X_y

from ..checks import check_integer, is_finite_number
from ..esn import TOPOLOGIES, Topology
from ..estimators.echo.series import check_rows, is_many, many_series, many_targets, pooled

_SEARCHED = ("spectral_radius", "leak_rate", "input_scaling")
_NEEDED = ("units", "ridge", *_SEARCHED)
_FOLDS = 5

#: Penalties of the default path, all solved from one decomposition.
PENALTIES = tuple(10.0**power for power in range(-8, 3))


class UnitsHalvingSearchCV(HalvingRandomSearchCV):
    """Successive halving whose resource is `units`, with all units in the last round.

    scikit-learn multiplies the smallest resource by `factor` and stops at the last multiple, such
    as 486 of 500 units. Here the `units` of the estimator are divided by `factor` from the last
    round backwards, so that several reservoirs and powers of two shrink too. As in scikit-learn,
    the best ``1 / factor`` of the candidates of a round continue to the next; the rounds end when
    `factor` or fewer are compared (Jamieson and Talwalkar, 2016).

    Parameters
    ----------
    As in HalvingRandomSearchCV, with ``resource="units"`` and `min_resources` an integer: the
    smallest number of units of a round.

    Attributes
    ----------
    As in HalvingRandomSearchCV, without ``n_possible_iterations_`` and
    ``n_required_iterations_``. ``n_resources_`` and ``cv_results_["n_resources"]`` count the units
    of all reservoirs.
    """

    min_resources_: int

    # Without callback_ctx, added in scikit-learn 1.9: this is the signature in its guide.
    def _run_search(self, evaluate_candidates: Callable[..., dict[str, Any]]) -> None:
        candidates = list(self._generate_candidate_params())
        sizes = _sizes(
            self.estimator.get_params(), len(candidates), self.factor, self.min_resources_
        )
        self.n_iterations_ = len(sizes)
        self.n_resources_ = [_total(units) for units in sizes]
        self.min_resources_ = self.n_resources_[0]
        self.n_candidates_ = []
        for i, units in enumerate(sizes):
            n = len(candidates)
            self.n_candidates_.append(n)
            candidates = [{**candidate, "units": units} for candidate in candidates]
            more = {"iter": [i] * n, "n_resources": [self.n_resources_[i]] * n}
            results = evaluate_candidates(
                candidates, self._checked_cv_orig, more_results=more
            )  # of all rounds so far
            scores = results["mean_test_score"][-n:]
            order = np.argsort(-scores, kind="stable")[: np.isfinite(scores).sum()]
            if not len(order):
                raise ValueError(
                    f"none of {n} candidates with units={units} has a finite score: each failed, "
                    "or its predictions diverged, in at least one fold (the warnings say why). "
                    "Lower spectral_radius and input_scaling, or use activation='tanh'"
                )
            candidates = [candidates[j] for j in order[: ceil(n / self.factor)]]
        self.n_remaining_candidates_ = len(candidates)


def _levels(units: Any) -> tuple[Any, ...]:
    return tuple(units) if isinstance(units, tuple | list | np.ndarray) else (units,)


def _total(units: Any) -> int:
    return int(sum(_levels(units)))


def _topology(params: dict[str, Any]) -> Topology | None:
    """Return the topology that the parameters name, if it exists; fitting rejects others."""
    name = params.get("topology")
    return TOPOLOGIES.get(name) if isinstance(name, str) else None


def _sizes(params: dict[str, Any], n_candidates: int, factor: int, min_units: int) -> list[Any]:
    """Return the `units` of each round, in increasing order."""
    topology = _topology(params)
    density = params.get("density")
    # An integer density is an in-degree, which cannot exceed the number of units.
    least = max(min_units, density) if isinstance(density, Integral) else min_units
    sizes, n = [params["units"]], n_candidates
    while n > factor:
        n = ceil(n / factor)
        divisor = factor ** len(sizes)
        levels = [int(units) // divisor for units in _levels(params["units"])]
        if min(levels) < least:
            break
        if topology is not None:
            levels = [topology.most_units(units) for units in levels]
            if min(levels) < least:
                break
        sizes.append(tuple(levels) if np.ndim(params["units"]) else levels[0])
    return sizes[::-1]


def score_after_washout(estimator: Any, X: Any, y: Any) -> float:
    """Return R^2 of a regressor's predictions, without the first `washout` steps of each series.

    A prediction starts from the zero state, so its first steps reflect the initial state rather
    than the model. Outputs are averaged; the steps of all series are pooled.

    Parameters
    ----------
    estimator : fitted regressor with a parameter `washout`
    X : array-like, shape (time, n_features) or (n_series, time, n_features), or list of \
(time, n_features)
    y : as in fit

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no series is longer than the washout.
    """
    targets, predictions = (
        pooled(X, values, estimator.washout) for values in (y, estimator.predict(X))
    )
    if not len(targets):
        raise ValueError(
            f"scoring needs series longer than the washout of {estimator.washout}; got none"
        )
    return float(r2_score(targets, predictions))


def reservoir_search(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    n_candidates: int = 27,
    spectral_radius: Any = (0.1, 1.4),
    leak_rate: Any = (0.1, 1.0),
    input_scaling: Any = (0.05, 2.0),
    ridge: Any = PENALTIES,
    cv: Any = None,
    scoring: Any = None,
    factor: int = 3,
    min_units: int = 50,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> UnitsHalvingSearchCV:
    """Search for the parameters of a reservoir by successive halving over its size.

    Candidates are drawn at random and compared on small reservoirs; the better ones continue to
    larger reservoirs, and the last few are compared with all the `units` of `estimator`. The
    reservoir is made smaller rather than the data, since rows cannot be left out of a series.

    Parameters
    ----------
    estimator : EchoStateRegressor or EchoStateClassifier
        Or any estimator with `units`, `ridge` and the three parameters below. Its other
        parameters are kept, and it is not modified. If its `random_state` is an integer, all
        candidates of the same size have the same links.
    X, y : as in the estimator's fit
        Host arrays, even if the estimator computes on a device.
    n_candidates : int, default=27
        Number of candidates in the first round.
    spectral_radius : (float, float) or float, default=(0.1, 1.4)
        Bounds of a uniform distribution; a number is kept fixed.
    leak_rate, input_scaling : (float, float) or float, default=(0.1, 1.0), (0.05, 2.0)
        Bounds of log-uniform distributions; a number is kept fixed.
    ridge : float or sequence of float, default=1e-8, 1e-7, ..., 1e2
        Penalties from which each candidate chooses its own. A path of penalties takes only one
        decomposition, so it is not searched over. ``best_estimator_.readout_.penalty`` is the
        penalty chosen. Not used if the estimator has a `readout` other than ridge.
    cv : int, splitter or iterable, optional
        By default, up to five folds: in time order for a regressor on one series
        (TimeSeriesSplit), over the series for a regressor on many (KFold), stratified for a
        classifier.
    scoring : str or callable, optional
        By default, R^2 after the washout of each test fold (`score_after_washout`), or the
        accuracy of a classifier.
    factor : int, default=3
        One in `factor` candidates continues to the next round, which has `factor` times the units.
    min_units : int, default=50
        No round has a smaller reservoir; an `estimator` that is smaller has a single round. With
        several reservoirs, this applies to the smallest.
    n_jobs : int, optional
        Number of processes, as in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Source of the candidates.

    Returns
    -------
    UnitsHalvingSearchCV
        Fitted; a HalvingRandomSearchCV, with ``best_estimator_`` (fitted on all of X, with all
        units), ``best_params_``, ``best_score_`` and ``cv_results_``.

    Raises
    ------
    ValueError
        Before any fit, if a parameter is out of range or series are too short for the washout;
        later, if every candidate of a round fails. If only some fail, their score is NaN, with a
        warning.

    References
    ----------
    Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter
    optimization, AISTATS 2016.

    Examples
    --------
    >>> from deepreservoir import EchoStateRegressor
    >>> from deepreservoir.datasets import narma10
    >>> u, y = narma10(600)
    >>> model = EchoStateRegressor(units=60, washout=20, random_state=0)
    >>> search = reservoir_search(model, u, y, n_candidates=6, min_units=20, random_state=0)
    >>> search.n_resources_, search.n_candidates_
    ([20, 60], [6, 2])
    >>> search.best_estimator_.units
    60
    """
    params = _checked_params(estimator)
    check_integer("n_candidates", n_candidates, 1)
    check_integer("factor", factor, 2)
    check_integer("min_units", min_units, 1)
    distributions = {
        "spectral_radius": _distribution("spectral_radius", spectral_radius, False),
        "leak_rate": _distribution("leak_rate", leak_rate, True, most=1.0),
        "input_scaling": _distribution("input_scaling", input_scaling, True),
    }
    _check_data(estimator, X, y)
    if cv is None:
        cv = _folds(estimator, X, y)
    if scoring is None and not is_classifier(estimator):
        scoring = score_after_washout
    base = clone(estimator)
    path = _path(ridge)
    if params.get("readout", "ridge") == "ridge":
        base.set_params(ridge=path)
    total = _total(params["units"])
    # If all parameters are fixed, there is only one candidate.
    fixed = all(isinstance(values, list) for values in distributions.values())
    search = UnitsHalvingSearchCV(
        base,
        distributions,
        n_candidates=1 if fixed else int(n_candidates),
        factor=int(factor),
        resource="units",
        max_resources=total,
        min_resources=min(int(min_units), total),
        cv=cv,
        scoring=scoring,
        return_train_score=False,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    return search.fit(X, y)


def _check_data(estimator: Any, X: Any, y: Any) -> None:
    """Raise a ValueError if no candidate can be fitted on the data."""
    if y is None:
        raise ValueError("y must contain the targets, as in the estimator's fit; got None")
    numeric = not is_classifier(estimator)
    if is_many(X):
        series = many_series(X)
        if numeric:
            many_targets(y, series)
    elif numeric:
        check_rows(X)
        check_X_y(X, y, dtype=np.float64, multi_output=True, y_numeric=True)
    else:
        check_array(X, dtype=np.float64)
    check_consistent_length(X, y)


def _checked_params(estimator: Any) -> dict[str, Any]:
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise ValueError(
            f"estimator must be an estimator, such as EchoStateRegressor(); got {estimator!r}"
        )
    params: dict[str, Any] = estimator.get_params(deep=False)
    missing = [name for name in _NEEDED if name not in params]
    if missing:
        raise ValueError(
            f"estimator must have the parameters {', '.join(_NEEDED)}, as EchoStateRegressor has; "
            f"{type(estimator).__name__} lacks {', '.join(missing)}"
        )
    topology = _topology(params)
    for units in _levels(params["units"]):
        check_integer("units", units, 1)
        if topology is not None:
            topology.check_units(int(units))
    return params


def _positive(value: Any) -> bool:
    return is_finite_number(value) and value > 0


def _distribution(name: str, bounds: Any, logarithmic: bool, most: float = float("inf")) -> Any:
    """Return the distribution of a parameter: a frozen distribution, or a list of one value."""
    pair = bounds if isinstance(bounds, tuple | list | np.ndarray) else (bounds,)
    fits = len(pair) in (1, 2) and all(_positive(value) and value <= most for value in pair)
    if not fits or (len(pair) == 2 and not pair[0] < pair[1]):
        limit = "" if most == float("inf") else f", up to {most}"
        raise ValueError(
            f"{name} must be bounds (low, high) with 0 < low < high{limit}, or a number that is "
            f"kept fixed; got {bounds!r}"
        )
    low, high = float(pair[0]), float(pair[-1])
    if len(pair) == 1:
        return [low]
    return loguniform(low, high) if logarithmic else uniform(low, high - low)


def _path(ridge: Any) -> tuple[float, ...]:
    path = tuple(ridge) if isinstance(ridge, tuple | list | np.ndarray) else (ridge,)
    if not path or not all(_positive(value) or value == 0 for value in path):
        raise ValueError(f"ridge must be a penalty of at least 0, or a path of them; got {ridge!r}")
    return tuple(float(value) for value in path)


def _folds(estimator: Any, X: Any, y: Any) -> Any:
    """Return folds that keep series whole and time in order."""
    washout = getattr(estimator, "washout", 0)
    if is_classifier(estimator):
        fewest = int(np.unique(y, return_counts=True)[1].min())
        return StratifiedKFold(min(_FOLDS, max(2, fewest)))
    if not is_many(X):
        shortest, remedy = len(X) // (_FOLDS + 1), f", for folds of a {_FOLDS + 1}th of X"
        folds: Any = TimeSeriesSplit(_FOLDS)
    else:
        if len(X) < 2:
            raise ValueError(
                "folds over series need at least two series; got 1. Pass a single series as a "
                "2-D array to split it in time"
            )
        shortest, remedy = min(len(series) for series in X), ""
        folds = KFold(min(_FOLDS, len(X)))
    if shortest < washout + 2:
        raise ValueError(
            f"each fold must be longer than the washout of {washout} by two steps or more"
            f"{remedy}; the shortest has {shortest}. Lower washout, or pass cv"
        )
    return folds
