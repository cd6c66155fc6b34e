"""Conversion of deep estimators of any architecture to the contents of a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import Device, to_host
from ..container import ArtifactError, Contents
from ..document import checked, entries
from ..estimators import DeepEstimator
from ..layers import Sequential
from ..models import NetworkConfig, from_plain
from ..models.plain_config import layers_within
from ..network import Network, scaffold_specs
from ..params import ParamSet
from ..scaffold import Scaffold, ScaffoldSpec, held_bytes, make_scaffold
from ..scaffold.streams import FORMAT_VERSION
from ..stored_values import QUANTISED_DTYPES, SHORT_DTYPES, stored_dtypes
from .common import check_bytes, check_tensors, common_of, digest_differs, restore_common
from .earlier_parameters import earlier_of, restore_earlier, types_of_earlier

#: Entries of ``fitted``, and their types, that are common to all deep estimators.
FITTED: dict[str, Any] = {"epochs": int, "stop_reason": str, "seeds": list}

# Bytes of weights that are drawn and not held, for one byte that is counted towards a limit.
_NOT_HELD = 8

_LAYER = {
    "path": str,
    "family": str,
    "shape": list,
    "scale": (float, str),
    "digest": str,
    "factor": (float, type(None)),
}


def contents_of(model: DeepEstimator) -> Contents:
    """Return the contents of a file for a fitted model.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ArtifactError
        If a parameter or a label cannot be written.
    """
    check_is_fitted(model, "network_")
    network = model.network_
    arrays = network.named_parameters() | network.named_buffers()
    tensors = {path: to_host(array) for path, array in arrays.items()}
    document, fitted = common_of(model)
    with checked("params"):
        model.network_config(n_outputs=network.config.n_outputs, **model._reader.sizes())
    fitted |= {
        "seeds": list(map(int, model._drawn)),
        "epochs": model.n_iter_,
        "stop_reason": model.stop_reason_,
    }
    targets, target_tensors = model._targets.state()
    reader, reader_tensors = model._reader.state()
    fitted |= targets | earlier_of(model)
    tensors |= target_tensors
    tensors |= {f"reader.{name}": array for name, array in reader_tensors.items()}
    document["config"] = network.config.to_plain()
    document["scaffold"] = plain_scaffold(network)
    document["reader"] = reader
    return Contents(document, tensors, {})


def plain_scaffold(network: Network) -> dict[str, Any]:
    """Return the seed and the layers of a network's frozen weights as JSON data."""
    return {
        "stream": FORMAT_VERSION,
        "seed": network.seed,
        "layers": [
            _layer(network.scaffolds[path].spec, digest)
            for path, digest in network.digests().items()
        ],
    }


