"""Softmax along the last axis."""

from __future__ import annotations

from ..backend import Array, array_module


def log_softmax(x: Array) -> Array:
    """Return log softmax along the last axis."""
    xp = array_module(x)
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))
