"""Layers of many networks, each on as many rows, in batched products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..backend import Array

if TYPE_CHECKING:
    from .dense import AdaptedDense
    from .plain_dense import Dense


def _rows_of_each(x: Array, parts: Sequence[slice]) -> int | None:
    """Return the number of rows of every part of x (n, d) on the host, or None if they differ."""
    if type(x) is not np.ndarray or x.ndim != 2 or len(x) % len(parts):
        return None
    n = len(x) // len(parts)
    equal = all(part == slice(i * n, (i + 1) * n) for i, part in enumerate(parts))
    return n if equal else None


def trained_outputs_of_equal_parts(
    layers: Sequence[Dense], x: Array, parts: Sequence[slice]
) -> Array | None:
    """Return the outputs of layers with weights of their own; see `outputs_of_equal_parts`."""
    n, k = _rows_of_each(x, parts), len(layers)
    first = layers[0]
    if n is None or any(layer.has_bias != first.has_bias for layer in layers):
        return None
    weights = np.array([layer.weight for layer in layers], x.dtype)  # (k, d_out, d_in)
    y = np.matmul(x.reshape(k, n, -1), weights.transpose(0, 2, 1))
    if first.has_bias:
        y += np.array([layer.bias for layer in layers], x.dtype)[:, None]
    outputs: Array = y.reshape(len(x), -1)
    return outputs


def outputs_of_equal_parts(
    layers: Sequence[AdaptedDense], x: Array, product: Array, parts: Sequence[slice]
) -> Array | None:
    """Return the outputs of layers that share the product with their frozen weights.

    None, for another way to compute them, if the layers differ in rank, the parts in length, an
    adapter is not plainly low-rank, or the arrays are not rows on the host.

    Parameters
    ----------
    layers : sequence of AdaptedDense
    x : array, shape (n, d_in)
    product : array, shape (n, d_out)
        x W^T, which is overwritten.
    parts : sequence of slice
        The rows of each layer; together they cover `x`.

    Returns
    -------
    array, shape (n, d_out), or None
    """
    n, k = _rows_of_each(x, parts), len(layers)
    if n is None:
        return None
    first = layers[0]
    for layer in layers:
        if layer.adapter.mode != "lora" or layer.adapter.rank != first.adapter.rank:
            return None
        if layer.has_bias != first.has_bias:
            return None

    def each(values: list[Array]) -> Array:  # one number per layer
        return np.array(values, x.dtype).reshape(k, 1, 1)

    A = np.array([layer.A for layer in layers], x.dtype)  # (k, rank, d_in)
    B = np.array([layer.B for layer in layers], x.dtype)  # (k, d_out, rank)
    z = np.matmul(x.reshape(k, n, -1), A.transpose(0, 2, 1))  # (k, n, rank)
    z *= each([layer.adapter.scaling for layer in layers])
    y = product.reshape(k, n, -1)
    y *= each([layer.beta for layer in layers])
    y += np.matmul(z, B.transpose(0, 2, 1))
    if first.has_bias:
        y += np.array([layer.bias for layer in layers], x.dtype)[:, None]
    outputs: Array = y.reshape(len(x), -1)
    return outputs
