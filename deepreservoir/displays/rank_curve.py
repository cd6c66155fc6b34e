"""The loss by rank, beside that of training all weights."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..search import RankSearch
from ..search.validation_loss import interval
from .axes import axes_of


class RankCurveDisplay:
    """Plot of the held-out loss by rank, with the loss of the fully trained twin.

    Use :meth:`from_search` to make one from a fitted :class:`deepreservoir.RankSearch`, or
    :meth:`from_estimator` to run the search too; the arguments are kept as attributes.

    Parameters
    ----------
    ranks : ndarray of int, shape (n_ranks,)
    losses : ndarray, shape (n_ranks,)
        Mean loss of each rank on held-out rows.
    low, high : ndarray, shape (n_ranks,)
        Ends of the interval of each loss: that of its difference from the twin's, around the loss,
        or with a threshold that of the loss itself.
    baseline : float
        Loss of the fully trained twin.
    eps : float, optional
        Accepted increase of the loss.
    threshold : float, optional
        What a search with a threshold was to reach, instead of `eps`.
    scored : bool, default=False
        Whether the losses are minus a score, which the threshold refers to.
    rank : int, optional
        The smallest rank that is good enough, if there is one.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    errorbar_ : matplotlib ErrorbarContainer
    baseline_ : matplotlib Line2D

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, RankCurveDisplay
    >>> X, y = load_digits(n_class=4, return_X_y=True)
    >>> model = DeepReservoirClassifier((32,), max_iter=10, learning_rate_init=0.02)
    >>> display = RankCurveDisplay.from_estimator(
    ...     model, X / 16, y, eps=0.05, cv=2, n_seeds=2, random_state=0
    ... )
    >>> display.ax_.get_xlabel()
    'Rank'
    """

    def __init__(
        self,
        *,
        ranks: np.ndarray,
        losses: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        baseline: float,
        eps: float | None = None,
        threshold: float | None = None,
        scored: bool = False,
        rank: int | None = None,
    ) -> None:
        self.ranks = ranks
        self.losses = losses
        self.low = low
        self.high = high
        self.baseline = baseline
        self.eps = eps
        self.threshold = threshold
        self.scored = scored
        self.rank = rank

    @classmethod
    def from_search(cls, search: RankSearch, *, ax: Any = None, **errorbar_kw: Any) -> Self:
        """Plot the ranks that a search has tried.

        Parameters
        ----------
        search : RankSearch
            Fitted.
        ax : matplotlib Axes, optional
            Axes to draw on; new ones by default.
        **errorbar_kw
            Arguments of :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        RankCurveDisplay
        """
        if not isinstance(search, RankSearch):
            raise ValueError(f"search must be a RankSearch; got {type(search).__name__}")
        check_is_fitted(search, "curve_")
        curve = search.curve_
        if search.threshold is None:
            shift = curve["loss"] - curve["difference"]
            low, high = shift + curve["low"], shift + curve["high"]
        else:
            losses = [search.losses_[int(rank)] for rank in curve["rank"]]
            ends = [interval(of_rank, search.confidence) for of_rank in losses]
            low, high = (np.array([getattr(each, end) for each in ends]) for end in ("low", "high"))
        display = cls(
            ranks=curve["rank"],
            losses=curve["loss"],
            low=low,
            high=high,
            baseline=search.baseline_["loss"],
            eps=search.eps if search.threshold is None else None,
            threshold=search.threshold,
            scored=search.scoring is not None,
            rank=search.rank_ if search.reached_ else None,
        )
        return display.plot(ax, **errorbar_kw)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, **search_params: Any
    ) -> Self:
        """Search for the smallest sufficient rank of an estimator, and plot the ranks tried.

        Parameters
        ----------
        estimator : estimator
            As in :class:`deepreservoir.RankSearch`.
        X, y : as in the fit of the estimator
        ax : matplotlib Axes, optional
            Axes to draw on; new ones by default.
        **search_params
            Parameters of :class:`deepreservoir.RankSearch`; no model is refitted.

        Returns
        -------
        RankCurveDisplay
        """
        search = RankSearch(estimator, **{"refit": False, **search_params})
        return cls.from_search(search.fit(X, y), ax=ax)

    def plot(self, ax: Any = None, **errorbar_kw: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on; new ones by default.
        **errorbar_kw
            Arguments of :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        RankCurveDisplay
        """
        self.figure_, (self.ax_,) = axes_of(ax, 1, "RankCurveDisplay")
        ax = self.ax_
        if self.eps is not None:
            top = self.baseline + self.eps
            ax.axhspan(self.baseline, top, color="0.9", lw=0, zorder=0, label=f"eps = {self.eps:g}")
        if self.threshold is not None:
            highest = -self.threshold if self.scored else self.threshold
            ax.axhline(highest, color="C2", ls=":", label=f"threshold = {self.threshold:g}")
        self.baseline_ = ax.axhline(self.baseline, color="0.3", ls="--", label="fully trained")
        losses = np.asarray(self.losses)
        options = {"marker": "o", "capsize": 3, "label": "adapter", **errorbar_kw}
        bars = np.stack([losses - self.low, self.high - losses])
        self.errorbar_ = ax.errorbar(self.ranks, losses, bars, **options)
        if self.rank is not None:
            at = losses[list(self.ranks).index(self.rank)]
            ax.plot(self.rank, at, "o", ms=12, mfc="none", mec="C3", label=f"rank {self.rank}")
        measure = "Minus the score" if self.scored else "Loss"
        ax.set(xscale="log", xlabel="Rank", ylabel=f"{measure} on held-out rows")
        ax.set_xticks(list(self.ranks), [str(rank) for rank in self.ranks])
        ax.minorticks_off()
        ax.legend()
        return self
