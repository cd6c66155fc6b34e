"""Conversion of echo-state estimators to the contents of a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import Device, moved, to_host
from ..checks import check_integer, check_real
from ..container import ArtifactError, Contents
from ..document import checked, entries, labels_of, names_of, plain_labels
from ..esn.readout import RidgeFit
from ..esn.reservoir import Reservoir, ReservoirSpec, Tuning
from ..esn.sequence import Projection, SequenceFeatures
from ..esn.stack import ARRANGEMENTS, ReservoirStack
from ..esn.topology import RecurrentSpec, check_product
from ..estimators import EchoStateClassifier, EchoStateRegressor
from ..estimators.echo.forecast import End
from ..scaffold.streams import FORMAT_VERSION
from ..stored_values import stored_dtypes
from .common import check_bytes, check_tensors, common_of, digest_differs, restore_common
from .values import plain, value_of

CLASSES = {cls.__name__: cls for cls in (EchoStateClassifier, EchoStateRegressor)}

Echo = EchoStateClassifier | EchoStateRegressor
Shapes = dict[str, tuple[int, ...]]

_READOUT = ("readout.coef", "readout.intercept")
_END = ("end.state", "end.target")
_PROJECTION = ("features.mean", "features.components")

_CONFIG = {"n_inputs": int, "n_feedback": int, "arrangement": str, "dtype": str}
_LAYER = {
    "path": str,
    "units": int,
    "topology": str,
    "spectral_radius": float,
    "density": (float, int),
    "leak_rate": float,
    "input_scaling": float,
    "feedback_scaling": float,
    "bias_scaling": float,
    "activation": str,
    "product": str,
    "noise": float,
    "factor": float,
    "tuned": bool,
    "digest": str,
}
_ABSENT = {"product": "auto"}
# Entries of a layer that its specification has under the same name.
_SPEC = (
    "leak_rate",
    "input_scaling",
    "feedback_scaling",
    "bias_scaling",
    "activation",
    "product",
    "noise",
)
_FITTED = {"penalty": float, "noisy_runs": int}


def contents_of(model: Echo) -> Contents:
    """Return the contents of a file for a fitted model.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ArtifactError
        If its readout is scikit-learn's, or a parameter or a label cannot be written.
    """
    check_is_fitted(model, "readout_")
    if not isinstance(model.readout_, RidgeFit):
        raise ArtifactError(
            f"a {type(model.readout_).__name__} as readout cannot be saved, since it would need a "
            "pickle. Use readout='ridge', 'rls' or 'lms'"
        )
    document, fitted = common_of(model)
    stack = model.reservoir_
    readout = moved(model.readout_, "cpu")
    tensors = {"readout.coef": readout.coef, "readout.intercept": readout.intercept}
    fitted |= {"penalty": float(readout.penalty), "noisy_runs": model._noisy_runs}
    if isinstance(model, EchoStateClassifier):
        features = model.features_
        fitted |= {
            "classes": plain_labels(model.classes_),
            "rows_are_series": model._rows_are_series,
            "n_variables": model.n_variables_,
            "features": plain(features.kind, "features"),
            "washout": features.washout,
            "feature_penalty": float(features.penalty),
        }
        if features.projection is not None:
            projection = moved(features.projection, "cpu")
            tensors |= {_PROJECTION[0]: projection.mean, _PROJECTION[1]: projection.components}
    else:
        fitted |= {"n_outputs": model.n_outputs_, "flat": model._flat}
        names = model._output_names
        if names is not None and all(isinstance(name, str) for name in names):
            document["outputs"] = list(names)
        tensors |= {_END[0]: to_host(model._end.state), _END[1]: to_host(model._end.target)}
    layers = []
    for i, part in enumerate(stack.parts):
        layers.append(_layer(part))
        if part.tuning is not None:
            tuning = moved(part.tuning, "cpu")
            tensors |= {f"reservoir.{i}.gain": tuning.gain, f"reservoir.{i}.bias": tuning.bias}
    document["config"] = {
        "n_inputs": stack.n_inputs,
        "n_feedback": stack.n_feedback,
        "arrangement": ARRANGEMENTS[0] if stack.deep else ARRANGEMENTS[1],
        "dtype": stack.dtype.name,
    }
    document["scaffold"] = {
        "stream": FORMAT_VERSION,
        "seed": stack.parts[0].spec.recurrent.seed,
        "layers": layers,
    }
    return Contents(document, {name: np.asarray(t) for name, t in tensors.items()}, {})


def adapter_names(contents: Contents) -> list[str]:
    """Return the names of the trained tensors, which may be stored in fewer bits."""
    return list(_READOUT)


def _layer(part: Reservoir) -> dict[str, Any]:
    spec, recurrent = part.spec, part.spec.recurrent
    density = recurrent.density
    return {
        "path": recurrent.path,
        "units": int(recurrent.units),
        "topology": recurrent.topology,
        "spectral_radius": float(recurrent.spectral_radius),
        "density": density.item() if isinstance(density, np.generic) else density,
        "leak_rate": float(spec.leak_rate),
        "input_scaling": float(spec.input_scaling),
        "feedback_scaling": float(spec.feedback_scaling),
        "bias_scaling": float(spec.bias_scaling),
        "activation": spec.activation,
        "product": spec.product,
        "noise": float(spec.noise),
        # The last digits of eigenvalues differ between machines; those of the weights must not.
        "factor": float(part.recurrent.factor),
        "tuned": part.tuning is not None,
        "digest": part.digest(),
    }


def rebuild(
    cls: type[Echo],
    contents: Contents,
    device: Device,
    max_bytes: int,
    ready: Mapping[str, Any] | None = None,
) -> Echo:
    """Return the estimator that the contents describe; its reservoir is redrawn and checked.

    Parameters
    ----------
    cls : type
    contents : Contents
    device : {"cpu", "cuda", "cuda:N"}
    max_bytes : int
        Maximum number of bytes for drawing the reservoir.
    ready : None
        Not used: reservoirs are not shared.

    Raises
    ------
    ArtifactError
        If the contents do not describe such an estimator, or the redrawn reservoir differs.
    """
    document = contents.document
    cls = CLASSES[document["estimator"]]
    class_types: dict[str, Any] = dict(_FITTED)
    if cls is EchoStateClassifier:
        class_types |= {
            "classes": dict,
            "rows_are_series": bool,
            "n_variables": int,
            "washout": int,
        }
        class_types |= {"features": (str, dict), "feature_penalty": float}
    else:
        class_types |= {"n_outputs": int, "flat": bool}
    model, fitted = restore_common(cls, document, class_types, device)
    config = entries(document["config"], "config", _CONFIG)
    layers = _checked_layers(document["scaffold"], config, max_bytes)
    units = sum(layer["units"] for layer in layers)
    shapes: Shapes = {}
    for i, layer in enumerate(layers):
        if layer["tuned"]:
            shapes |= dict.fromkeys(
                (f"reservoir.{i}.gain", f"reservoir.{i}.bias"), (layer["units"],)
            )
    if isinstance(model, EchoStateClassifier):
        _take_classes(model, fitted, config, contents, units, shapes)
    else:
        _take_outputs(model, fitted, config, units, shapes)
        names = names_of(document.get("outputs"), "outputs")
        if names is not None and len(names) != model.n_outputs_:
            raise ArtifactError(f"{len(names)} names for {model.n_outputs_} outputs")
        model._output_names = None if names is None else names.tolist()
    dtypes: dict[str, tuple[str, ...]] = dict.fromkeys(shapes, ("float64",))
    dtypes |= {name: stored_dtypes("float64", shapes[name]) for name in _READOUT}
    if _END[0] in shapes:
        dtypes[_END[0]] = (config["dtype"],)
    check_tensors(contents, shapes, dtypes)
    model.reservoir_ = _stack(layers, document["scaffold"]["seed"], config, contents, device)
    model.reservoir_seed_ = document["scaffold"]["seed"]
    with checked("fitted"):
        check_integer("noisy_runs", fitted["noisy_runs"], 0)
    model._noisy_runs, model._online = fitted["noisy_runs"], False
    _take_tensors(model, contents.tensors, fitted, device)
    return model


def _take_outputs(
    model: EchoStateRegressor,
    fitted: dict[str, Any],
    config: dict[str, Any],
    units: int,
    shapes: Shapes,
) -> None:
    n = fitted["n_outputs"]
    if n < 1 or (fitted["flat"] and n > 1) or config["n_feedback"] not in (0, n):
        raise ArtifactError(f"{n} outputs do not match the rest of the model")
    if config["n_inputs"] != model.n_features_in_:
        raise ArtifactError("the reservoir's inputs are not those of the model")
    model.n_outputs_, model._flat = n, fitted["flat"]
    shapes |= {_READOUT[0]: (n, units), _READOUT[1]: (n,), _END[0]: (1, units), _END[1]: (1, n)}


def _take_classes(
    model: EchoStateClassifier,
    fitted: dict[str, Any],
    config: dict[str, Any],
    contents: Contents,
    units: int,
    shapes: Shapes,
) -> None:
    model.classes_ = labels_of(fitted["classes"])
    variables = fitted["n_variables"]
    rows = fitted["rows_are_series"]
    if len(model.classes_) < 2 or config["n_feedback"] or config["n_inputs"] != variables:
        raise ArtifactError("classes, variables and the reservoir's inputs do not match")
    if variables != (1 if rows else model.n_features_in_):
        raise ArtifactError(f"series of {variables} variables are not those of the model")
    model._rows_are_series, model.n_variables_ = rows, variables
    kind = value_of(fitted["features"], "features")
    are_shares = isinstance(kind, tuple) and all(type(s) is float and 0 < s <= 1 for s in kind)
    if not are_shares and kind not in ("last", "mean", "output_model", "reservoir_model"):
        raise ArtifactError(f"features cannot be {kind!r:.60}")
    with checked("fitted"):
        check_integer("washout", fitted["washout"], 0)
        check_real("feature_penalty", fitted["feature_penalty"], 0, float("inf"))
    read = units
    components = contents.tensors.get(_PROJECTION[1])
    if components is not None and isinstance(kind, str) and kind.endswith("_model"):
        read = components.shape[0] if components.ndim == 2 else 0  # its shape is checked later
        shapes |= {_PROJECTION[0]: (units,), _PROJECTION[1]: (read, units)}
    width = {
        "output_model": (read + 1) * variables,
        "reservoir_model": (read + 1) * read,
    }.get(str(kind), units * (len(kind) if isinstance(kind, tuple) else 1))
    n = len(model.classes_)
    shapes |= {_READOUT[0]: (n, width), _READOUT[1]: (n,)}


def _take_tensors(
    model: Echo, tensors: dict[str, np.ndarray], fitted: dict[str, Any], device: Device
) -> None:
    """Set what was trained, on the device: readout, features, the final state of training."""
    coef, intercept = (tensors[name].astype(np.float64) for name in _READOUT)
    model.readout_ = moved(RidgeFit(coef, intercept, fitted["penalty"], {}), device)
    if isinstance(model, EchoStateRegressor):
        model._end = moved(End(tensors[_END[0]], tensors[_END[1]], "cpu"), device)
        return
    projection = None
    if _PROJECTION[0] in tensors:
        projection = Projection(*(tensors[name] for name in _PROJECTION))
    kind = value_of(fitted["features"], "features")
    features = SequenceFeatures(kind, fitted["washout"], fitted["feature_penalty"], projection)
    model.features_ = moved(features, device)


def _checked_layers(data: Any, config: dict[str, Any], max_bytes: int) -> list[dict[str, Any]]:
    """Return the reservoirs of a document after checking them, before anything is drawn."""
    fields = entries(data, "scaffold", {"stream": int, "seed": int, "layers": list})
    if fields["stream"] != FORMAT_VERSION:
        raise ArtifactError(
            f"the reservoir is drawn from streams of version {fields['stream']}; this version of "
            f"deepreservoir has streams of version {FORMAT_VERSION}"
        )
    if config["arrangement"] not in ARRANGEMENTS or config["dtype"] not in ("float32", "float64"):
        raise ArtifactError(f"config cannot be {config}")
    if config["n_inputs"] < 1 or config["n_feedback"] < 0:
        raise ArtifactError("a reservoir has at least one input")
    if fields["seed"] < 0:
        raise ArtifactError(f"the seed of a scaffold must not be negative; got {fields['seed']}")
    layers = [entries(layer, "a reservoir", _LAYER, _ABSENT) for layer in fields["layers"]]
    if not layers:
        raise ArtifactError("a model has at least one reservoir")
    needed, width = 0, config["n_inputs"]
    largest = float(np.finfo(config["dtype"]).max)  # of what weights are multiplied by
    for i, layer in enumerate(layers):
        with checked(f"reservoir {i}"):
            check_integer("units", layer["units"], 1)
            for name in ("spectral_radius", "input_scaling", "feedback_scaling", "bias_scaling"):
                check_real(name, layer[name], 0, largest)
            check_real("noise", layer["noise"], 0, float("inf"))
            check_real("leak_rate", layer["leak_rate"], 0, 1, open_low=True)
            check_real("factor", layer["factor"], 0, largest)
        if layer["activation"] not in ("tanh", "relu", "identity"):
            raise ArtifactError(f"activation cannot be {layer['activation']!r:.40}")
        if layer["path"] != f"reservoir.{i}":
            raise ArtifactError(f"reservoir {i} must have the path 'reservoir.{i}'")
        # Checked before the links are counted, which needs numbers that fit into a float.
        needed += 64 * layer["units"] * (width + config["n_feedback"] + 2)
        check_bytes(needed, max_bytes, "its reservoirs")
        with checked(f"reservoir {i}"):
            needed += _recurrent(layer, fields["seed"]).drawn_bytes
            check_product(layer["product"], layer["topology"])
        if config["arrangement"] == "deep":
            width = layer["units"]
    check_bytes(needed, max_bytes, "its reservoirs")
    return layers


def _recurrent(layer: dict[str, Any], seed: int) -> RecurrentSpec:
    return RecurrentSpec(
        layer["units"],
        layer["topology"],
        layer["spectral_radius"],
        layer["density"],
        seed,
        layer["path"],
    )


def _stack(
    layers: list[dict[str, Any]],
    seed: int,
    config: dict[str, Any],
    contents: Contents,
    device: Device,
) -> ReservoirStack:
    parts: list[Reservoir] = []
    for i, layer in enumerate(layers):
        spec = ReservoirSpec(_recurrent(layer, seed), **{name: layer[name] for name in _SPEC})
        tuning = None
        if layer["tuned"]:
            tuning = Tuning(
                *(contents.tensors[f"reservoir.{i}.{name}"] for name in ("gain", "bias"))
            )
        width = parts[-1].units if parts and config["arrangement"] == "deep" else config["n_inputs"]
        part = Reservoir(
            spec,
            width,
            config["n_feedback"],
            np.dtype(config["dtype"]),
            layer["factor"],
            tuning,
            device,
        )
        actual = part.digest()
        if actual != layer["digest"]:
            raise digest_differs(f"reservoir {i}", layer["digest"], actual)
        parts.append(part)
    return ReservoirStack.of(parts, config["arrangement"])
