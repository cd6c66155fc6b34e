"""What the deep classifier and regressor share: fitting, going on, predicting."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ...backend import (
    Array,
    Device,
    is_on_device,
    present_device,
    resolve_device,
    to_device,
    to_host,
)
from ...checks import warn_user
from ...inputs.table import Rows
from ...losses import Loss
from ...models import DTYPES, MLPConfig
from ...network import Network
from ...scaffold import Scaffold
from ...training import (
    Checkpoint,
    FirstProduct,
    Outcome,
    Training,
    TrainingSet,
    Validate,
    fingerprint,
    train,
    validator,
)
from .data import Data, merged, normalised_weights, split, without_zero_weights
from .device_input import checked_features, checked_pair, place_of
from .training_plan import batch_rows, check_training_params, make_plan, projection_limit

# Parameters that the configuration of the network takes over under the same name.
_CONFIG_PARAMS = (
    "hidden_layer_sizes",
    "activation",
    "rank",
    "lora_alpha",
    "scaling",
    "adapter",
    "scaffold",
    "scaffold_scale",
    "storage",
    "beta",
    "b_init",
    "head",
    "layer_norm",
    "residual",
    "dropout",
    "adapter_dropout",
    "dtype",
)


class Fit(NamedTuple):
    """A fit, ready to be trained."""

    network: Network
    data: Data
    held_out: Data | None
    seeds: tuple[int, int, int]  # of scaffold, start values and training
    one_pass: bool


class BaseDeepReservoir(BaseEstimator):
    """Base of the deep estimators; `__init__` is theirs, and stores parameters only."""

    network_: Network

    # What a subclass says of its targets -----------------------------------------------

    @abstractmethod
    def _encode(
        self, y: np.ndarray, classes: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return encoded targets and class weights by row; `classes` are those known before."""

    @abstractmethod
    def _targets(self, y: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return encoded targets in the form that the loss takes."""

    @abstractmethod
    def _prepare_targets(self, data: Data) -> None:
        """Set what is learned of the training targets before training."""

    @abstractmethod
    def _n_outputs(self, y: np.ndarray) -> int:
        """Return the width of the head."""

    @abstractmethod
    def _loss(self) -> Loss:
        """Return the loss that the parameters name."""

    @abstractmethod
    def _validation_score(self, outputs: np.ndarray, data: Data) -> float:
        """Return the score of outputs on held-out data, higher being better."""

    @abstractmethod
    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Return what `predict` returns for the network's outputs."""

    _stratify = False
    _y_numeric = False

    # Fitting ----------------------------------------------------------------------------

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter of training out of its range."""
        params = self.get_params(deep=False)
        check_training_params(params)
        if params["dtype"] not in DTYPES:
            raise ValueError(f"dtype must be one of {DTYPES}; got {params['dtype']!r}")
        if self.bias not in (True, False, "auto"):
            raise ValueError(f"bias must be True, False or 'auto'; got {self.bias!r}")

    def network_config(self, n_features: int, n_outputs: int) -> MLPConfig:
        """Return the configuration of the network that the parameters ask for.

        Parameters
        ----------
        n_features, n_outputs : int
            Widths at the two ends.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        params = {name: getattr(self, name) for name in _CONFIG_PARAMS}
        params["bias"] = self.adapter == "full" if self.bias == "auto" else bool(self.bias)
        return MLPConfig(n_features=n_features, n_outputs=n_outputs, **params)

    def _read(
        self, X: Any, y: Any, sample_weight: Any, reset: bool, classes: np.ndarray | None
    ) -> Data:
        """Validate the input and return it with encoded targets and weights.

        Rows on a device stay there; targets and weights are read on the host.
        """
        return without_zero_weights(self._checked(X, y, sample_weight, reset, classes))

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, reset: bool, classes: np.ndarray | None
    ) -> Data:
        """Return what :meth:`_read` does, with the rows of weight zero."""
        device = resolve_device(self.device)
        if place_of(device, X=X, y=y, sample_weight=sample_weight) == "cuda":
            X, y = checked_pair(self, X, y, reset=reset, dtype=np.dtype(self.dtype), y_dtype=None)
            y = to_host(y)
            sample_weight = None if sample_weight is None else to_host(sample_weight)
        else:
            X, y = validate_data(
                self,
                X,
                y,
                reset=reset,
                accept_sparse="csr",
                dtype=np.dtype(self.dtype),
                order="C",
                multi_output=True,
                y_numeric=self._y_numeric,
            )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
        y, class_weights = self._encode(y, classes)
        weights = sample_weight
        if class_weights is not None:
            weights = class_weights if weights is None else weights * class_weights
        return Data(X, y, weights)

    def _fit(self, X: Any, y: Any, sample_weight: Any, checkpoint: Any) -> Self:
        kept = None if checkpoint is None else Checkpoint(checkpoint)
        return self._train(self._fit_of(X, y, sample_weight, kept), kept)

    def _fit_of(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        kept: Checkpoint | None = None,
        scaffolds: Mapping[str, Scaffold] | None = None,
    ) -> Fit:
        """Return a fit that is ready to be trained, its input checked."""
        self.check_params()
        device = resolve_device(self.device)
        going_on = self.warm_start and hasattr(self, "network_")
        classes = getattr(self, "classes_", None) if going_on else None
        data = self._read(X, y, sample_weight, not going_on, classes)
        held_out = None
        if kept is not None and kept.seeds is not None and self.random_state is None:
            # What was drawn by chance is drawn once a training, and not once a process.
            self._drawn = kept.seeds[0], kept.seeds[1], kept.seeds[2]
            self.scaffold_seed_ = self._drawn[0]
            seeds = self._drawn
        else:
            seeds = self._seeds(fresh=not going_on)
        if self.early_stopping:
            data, held_out = split(data, self.validation_fraction, seeds[2], self._stratify)
        data = self._merged_if_one_batch(data)
        network = self._network(data, seeds, device, not going_on, scaffolds)
        return Fit(network, data, held_out, seeds, one_pass=False)

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, classes: np.ndarray | None = None
    ) -> Self:
        self.check_params()
        if self.early_stopping:
            raise ValueError("partial_fit needs early_stopping=False: it holds out nothing")
        device = resolve_device(self.device)
        first = not hasattr(self, "network_")
        data = self._merged_if_one_batch(self._read(X, y, sample_weight, first, classes))
        seeds = self._seeds(fresh=first)
        network = self._network(data, seeds, device, fresh=first)
        return self._train(Fit(network, data, None, seeds, one_pass=True))

    def _merged_if_one_batch(self, data: Data) -> Data:
        return merged(data) if len(data) <= batch_rows(self.get_params(deep=False)) else data

    def _seeds(self, fresh: bool) -> tuple[int, int, int]:
        """Return the seeds of scaffold, start values and training, drawn on a fresh fit."""
        if fresh:
            draws = check_random_state(self.random_state).randint(2**31 - 1, size=3)
            scaffold_seed = draws[0] if self.scaffold_seed is None else self.scaffold_seed
            self._drawn = (int(scaffold_seed), int(draws[1]), int(draws[2]))
            self.scaffold_seed_ = int(scaffold_seed)
        return self._drawn

    def _network(
        self,
        data: Data,
        seeds: tuple[int, int, int],
        device: Device,
        fresh: bool,
        scaffolds: Mapping[str, Scaffold] | None = None,
    ) -> Network:
        """Return a new network for these data, or the one to go on with."""
        config = self.network_config(self.n_features_in_, self._n_outputs(data.y))
        if fresh:
            self._prepare_targets(data)
            return Network(config, seeds[0], init_seed=seeds[1], device=device, scaffolds=scaffolds)
        if config != self.network_.config:
            mine, new = self.network_.config.to_dict(), config.to_dict()
            changed = [f"{k}: {mine[k]!r} -> {new[k]!r}" for k in mine if mine[k] != new[k]]
            raise ValueError(
                "training can only go on with the same network; changed since it was fitted: "
                + ", ".join(changed)
                + ". Fit a fresh estimator, or set warm_start=False"
            )
        self._move(device)
        return self.network_

    def _move(self, device: Device) -> None:
        """Bring what is fitted to a device."""
        if self.network_.device != device:
            self.network_ = self.network_.to(device)

    def _train(self, fit: Fit, checkpoint: Checkpoint | None = None) -> Self:
        training = self._training(fit, self._held_out_product(fit))
        network, loss, plan, validate = training
        if checkpoint is not None:
            start = (network.config, network.seed, to_host(network.theta))
            rows = (*fit.data, *(fit.held_out or ()))
            how = replace(plan, verbose=False)
            checkpoint.begin(fit.seeds, fingerprint(*start, how, loss, *rows))
        outcome = train(
            network,
            self._training_set(fit),
            loss,
            plan,
            validate=validate,
            state=getattr(self, "_state", None) if fit.one_pass else None,
            checkpoint=checkpoint,
        )
        self._trained(outcome, one_pass=fit.one_pass)
        self.scaffold_seed_ = self.network_.seed  # another, where it was resampled
        return self

    def _training(self, fit: Fit, product: FirstProduct | None) -> Training:
        """Return how a fit is trained; `product` is that of the rows held out."""
        params = self.get_params(deep=False)
        steps = -(-len(fit.data) // batch_rows(params))
        plan = make_plan(params, steps, fit.seeds[2], fit.one_pass)
        validate = None
        if fit.held_out is not None and product is not None:
            validate = self._validate(fit.held_out, product)
        return Training(fit.network, self._loss(), plan, validate)

    def _trained(self, outcome: Outcome, one_pass: bool = False) -> Self:
        """Take what comes of a training."""
        self._keep(outcome)
        # The moments of the optimiser are twice the adapter; only partial_fit goes on with them.
        self._state = outcome.state if one_pass else None
        if outcome.reason == "interrupted":
            warn_user(f"training was interrupted after {self.n_iter_} epochs; the model is usable")
        return self

    def _training_set(self, fit: Fit) -> TrainingSet:
        data, device, dtype = fit.data, fit.network.device, fit.network.dtype
        weights = normalised_weights(data.weights, dtype)
        return TrainingSet(
            Rows(data.X, dtype, device),
            to_device(self._targets(data.y, dtype), device),
            None if weights is None else to_device(weights, device),
        )

    def _held_out_product(self, fit: Fit) -> FirstProduct | None:
        """Return the first frozen product of the rows held out, which every epoch needs."""
        if fit.held_out is None:
            return None
        rows = Rows(fit.held_out.X, fit.network.dtype, fit.network.device)
        return FirstProduct(rows, projection_limit(self.get_params(deep=False)))

    def _validate(self, held_out: Data, product: FirstProduct) -> Validate:
        return validator(
            product.rows,
            self._targets(held_out.y, np.dtype(self.dtype)),
            self._loss(),
            lambda outputs: self._validation_score(to_host(outputs), held_out),
            product,
        )

    def _keep(self, outcome: Outcome) -> None:
        # A network on another scaffold shares the adapter, and so the vector.
        going_on = hasattr(self, "network_") and self.network_.theta is outcome.network.theta
        before = self.history_ if going_on else {}
        self.history_: dict[str, list[Any]] = {
            name: before.get(name, []) + values for name, values in outcome.history.items()
        }
        self.stop_reason_ = outcome.reason
        self.n_iter_ = len(self.history_["loss"])
        self._adopt(outcome.network)

    def _adopt(self, network: Network) -> None:
        """Take a trained network, and what is read off it."""
        self.network_ = network
        self.betas_ = network.betas()
        self.n_trained_params_ = network.n_trained
        self.n_scaffold_params_ = network.n_scaffold

    # Predicting -------------------------------------------------------------------------

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the network's outputs, on the host: float64, (n, n_outputs)."""
        X = self._features(X)
        return self._computed(self.network_, X)

    def _features(self, X: Any) -> Any:
        """Return X, validated, where the network is."""
        check_is_fitted(self, "network_")
        # A model may be loaded where its device is not: then that is the CPU.
        self._move(present_device(self.device))
        if place_of(self.network_.device, X=X) == "cuda":
            return checked_features(self, X, reset=False, dtype=self.network_.dtype)
        return validate_data(
            self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
        )

    @staticmethod
    def _computed(network: Network, X: Any) -> np.ndarray:
        """Return a network's outputs, on the host: float64, (n, n_outputs).

        On the host they are computed in float64, from weights that are float32: the output of
        a row then does not depend on the rows beside it, as matrix products in float32 would.
        """
        outputs = network.outputs(X, np.float64 if network.device == "cpu" else None)
        return to_host(outputs).astype(np.float64, copy=False)

    @staticmethod
    def _placed(values: np.ndarray, X: Any) -> Array:
        """Return results where the rows are that they were asked for."""
        if not is_on_device(X):
            return values
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"CuPy arrays hold numbers, but the classes are {values.dtype}: give X as a NumPy "
                "array, or fit with numbers for classes"
            )
        return to_device(values, "cuda")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
