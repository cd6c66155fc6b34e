"""ONNX graphs under construction, and how each architecture becomes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import to_host
from ..container import ArtifactError
from ..document import plain_labels

# The first version with LayerNormalization; old enough for runtimes that are some years old.
_OPSET = 17
_IR_VERSION = 8


class OnnxExport(NamedTuple):
    """How the networks of an architecture become graphs.

    Attributes
    ----------
    sample : callable
        Fitted estimator -> (shape of one sample of X, dtype of X); a length that may differ is
        None.
    outputs : callable
        (graph, fitted estimator, name of the input) -> name of the network's outputs.
    """

    sample: Callable[[Any], tuple[tuple[int | None, ...], str]]
    outputs: Callable[[OnnxGraph, Any, str], str]


#: How networks become graphs, by the name of their architecture.
EXPORTS: dict[str, OnnxExport] = {}

#: Files of graphs with inputs and outputs of their own, by the name of the architecture: fitted
#: estimator -> file.
OWN_GRAPHS: dict[str, Callable[[Any], bytes]] = {}


class OnnxGraph:
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

    def integers(self, values: list[int]) -> str:
        """Add whole numbers, as positions and axes are, and return their name."""
        from onnx import numpy_helper

        name = self._name()
        self.constants.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def doubles(self, values: np.ndarray) -> str:
        """Add an array as float64, and return its name."""
        from onnx import numpy_helper

        name = self._name()
        self.constants.append(numpy_helper.from_array(np.asarray(values, np.float64), name))
        return name

    def labels(self, classes: np.ndarray) -> str:
        """Add class labels as integers, floats or strings, and return their name."""
        from onnx import numpy_helper

        name = self._name()
        if classes.dtype.kind in "iub":
            if classes.max() > np.iinfo(np.int64).max:
                raise ArtifactError(
                    f"ONNX has class labels of at most 64 bits with a sign; got {classes.max()}. "
                    "Fit with other labels"
                )
            self.constants.append(numpy_helper.from_array(classes.astype(np.int64), name))
        elif classes.dtype.kind == "f":
            self.constants.append(numpy_helper.from_array(classes.astype(np.float64), name))
        else:
            plain_labels(classes)  # which refuses what is neither a number nor text
            words = np.array([str(label) for label in classes], dtype=object)
            for word in words:
                if not _is_unicode(word):
                    raise ArtifactError(f"the label {word!r} is not text that a file can hold")
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

    def to_bytes(self, shape: tuple[int | None, ...], dtype: str, outputs: list[Any]) -> bytes:
        """Return the file of the finished graph, checked by onnx.

        Parameters
        ----------
        shape : tuple of int or None
            The shape of one sample of X; None for a length that may differ.
        dtype : {"float32", "uint8", "int64"}
            The type of X.
        outputs : list
            What :meth:`output` returned.
        """
        return self.file([described_input("X", dtype, [None, *shape])], outputs)

    def file(self, inputs: list[Any], outputs: list[Any]) -> bytes:
        """Return the file of the finished graph, checked by onnx.

        Parameters
        ----------
        inputs : list
            What :func:`described_input` returned.
        outputs : list
            What :meth:`output` returned.
        """
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, "deepreservoir", inputs, outputs, self.constants)
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(
            graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="deepreservoir"
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def head(graph: OnnxGraph, layer: Any, x: str) -> str:
    """Add a plain dense output layer."""
    weight, bias = (graph.constant(to_host(part)) for part in (layer.weight, layer.bias))
    return graph.add("Gemm", [x, weight, bias], transB=1)


def described_input(name: str, dtype: str, shape: list[int | None]) -> Any:
    """Return the description of an input of a graph.

    Parameters
    ----------
    name : str
    dtype : {"float32", "uint8", "int64"}
    shape : list of int or None
        None for a size that may differ between calls.
    """
    from onnx import TensorProto, helper

    kinds = {
        "float32": TensorProto.FLOAT,
        "uint8": TensorProto.UINT8,
        "int64": TensorProto.INT64,
    }
    return helper.make_tensor_value_info(name, kinds[dtype], shape)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True
