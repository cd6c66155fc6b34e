"""What the ONNX graphs of all networks on images have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .onnx_graph import OnnxExport, OnnxGraph


def image_export(logits: Callable[[OnnxGraph, Any, str], str]) -> OnnxExport:
    """Return how a network on images becomes a graph, with standardisation and test-time flips.

    Parameters
    ----------
    logits : callable
        (graph, network, name of the standardised images, channels last) -> name of the logits.
    """

    def outputs(graph: OnnxGraph, model: Any, x: str) -> str:
        from onnx import TensorProto

        x = graph.add("Cast", [x], to=TensorProto.FLOAT)
        x = graph.add("Sub", [x, graph.constant(model._reader.mean)])
        x = graph.add("Mul", [x, graph.constant(1 / model._reader.scale)])
        first = logits(graph, model.network_, x)
        if not model.test_time_flip:
            return first
        ends = [graph.integers([n]) for n in (-1, np.iinfo(np.int64).min, 2, -1)]
        mirrored = logits(graph, model.network_, graph.add("Slice", [x, *ends]))
        both = graph.add("Add", [first, mirrored])
        return graph.add("Mul", [both, graph.constant(np.array(0.5))])

    return OnnxExport(_sample, outputs)


def _sample(model: Any) -> tuple[tuple[int, ...], str]:
    """Return the shape of an image (height, width, channels), and the type of its values."""
    dtype = "uint8" if model._reader.values == "bytes" else "float32"
    return model.network_.config.image_shape, dtype
