"""Comparison of ways of training on the same rows, with the same folds and seeds."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params

from ..estimators.base.series_input import Timed
from ..inputs import irregular_series
from ..training import interruptions_raised
from ..user_warnings import warn_user
from .rank_parameter import RankParameter
from .validation_loss import ValidationLoss


@dataclass(frozen=True)
class Trial:
    """The result of one way of training.

    Attributes
    ----------
    losses : ndarray, shape (n_folds, n_seeds)
    n_trained : int or None
    """

    losses: np.ndarray
    n_trained: int | None

    def summary(self) -> dict[str, Any]:
        """Return the mean and standard deviation of the losses, and the number of parameters."""
        spread = float(self.losses.std(ddof=1)) if self.losses.size > 1 else 0.0
        return {"loss": float(self.losses.mean()), "spread": spread, "n_trained": self.n_trained}


@dataclass(frozen=True)
class Trials:
    """The protocol of all trials.

    Attributes
    ----------
    parameter : RankParameter
    X, y : rows and targets
    loss : callable
    splits : list of (ndarray, ndarray)
        Training rows and held-out rows of each fold.
    seeds : list of int
    n_jobs : int or None
    bar : tqdm
    fit_params : dict
        Passed to every fit; arrays with one entry per row are divided as the rows are.
    converged : list of bool
        Whether each fit so far has converged.
    """

    parameter: RankParameter
    X: Any
    y: Any
    loss: ValidationLoss
    splits: list[tuple[np.ndarray, np.ndarray]]
    seeds: list[int]
    n_jobs: int | None
    bar: Any
    fit_params: dict[str, Any] = field(default_factory=dict)
    converged: list[bool] = field(default_factory=list)

    def of(self, model: Any, name: str) -> Trial:
        """Fit clones of a model on every fold with every seed; messages call it `name`.

        Raises
        ------
        ValueError
            If a loss is not finite.
        """
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_run)(
                seeded(model, seed),
                self.parameter,
                self.X,
                self.y,
                split,
                self.loss,
                self.fit_params,
            )
            for split in self.splits
            for seed in self.seeds
        )
        self.converged.extend(converged for _, _, converged in results)
        losses = np.array([loss for loss, _, _ in results]).reshape(len(self.splits), -1)
        if not np.isfinite(losses).all():
            fold, seed = np.argwhere(~np.isfinite(losses))[0]
            raise ValueError(
                f"the loss of {name} is {losses[fold, seed]} on fold {fold} with seed "
                f"{self.seeds[seed]}, so that nothing can be compared with it; check the data "
                "and scoring"
            )
        self.bar.set_postfix_str(f"{name}: loss {losses.mean():.4g}", refresh=False)
        self.bar.update(losses.size)
        return Trial(losses, results[0][1])

    def warn_of_convergence(self) -> None:
        """Warn once of all fits that have not converged."""
        n, total = self.converged.count(False), len(self.converged)
        if n:
            warn_user(
                f"{n} of {total} fits had not converged: their loss was still falling when they "
                "ended. Increase max_iter, or learning_rate_init, of the estimator",
                ConvergenceWarning,
            )


def _run(
    model: Any,
    parameter: RankParameter,
    X: Any,
    y: Any,
    split: tuple[np.ndarray, np.ndarray],
    loss: ValidationLoss,
    fit_params: dict[str, Any],
) -> tuple[float, int | None, bool]:
    """Fit on the training rows.

    Returns
    -------
    loss : float
        On the other rows.
    n_trained : int or None
    converged : bool
        False if a ConvergenceWarning said otherwise.
    """
    train, test = split
    params = _check_method_params(X, fit_params, train)
    with interruptions_raised(), _without_convergence_warnings() as found:
        model.fit(_safe_indexing(X, train), _safe_indexing(y, train), **params)
    holder = parameter.fitted(model)
    value = loss(model, _safe_indexing(X, test), _safe_indexing(y, test))
    return value, getattr(holder, "n_trained_params_", None), not found


@contextmanager
def _without_convergence_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the ConvergenceWarnings of the block, which a search gives as one; issue the others.

    Filters of warnings belong to the process: in another thread than the main one, changing them
    would affect what other threads do meanwhile, so that there nothing is collected.
    """
    found: list[warnings.WarningMessage] = []
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    with warnings.catch_warnings(record=True) as recorded:
        yield found
    for each in recorded:
        if issubclass(each.category, ConvergenceWarning):
            found.append(each)
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def with_times(estimator: Any, X: Any, fit_params: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return X with the times of its series, if they are given, and the other parameters of `fit`.

    Held-out series then have their times too, which would reach the fits only.

    Raises
    ------
    ValueError
        If times are given for an estimator within another one, whose series X may not hold.
    """
    given = [
        name
        for name, value in fit_params.items()
        if value is not None and (name == "times" or name.endswith("__times"))
    ]
    if not given:
        return X, fit_params
    if not isinstance(estimator, Timed):
        raise ValueError(
            f"{given[0]} cannot be given to a search over ranks of a {type(estimator).__name__}, "
            "because held-out series would have no times; pass X=irregular_series(X, times) instead"
        )
    others = {name: value for name, value in fit_params.items() if name != "times"}
    return irregular_series(X, fit_params["times"]), others


def is_random_state(name: str) -> bool:
    """Return whether a parameter is the `random_state` of an estimator or of one inside it."""
    return name == "random_state" or name.endswith("__random_state")


def seeded(estimator: Any, seed: int, only_where_none: bool = False) -> Any:
    """Return a clone with every `random_state`, or every one that is None, set to the seed."""
    model = clone(estimator)
    params = model.get_params(deep=True)
    names = [name for name in params if is_random_state(name)]
    chosen = [name for name in names if params[name] is None or not only_where_none]
    return model.set_params(**dict.fromkeys(chosen, seed))
