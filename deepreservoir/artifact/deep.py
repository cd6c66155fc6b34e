"""Deep estimators as the contents of a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import Device, to_host
from ..container import SHORT_DTYPES, ArtifactError, Contents
from ..estimators import DeepReservoirClassifier, DeepReservoirRegressor
from ..models import MLPConfig
from ..network import Network, scaffold_specs
from ..params import ParamSet
from ..scaffold import Scaffold, ScaffoldSpec, make_scaffold
from ..scaffold.streams import FORMAT_VERSION
from .common import check_bytes, check_tensors, common_of, digest_differs, restore_common
from .values import checked, entries, labels_of, plain_labels

CLASSES = {cls.__name__: cls for cls in (DeepReservoirClassifier, DeepReservoirRegressor)}

Deep = DeepReservoirClassifier | DeepReservoirRegressor

#: What every deep estimator has learned besides the features.
FITTED: dict[str, Any] = {"epochs": int, "stop_reason": str, "seeds": list}

# Mean and scale of a regressor's targets.
_TARGET = ("target.mean", "target.scale")

# What a layer costs beside its numbers, as far as a limit in bytes is concerned.
_LAYER_BYTES = 10_000

_LAYER = {
    "path": str,
    "family": str,
    "shape": list,
    "scale": (float, str),
    "digest": str,
    "factor": (float, type(None)),
}


def contents_of(model: Deep) -> Contents:
    """Return the contents of a file that holds a fitted model.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ArtifactError
        If a parameter or a label cannot be written.
    """
    check_is_fitted(model, "network_")
    contents = network_contents(model)
    fitted = contents.document["fitted"]
    if isinstance(model, DeepReservoirClassifier):
        fitted["classes"] = plain_labels(model.classes_)
    else:
        fitted["target_ndim"] = model._y_ndim
        targets = dict(zip(_TARGET, (model.y_mean_, model.y_scale_), strict=True))
        contents.tensors.update(targets)
    return contents


def network_contents(model: Any) -> Contents:
    """Return what files of all fitted deep estimators hold."""
    network: Network = model.network_
    tensors = {path: to_host(array) for path, array in network.named_parameters().items()}
    document, fitted = common_of(model)
    with checked("params"):
        model.network_config(network.config.n_features, network.config.n_outputs)
    fitted |= {
        "seeds": list(map(int, model._drawn)),
        "epochs": model.n_iter_,
        "stop_reason": model.stop_reason_,
    }
    document["config"] = network.config.to_dict()
    document["scaffold"] = plain_scaffold(network)
    return Contents(document, tensors, {})


def plain_scaffold(network: Network) -> dict[str, Any]:
    """Return seed and layers of a network's frozen weights, as JSON data."""
    return {
        "stream": FORMAT_VERSION,
        "seed": network.seed,
        "layers": [
            _layer(network.scaffolds[path].spec, digest)
            for path, digest in network.digests().items()
        ],
    }


def adapter_names(contents: Contents) -> list[str]:
    """Return the names of the tensors that are trained, which may be kept in 16 bits."""
    other = (*_TARGET, "preprocessing.")
    return [name for name in contents.tensors if not name.startswith(other)]


def _layer(spec: ScaffoldSpec, digest: str) -> dict[str, Any]:
    spectral = spec.definition.kind == "spectral"
    return {
        "path": spec.path,
        "family": spec.family,
        "shape": list(spec.shape),
        "scale": spec.scale if isinstance(spec.scale, str) else float(spec.scale),
        "digest": digest,
        # Eigenvalues differ between machines in their last digit; the weights must not.
        "factor": float(spec.factor) if spectral else None,
    }


