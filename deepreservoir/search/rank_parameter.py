"""The rank parameter of an estimator: its position and its possible values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from ..estimators import DeepEstimator


@dataclass(frozen=True)
class RankParameter:
    """The rank parameter of an estimator, or of one that it contains, such as a step.

    Attributes
    ----------
    holder : str
        Name, as in ``get_params``, of the estimator that has the rank; empty for the outer one.
    """

    holder: str

    @classmethod
    def of(cls, estimator: Any) -> RankParameter:
        """Find the only rank parameter of an estimator.

        Raises
        ------
        ValueError
            If there is none, or several, or no `adapter` that belongs to it.
        """
        if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
            raise ValueError(
                f"estimator must be an estimator, such as DeepReservoirClassifier(); "
                f"got {estimator!r}"
            )
        kind, names = type(estimator).__name__, estimator.get_params(deep=True)
        ranks = [name for name in names if name == "rank" or name.endswith("__rank")]
        if not ranks:
            raise ValueError(
                "estimator must have a parameter 'rank', as DeepReservoirClassifier has, or "
                f"contain an estimator that has one; {kind} has none"
            )
        if len(ranks) > 1:
            raise ValueError(
                f"estimator must have only one rank, which is varied; {kind} has "
                f"{len(ranks)}: {', '.join(sorted(ranks))}"
            )
        parameter = cls(ranks[0].removesuffix("rank").removesuffix("__"))
        if parameter.name("adapter") not in names:
            raise ValueError(
                f"{ranks[0]} must come with a parameter 'adapter', whose value 'full' trains "
                f"all weights; {kind} has no {parameter.name('adapter')}"
            )
        if names[parameter.name("adapter")] == "full":
            raise ValueError(
                f"{parameter.name('adapter')} must be one that has a rank, such as 'lora'; got "
                "'full', with which the ranks are compared"
            )
        return parameter

    def name(self, parameter: str) -> str:
        """Return the full name of a parameter of the holder."""
        return f"{self.holder}__{parameter}" if self.holder else parameter

    def changed(self, estimator: Any, **values: Any) -> Any:
        """Return a clone of the estimator with other values of the holder's parameters."""
        return clone(estimator).set_params(**{self.name(k): v for k, v in values.items()})

    def twin(self, estimator: Any) -> Any:
        """Return a clone that trains all weights, and so has no scaffold to resample."""
        kind = type(self.unfitted(estimator))
        values = dict(getattr(kind, "fully_trained_parameters", {"adapter": "full"}))
        if self.name("resample") in estimator.get_params(deep=True):
            values["resample"] = None
        return self.changed(estimator, **values)

    def unfitted(self, estimator: Any) -> Any:
        """Return the holder."""
        return estimator.get_params(deep=True)[self.holder] if self.holder else estimator

    def fitted(self, model: Any) -> Any:
        """Return the fitted holder of a fitted model; None if the model does not say which it is.

        Meta-estimators that fit one clone store it under the name with an underscore.
        """
        for name in self.holder.split("__") if self.holder else ():
            if isinstance(model, Pipeline):
                model = model.named_steps[name]
            else:
                model = getattr(model, f"{name}_", None)
        return model

    def rows(self, estimator: Any, X: Any, y: Any) -> Any:
        """Return X as it reaches the holder, after the preceding steps of pipelines."""
        for name in self.holder.split("__") if self.holder else ():
            if isinstance(estimator, Pipeline):
                before = estimator[: list(estimator.named_steps).index(name)]
                X = clone(before).fit_transform(X, y) if len(before) else X
            estimator = estimator.get_params(deep=True)[name]
        return X

    def limit(
        self, estimator: Any, X: Any, y: Any, rows: Any, folds: Sequence[np.ndarray]
    ) -> RankLimit | None:
        """Return the largest rank that all fits of a search accept.

        Parameters
        ----------
        estimator : estimator
        X, y : as in fit
        rows : as from :meth:`rows`
            All rows as they reach the holder.
        folds : sequence of ndarray
            Training rows of each fold, of which preceding steps may make fewer columns than of all.
        """
        holder = self.unfitted(estimator)
        limits = [largest_rank(holder, rows, y)]
        if rows is not X:
            for train in folds:
                part, targets = _safe_indexing(X, train), _safe_indexing(y, train)
                limits.append(largest_rank(holder, self.rows(estimator, part, targets), targets))
        known = [limit for limit in limits if limit is not None]
        return min(known, key=lambda limit: limit.largest) if known else None


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


def largest_rank(holder: Any, X: Any, y: Any) -> RankLimit | None:
    """Return the largest rank that an estimator accepts for these data, and why.

    Invalid data and parameters raise the same errors here as in `fit`.

    Parameters
    ----------
    holder : estimator
        Not fitted, with parameters `rank` and `adapter`.
    X, y : as in its fit

    Returns
    -------
    RankLimit, or None for an estimator whose widths are unknown

    Raises
    ------
    ValueError
        If the estimator cannot be fitted on these data, or has no layer with a rank.
    """
    if not isinstance(holder, DeepEstimator):
        return None
    probe = clone(holder).set_params(rank="auto")
    probe.check_params()
    _, reader, targets = probe._read(X, y, None, None, probe.targets_for)
    config = probe.network_config(n_outputs=targets.n_outputs, **reader.sizes())
    limit = config.rank_limit()
    if limit is None:
        raise ValueError(
            f"estimator must have a layer with a rank; it has none with adapter={holder.adapter!r}"
        )
    largest, why = limit
    return RankLimit(largest, why, refuses_larger=config.large_ranks == "refuse")


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
