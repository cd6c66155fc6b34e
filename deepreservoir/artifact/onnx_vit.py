"""Vision Transformers as ONNX graphs: patches as tokens, and what the head reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..layers import (
    Activation,
    LayerNorm,
    PatchEmbedding,
    Recompute,
    TokenPooling,
    TransformerBlock,
)
from .onnx_graph import EXPORTS, OnnxGraph, head
from .onnx_images import image_export
from .onnx_transformer import block, dense, leading, product, reshaped


def _logits(graph: OnnxGraph, network: Any, x: str) -> str:
    for layer in network.body.children:
        inner = layer.layer if isinstance(layer, Recompute) else layer
        if isinstance(inner, PatchEmbedding):
            x = _tokens(graph, inner, x)
        elif isinstance(inner, TransformerBlock):
            x = block(graph, inner, x)
        elif isinstance(inner, LayerNorm):
            x = dense(graph, inner, x)
        elif isinstance(inner, TokenPooling) and inner.kind == "token":
            x = graph.add("Squeeze", [leading(graph, x, 1), graph.integers([1])])
        elif isinstance(inner, TokenPooling):
            x = graph.add("ReduceMean", [x], axes=[1], keepdims=0)
        else:
            assert isinstance(inner, Activation), "dropout, which is for training"
    return head(graph, network.head, x)


def _tokens(graph: OnnxGraph, layer: PatchEmbedding, x: str) -> str:
    p, channels = layer.patch_size, layer.image_shape[2]
    x = reshaped(graph, x, [0, layer.rows, p, layer.columns, p, channels])
    x = graph.add("Transpose", [x], perm=[0, 1, 3, 2, 4, 5])
    x = reshaped(graph, x, [0, layer.rows * layer.columns, p * p * channels])
    x = product(graph, x, to_host(layer.dense.weight), to_host(layer.dense.bias))
    if layer.class_token:  # a row for each image
        zeros = graph.add("Mul", [leading(graph, x, 1), graph.constant(np.array(0.0))])
        token = graph.add("Add", [zeros, graph.constant(to_host(layer.token))])
        x = graph.add("Concat", [token, x], axis=1)
    return graph.add("Add", [x, graph.constant(to_host(layer.position))])


EXPORTS["vit"] = image_export(_logits)
