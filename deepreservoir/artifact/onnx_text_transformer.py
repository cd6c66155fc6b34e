"""Transformer encoders of texts as ONNX graphs: embeddings of padded codes, and their mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..inputs import BytePairs, WordPieces
from ..layers import (
    LayerNorm,
    Recompute,
    ScaffoldEmbedding,
    TextEmbedding,
    TokenEmbedding,
    TransformerBlock,
)
from .onnx_graph import EXPORTS, OnnxExport, OnnxGraph, head
from .onnx_transformer import block, dense


def _sample(model: Any) -> tuple[tuple[int | None, ...], str]:
    return (None,), "int64"  # the length of the longest text


def _logits(graph: OnnxGraph, model: Any, codes: str) -> str:
    padding = _padding(graph, model._reader.tokenizer, codes)
    excluded = graph.add("Unsqueeze", [padding, graph.integers([1, 2])])  # (n, 1, 1, t)
    x = codes
    for layer in model.network_.body.children:
        inner = layer.layer if isinstance(layer, Recompute) else layer
        if isinstance(inner, TextEmbedding):
            x = _embedded(graph, inner, codes)
        elif isinstance(inner, TransformerBlock):
            x = block(graph, inner, x, excluded)
        elif isinstance(inner, LayerNorm):
            x = dense(graph, inner, x)
    return head(graph, model.network_.head, _mean(graph, x, padding))


def _padding(graph: OnnxGraph, tokenizer: BytePairs | WordPieces | None, codes: str) -> str:
    """Add which codes are padding, (n, t): -1, and ``[PAD]`` after the end of a text."""
    from onnx import TensorProto

    padding = graph.add("Less", [codes, graph.integers([0])])
    if not isinstance(tokenizer, WordPieces):
        return padding
    none = graph.add("Equal", [codes, graph.integers([tokenizer.padding])])
    tokens = graph.add("Not", [graph.add("Or", [padding, none])])
    counted = graph.add("Cast", [tokens], to=TensorProto.INT32)
    left = graph.add("CumSum", [counted, graph.integers([1])], reverse=1)  # from here to the end
    after = graph.add("Not", [graph.add("Cast", [left], to=TensorProto.BOOL)])
    return graph.add("Or", [padding, after])


def _embedded(graph: OnnxGraph, layer: TextEmbedding, codes: str) -> str:
    """Add the embeddings of tokens and of their positions."""
    known = graph.add("Max", [codes, graph.integers([0])])
    tokens = graph.add("Gather", [graph.constant(_table(layer.tokens)), known], axis=0)
    length = graph.add("Gather", [graph.add("Shape", [codes]), graph.integers([1])], axis=0)
    positions = graph.constant(_table(layer.positions))
    bounds = [graph.integers([0]), length, graph.integers([0])]
    return graph.add("Add", [tokens, graph.add("Slice", [positions, *bounds])])


def _table(layer: TokenEmbedding | ScaffoldEmbedding) -> np.ndarray:
    """Return the embeddings of all codes, (codes, width)."""
    if isinstance(layer, ScaffoldEmbedding):
        return layer.matrix.effective_weight()
    return np.asarray(to_host(layer.table))


def _mean(graph: OnnxGraph, x: str, padding: str) -> str:
    """Add the mean over the tokens that are not padding."""
    from onnx import TensorProto

    kept = graph.add("Cast", [graph.add("Not", [padding])], to=TensorProto.FLOAT)  # (n, t)
    count = graph.add("ReduceSum", [kept, graph.integers([1])], keepdims=1)
    weights = graph.add("Unsqueeze", [graph.add("Div", [kept, count]), graph.integers([1])])
    return graph.add("Squeeze", [graph.add("MatMul", [weights, x]), graph.integers([1])])


EXPORTS["text_transformer"] = OnnxExport(_sample, _logits)
