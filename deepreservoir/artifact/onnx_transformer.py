"""What the ONNX graphs of all Transformers have in common: blocks of attention and MLP."""

from __future__ import annotations

import numpy as np

from ..backend import to_host
from ..kernels.attention import EXCLUDED
from ..layers import Activation, AdaptedDense, Layer, LayerNorm, Sequential, TransformerBlock
from .onnx_graph import OnnxGraph


def block(graph: OnnxGraph, layer: TransformerBlock, x: str, excluded: str | None = None) -> str:
    """Add a block of attention and MLP.

    Parameters
    ----------
    graph : OnnxGraph
    layer : TransformerBlock
    x : str
        The name of the tokens, (n, t, width).
    excluded : str, optional
        The name of bools (n, 1, 1, t): the tokens that are not attended to.
    """
    attention, width = layer.attention, layer.attention.width
    h = dense(graph, layer.norm, x)
    first = h
    if layer.outputs is not None:
        first, x = (leading(graph, each, layer.outputs) for each in (h, x))
    scale = (width // attention.heads) ** -0.5
    shape = [0, 0, attention.heads, width // attention.heads]
    q = _by_head(graph, dense(graph, attention.q, first), shape, [0, 2, 1, 3])
    k = _by_head(graph, dense(graph, attention.k, h), shape, [0, 2, 3, 1])
    v = _by_head(graph, dense(graph, attention.v, h), shape, [0, 2, 1, 3])
    scores = graph.add("Mul", [graph.add("MatMul", [q, k]), graph.constant(np.array(scale))])
    if excluded is not None:
        least = graph.constant(np.array(EXCLUDED))
        scores = graph.add("Where", [excluded, least, scores])
    p = graph.add("Softmax", [scores], axis=-1)
    out = graph.add("Transpose", [graph.add("MatMul", [p, v])], perm=[0, 2, 1, 3])
    out = reshaped(graph, out, [0, 0, width])
    x = graph.add("Add", [x, dense(graph, attention.o, out)])
    y = x
    for inner in layer.second.layers:
        y = _gelu(graph, y) if _is_gelu(inner) else dense(graph, inner, y)
    return graph.add("Add", [x, y])


def _is_gelu(layer: Layer) -> bool:
    return isinstance(layer, Activation) and layer.name == "gelu"


def dense(graph: OnnxGraph, layer: Layer, x: str) -> str:
    """Add an adapted matrix, a layer normalisation, or one after the other."""
    if isinstance(layer, Sequential):
        for each in layer.layers:
            x = dense(graph, each, x)
        return x
    if isinstance(layer, AdaptedDense):
        bias = to_host(layer.bias) if layer.has_bias else None
        return product(graph, x, layer.effective_weight(), bias)
    if isinstance(layer, LayerNorm):
        parts = [graph.constant(part) for part in _weight_and_bias(layer)]
        return graph.add("LayerNormalization", [x, *parts], axis=-1, epsilon=layer.eps)
    return x  # dropout and stochastic depth are for training


def _weight_and_bias(layer: LayerNorm) -> tuple[np.ndarray, np.ndarray]:
    if not layer.trained:
        return np.ones(layer.width), np.zeros(layer.width)
    return to_host(layer.weight), to_host(layer.bias)


def product(graph: OnnxGraph, x: str, weight: np.ndarray, bias: np.ndarray | None) -> str:
    """Add ``x W^T``, and a bias if there is one."""
    y = graph.add("MatMul", [x, graph.constant(np.ascontiguousarray(weight.T))])
    return y if bias is None else graph.add("Add", [y, graph.constant(bias)])


def _by_head(graph: OnnxGraph, x: str, shape: list[int], order: list[int]) -> str:
    """Return tokens (n, t, width) by head, as (n, heads, t, d) or (n, heads, d, t)."""
    x = reshaped(graph, x, shape)
    return graph.add("Transpose", [x], perm=order)


def leading(graph: OnnxGraph, x: str, n: int) -> str:
    """Return the first n tokens."""
    return graph.add("Slice", [x, *(graph.integers([each]) for each in (0, n, 1))])


def reshaped(graph: OnnxGraph, x: str, shape: list[int]) -> str:
    """Add a reshape; a 0 stands for the length of the same axis of x, which may be zero."""
    return graph.add("Reshape", [x, graph.integers(shape)])


def _gelu(graph: OnnxGraph, x: str) -> str:
    scaled = graph.add("Mul", [x, graph.constant(np.array(0.5**0.5))])
    doubled = graph.add("Add", [graph.add("Erf", [scaled]), graph.constant(np.array(1.0))])
    return graph.add("Mul", [graph.add("Mul", [x, graph.constant(np.array(0.5))]), doubled])
