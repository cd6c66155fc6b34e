"""Rotary positions: pairs of entries are rotated by angles that grow with the position.

Entry i of the first half of a head is paired with entry i of the second half, as in Llama. The
angle at position p is ``p base^(-2 i / d)`` (Su et al., 2021).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..backend import Array, Device, array_module, device_of, to_device


@lru_cache(maxsize=32)  # spares a copy to the device in every step
def _table(
    start: int, shape: tuple[int, int, int], base: float, back: bool, dtype: str, device: Device
) -> tuple[Array, Array]:
    """Return what entries and their partners are multiplied by, both of `shape`.

    `shape` is (tokens, heads, d): products with tables that are repeated for each head run over
    contiguous memory.
    """
    tokens, _, d = shape
    half = d // 2
    frequencies = base ** (-np.arange(half) / half)
    angles = np.arange(start, start + tokens)[:, None, None] * frequencies  # (tokens, 1, half)
    cos, sin = np.cos(angles), np.sin(-angles if back else angles)
    tables = np.concatenate([cos, cos], axis=-1), np.concatenate([-sin, sin], axis=-1)
    own, partner = (np.ascontiguousarray(np.broadcast_to(each, shape), dtype) for each in tables)
    return to_device(own, device), to_device(partner, device)


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
    xp, half = array_module(x), x.shape[-1] // 2
    own, partner = _table(start, x.shape[1:], float(base), back, x.dtype.str, device_of(x))
    out = xp.empty(x.shape, x.dtype)
    out[..., :half], out[..., half:] = x[..., half:], x[..., :half]
    out *= partner
    out += x * own
    return out