def rebuild(
    contents: Contents,
    device: Device,
    max_bytes: int,
    ready: Mapping[str, Scaffold] | None = None,
) -> Deep:
    """Return the estimator that contents describe, its scaffold drawn again and checked.

    Parameters
    ----------
    contents : Contents
    device : {"cpu", "cuda"}
    max_bytes : int
        What drawing the scaffold may take.
    ready : mapping of str to Scaffold, optional
        Frozen weights that are in memory already.

    Raises
    ------
    ArtifactError
        If the contents describe no such estimator, or the scaffold drawn is another.
    """
    document = contents.document
    cls = CLASSES[document["estimator"]]
    own = FITTED | ({"classes": dict} if cls is DeepReservoirClassifier else {"target_ndim": int})
    model, fitted = restore_common(cls, document, own, device)
    config = config_of(document["config"], model)
    drawn = Drawn(document["scaffold"], config, max_bytes)
    shapes: dict[str, tuple[int, ...]] = {s.path: s.shape for s in drawn.params.slots}
    dtypes: dict[str, tuple[str, ...]] = dict.fromkeys(shapes, (config.dtype, *SHORT_DTYPES))
    if isinstance(model, DeepReservoirRegressor):
        shapes |= dict.fromkeys(_TARGET, (config.n_outputs,))
        dtypes |= dict.fromkeys(_TARGET, ("float64",))
    check_tensors(contents, shapes, dtypes)
    if isinstance(model, DeepReservoirRegressor):
        _take_targets(model, contents.tensors, fitted["target_ndim"])
    else:
        take_classes(model, fitted["classes"], config.n_outputs)
    model.scaffold_seed_ = drawn.seed
    take_network(model, drawn.network(config, contents.tensors, device, ready or {}), fitted)
    return model


def take_network(model: Any, network: Network, fitted: dict[str, Any]) -> None:
    """Give an estimator its network, and what is said of its training."""
    model._drawn = _seeds(fitted["seeds"])
    model._adopt(network)
    model.n_iter_, model.stop_reason_ = fitted["epochs"], fitted["stop_reason"]
    model.history_, model._state = {}, None


def take_classes(model: Any, data: Any, n_outputs: int) -> None:
    """Give a classifier its labels."""
    model.classes_ = labels_of(data)
    n = len(model.classes_)
    if n < 2 or n_outputs != (1 if n == 2 else n):
        raise ArtifactError(f"{n} classes do not go with {n_outputs} outputs of the network")


def _take_targets(model: DeepReservoirRegressor, tensors: dict[str, np.ndarray], ndim: int) -> None:
    model.y_mean_, model.y_scale_ = (tensors[name] for name in _TARGET)
    model._y_ndim = ndim
    if not (model.y_scale_ > 0).all():
        raise ArtifactError(f"tensor {_TARGET[1]!r} must be positive")
    if ndim not in (1, 2) or (ndim == 1 and len(model.y_mean_) > 1):
        raise ArtifactError(f"{len(model.y_mean_)} targets cannot be of {ndim} dimensions")


def config_of(data: Any, model: Any) -> MLPConfig:
    """Return the configuration of a model's network."""
    names = {field.name for field in fields(MLPConfig)}
    if not isinstance(data, dict) or set(data) != names:
        raise ArtifactError(f"config must have the entries {sorted(names)}")
    widths = data["hidden_layer_sizes"]
    if not isinstance(widths, list):
        raise ArtifactError("config, hidden_layer_sizes: expected a list of widths")
    with checked("config"):
        config = MLPConfig(**{**data, "hidden_layer_sizes": tuple(widths)})
    with checked("params"):
        model.network_config(config.n_features, config.n_outputs)
    if config.n_features != model.n_features_in_:
        raise ArtifactError(
            f"the network reads {config.n_features} features, the model {model.n_features_in_}"
        )
    return config


def _seeds(data: list[Any]) -> tuple[int, int, int]:
    if len(data) != 3 or not all(type(seed) is int and seed >= 0 for seed in data):
        raise ArtifactError("seeds must be three non-negative integers")
    return data[0], data[1], data[2]


