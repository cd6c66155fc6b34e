"""A fit whose input has been checked: what it consists of, and how it is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np

from ...backend import to_device, to_host
from ...choices import DtypeName
from ...inputs import Reader
from ...network import Network
from ...training import (
    Callback,
    Checkpoint,
    FrozenProducts,
    Outcome,
    Spread,
    Training,
    TrainingSet,
    Validate,
    fingerprint,
    train,
    validator,
)
from ...user_warnings import warn_user
from .convergence import warn_if_still_improving, warn_of_lbfgs, warn_of_no_criterion
from .data import Data, normalised_weights
from .fitted_attributes import FittedAttributes
from .parameters import TrainingParameters, parameters_of
from .predicting import Predicting
from .targets import Targets
from .training_plan import batch_size_of, make_plan, projection_limit, weight_decay_of


class Fit(NamedTuple):
    """A fit that is ready for training."""

    network: Network
    data: Data
    held_out: Data | None
    reader: Reader
    targets: Targets
    seeds: tuple[int, int, int]  # of scaffold, initial values and training
    one_pass: bool
    n_samples: int  # before equal samples are merged
    x_dtype: Any = None  # type in which X was given, if it has one


class TrainsFits(TrainingParameters, FittedAttributes, Predicting):
    """Trains a prepared fit, and takes the fitted attributes from the outcome."""

    dtype: DtypeName
    history_: dict[str, list[Any]]

    # Models from files do not know it; their weights are shown in float64.
    _x_dtype: Any = None

    _one_scaffold = False

    def _train(
        self,
        fit: Fit,
        checkpoint: Checkpoint | None = None,
        callback: Callback | None = None,
        spread: Spread | None = None,
    ) -> Outcome:
        network, loss, plan, validate = self._training(fit, self._held_out_products(fit))
        if checkpoint is not None:
            start = (network.config, network.seed, to_host(network.theta))
            samples = (*fit.data, *(fit.held_out or ()))
            parts = () if spread is None else ("parts", spread.parts)
            plan_without_bar = replace(plan, verbose=0)
            whole = fingerprint(*start, plan_without_bar, loss, *samples, *parts)
            checkpoint.begin(fit.seeds, whole)
        outcome = train(
            network,
            self._training_set(fit),
            loss,
            plan,
            validate=validate,
            state=getattr(self, "_state", None) if fit.one_pass else None,
            checkpoint=checkpoint,
            callback=callback,
            spread=spread,
        )
        self._trained(fit, outcome)
        return outcome

    def _training(self, fit: Fit, products: FrozenProducts | None) -> Training:
        """Return the training of a fit; `products` are those of the held-out samples."""
        params = self._training_parameters()
        steps = -(-len(fit.data) // batch_size_of(params))
        config = fit.network.config
        plan = make_plan(
            params,
            steps,
            fit.seeds[2],
            fit.one_pass,
            decayed=config.decayed,
            width_factor=config.width_factor,
        )
        self.batch_size_ = min(batch_size_of(params), len(fit.data))
        self.weight_decay_ = weight_decay_of(params, steps, config.width_factor)
        self.ema_decay_ = None if self.optimizer == "lbfgs" else plan.ema_decay
        validate = None
        if fit.held_out is not None and products is not None:
            validate = self._validate(fit.targets, fit.held_out, products)
        return Training(fit.network, fit.targets.loss, plan, validate)

    def _trained(self, fit: Fit, outcome: Outcome) -> Self:
        """Set the fitted attributes from the outcome of training."""
        self._drawn, self._targets = fit.seeds, fit.targets
        self._adopt_reader(fit.reader)
        self._x_dtype = fit.x_dtype
        self._keep(outcome, fit.n_samples)
        if self._one_scaffold:
            self.scaffold_seed_ = self.network_.seed  # differs if it was resampled
        # The moments of the optimiser are twice the adapter; only partial_fit continues with them.
        self._state = outcome.state if fit.one_pass else None
        if outcome.reason == "interrupted":
            warn_user(f"training was interrupted after {self.n_iter_} epochs; the model is usable")
        elif outcome.reason == "budget" and not fit.one_pass:
            losses = outcome.history["loss"]
            if self.optimizer == "lbfgs":  # SciPy knows whether it has converged
                warn_of_lbfgs(len(losses), self.max_fun)
            elif self.n_iter_no_change == np.inf and self.schedule == "constant":
                warn_of_no_criterion(len(losses))
            else:
                warn_if_still_improving(losses, len(losses), float(self.tol))
        return self

    def _training_set(self, fit: Fit) -> TrainingSet:
        data, device, dtype = fit.data, fit.network.device, fit.network.dtype
        weights = normalised_weights(data.weights, dtype)
        return TrainingSet(
            data.inputs,
            to_device(fit.targets.loss_values(data.y, dtype), device),
            None if weights is None else to_device(weights, device),
            fit.targets.take,
        )

    def _held_out_products(self, fit: Fit) -> FrozenProducts | None:
        """Return the frozen products of the held-out samples, which every epoch needs."""
        if fit.held_out is None:
            return None
        return FrozenProducts(fit.held_out.inputs, projection_limit(parameters_of(self)))

    def _validate(self, targets: Targets, held_out: Data, products: FrozenProducts) -> Validate:
        return validator(
            held_out.inputs,
            targets.loss_values(held_out.y, np.dtype(self.dtype)),
            targets.loss,
            lambda outputs: targets.score(to_host(outputs), held_out.y, held_out.weights),
            products,
            weights=normalised_weights(held_out.weights, np.dtype(self.dtype)),
            take=targets.take,
        )
