"""One step of a decoder as an ONNX graph: a token, its position, and keys and values before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..layers import AdaptedDense, DecoderBlock, Recompute, RMSNorm
from .decoder_tables import output_table, token_table
from .onnx_graph import OWN_GRAPHS, OnnxGraph, described_input


def decoder_step(model: Any) -> bytes:
    """Return the graph of one step of a fitted decoder.

    Parameters
    ----------
    model : CausalLanguageModel

    Returns
    -------
    bytes
        Inputs: ``token`` and ``position``, int64, (1,); ``keys`` and ``values``, float32,
        (depth, heads, n, width / heads), of the n tokens before, none at first. Outputs:
        ``logits`` (vocabulary,) of the next token, and ``new_keys`` and ``new_values``
        (depth, heads, n + 1, width / heads), which are the next step's keys and values. Keys are
        rotated by their positions.
    """
    network, graph = model.network_, OnnxGraph()
    config = network.config
    _, *blocks, norm = network.body.children
    table = graph.constant(token_table(network))
    x = graph.add("Gather", [table, "token"], axis=0)  # (1, width)
    turn = _angles(graph, config)
    keys, values = [], []
    for i, block in enumerate(blocks):
        inner = block.layer if isinstance(block, Recompute) else block
        assert isinstance(inner, DecoderBlock), "a decoder has no others"
        x, k, v = _block(graph, inner, x, i, turn)
        keys.append(k)
        values.append(v)
    x = _norm(graph, norm, x)
    outputs = table if config.tied else graph.constant(output_table(network))
    logits = graph.add("Gemm", [x, outputs], transB=1)
    logits = graph.add("Squeeze", [logits, graph.integers([0])])
    size = config.width // config.heads
    cached = [config.depth, config.heads, None, size]
    described = [
        graph.output(logits, "logits", [config.vocabulary]),
        graph.output(graph.add("Concat", keys, axis=0), "new_keys", cached),
        graph.output(graph.add("Concat", values, axis=0), "new_values", cached),
    ]
    inputs = [
        described_input("token", "int64", [1]),
        described_input("position", "int64", [1]),
        described_input("keys", "float32", cached),
        described_input("values", "float32", cached),
    ]
    return graph.file(inputs, described)


def _angles(graph: OnnxGraph, config: Any) -> tuple[str, str]:
    """Return cosine and sine of the angles of the position, (half,)."""
    from onnx import TensorProto

    half = config.width // config.heads // 2
    frequencies = float(config.rotary_base) ** (-np.arange(half) / half)
    position = graph.add("Cast", ["position"], to=TensorProto.DOUBLE)
    angles = graph.add("Mul", [position, graph.doubles(frequencies)])
    parts = [
        graph.add("Cast", [graph.add(name, [angles])], to=TensorProto.FLOAT)
        for name in ("Cos", "Sin")
    ]
    return parts[0], parts[1]


def _block(
    graph: OnnxGraph, block: DecoderBlock, x: str, number: int, turn: tuple[str, str]
) -> tuple[str, str, str]:
    """Return the output of a block (1, width), and all keys and values (1, heads, n + 1, d)."""
    own = graph.integers([number])
    parts: Any = block.layers.layers  # residual sums of a normalisation and a layer
    (norm1, attention), (norm2, mlp) = (part.layer.layers for part in parts)
    h = _norm(graph, norm1, x)
    q, k, v = (
        graph.add(
            "Reshape", [_product(graph, dense, h), graph.integers([1, attention.heads, 1, -1])]
        )
        for dense in (attention.q, attention.k, attention.v)
    )
    half = attention.width // attention.heads // 2
    q, k = (_rotated(graph, part, half, turn) for part in (q, k))
    k, v = (
        graph.add("Concat", [graph.add("Gather", [past, own], axis=0), new], axis=2)
        for past, new in (("keys", k), ("values", v))
    )
    scale = graph.constant(np.array((attention.width // attention.heads) ** -0.5))
    across = graph.add("Transpose", [k], perm=[0, 1, 3, 2])
    scores = graph.add("MatMul", [graph.add("Mul", [q, scale]), across])  # (1, heads, 1, n + 1)
    out = graph.add("MatMul", [graph.add("Softmax", [scores], axis=-1), v])  # (1, heads, 1, d)
    out = graph.add("Reshape", [out, graph.integers([1, attention.width])])
    x = graph.add("Add", [x, _product(graph, attention.o, out)])
    h = _norm(graph, norm2, x)
    gate = _product(graph, mlp.gate, h)
    silu = graph.add("Mul", [gate, graph.add("Sigmoid", [gate])])
    hidden = graph.add("Mul", [silu, _product(graph, mlp.up, h)])
    return graph.add("Add", [x, _product(graph, mlp.down, hidden)]), k, v


def _rotated(graph: OnnxGraph, x: str, half: int, turn: tuple[str, str]) -> str:
    """Return x (1, heads, 1, d), its halves rotated as pairs."""
    cos, sin = turn
    parts = [
        [graph.add("Mul", [part, by]) for by in (cos, sin)] for part in _halves(graph, x, half)
    ]
    first = graph.add("Sub", [parts[0][0], parts[1][1]])
    second = graph.add("Add", [parts[1][0], parts[0][1]])
    return graph.add("Concat", [first, second], axis=-1)


def _halves(graph: OnnxGraph, x: str, half: int) -> list[str]:
    return [
        graph.add("Slice", [x, *(graph.integers([n]) for n in (start, start + half, 3))])
        for start in (0, half)
    ]


def _norm(graph: OnnxGraph, layer: RMSNorm, x: str) -> str:
    squares = graph.add("ReduceMean", [graph.add("Mul", [x, x])], axes=[-1], keepdims=1)
    root = graph.add("Sqrt", [graph.add("Add", [squares, graph.constant(np.array(layer.eps))])])
    y = graph.add("Div", [x, root])
    return graph.add("Mul", [y, graph.constant(to_host(layer.weight))]) if layer.trained else y


def _product(graph: OnnxGraph, layer: AdaptedDense, x: str) -> str:
    weight = np.ascontiguousarray(layer.effective_weight().T)
    return graph.add("MatMul", [x, graph.constant(weight)])


OWN_GRAPHS["decoder"] = decoder_step