class Drawn:
    """A scaffold that a document asks for, checked before anything is drawn.

    Parameters
    ----------
    data : dict
        What :func:`plain_scaffold` returned.
    config : MLPConfig
    max_bytes : int
        What drawing may take.
    times : int, default=1
        How many such scaffolds are drawn in all.
    """

    def __init__(self, data: Any, config: MLPConfig, max_bytes: int, times: int = 1) -> None:
        fields = entries(data, "scaffold", {"stream": int, "seed": int, "layers": list})
        if fields["stream"] != FORMAT_VERSION:
            raise ArtifactError(
                f"the scaffold is drawn from streams of version {fields['stream']}; this version "
                f"of deepreservoir has version {FORMAT_VERSION}"
            )
        self.seed: int = fields["seed"]
        if self.seed < 0:
            raise ArtifactError(f"the seed of a scaffold is not negative; got {self.seed}")
        check_bytes(times * _LAYER_BYTES * len(config.widths), max_bytes, "its layers")
        root = config.build()
        self.params = ParamSet(root.slots())
        trained = {slot.path for slot in self.params.slots}
        specs = scaffold_specs(config, root, self.seed)
        drawn = times * sum(spec.drawn_bytes for spec in specs)
        check_bytes(drawn, max_bytes, "its scaffold" if times == 1 else f"its {times} scaffolds")
        self.frozen = {s.path: s for s in specs if f"{s.path}.weight" not in trained}
        layers = [entries(layer, "a layer of the scaffold", _LAYER) for layer in fields["layers"]]
        if [layer["path"] for layer in layers] != list(self.frozen):
            raise ArtifactError(f"the scaffold must have the layers {list(self.frozen)}")
        self.digests = {layer["path"]: layer["digest"] for layer in layers}
        self._factors: dict[str, float | None] = {}
        for layer in layers:
            spec = self.frozen[layer["path"]]
            self._factors[spec.path] = layer["factor"]
            if _layer(_known(spec, layer["factor"]), layer["digest"]) != layer:
                raise ArtifactError(
                    f"layer {spec.path!r} of the scaffold does not go with the configuration: "
                    f"{layer}"
                )

    def network(
        self,
        config: MLPConfig,
        tensors: dict[str, np.ndarray],
        device: Device,
        ready: Mapping[str, Scaffold],
    ) -> Network:
        """Return the network, its scaffold drawn, or taken from what is ready, and checked."""
        dtype = np.dtype(config.dtype)
        flat = [tensors[slot.path].ravel() for slot in self.params.slots]
        theta = np.concatenate([np.empty(0, dtype), *flat], dtype=dtype)
        scaffolds = {**self._of_known_factor(config, device, ready), **ready}
        network = Network(config, self.seed, theta=theta, device=device, scaffolds=scaffolds)
        return self._checked(network)

    def beside(self, network: Network) -> Network:
        """Return a network that shares the adapter of another, on this scaffold, checked."""
        known = self._of_known_factor(network.config, network.device, {})
        return self._checked(network.with_scaffold(self.seed, known))

    def _of_known_factor(
        self, config: MLPConfig, device: Device, ready: Mapping[str, Scaffold]
    ) -> dict[str, Scaffold]:
        dtype = np.dtype(config.dtype)
        return {
            path: make_scaffold(_known(self.frozen[path], factor), config.storage, dtype, device)
            for path, factor in self._factors.items()
            if factor is not None and path not in ready
        }

    def _checked(self, network: Network) -> Network:
        found = network.digests()
        for path, expected in self.digests.items():
            if found[path] != expected:
                raise digest_differs(f"layer {path!r}", expected, found[path])
        return network


def _known(spec: ScaffoldSpec, factor: float | None) -> ScaffoldSpec:
    if factor is None:
        if spec.definition.kind == "spectral":
            raise ArtifactError(f"layer {spec.path!r} of the scaffold has no factor")
        return spec
    # A factor beyond float32 is refused.
    with np.errstate(over="ignore"), checked(f"layer {spec.path!r} of the scaffold"):
        return ScaffoldSpec(spec.family, spec.shape, spec.seed, spec.path, spec.scale, factor)
