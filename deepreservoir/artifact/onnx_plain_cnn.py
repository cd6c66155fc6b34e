"""Convolutional networks as ONNX graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..layers import BatchNormReLU, Convolution
from .onnx_graph import EXPORTS, OnnxGraph, head
from .onnx_images import image_export


def _logits(graph: OnnxGraph, network: Any, x: str) -> str:
    x = graph.add("Transpose", [x], perm=[0, 3, 1, 2])  # channels first
    for layer in network.body.walk():
        if isinstance(layer, Convolution):
            x = _convolution(graph, layer, x)
        elif isinstance(layer, BatchNormReLU):
            parts = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
            inputs = [x, *(graph.constant(to_host(part)) for part in parts)]
            x = graph.add("BatchNormalization", inputs, epsilon=layer.eps)
            x = graph.add("Relu", [x])
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])])
    return head(graph, network.head, x)


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


EXPORTS["plain_cnn"] = image_export(_logits)
