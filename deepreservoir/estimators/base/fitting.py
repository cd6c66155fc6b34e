"""The common base of all deep estimators: fitting and continuing.

An estimator has a reader (from X to inputs), targets (from y to the form that the loss takes, and
back) and a configuration. The class combines the three; an architecture adds its parameters and
:meth:`DeepEstimator.network_config`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from ...backend import resolve_device, to_host
from ...inputs import Inputs, Reader, TableReader
from ...models import DTYPES, NetworkConfig
from ...scaffold import Scaffold
from ...training import (
    Checkpoint,
)
from .data import Data, merged, split, without_zero_weights
from .device_input import place_of
from .own_network import OwnNetwork
from .parameters import AdaptationParameters, parameters_of
from .predicting import type_of
from .prepared_fit import Fit, TrainsFits
from .spreading import spread_of
from .targets import Numbers, Targets
from .training_plan import (
    batch_size_of,
    check_training_params,
)
from .unchanged import unchanged_on_failure


class DeepEstimator(AdaptationParameters, OwnNetwork, TrainsFits):
    """Base of all deep estimators; before `fit`, its subclasses store nothing but parameters."""

    #: Parameters that were added after the first version of the estimator, which older files lack,
    #: each with the value that reproduces the earlier versions.
    absent_parameters: ClassVar[Mapping[str, Any]] = {"max_fun": 15000, "precision": "float32"}

    #: Parameters that only `fit` reads, and whose values no file can hold: files leave them out.
    unsaved_parameters: ClassVar[frozenset[str]] = frozenset()

    #: Values of parameters that have been renamed: parameter -> {value in older files: value now}.
    renamed_values: ClassVar[Mapping[str, Mapping[Any, Any]]] = {}

    #: Parameters that only apply to adapters on a scaffold, not to a fully trained network.
    adapter_parameters: ClassVar[frozenset[str]] = frozenset(
        {field.name for field in fields(AdaptationParameters)} - {"dtype"} | {"resample"}
    )

    #: Values of parameters with which an estimator trains every weight.
    fully_trained_parameters: ClassVar[Mapping[str, Any]] = {"adapter": "full"}

    #: Parameters of the architecture that decide which frozen weights read the inputs, and so must
    #: agree in estimators that are fitted side by side; None for all of them.
    input_parameters: ClassVar[frozenset[str] | None] = None

    #: Whether models that are trained side by side share products, so that a sweep trains them so.
    shares_products: ClassVar[bool] = True

    # For estimators without this parameter.
    warm_start: bool = False

    _stratify = False

    # Defined by each architecture ---------------------------------------------------------

    @abstractmethod
    def network_config(self, *args: Any, **sizes: Any) -> NetworkConfig:
        """Return the configuration of the network that the parameters describe.

        It is called with keyword arguments: `n_outputs`, the width of the head, and the sizes that
        the reader has learned from X (:meth:`Reader.sizes`), such as ``n_features`` of a table. A
        subclass names those that it takes.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """

    @abstractmethod
    def new_targets(self) -> Targets:
        """Return targets that have not seen any y."""

    def targets_for(self, y: np.ndarray) -> Targets:
        """Return targets that have not seen any y, of the form that this one, validated, needs."""
        return self.new_targets()

    def saved_targets(self, fitted: Mapping[str, Any]) -> Targets:
        """Return the targets to which the entries ``fitted`` of a file belong, not yet restored."""
        return self.new_targets()

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any X; by default, a reader of tables."""
        return TableReader()

    def _prepared(self, inputs: Inputs, seed: int) -> Inputs:
        """Return the inputs that are trained on; an estimator with augmentation adds it here."""
        return inputs

    def labelled_samples(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Return the samples that have a target, with their targets and weights; by default all."""
        return X, y, sample_weight

    def check_params(self) -> None:
        """Raise a ValueError that names the first training parameter that is out of range."""
        defaults = {each.name: each.default for each in fields(type(self))}
        check_training_params(parameters_of(self), defaults)
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {DTYPES}; got {self.dtype!r}")

    # Fitting ----------------------------------------------------------------------------

    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        reader: Reader | None,
        targets: Targets | Callable[[np.ndarray], Targets],
    ) -> tuple[Data, Reader, Targets]:
        """Validate samples; return them with encoded targets and weights, reader and targets.

        Samples on a device stay there; targets and weights are copied to the host. Samples of
        weight zero may still be included.

        Parameters
        ----------
        reader : Reader or None
            The fitted reader; None for the first training set.
        targets : Targets, or callable
            A callable returns new targets for the validated y.
        """
        device = resolve_device(self.device)
        on_device = place_of(device, X=X, y=y, sample_weight=sample_weight) == "cuda"
        X, y, sample_weight = self.labelled_samples(X, y, sample_weight)
        X, y = self.validated_pair(X, y, reader is None, on_device)
        if on_device and sample_weight is not None:
            sample_weight = to_host(sample_weight)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
        if not isinstance(targets, Targets):
            targets = targets(y)
        encoded = targets.encode(y)
        weights = targets.sample_weights(encoded, sample_weight)
        if sample_weight is not None:
            weights = sample_weight if weights is None else sample_weight * weights
        if isinstance(X, list) and weights is not None and (weights > 0).any():
            # The reader of texts or graphs learns from samples what it can read.
            counted = np.flatnonzero(weights != 0)
            X = [X[i] for i in counted]
            encoded, weights = encoded[counted], weights[counted]
        reader = self.new_reader().fit(X) if reader is None else reader
        data = Data(reader.read(X, np.dtype(self.dtype), device), encoded, weights)
        return data, reader, targets

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        checkpoint: Any,
        eval_set: Any,
        callback: Any,
        divided: tuple[Any, Any, Any],
    ) -> Self:
        if callback is not None and not callable(callback):
            raise ValueError(
                f"callback must be callable, with the state of training as its argument; "
                f"got {callback!r}"
            )
        saved = None if checkpoint is None else Checkpoint(checkpoint)
        with unchanged_on_failure(self, in_place=bool(self.warm_start)):
            self.check_params()
            spread = spread_of(self._training_parameters(), *divided)
            fit = self._fit_of(X, y, sample_weight, saved, eval_set=eval_set)
            outcome = self._train(fit, saved, callback, spread)
        if outcome.error is not None:
            raise outcome.error
        return self

    def _fit_of(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        checkpoint: Checkpoint | None = None,
        scaffolds: Mapping[str, Scaffold] | None = None,
        eval_set: Any = None,
    ) -> Fit:
        """Check the input and return a fit that is ready for training.

        The parameters have been checked.
        """
        device = resolve_device(self.device)
        fresh = not (self.warm_start and hasattr(self, "network_"))
        data, reader, targets = self._read(
            X,
            y,
            sample_weight,
            None if fresh else self._same_reader(),
            self.targets_for if fresh else self._to_continue,
        )
        data = without_zero_weights(data)
        seeds = self._seeds(checkpoint) if fresh else self._drawn
        config = self.network_config(n_outputs=targets.n_outputs, **reader.sizes())
        held_out = None
        if self.early_stopping and eval_set is None:
            data, held_out = split(
                data, self.validation_fraction, seeds[2], self._stratified(targets)
            )
        n_samples = len(data)
        data = self._merged_if_one_batch(data, config)
        if fresh:
            reader.fit_training(data.inputs)
            targets.fit(data.y, data.weights)
            self._check_memory(config, n_samples, device)
            network = self._new_network(config, seeds, device, scaffolds)
        else:
            network = self._same_network(config, device)
        if eval_set is not None:
            held_out = self._read_eval_set(eval_set, reader, targets)
        data = Data(self._prepared(data.inputs, seeds[2]), data.y, data.weights)
        return Fit(network, data, held_out, reader, targets, seeds, False, n_samples, type_of(X))

    def _to_continue(self, y: np.ndarray) -> Targets:
        """Return the targets of the earlier fit, with which one on this y continues."""
        targets = self._current_targets(y)
        targets.check_continued(y)
        return targets

    def _current_targets(self, y: np.ndarray) -> Targets:
        """Return those of the earlier fit for another y, with the parameters that are set now."""
        new = self.saved_targets(self._targets.state()[0])
        return self._targets.with_parameters_of(new)

    def _stratified(self, targets: Targets) -> bool:
        return self._stratify

    def _read_eval_set(self, eval_set: Any, reader: Reader, targets: Targets) -> Data:
        """Return the samples of `eval_set`, validated against those that are trained on."""
        if not isinstance(eval_set, tuple | list) or len(eval_set) not in (2, 3):
            raise ValueError(
                "eval_set must be a tuple (X_val, y_val), or (X_val, y_val, sample_weight); got "
                f"{type(eval_set).__name__}"
                + (f" of {len(eval_set)}" if isinstance(eval_set, tuple | list) else "")
            )
        X, y, weights = (*eval_set, None)[:3]
        try:
            data, _, _ = self._read(X, y, weights, reader, targets)
            data = without_zero_weights(data)
            if self.early_stopping and isinstance(targets, Numbers) and len(data) < 2:
                raise ValueError("early stopping by R^2 needs at least 2 samples; got 1")
            return data
        except ValueError as error:
            raise ValueError(f"eval_set: {error}") from error

    def _partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        new_targets: Callable[[np.ndarray], Targets] | None = None,
    ) -> Self:
        """Train for one pass; `new_targets` makes those of a first call from its y."""
        with unchanged_on_failure(self, in_place=True):
            self.check_params()
            if self.early_stopping:
                raise ValueError(
                    "partial_fit does not support early_stopping=True, since it holds out no rows; "
                    "set early_stopping=False"
                )
            device = resolve_device(self.device)
            first = not hasattr(self, "network_")
            data, reader, targets = self._read(
                X,
                y,
                sample_weight,
                None if first else self._same_reader(),
                (new_targets or self.targets_for) if first else self._current_targets,
            )
            config = self.network_config(n_outputs=targets.n_outputs, **reader.sizes())
            data = without_zero_weights(data)
            n_samples = len(data)
            data = self._merged_if_one_batch(data, config)
            seeds = self._seeds(None) if first else self._drawn
            if first:
                reader.fit_training(data.inputs)
                targets.fit(data.y, data.weights)
                self._check_memory(config, n_samples, device)
                network = self._new_network(config, seeds, device, None)
            else:
                network = self._same_network(config, device)
            data = Data(self._prepared(data.inputs, seeds[2]), data.y, data.weights)
            x_dtype = type_of(X) if first else self._x_dtype
            self._train(Fit(network, data, None, reader, targets, seeds, True, n_samples, x_dtype))
        return self

    def _merged_if_one_batch(self, data: Data, config: NetworkConfig) -> Data:
        one_batch = len(data) <= batch_size_of(self._training_parameters())
        return merged(data) if one_batch and config.may_merge_samples() else data
