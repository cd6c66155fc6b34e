"""Export of models as ONNX graphs of ordinary layers."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ..container import ArtifactError
from ..estimators import Indicators, Labels
from ..estimators.base.label_smoothing import LEAST_SHARE
from ..files import write_whole

# These register how networks become graphs.
from . import onnx_decoder as onnx_decoder
from . import onnx_plain_cnn as onnx_plain_cnn
from . import onnx_text_transformer as onnx_text_transformer
from . import onnx_vit as onnx_vit
from .dense_weights import PlainLayer, check_deep, plain_layers
from .onnx_graph import EXPORTS, OWN_GRAPHS, OnnxExport, OnnxGraph

_NORM_EPS = 1e-5


def export_onnx(model: Any, path: str | os.PathLike[str]) -> Path:
    """Write a model as an ONNX graph, with scaffold and adapter combined into one matrix per layer.

    The file is as large as the dense network; :func:`deepreservoir.save` writes a small one. This
    needs the extra ``onnx``.

    Parameters
    ----------
    model : estimator or Pipeline
        A fitted deep estimator, or a pipeline of StandardScalers that ends in one.
    path : str or path

    Returns
    -------
    Path
        The path of the file. The graph reads ``X``, float32, (rows, n_features); that of a
        classifier of images reads images (n, height, width, channels) of the
        kind that it was fitted on, bytes (uint8) or float32 numbers, and that of a classifier of
        texts reads their codes (n, t), int64, as its ``encode`` returns them; the probabilities of
        a row without tokens, which the model itself refuses, are NaN. For a classifier
        it outputs ``label`` and ``probabilities`` (rows, n_classes), in order of ``classes_``;
        after a fit on an indicator matrix, ``label`` is one too. For a regressor it outputs
        ``prediction`` (rows, n_outputs).

        The graph of a language model is one step of generation. It reads ``token`` and
        ``position``, int64, (1,), and ``keys`` and ``values`` of the n tokens before, float32,
        (depth, heads, n, width / heads), with n = 0 at first. It outputs ``logits`` of the next
        token, (vocabulary,), and ``new_keys`` and ``new_values``, which the next step reads.

    Raises
    ------
    ArtifactError
        If the model is not a perceptron or a network of images or texts, a step before it is not a
        StandardScaler, its targets exceed the range of float32, or onnx is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import onnxruntime
    >>> from deepreservoir import DeepReservoirClassifier, export_onnx
    >>> X, y = np.eye(6), [0, 1, 2] * 2
    >>> model = DeepReservoirClassifier((8,), rank=2, max_iter=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_onnx(model, f"{folder}/model.onnx")
    ...     session = onnxruntime.InferenceSession(path.read_bytes())
    >>> labels, _ = session.run(None, {"X": X.astype(np.float32)})
    >>> bool((labels == model.predict(X)).all())
    True
    """
    if find_spec("onnx") is None:
        raise ArtifactError("export_onnx needs onnx: pip install 'deepreservoir[onnx]'")
    *steps, (_, estimator) = model.steps if isinstance(model, Pipeline) else [("", model)]
    scalers = [_scaler(name, step) for name, step in steps if step not in (None, "passthrough")]
    network = getattr(estimator, "network_", None)
    name = "" if network is None else network.config.name
    export = EXPORTS.get(name, _DENSE)
    if scalers and (export is not _DENSE or name in OWN_GRAPHS):
        raise ArtifactError(
            "only the graph of a perceptron has steps before it; apply them beforehand, and export "
            "the network"
        )
    path = Path(path)
    if name in OWN_GRAPHS:
        write_whole(path, OWN_GRAPHS[name](estimator))
        return path
    graph = OnnxGraph()
    x = "X"
    shape, dtype = export.sample(estimator)
    for scaler in scalers:
        if scaler.with_mean:
            x = graph.add("Sub", [x, graph.constant(scaler.mean_)])
        if scaler.with_std:
            x = graph.add("Div", [x, graph.constant(scaler.scale_)])
    x = export.outputs(graph, estimator, x)
    if isinstance(estimator._targets, Labels):
        outputs = _classes(graph, estimator, x)
    elif isinstance(estimator._targets, Indicators):
        outputs = _labels(graph, estimator, x)
    else:
        outputs = [graph.output(x, "prediction", [None, estimator.network_.config.n_outputs])]
    write_whole(path, graph.to_bytes(shape, dtype, outputs))
    return path


def _dense_sample(model: Any) -> tuple[tuple[int, ...], str]:
    check_deep(model)
    return (model.n_features_in_,), "float32"


def _dense_outputs(graph: OnnxGraph, model: Any, x: str) -> str:
    for layer in plain_layers(model, np.dtype(np.float32)):
        x = _layer(graph, layer, x)
    return x


#: Multilayer perceptrons; any other network is refused.
_DENSE = OnnxExport(_dense_sample, _dense_outputs)


def _scaler(name: str, step: Any) -> StandardScaler:
    if type(step) is not StandardScaler:
        raise ArtifactError(
            f"step {name!r} of the pipeline is a {type(step).__name__}; a graph can hold only "
            "StandardScaler. Apply other steps beforehand, and export the rest"
        )
    check_is_fitted(step)
    return step


def _layer(graph: OnnxGraph, layer: PlainLayer, x: str) -> str:
    inputs = [x, graph.constant(layer.weight)]
    if layer.bias is not None:
        inputs.append(graph.constant(layer.bias))
    y = graph.add("Gemm", inputs, transB=1)
    if layer.residual:
        y = graph.add("Add", [y, x])
    if layer.norm is not None:
        weight, bias = (graph.constant(part) for part in layer.norm)
        y = graph.add("LayerNormalization", [y, weight, bias], axis=-1, epsilon=_NORM_EPS)
    return _activation(graph, layer.activation, y)


def _activation(graph: OnnxGraph, name: str, x: str) -> str:
    if name == "identity":
        return x
    if name == "silu":
        return graph.add("Mul", [x, graph.add("Sigmoid", [x])])
    if name == "gelu":
        scaled = graph.add("Mul", [x, graph.constant(np.array(0.5**0.5))])
        doubled = graph.add("Add", [graph.add("Erf", [scaled]), graph.constant(np.array(1.0))])
        return graph.add("Mul", [graph.add("Mul", [x, graph.constant(np.array(0.5))]), doubled])
    return graph.add({"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}[name], [x])


def _classes(graph: OnnxGraph, model: Any, logits: str) -> list[Any]:
    """Add a label and probabilities, computed from logits, and return the outputs."""
    n = len(model.classes_)
    if n == 2 and model.network_.config.n_outputs == 1:  # the logit of the second class
        zero = graph.add("Mul", [logits, graph.constant(np.array(0.0))])
        logits = graph.add("Concat", [zero, logits], axis=1)
    probabilities = graph.add("Softmax", [logits], axis=1)
    smoothing = model._targets.label_smoothing
    if smoothing:
        shares = _without_smoothing(graph, probabilities, smoothing / n)
        total = graph.add("ReduceSum", [shares, graph.integers([1])], keepdims=1)
        probabilities = graph.add("Div", [shares, total])
    code = graph.add("ArgMax", [logits], axis=1, keepdims=0)
    label = graph.add("Gather", [graph.labels(model.classes_), code], axis=0)
    return [
        graph.output(label, "label", [None], model.classes_),
        graph.output(probabilities, "probabilities", [None, n]),
    ]


def _without_smoothing(graph: OnnxGraph, q: str, share: float) -> str:
    """Add what probabilities q fitted to smoothed labels are proportional to without smoothing."""
    least = graph.add("Mul", [q, graph.constant(np.array(LEAST_SHARE))])
    return graph.add("Max", [graph.add("Sub", [q, graph.constant(np.array(share))]), least])


def _labels(graph: OnnxGraph, model: Any, logits: str) -> list[Any]:
    """Add an indicator matrix and probabilities, computed from logits, and return the outputs."""
    from onnx import TensorProto

    n, smoothing = len(model.classes_), model._targets.label_smoothing
    above = graph.add("Greater", [logits, graph.constant(np.array(0.0))])
    label = graph.add("Cast", [above], to=TensorProto.INT64)
    probabilities = graph.add("Sigmoid", [logits])
    if smoothing:
        others = graph.add("Sub", [graph.constant(np.array(1.0)), probabilities])
        both = (probabilities, others)
        present, absent = (_without_smoothing(graph, q, smoothing / 2) for q in both)
        probabilities = graph.add("Div", [present, graph.add("Add", [present, absent])])
    return [
        graph.output(label, "label", [None, n], np.arange(n)),
        graph.output(probabilities, "probabilities", [None, n]),
    ]
