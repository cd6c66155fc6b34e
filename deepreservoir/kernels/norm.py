"""Layer normalisation."""

from __future__ import annotations

from ..backend import Array, array_module


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return the normalised, scaled output with what its backward needs: (y, xhat, 1/std)."""
    xp = array_module(x)
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    xhat = centred * inverse
    return xhat * weight + bias, xhat, inverse


def layer_norm_backward(dy: Array, xhat: Array, inverse: Array, weight: Array) -> Array:
    d = dy * weight
    projected = xhat * (d * xhat).mean(axis=-1, keepdims=True)
    return (d - d.mean(axis=-1, keepdims=True) - projected) * inverse
