"""The largest rank that all fits of a search accept, and the ranks that it tries."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from joblib import parallel_config
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params, _num_samples

from ..estimators import DeepEstimator
from ..models import NetworkConfig
from ..network import Network
from ..training import interruptions_raised
from .rank_parameter import RankParameter


class RankLimit(NamedTuple):
    """The largest rank of a search.

    Attributes
    ----------
    largest : int
        All ranks up to it are candidates by default.
    why : str
    refuses_larger : bool
        Whether the estimator rejects a rank above it.
    """

    largest: int
    why: str
    refuses_larger: bool


def limit_of_folds(
    parameter: RankParameter,
    estimator: Any,
    X: Any,
    y: Any,
    rows: Any,
    folds: Sequence[np.ndarray],
    fit_params: dict[str, Any],
    refit: bool,
) -> RankLimit | None:
    """Return the largest rank that all fits of a search accept; None if it is unknown.

    Parameters
    ----------
    parameter : RankParameter
    estimator : estimator
    X, y : as in fit
    rows : as from :meth:`RankParameter.rows`
        All rows as they reach the holder. If they are unknown, one epoch on each fold, and on all
        rows, shows which networks the estimator fits.
    folds : sequence of ndarray
        Training rows of each fold, of which preceding steps may make fewer columns than of all.
    fit_params : dict
        Passed to every fit; arrays with one entry per row are divided as the rows are.
    refit : bool
        Whether the estimator is fitted on all rows too.
    """
    holder = parameter.unfitted(estimator)
    if not isinstance(holder, DeepEstimator):
        return None
    if rows is None:
        every = [*folds, np.arange(_num_samples(X))] if refit else folds
        configs = _configs(parameter, estimator, X, y, every, fit_params)
        limits = [_limit(holder, config) for config in configs]
    else:
        limits = [largest_rank(holder, rows, y)]
        for train in folds if rows is not X else ():
            part, targets = _safe_indexing(X, train), _safe_indexing(y, train)
            part = parameter.rows(estimator, part, targets)
            limits.append(largest_rank(holder, part, targets))
    return min(limits, key=lambda limit: limit.largest, default=None)


def largest_rank(holder: DeepEstimator, X: Any, y: Any) -> RankLimit:
    """Return the largest rank that an estimator accepts for these data, and why.

    Invalid data and parameters raise the same errors here as in `fit`.

    Parameters
    ----------
    holder : DeepEstimator
        Not fitted.
    X, y : as in its fit

    Raises
    ------
    ValueError
        If the estimator cannot be fitted on these data, or has no layer with a rank.
    """
    probe = clone(holder).set_params(rank="auto")
    probe.check_params()
    _, reader, targets = probe._read(X, y, None, None, probe.targets_for)
    return _limit(holder, probe.network_config(n_outputs=targets.n_outputs, **reader.sizes()))


def _limit(holder: Any, config: NetworkConfig) -> RankLimit:
    limit = config.rank_limit()
    if limit is None:
        raise ValueError(
            f"estimator must have a layer with a rank; it has none with adapter={holder.adapter!r}"
        )
    largest, why = limit
    return RankLimit(largest, why, refuses_larger=config.large_ranks == "refuse")


class _Recording(DeepEstimator):
    """Mixin that keeps the configurations of the networks that an estimator and its clones fit."""

    _fitted_configs: list[NetworkConfig]

    def _new_network(self, config: NetworkConfig, *args: Any) -> Network:
        self._fitted_configs.append(config)
        return super()._new_network(config, *args)


def _configs(
    parameter: RankParameter,
    estimator: Any,
    X: Any,
    y: Any,
    folds: Sequence[np.ndarray],
    fit_params: dict[str, Any],
) -> list[NetworkConfig]:
    """Return the configurations of all networks that an estimator fits on the folds."""
    holder, configs = parameter.unfitted(estimator), list[NetworkConfig]()
    # A class attribute, since it survives when the estimator is cloned.
    attributes = {"_fitted_configs": configs}
    kind = type(f"{type(holder).__name__}Recording", (_Recording, type(holder)), attributes)
    params = holder.get_params(deep=False) | {"rank": "auto", "max_iter": 1, "verbose": 0}
    model = parameter.replaced(estimator, kind(**params))
    # In processes, the configurations would be kept by copies of the class.
    with warnings.catch_warnings(), parallel_config("sequential"), interruptions_raised():
        warnings.simplefilter("ignore")
        for train in folds:
            part, targets = _safe_indexing(X, train), _safe_indexing(y, train)
            clone(model).fit(part, targets, **_check_method_params(X, fit_params, train))
    return configs


def candidate_ranks(ranks: Any, limit: RankLimit | None) -> tuple[int, ...]:
    """Return the candidate ranks, sorted and without duplicates.

    Parameters
    ----------
    ranks : sequence of int, or None
        None for all ranks from 1 to the limit.
    limit : RankLimit or None

    Raises
    ------
    ValueError
        If ranks are not integers, are out of range, or there are none.
    """
    if ranks is None:
        if limit is None:
            raise ValueError(
                "ranks must be given, such as (1, 2, 4, 8): the largest rank of an estimator is "
                "known only for deep reservoirs"
            )
        return tuple(range(1, limit.largest + 1))
    many = isinstance(ranks, Iterable) and not isinstance(ranks, str | bytes)
    chosen = list(ranks) if many else [ranks]
    wrong = [r for r in chosen if isinstance(r, bool) or not isinstance(r, Integral)]
    if not many or not chosen or wrong:
        example = wrong[0] if many and wrong else ranks
        raise ValueError(f"ranks must be integers, such as (1, 2, 4, 8); got {example!r}")
    strict = limit is not None and limit.refuses_larger
    largest = limit.largest if limit is not None and strict else float("inf")
    outside = [rank for rank in chosen if not 1 <= rank <= largest]
    if outside:
        bounds = f"between 1 and {largest}, which is {limit.why}" if strict else "at least 1"  # type: ignore[union-attr]
        raise ValueError(f"ranks must be {bounds}; got {outside[0]}")
    return tuple(sorted({int(rank) for rank in chosen}))
