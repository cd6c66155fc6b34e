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
from ..files import write_whole
from .dense_weights import PlainLayer, plain_layers

# The first version with LayerNormalization; old enough for runtimes that are some years old.
_OPSET = 17
_IR_VERSION = 8
_NORM_EPS = 1e-5


def export_onnx(model: Any, path: str | os.PathLike[str]) -> Path:
    """Write a model as an ONNX graph, with scaffold and adapter combined into one matrix per layer.

    The file is as large as the dense network; for a file of a few kilobytes use
    :func:`deepreservoir.save`. This needs the extra ``onnx``.

    Parameters
    ----------
    model : estimator or Pipeline
        A fitted deep estimator, or a pipeline of StandardScalers that ends in one.
    path : str or path

    Returns
    -------
    Path
        The path of the file. The graph reads ``X``, float32, (rows, n_features). For a classifier
        it outputs ``label`` and ``probabilities`` (rows, n_classes), in order of ``classes_``;
        after a fit on an indicator matrix, ``label`` is one too. For a regressor it outputs
        ``prediction`` (rows, n_outputs).

    Raises
    ------
    ArtifactError
        If the model is not a deep estimator, a step before it is not a StandardScaler, its targets
        exceed the range of float32, or onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise ArtifactError("export_onnx needs onnx: pip install 'deepreservoir[onnx]'")
    *steps, (_, estimator) = model.steps if isinstance(model, Pipeline) else [("", model)]
    scalers = [_scaler(name, step) for name, step in steps if step not in (None, "passthrough")]
    graph = _Graph()
    x = "X"
    layers = plain_layers(estimator, np.dtype(np.float32))
    for scaler in scalers:
        if scaler.with_mean:
            x = graph.add("Sub", [x, graph.constant(scaler.mean_)])
        if scaler.with_std:
            x = graph.add("Div", [x, graph.constant(scaler.scale_)])
    for layer in layers:
        x = _layer(graph, layer, x)
    if isinstance(estimator._targets, Labels):
        outputs = _classes(graph, estimator, x)
    elif isinstance(estimator._targets, Indicators):
        outputs = _labels(graph, x, estimator.n_outputs_)
    else:
        outputs = [graph.output(x, "prediction", [None, layers[-1].weight.shape[0]])]
    path = Path(path)
    write_whole(path, graph.to_bytes(estimator.n_features_in_, outputs))
    return path


def _scaler(name: str, step: Any) -> StandardScaler:
    if type(step) is not StandardScaler:
        raise ArtifactError(
            f"step {name!r} of the pipeline is a {type(step).__name__}; a graph can hold only "
            "StandardScaler. Apply other steps beforehand, and export the rest"
        )
    check_is_fitted(step)
    return step


def _layer(graph: _Graph, layer: PlainLayer, x: str) -> str:
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


def _activation(graph: _Graph, name: str, x: str) -> str:
    if name == "identity":
        return x
    if name == "silu":
        return graph.add("Mul", [x, graph.add("Sigmoid", [x])])
    if name == "gelu":
        scaled = graph.add("Mul", [x, graph.constant(np.array(0.5**0.5))])
        doubled = graph.add("Add", [graph.add("Erf", [scaled]), graph.constant(np.array(1.0))])
        return graph.add("Mul", [graph.add("Mul", [x, graph.constant(np.array(0.5))]), doubled])
    return graph.add({"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}[name], [x])


def _classes(graph: _Graph, model: Any, logits: str) -> list[Any]:
    """Add a label and probabilities, computed from logits, and return the outputs."""
    n = len(model.classes_)
    if n == 2:  # one logit, of the second class
        zero = graph.add("Mul", [logits, graph.constant(np.array(0.0))])
        logits = graph.add("Concat", [zero, logits], axis=1)
    probabilities = graph.add("Softmax", [logits], axis=1)
    code = graph.add("ArgMax", [logits], axis=1, keepdims=0)
    label = graph.add("Gather", [graph.labels(model.classes_), code], axis=0)
    return [
        graph.output(label, "label", [None], model.classes_),
        graph.output(probabilities, "probabilities", [None, n]),
    ]


def _labels(graph: _Graph, logits: str, n: int) -> list[Any]:
    """Add an indicator matrix and probabilities, computed from logits, and return the outputs."""
    from onnx import TensorProto

    above = graph.add("Greater", [logits, graph.constant(np.array(0.0))])
    label = graph.add("Cast", [above], to=TensorProto.INT64)
    probabilities = graph.add("Sigmoid", [logits])
    return [
        graph.output(label, "label", [None, n], np.arange(n)),
        graph.output(probabilities, "probabilities", [None, n]),
    ]


class _Graph:
    """A graph under construction: its nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def _name(self) -> str:
        return f"v{len(self.nodes) + len(self.constants)}"

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        from onnx import helper

        name = self._name()
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, values: np.ndarray) -> str:
        """Add an array as float32, and return its name."""
        from onnx import numpy_helper

        name = self._name()
        self.constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def labels(self, classes: np.ndarray) -> str:
        """Add class labels as integers, floats or strings, and return their name."""
        from onnx import numpy_helper

        name = self._name()
        if classes.dtype.kind in "iub":
            self.constants.append(numpy_helper.from_array(classes.astype(np.int64), name))
        elif classes.dtype.kind == "f":
            self.constants.append(numpy_helper.from_array(classes.astype(np.float64), name))
        else:
            words = np.array([str(label) for label in classes], dtype=object)
            self.constants.append(numpy_helper.from_array(words, name))
        return name

    def output(
        self, x: str, name: str, shape: list[int | None], classes: np.ndarray | None = None
    ) -> Any:
        """Make `x` an output with the name `name`, and return its description."""
        from onnx import TensorProto, helper

        self.nodes.append(helper.make_node("Identity", [x], [name]))
        kind = TensorProto.FLOAT
        if classes is not None:
            kinds = {"f": TensorProto.DOUBLE, "U": TensorProto.STRING, "O": TensorProto.STRING}
            kind = kinds.get(classes.dtype.kind, TensorProto.INT64)
        return helper.make_tensor_value_info(name, kind, shape)

    def to_bytes(self, n_features: int, outputs: list[Any]) -> bytes:
        """Return the file of the finished graph, checked by onnx."""
        import onnx
        from onnx import TensorProto, helper

        X = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, n_features])
        graph = helper.make_graph(self.nodes, "deepreservoir", [X], outputs, self.constants)
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(
            graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="deepreservoir"
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
