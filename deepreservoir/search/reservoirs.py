"""Search over what shapes a reservoir: many candidates on small reservoirs, the best on large."""

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
    """Successive halving whose resource is `units`, and whose last round has all of them.

    scikit-learn multiplies its smallest resource by `factor` and stops at what that reaches:
    486 of 500 units, say. Here each round divides the estimator's own `units`, from the last
    round back, so several reservoirs and powers of two shrink too. As it does, the better
    ``1 / factor`` of a round go on to the next; the rounds end where `factor` or fewer are
    compared (Jamieson and Talwalkar, 2016).

    Parameters
    ----------
    As of HalvingRandomSearchCV, with ``resource="units"`` and `min_resources` an integer: the
    fewest units of a round.

    Attributes
    ----------
    As of HalvingRandomSearchCV, less ``n_possible_iterations_`` and ``n_required_iterations_``.
    ``n_resources_`` and ``cv_results_["n_resources"]`` count the units of all reservoirs.
    """

    min_resources_: int

    # Without callback_ctx, which came in scikit-learn 1.9: this form is that of its own guide.
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
                    "or its prediction ran away, in at least one fold (the warnings say why). "
                    "Lower spectral_radius and input_scaling, or take activation='tanh'"
                )
            candidates = [candidates[j] for j in order[: ceil(n / self.factor)]]
        self.n_remaining_candidates_ = len(candidates)


def _levels(units: Any) -> tuple[Any, ...]:
    return tuple(units) if isinstance(units, tuple | list | np.ndarray) else (units,)


def _total(units: Any) -> int:
    return int(sum(_levels(units)))


def _topology(params: dict[str, Any]) -> Topology | None:
    """Return the topology that the parameters name, if it exists: fitting refuses others."""
    name = params.get("topology")
    return TOPOLOGIES.get(name) if isinstance(name, str) else None


def _sizes(params: dict[str, Any], n_candidates: int, factor: int, min_units: int) -> list[Any]:
    """Return `units` for each round, from few to all."""
    topology = _topology(params)
    density = params.get("density")
    # An integer is an in-degree, and a unit cannot hear more units than there are.
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

    A prediction starts from the zero state, so that its first steps tell of the start and not of
    the model. Outputs are averaged; steps of all series are taken together.

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
    truth, guess = (pooled(X, side, estimator.washout) for side in (y, estimator.predict(X)))
    if not len(truth):
        raise ValueError(
            f"scoring needs series longer than the washout of {estimator.washout}; got none"
        )
    return float(r2_score(truth, guess))


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

    Candidates are drawn at random and compared on small reservoirs; the better ones go on to
    larger ones, and the last few are compared with all the `units` of `estimator`. The size is
    what is saved on, not the data: a series of which some rows are left out is no series.

    Parameters
    ----------
    estimator : EchoStateRegressor or EchoStateClassifier
        Or any estimator with `units`, `ridge` and the three parameters below. Its other
        parameters are kept, and it is not changed. An integer `random_state` of its own gives
        all candidates of one size the same links.
    X, y : as in the estimator's fit
        Arrays of the host, also where the estimator computes on a device.
    n_candidates : int, default=27
        Of the first round.
    spectral_radius : (float, float) or float, default=(0.1, 1.4)
        Bounds of a uniform distribution; a number is kept fixed.
    leak_rate, input_scaling : (float, float) or float, default=(0.1, 1.0), (0.05, 2.0)
        Bounds of log-uniform distributions; a number is kept fixed.
    ridge : float or sequence of float, default=1e-8, 1e-7, ..., 1e2
        Penalties that each candidate chooses from, by itself: a path costs one decomposition,
        so it is not searched over. ``best_estimator_.readout_.penalty`` is the one chosen.
        Not used where the estimator has a `readout` other than ridge, which keeps its own.
    cv : int, splitter or iterable, optional
        Unless given, up to five folds: in the order of time for a regressor on one series
        (TimeSeriesSplit), of series for one on many (KFold), stratified for a classifier.
    scoring : str or callable, optional
        Unless given, R^2 after the washout of each test fold (`score_after_washout`), or a
        classifier's accuracy.
    factor : int, default=3
        A round keeps one in `factor` candidates for the next, of `factor` times the units.
    min_units : int, default=50
        No round has a smaller reservoir, unless `estimator` does; so small a one has one round.
        Of several reservoirs, the smallest counts.
    n_jobs : int, optional
        Processes, as in scikit-learn.
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
        Before any work, for a parameter out of range or series too short for the washout; later,
        if every candidate of a round fails. Of a few that fail, the score is NaN, with a warning.

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
    # All parameters fixed make one candidate, however many are asked for.
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
    """Raise a ValueError for data that no candidate could be fitted on."""
    if y is None:
        raise ValueError("y must hold what is to be predicted, as in the estimator's fit; got None")
    numbers = not is_classifier(estimator)
    if is_many(X):
        series = many_series(X)
        if numbers:
            many_targets(y, series)
    elif numbers:
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
    """Return what to draw a parameter from: a frozen distribution, or a list of one value."""
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
                "folds of series need at least two of them; got 1. Hand a single one in as a "
                "2-D array, and it is split in time"
            )
        shortest, remedy = min(len(series) for series in X), ""
        folds = KFold(min(_FOLDS, len(X)))
    if shortest < washout + 2:
        raise ValueError(
            f"each fold must be longer than the washout of {washout} by two steps or more"
            f"{remedy}; the shortest has {shortest}. Lower washout, or hand in cv"
        )
    return folds