def _counted_bytes(spec: ScaffoldSpec, config: NetworkConfig) -> int:
    """Return the bytes of frozen weights, as counted towards a limit.

    Weights that are not held are drawn for their digest, which takes time and no memory: of them a
    share is counted.
    """
    drawn = spec.drawn_bytes
    if spec.construction.needs_linear_algebra:
        return drawn
    held = held_bytes(spec, config.scaffold_of(spec.path)[2], np.dtype(config.dtype))
    return max(held, drawn // _NOT_HELD)


def adapter_names(contents: Contents) -> list[str]:
    """Return the names of the trained tensors, which may be stored in fewer bits.

    Buffers are not included: a running variance in 16 bits would change every output.
    """
    parts = from_plain(contents.document["config"]).build()
    return [slot.path for part in parts for slot in part.slots() if slot.trained]


def _layer(spec: ScaffoldSpec, digest: str) -> dict[str, Any]:
    return {
        "path": spec.path,
        "family": spec.family,
        "shape": list(spec.shape),
        "scale": spec.scale if isinstance(spec.scale, str) else float(spec.scale),
        "digest": digest,
        # The last digits of eigenvalues differ between machines; those of the weights must not.
        "factor": float(spec.factor) if spec.construction.has_saved_factor else None,
    }


def rebuild(
    cls: type[DeepEstimator],
    contents: Contents,
    device: Device,
    max_bytes: int,
    ready: Mapping[str, Scaffold] | None = None,
) -> Any:
    """Return the estimator that the contents describe; its scaffold is redrawn and checked.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    contents : Contents
    device : {"cpu", "cuda", "cuda:N"}
    max_bytes : int
        Maximum number of bytes for drawing the scaffold.
    ready : mapping of str to Scaffold, optional
        Frozen weights that are already in memory.

    Raises
    ------
    ArtifactError
        If the contents do not describe such an estimator, or the redrawn scaffold differs.
    """
    document = contents.document
    model, fitted, config = restore_estimator(cls, contents, {}, device, max_bytes)
    drawn = Drawn(document["scaffold"], config, max_bytes)
    check_tensors(contents, *drawn.tensors(config))
    network = drawn.network(config, contents.tensors, device, ready or {})
    if hasattr(model, "scaffold_seed"):
        model.scaffold_seed_ = drawn.seed
    take_network(model, network, fitted)
    return model


def restore_estimator(
    cls: type[DeepEstimator],
    contents: Contents,
    class_types: dict[str, Any],
    device: Device,
    max_bytes: int,
) -> tuple[Any, dict[str, Any], NetworkConfig]:
    """Return an estimator with its reader and targets, its ``fitted``, and its configuration.

    Parameters
    ----------
    cls : type
    contents : Contents
    class_types : dict of str to type
        Entries of ``fitted``, and their types, that are specific to this class.
    device : {"cpu", "cuda", "cuda:N"}
    max_bytes : int
        Maximum number of bytes for its layers.
    """
    document = contents.document
    saved = _mapping(document.get("fitted", {}), "fitted")
    probe = cls().saved_targets(saved)
    types = {**FITTED, **probe.state_types, **types_of_earlier(saved, probe), **class_types}
    with layers_within(max_bytes):
        model, fitted = restore_common(cls, document, types, device)
    with layers_within(max_bytes), checked("config"):
        config = from_plain(_mapping(document["config"], "config"))
    try:
        # Files without a reader are for tables: at first there were no other inputs.
        state = document.get("reader", {"n_features": fitted["n_features"]})
        arrays = _under(contents, "reader.")
        reader = type(model.new_reader()).from_state(_mapping(state, "reader"), arrays)
        model._adopt_reader(reader)
        _check_state("reader.", model._reader.state()[1], arrays)
        targets = model.saved_targets(saved)
        arrays = {f"target.{k}": v for k, v in _under(contents, "target.").items()}
        model._targets = targets.restore(fitted, arrays)
        _check_state("", targets.state()[1], arrays)
        restore_earlier(model, fitted)
    except ValueError as error:
        raise ArtifactError(str(error)) from None
    if targets.n_outputs != config.n_outputs:
        raise ArtifactError(
            f"targets with {targets.n_outputs} outputs do not match the {config.n_outputs} outputs "
            "of the network"
        )
    _check_config(model, config, max_bytes)
    n_features, read = fitted["n_features"], model._reader.width
    if read is not None and n_features != read:
        raise ArtifactError(f"the network reads {read} features, but the model {n_features}")
    return model, fitted, config


def _check_config(model: Any, config: NetworkConfig, max_bytes: int) -> None:
    """Raise if a configuration does not match the estimator's architecture and inputs."""
    sizes = model._reader.sizes()
    with layers_within(max_bytes), checked("params"):
        expected = model.network_config(n_outputs=config.n_outputs, **sizes)
    if type(expected) is not type(config):
        raise ArtifactError(
            f"a {type(model).__name__} has a network of the architecture {expected.name!r}; the "
            f"network in the file is of the architecture {config.name!r}"
        )
    for name, size in sizes.items():
        if getattr(config, name, size) != size:
            raise ArtifactError(
                f"the network reads {name}={getattr(config, name)!r}, but the model {size!r}"
            )


def _mapping(data: Any, label: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ArtifactError(f"{label} must be an object; got {data!r:.60}")
    return data


def _under(contents: Contents, prefix: str) -> dict[str, np.ndarray]:
    """Return the tensors whose names begin with `prefix`, without it."""
    for name in contents.tensors:
        short = contents.kept_as(name) in (*SHORT_DTYPES, *QUANTISED_DTYPES)
        if name.startswith(prefix) and short:
            raise ArtifactError(f"tensor {name!r} must not be stored as {contents.kept_as(name)}")
    return {
        name.removeprefix(prefix): array
        for name, array in contents.tensors.items()
        if name.startswith(prefix)
    }


def _check_state(
    prefix: str, expected: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]
) -> None:
    """Raise if there are arrays that were not used, or are not of the type that is saved."""
    for name in sorted(arrays.keys() - expected.keys()):
        raise ArtifactError(f"the file has an extra tensor {prefix + name!r}")
    for name, array in arrays.items():
        if array.dtype != expected[name].dtype:
            raise ArtifactError(
                f"tensor {prefix + name!r} must be {expected[name].dtype}; got {array.dtype}"
            )


def take_network(model: Any, network: Network, fitted: dict[str, Any]) -> None:
    """Set the network of an estimator, and the attributes that describe its training."""
    model._drawn = _seeds(fitted["seeds"])
    model._adopt(network)
    model.n_iter_, model.stop_reason_ = fitted["epochs"], fitted["stop_reason"]
    model.history_, model._state = {}, None


def _seeds(data: list[Any]) -> tuple[int, int, int]:
    if len(data) != 3 or not all(type(seed) is int and seed >= 0 for seed in data):
        raise ArtifactError("seeds must be three non-negative integers")
    return data[0], data[1], data[2]


class Drawn:
    """A scaffold that a document describes, checked before anything is drawn.

    Parameters
    ----------
    data : dict
        As returned by :func:`plain_scaffold`.
    config : NetworkConfig
    max_bytes : int
        Maximum number of bytes for drawing.
    times : int, default=1
        Total number of such scaffolds that are drawn.
    """

    def __init__(self, data: Any, config: NetworkConfig, max_bytes: int, times: int = 1) -> None:
        fields = entries(data, "scaffold", {"stream": int, "seed": int, "layers": list})
        if fields["stream"] != FORMAT_VERSION:
            raise ArtifactError(
                f"the scaffold is drawn from streams of version {fields['stream']}; this version "
                f"of deepreservoir has streams of version {FORMAT_VERSION}"
            )
        self.seed: int = fields["seed"]
        if self.seed < 0:
            raise ArtifactError(f"the seed of a scaffold must not be negative; got {self.seed}")
        with layers_within(max_bytes, times):
            root = Sequential(config.build())
        slots = root.slots()
        self.params = ParamSet(slot for slot in slots if slot.trained)
        self.buffers = ParamSet(slot for slot in slots if not slot.trained)
        frozen = {request.path for request in root.scaffold_requests() if request.frozen}
        specs = scaffold_specs(config, root, self.seed)
        drawn = times * sum(_counted_bytes(spec, config) for spec in specs)
        check_bytes(drawn, max_bytes, "its scaffold" if times == 1 else f"its {times} scaffolds")
        self.frozen = {spec.path: spec for spec in specs if spec.path in frozen}
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
                    f"layer {spec.path!r} of the scaffold does not match the configuration: {layer}"
                )

    def tensors(
        self, config: NetworkConfig
    ) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[str, ...]]]:
        """Return the shape and the allowed types of each parameter and buffer, by path."""
        shapes = {s.path: s.shape for s in (*self.params.slots, *self.buffers.slots)}
        types = {path: stored_dtypes(config.dtype, shape) for path, shape in shapes.items()}
        return shapes, types | {slot.path: (config.dtype,) for slot in self.buffers.slots}

    def network(
        self,
        config: NetworkConfig,
        tensors: dict[str, np.ndarray],
        device: Device,
        ready: Mapping[str, Scaffold],
    ) -> Network:
        """Return the network; its scaffold is drawn, or taken from `ready`, and checked."""
        dtype = np.dtype(config.dtype)
        scaffolds = {**self._of_known_factor(config, device, ready), **ready}
        network = Network(
            config,
            self.seed,
            theta=_flat(self.params, tensors, dtype),
            buffers=_flat(self.buffers, tensors, dtype),
            device=device,
            scaffolds=scaffolds,
        )
        network.attached = bool(ready)
        return self._checked(network)

    def beside(self, network: Network) -> Network:
        """Return a network on this scaffold, checked, that shares the adapter of another."""
        known = self._of_known_factor(network.config, network.device, {})
        return self._checked(network.with_scaffold(self.seed, known))

    def _of_known_factor(
        self, config: NetworkConfig, device: Device, ready: Mapping[str, Scaffold]
    ) -> dict[str, Scaffold]:
        dtype = np.dtype(config.dtype)
        return {
            path: make_scaffold(_known(self.frozen[path], factor), config.storage, dtype, device)
            for path, factor in self._factors.items()
            if factor is not None and path not in ready
        }

    def _checked(self, network: Network) -> Network:
        digests = network.digests()
        for path, expected in self.digests.items():
            if digests[path] != expected:
                raise digest_differs(f"layer {path!r}", expected, digests[path])
        return network


def _flat(params: ParamSet, tensors: dict[str, np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    parts = [tensors[slot.path].ravel() for slot in params.slots]
    return np.concatenate([np.empty(0, dtype), *parts], dtype=dtype)


def _known(spec: ScaffoldSpec, factor: float | None) -> ScaffoldSpec:
    if factor is None:
        if spec.construction.has_saved_factor:
            raise ArtifactError(f"layer {spec.path!r} of the scaffold has no factor")
        return spec
    # A factor that overflows float32 is rejected.
    with np.errstate(over="ignore"), checked(f"layer {spec.path!r} of the scaffold"):
        return ScaffoldSpec(spec.family, spec.shape, spec.seed, spec.path, spec.scale, factor)
