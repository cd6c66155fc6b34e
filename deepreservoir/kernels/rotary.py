"""Rotary positions: pairs of entries are rotated by angles that grow with the position.

Entry i of the first half of a head is paired with entry i of the second half, as in Llama. The
angle at position p is ``p base^(-2 i / d)`` (Su et al., 2021).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..backend import Array, Device, array_module, device_of, to_device


@lru_cache(maxsize=16)  # spares a copy to the device in every step
def _table(
    start: int, tokens: int, half: int, base: float, dtype: np.dtype, device: Device
) -> tuple[Array, Array]:
    """Return cosine and sine of the angles, (tokens, 1, half)."""
    frequencies = base ** (-np.arange(half) / half)
    angles = np.arange(start, start + tokens)[:, None, None] * frequencies
    cos, sin = np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)
    return to_device(cos, device), to_device(sin, device)


def rotate(x: Array, base: float, start: int = 0, back: bool = False) -> Array:
    """Return x with each pair of entries rotated by the angle of its position.

    Parameters
    ----------
    x : array, shape (n, tokens, heads, d)
        With an even d.
    base : float
        The angles of neighbouring positions differ by 1 in the first pair, and by about 1 / base
        in the last one.
    start : int, default=0
        Position of the first token.
    back : bool, default=False
        Whether to rotate by minus the angle, which is the backward pass.

    Examples
    --------
    >>> x = np.array([[[[1.0, 0.0]], [[1.0, 0.0]]]])
    >>> rotate(x, 10_000.0)[0, :, 0].round(4)
    array([[1.    , 0.    ],
           [0.5403, 0.8415]])
    """
    half = x.shape[-1] // 2
    cos, sin = _table(start, x.shape[1], half, float(base), x.dtype, device_of(x))
    if back:
        sin = -sin
    first, second = x[..., :half], x[..., half:]
    out = array_module(x).empty(x.shape, x.dtype)
    out[..., :half] = first * cos - second * sin
    out[..., half:] = second * cos + first * sin
    return out
