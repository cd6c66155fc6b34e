"""Vision Transformers as ONNX graphs: the tokens, the blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..layers import (
    Activation,
    AdaptedDense,
    Layer,
    LayerNorm,
    PatchEmbedding,
    Recompute,
    Sequential,
    TokenPooling,
    TransformerBlock,
)
from .onnx_graph import EXPORTS, OnnxGraph
from .onnx_images import head, image_export


def _logits(graph: OnnxGraph, network: Any, x: str) -> str:
    for layer in network.body.children:
        inner = layer.layer if isinstance(layer, Recompute) else layer
        if isinstance(inner, PatchEmbedding):
            x = _tokens(graph, inner, x)
        elif isinstance(inner, TransformerBlock):
            x = _block(graph, inner, x)
        elif isinstance(inner, LayerNorm):
            x = _dense(graph, inner, x)
        elif isinstance(inner, TokenPooling) and inner.kind == "token":
            x = graph.add("Squeeze", [_leading(graph, x, 1), graph.integers([1])])
        elif isinstance(inner, TokenPooling):
            x = graph.add("ReduceMean", [x], axes=[1], keepdims=0)
        else:
            assert isinstance(inner, Activation), "dropout, which is for training"
    return head(graph, network.head, x)


def _tokens(graph: OnnxGraph, layer: PatchEmbedding, x: str) -> str:
    p, channels = layer.patch_size, layer.image_shape[2]
    x = _reshaped(graph, x, [-1, layer.rows, p, layer.columns, p, channels])
    x = graph.add("Transpose", [x], perm=[0, 1, 3, 2, 4, 5])
    x = _reshaped(graph, x, [-1, layer.rows * layer.columns, p * p * channels])
    x = _product(graph, x, to_host(layer.dense.weight), to_host(layer.dense.bias))
    if layer.class_token:  # a row for each image
        zeros = graph.add("Mul", [_leading(graph, x, 1), graph.constant(np.array(0.0))])
        token = graph.add("Add", [zeros, graph.constant(to_host(layer.token))])
        x = graph.add("Concat", [token, x], axis=1)
    return graph.add("Add", [x, graph.constant(to_host(layer.position))])


def _block(graph: OnnxGraph, block: TransformerBlock, x: str) -> str:
    attention, width = block.attention, block.attention.width
    h = _dense(graph, block.norm, x)
    leading = h
    if block.outputs is not None:
        leading, x = (_leading(graph, each, block.outputs) for each in (h, x))
    scale = (width // attention.heads) ** -0.5
    q = _by_head(graph, _dense(graph, attention.q, leading), attention.heads, [0, 2, 1, 3])
    k = _by_head(graph, _dense(graph, attention.k, h), attention.heads, [0, 2, 3, 1])
    v = _by_head(graph, _dense(graph, attention.v, h), attention.heads, [0, 2, 1, 3])
    scores = graph.add("Mul", [graph.add("MatMul", [q, k]), graph.constant(np.array(scale))])
    p = graph.add("Softmax", [scores], axis=-1)
    out = graph.add("Transpose", [graph.add("MatMul", [p, v])], perm=[0, 2, 1, 3])
    out = _reshaped(graph, out, [0, -1, width])
    x = graph.add("Add", [x, _dense(graph, attention.o, out)])
    y = x
    for layer in block.second.layers:
        y = _gelu(graph, y) if _is_gelu(layer) else _dense(graph, layer, y)
    return graph.add("Add", [x, y])


def _is_gelu(layer: Layer) -> bool:
    return isinstance(layer, Activation) and layer.name == "gelu"


def _dense(graph: OnnxGraph, layer: Layer, x: str) -> str:
    """Add an adapted matrix, a layer normalisation, or one after the other."""
    if isinstance(layer, Sequential):
        for each in layer.layers:
            x = _dense(graph, each, x)
        return x
    if isinstance(layer, AdaptedDense):
        bias = to_host(layer.bias) if layer.has_bias else None
        return _product(graph, x, layer.effective_weight(), bias)
    if isinstance(layer, LayerNorm):
        parts = [graph.constant(to_host(part)) for part in (layer.weight, layer.bias)]
        return graph.add("LayerNormalization", [x, *parts], axis=-1, epsilon=layer.eps)
    return x  # dropout and stochastic depth are for training


def _product(graph: OnnxGraph, x: str, weight: np.ndarray, bias: np.ndarray | None) -> str:
    y = graph.add("MatMul", [x, graph.constant(np.ascontiguousarray(weight.T))])
    return y if bias is None else graph.add("Add", [y, graph.constant(bias)])


def _by_head(graph: OnnxGraph, x: str, heads: int, order: list[int]) -> str:
    """Return tokens (n, t, width) by head, as (n, heads, t, d) or (n, heads, d, t)."""
    x = graph.add("Reshape", [x, graph.integers([0, 0, heads, -1])])
    return graph.add("Transpose", [x], perm=order)


def _leading(graph: OnnxGraph, x: str, n: int) -> str:
    """Return the first n tokens."""
    return graph.add("Slice", [x, *(graph.integers([each]) for each in (0, n, 1))])


def _reshaped(graph: OnnxGraph, x: str, shape: list[int]) -> str:
    return graph.add("Reshape", [x, graph.integers(shape)])


def _gelu(graph: OnnxGraph, x: str) -> str:
    scaled = graph.add("Mul", [x, graph.constant(np.array(0.5**0.5))])
    doubled = graph.add("Add", [graph.add("Erf", [scaled]), graph.constant(np.array(1.0))])
    return graph.add("Mul", [graph.add("Mul", [x, graph.constant(np.array(0.5))]), doubled])


EXPORTS["vit"] = image_export(_logits)
