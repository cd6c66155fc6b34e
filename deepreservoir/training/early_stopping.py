"""The best epoch of a training run, and how many epochs since have not improved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..backend import Array
from ..network import Network


class Best(NamedTuple):
    """The best epoch so far: its weights, and the buffers that belong to these weights."""

    score: float
    loss: float
    theta: Array
    buffers: Array
    epoch: int

    def is_beaten_by(self, score: float, loss: float) -> bool:
        """Return whether a score is higher, or equal at a lower loss.

        The accuracy on a few held-out rows is coarse, so many epochs have the best one.
        """
        return score > self.score or (score == self.score and loss < self.loss)


class EarlyStopping:
    """Keeps the weights of the best epoch, and counts epochs without improvement.

    Parameters
    ----------
    tol : float
        As in scikit-learn's MLP, an improvement of less than this over the best does not count.

    Attributes
    ----------
    best : Best or None
    best_metric, best_loss : float
    stale : int
        Number of consecutive epochs that improved neither.
    """

    def __init__(self, tol: float) -> None:
        self.tol = tol
        self.best: Best | None = None
        self.best_metric, self.best_loss, self.stale = -np.inf, np.inf, 0

    def keep_if_best(self, score: float, loss: float, network: Network, epoch: int) -> None:
        """Keep the weights of an epoch if it is the best by its validation score and loss.

        A score that is NaN is neither kept nor compared with.
        """
        if not np.isnan(score) and (self.best is None or self.best.is_beaten_by(score, loss)):
            self.best = Best(score, loss, network.theta.copy(), network.buffers.copy(), epoch)

    def count(self, metric: float, loss: float) -> None:
        """Count an epoch by its metric, higher is better, and its loss."""
        improved = metric > self.best_metric + self.tol or loss < self.best_loss - self.tol
        self.stale = 0 if improved else self.stale + 1
        self.best_metric = max(self.best_metric, metric)  # in this order, NaN is never kept
        self.best_loss = min(self.best_loss, loss)
