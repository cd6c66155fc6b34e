"""The attributes that a fit sets on a deep estimator."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from ...network import Network
from ...training import Outcome
from .targets import Targets


class FittedAttributes:
    """Sets the fitted attributes from the outcome of training, or from a file."""

    network_: Network
    history_: dict[str, list[Any]]
    _targets: Targets

    def _keep(self, outcome: Outcome, n_samples: int) -> None:
        # A network on another scaffold shares the adapter, and hence theta.
        continued = hasattr(self, "network_") and self.network_.theta is outcome.network.theta
        before = self.history_ if continued else {}
        self.history_ = _joined(before, outcome.history)
        self.stop_reason_ = outcome.reason
        self.n_iter_ = len(outcome.history["loss"])
        self.t_ = (getattr(self, "t_", 0) if continued else 0) + self.n_iter_ * n_samples
        self._set_curves(stopped_early=outcome.best_score is not None)
        self._adopt(outcome.network)

    def _set_curves(self, stopped_early: bool) -> None:
        """Set the losses and scores under the names of scikit-learn's multilayer perceptron."""
        self.loss_curve_ = self.history_["loss"]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else None
        self.best_loss_ = None
        if self.loss_curve_ and not stopped_early:
            self.best_loss_ = min(self.loss_curve_)
        self.validation_scores_ = self.history_.get("validation_score")
        self.best_validation_score_ = None
        known = [score for score in self.validation_scores_ or () if not isnan(score)]
        if known:
            self.best_validation_score_ = max(known)

    def _adopt(self, network: Network) -> None:
        """Set the fitted attributes that derive from a trained network and its targets."""
        self.network_ = network
        self.betas_ = network.betas()
        self.ranks_ = network.ranks()
        self.n_trained_params_ = network.n_trained
        self.n_scaffold_params_ = network.n_scaffold
        self.n_outputs_ = network.config.n_outputs
        self.out_activation_ = self._targets.out_activation
        self._adopt_targets()

    def _adopt_targets(self) -> None:
        """Set the fitted attributes that derive from the targets."""


def _joined(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the history of two trainings, with NaN for what one of them did not record."""
    joined = {}
    for name in {**before, **after}:
        parts = (part.get(name, [nan] * len(part.get("loss", ()))) for part in (before, after))
        joined[name] = [value for part in parts for value in part]
    return joined
