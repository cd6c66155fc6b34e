"""Convolutional networks as ONNX graphs: the standardisation of images, the layers, the head."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..layers import BatchNormReLU, Convolution
from .onnx_graph import EXPORTS, OnnxExport, OnnxGraph


def _sample(model: Any) -> tuple[tuple[int, ...], str]:
    """Return the shape of an image (height, width, channels), and the type of its values."""
    dtype = "uint8" if model._reader.values == "bytes" else "float32"
    return model.network_.config.image_shape, dtype


def _outputs(graph: OnnxGraph, model: Any, x: str) -> str:
    from onnx import TensorProto

    reader = model._reader
    x = graph.add("Cast", [x], to=TensorProto.FLOAT)
    x = graph.add("Sub", [x, graph.constant(reader.mean)])
    x = graph.add("Mul", [x, graph.constant(1 / reader.scale)])
    x = graph.add("Transpose", [x], perm=[0, 3, 1, 2])  # channels first
    logits = _plain_cnn(graph, model.network_, x)
    if not model.test_time_flip:
        return logits
    ends = [graph.integers([n]) for n in (-1, np.iinfo(np.int64).min, 3, -1)]
    mirrored = _plain_cnn(graph, model.network_, graph.add("Slice", [x, *ends]))
    both = graph.add("Add", [logits, mirrored])
    return graph.add("Mul", [both, graph.constant(np.array(0.5))])


def _plain_cnn(graph: OnnxGraph, network: Any, x: str) -> str:
    for layer in network.body.walk():
        if isinstance(layer, Convolution):
            x = _convolution(graph, layer, x)
        elif isinstance(layer, BatchNormReLU):
            parts = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
            inputs = [x, *(graph.constant(to_host(part)) for part in parts)]
            x = graph.add("BatchNormalization", inputs, epsilon=layer.eps)
            x = graph.add("Relu", [x])
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])])
    weight, bias = (
        graph.constant(to_host(part)) for part in (network.head.weight, network.head.bias)
    )
    return graph.add("Gemm", [x, weight, bias], transB=1)


def _convolution(graph: OnnxGraph, layer: Convolution, x: str) -> str:
    k = layer.kernel_size
    kernel = layer.dense.effective_weight().reshape(layer.c_out, k, k, layer.c_in)
    y = graph.add(
        "Conv",
        [x, graph.constant(np.ascontiguousarray(kernel.transpose(0, 3, 1, 2)))],
        kernel_shape=[k, k],
        strides=[layer.stride] * 2,
        pads=[layer.padding] * 4,
    )
    return graph.add("Add", [y, x]) if layer.skip else y


EXPORTS["plain_cnn"] = OnnxExport(_sample, _outputs)
