"""Dropout masks, drawn on the host or inside the kernels that apply them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..backend import Array, array_module
from .draw import lane_rows


class Drop(NamedTuple):
    """Parameters of a mask: an entry is dropped if its lane is below `threshold`.

    Attributes
    ----------
    threshold : int
        Share of dropped entries, in units of 1/65,536.
    key : int
        128-bit key of the stream of lanes.
    substream : int
    """

    threshold: int
    key: int
    substream: int

    @property
    def scale(self) -> float:
        """Factor of the entries that are kept: the reciprocal of their share."""
        return 65_536 / (65_536 - self.threshold)


#: A mask to store for the backward pass: its entries or, on a device, how to redraw them.
Mask = Array | Drop


def dropout_mask(like: Array, drop: Drop) -> Mask:
    """Return the mask for `like` (n, d): zeros, and the reciprocal of the share that is kept.

    On a device nothing is drawn yet. The kernels draw the same bits whenever they apply the mask,
    which therefore takes no memory.
    """
    if array_module(like) is not np:
        return drop
    rows, width = like.shape
    kept = lane_rows(drop.key, 0, rows, width, drop.substream) >= drop.threshold
    return kept * np.array(drop.scale, like.dtype)
