"""The common base of all deep estimators: fitting, continuing, predicting.

An estimator has a reader (from X to inputs), targets (from y to the form that the loss takes, and
back) and a configuration. The class combines the three; an architecture adds its parameters and
:meth:`DeepEstimator.network_config`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ...backend import (
    Array,
    Device,
    is_on_device,
    present_device,
    resolve_device,
    to_device,
    to_host,
)
from ...inputs import Inputs, Reader, TableReader
from ...models import DTYPES, NetworkConfig
from ...network import Network
from ...scaffold import Scaffold
from ...training import (
    Checkpoint,
    FrozenProducts,
    Outcome,
    Training,
    TrainingSet,
    Validate,
    fingerprint,
    train,
    validator,
)
from ...user_warnings import warn_user
from .convergence import warn_if_still_improving
from .data import Data, merged, normalised_weights, split, without_zero_weights
from .device_input import place_of
from .parameters import AdaptationParameters, TrainingParameters
from .table_validation import TableValidation
from .targets import Targets
from .training_plan import (
    batch_size_of,
    check_training_params,
    make_plan,
    projection_limit,
    weight_decay_of,
)
from .unchanged import unchanged_on_failure


class Fit(NamedTuple):
    """A fit that is ready for training."""

    network: Network
    data: Data
    held_out: Data | None
    reader: Reader
    targets: Targets
    seeds: tuple[int, int, int]  # of scaffold, initial values and training
    one_pass: bool


class DeepEstimator(AdaptationParameters, TrainingParameters, TableValidation):
    """Base of all deep estimators; before `fit`, its subclasses store nothing but parameters."""

    network_: Network
    history_: dict[str, list[Any]]

    #: Parameters that were added after the first version of the estimator, which older files lack,
    #: each with the value that reproduces the earlier versions.
    absent_parameters: ClassVar[Mapping[str, Any]] = {}

    #: Values of parameters that have been renamed: parameter -> {value in older files: value now}.
    renamed_values: ClassVar[Mapping[str, Mapping[Any, Any]]] = {}

    #: Parameters that only apply to adapters on a scaffold, not to a fully trained network.
    adapter_parameters: ClassVar[frozenset[str]] = frozenset(
        {field.name for field in fields(AdaptationParameters)} - {"dtype"} | {"resample"}
    )

    #: Parameters of the architecture that decide which frozen weights read the inputs, and so must
    #: agree in estimators that are fitted side by side; None for all of them.
    input_parameters: ClassVar[frozenset[str] | None] = None

    # For estimators without these parameters.
    scaffold_seed: int | None = None
    warm_start: bool = False

    _one_scaffold = False
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

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any X; by default, a reader of tables."""
        return TableReader()

    def check_params(self) -> None:
        """Raise a ValueError that names the first training parameter that is out of range."""
        check_training_params(self.get_params(deep=False))
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {DTYPES}; got {self.dtype!r}")

    # Fitting ----------------------------------------------------------------------------

    def _read(
        self, X: Any, y: Any, sample_weight: Any, reader: Reader | None, targets: Targets
    ) -> tuple[Data, Reader]:
        """Validate samples; return them with encoded targets and weights, and their reader.

        Samples on a device stay there; targets and weights are copied to the host. Samples of
        weight zero are still included.

        Parameters
        ----------
        reader : Reader or None
            The fitted reader; None for the first training set.
        targets : Targets
        """
        device = resolve_device(self.device)
        on_device = place_of(device, X=X, y=y, sample_weight=sample_weight) == "cuda"
        X, y = self.validated_pair(X, y, reader is None, on_device)
        if on_device and sample_weight is not None:
            sample_weight = to_host(sample_weight)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
        reader = self.new_reader().fit(X) if reader is None else reader
        encoded = targets.encode(y)
        weights = targets.sample_weights(encoded, sample_weight)
        if sample_weight is not None:
            weights = sample_weight if weights is None else sample_weight * weights
        return Data(reader.read(X, np.dtype(self.dtype), device), encoded, weights), reader

    def _fit(self, X: Any, y: Any, sample_weight: Any, checkpoint: Any) -> Self:
        saved = None if checkpoint is None else Checkpoint(checkpoint)
        with unchanged_on_failure(self, in_place=bool(self.warm_start)):
            return self._train(self._fit_of(X, y, sample_weight, saved), saved)

    def _fit_of(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        checkpoint: Checkpoint | None = None,
        scaffolds: Mapping[str, Scaffold] | None = None,
    ) -> Fit:
        """Check the input and return a fit that is ready for training."""
        self.check_params()
        device = resolve_device(self.device)
        fresh = not (self.warm_start and hasattr(self, "network_"))
        targets = self.new_targets() if fresh else self._targets
        data, reader = self._read(X, y, sample_weight, None if fresh else self._reader, targets)
        data = without_zero_weights(data)
        seeds = self._seeds(checkpoint) if fresh else self._drawn
        config = self.network_config(n_outputs=targets.n_outputs, **reader.sizes())
        held_out = None
        if self.early_stopping:
            data, held_out = split(data, self.validation_fraction, seeds[2], self._stratify)
        data = self._merged_if_one_batch(data, config)
        if fresh:
            reader.fit_training(data.inputs)
            targets.fit(data.y, data.weights)
            network = self._new_network(config, seeds, device, scaffolds)
        else:
            network = self._same_network(config, device)
        return Fit(network, data, held_out, reader, targets, seeds, one_pass=False)

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, targets: Targets | None = None
    ) -> Self:
        """Train for one pass; `targets` is given on a first call that needs its own."""
        with unchanged_on_failure(self, in_place=True):
            self.check_params()
            if self.early_stopping:
                raise ValueError(
                    "partial_fit needs early_stopping=False, since it holds out no rows"
                )
            device = resolve_device(self.device)
            first = not hasattr(self, "network_")
            if not first:
                targets = self._targets
            elif targets is None:
                targets = self.new_targets()
            data, reader = self._read(X, y, sample_weight, None if first else self._reader, targets)
            config = self.network_config(n_outputs=targets.n_outputs, **reader.sizes())
            data = self._merged_if_one_batch(without_zero_weights(data), config)
            seeds = self._seeds(None) if first else self._drawn
            if first:
                reader.fit_training(data.inputs)
                targets.fit(data.y, data.weights)
                network = self._new_network(config, seeds, device, None)
            else:
                network = self._same_network(config, device)
            return self._train(Fit(network, data, None, reader, targets, seeds, one_pass=True))

    def _merged_if_one_batch(self, data: Data, config: NetworkConfig) -> Data:
        one_batch = len(data) <= batch_size_of(self.get_params(deep=False))
        return merged(data) if one_batch and config.merges_samples else data

    def _seeds(self, checkpoint: Checkpoint | None) -> tuple[int, int, int]:
        """Return the seeds of scaffold, initial values and training, drawn for a fresh fit.

        Random seeds are drawn once per training, not once per process, and so are stored in
        checkpoints. A seed that the user sets is never replaced.
        """
        draws = check_random_state(self.random_state).randint(2**31 - 1, size=3).tolist()
        if checkpoint is not None and checkpoint.seeds is not None and self.random_state is None:
            draws = list(checkpoint.seeds)
        if self.scaffold_seed is not None:
            draws[0] = int(self.scaffold_seed)
        return draws[0], draws[1], draws[2]

    def _new_network(
        self,
        config: NetworkConfig,
        seeds: tuple[int, int, int],
        device: Device,
        scaffolds: Mapping[str, Scaffold] | None,
    ) -> Network:
        message = config.large_rank_warning()
        if message is not None:
            warn_user(message)
        return Network(config, seeds[0], init_seed=seeds[1], device=device, scaffolds=scaffolds)

    def _same_network(self, config: NetworkConfig, device: Device) -> Network:
        """Return the fitted network, after checking that the parameters still describe it."""
        if config != self.network_.config:
            old, new = self.network_.config.to_plain(), config.to_plain()
            changed = [f"{k}: {old[k]!r} -> {new[k]!r}" for k in old if old[k] != new[k]]
            raise ValueError(
                "training can only continue with the same network; changed since it was fitted: "
                + ", ".join(changed)
                + ". Fit a fresh estimator, or set warm_start=False"
            )
        self._move(device)
        return self.network_

    def _move(self, device: Device) -> None:
        """Move the fitted network to a device."""
        if self.network_.device != device:
            self.network_ = self.network_.to(device)

    def _train(self, fit: Fit, checkpoint: Checkpoint | None = None) -> Self:
        network, loss, plan, validate = self._training(fit, self._held_out_products(fit))
        if checkpoint is not None:
            start = (network.config, network.seed, to_host(network.theta))
            samples = (*fit.data, *(fit.held_out or ()))
            plan_without_bar = replace(plan, verbose=False)
            checkpoint.begin(fit.seeds, fingerprint(*start, plan_without_bar, loss, *samples))
        outcome = train(
            network,
            self._training_set(fit),
            loss,
            plan,
            validate=validate,
            state=getattr(self, "_state", None) if fit.one_pass else None,
            checkpoint=checkpoint,
        )
        return self._trained(fit, outcome)

    def _training(self, fit: Fit, products: FrozenProducts | None) -> Training:
        """Return the training of a fit; `products` are those of the held-out samples."""
        params = self.get_params(deep=False)
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
        self.batch_size_ = batch_size_of(params)
        self.weight_decay_ = weight_decay_of(params, steps, config.width_factor)
        self.ema_decay_ = plan.ema_decay
        validate = None
        if fit.held_out is not None and products is not None:
            validate = self._validate(fit.targets, fit.held_out, products)
        return Training(fit.network, fit.targets.loss, plan, validate)

    def _trained(self, fit: Fit, outcome: Outcome) -> Self:
        """Set the fitted attributes from the outcome of training."""
        self._drawn, self._reader, self._targets = fit.seeds, fit.reader, fit.targets
        self._keep(outcome)
        if self._one_scaffold:
            self.scaffold_seed_ = self.network_.seed  # differs if it was resampled
        # The moments of the optimiser are twice the adapter; only partial_fit continues with them.
        self._state = outcome.state if fit.one_pass else None
        if outcome.reason == "interrupted":
            warn_user(f"training was interrupted after {self.n_iter_} epochs; the model is usable")
        elif outcome.reason == "budget" and not fit.one_pass:
            losses = outcome.history["loss"]
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
        return FrozenProducts(fit.held_out.inputs, projection_limit(self.get_params(deep=False)))

    def _validate(self, targets: Targets, held_out: Data, products: FrozenProducts) -> Validate:
        return validator(
            held_out.inputs,
            targets.loss_values(held_out.y, np.dtype(self.dtype)),
            targets.loss,
            lambda outputs: targets.score(to_host(outputs), held_out.y, held_out.weights),
            products,
            take=targets.take,
        )

    def _keep(self, outcome: Outcome) -> None:
        # A network on another scaffold shares the adapter, and hence theta.
        continued = hasattr(self, "network_") and self.network_.theta is outcome.network.theta
        before = self.history_ if continued else {}
        self.history_ = {
            name: before.get(name, []) + values for name, values in outcome.history.items()
        }
        self.stop_reason_ = outcome.reason
        self.n_iter_ = len(self.history_["loss"])
        self._adopt(outcome.network)

    def _adopt(self, network: Network) -> None:
        """Set the fitted attributes that derive from a trained network and its targets."""
        self.network_ = network
        self.betas_ = network.betas()
        self.ranks_ = network.ranks()
        self.n_trained_params_ = network.n_trained
        self.n_scaffold_params_ = network.n_scaffold
        self._adopt_targets()

    def _adopt_targets(self) -> None:
        """Set the fitted attributes that derive from the targets."""

    # Predicting -------------------------------------------------------------------------

    def _inputs(self, X: Any) -> Inputs:
        """Return X, validated, as inputs on the network's device."""
        check_is_fitted(self, "network_")
        # A model may be loaded where its device is not available: then the CPU is used.
        self._move(present_device(self.device))
        network = self.network_
        X = self.validated_features(X, place_of(network.device, X=X) == "cuda")
        dtype = network.config.prediction_dtype if network.device == "cpu" else None
        return self._reader.read(X, np.dtype(dtype or network.dtype), network.device)

    def _decoded(self, X: Any, decode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the outputs of the network, decoded a chunk of samples at a time."""
        inputs = self._inputs(X)  # which may move the network
        return host_outputs(self.network_, inputs, decode)

    @staticmethod
    def _placed(values: np.ndarray, X: Any) -> Array:
        """Return results on the device of the rows that they belong to."""
        if not is_on_device(X):
            return values
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"CuPy arrays hold only numbers, but the classes are {values.dtype}: pass X as a "
                "NumPy array, or fit with numbers as classes"
            )
        return to_device(values, "cuda")


def with_config(model: Any, config: NetworkConfig) -> Any:
    """Return an unfitted estimator with the parameters of `model` and the given configuration.

    Controls train networks that the parameters of the estimator cannot describe.

    Parameters
    ----------
    model : DeepEstimator
    config : NetworkConfig
    """

    def network_config(self: DeepEstimator, **sizes: Any) -> NetworkConfig:
        return config

    kind = type(type(model).__name__, (type(model),), {"network_config": network_config})
    return kind(**model.get_params(deep=False))


def host_outputs(
    network: Network, inputs: Inputs, decode: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return decoded outputs on the host; `decode` receives float64, (m, n_outputs)."""
    return network.evaluate(
        inputs,
        lambda outputs, index, batch: decode(to_host(outputs).astype(np.float64, copy=False)),
    )
