"""Dropout masks: drawn on the host, or inside the kernels that apply them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..backend import Array, array_module
from .draw import lane_rows


class Drop(NamedTuple):
    """What decides a mask: an entry is dropped where its lane is below `threshold`.

    Attributes
    ----------
    threshold : int
        Share that is dropped, in units of 1/65,536.
    key : int
        Of the stream that the lanes come from, 128 bits.
    substream : int
    """

    threshold: int
    key: int
    substream: int

    @property
    def scale(self) -> float:
        """The factor of what is kept: the reciprocal of its share."""
        return 65_536 / (65_536 - self.threshold)


#: A mask that may be kept for a backward: its entries, or, on a device, what draws them again.
Mask = Array | Drop


def dropout_mask(like: Array, drop: Drop) -> Mask:
    """Return the mask for `like` (n, d): zeros, and the reciprocal of the share kept.

    On a device nothing is drawn yet: the kernels draw the same bits, each time that they are
    applied, and no mask takes memory.
    """
    if array_module(like) is not np:
        return drop
    rows, width = like.shape
    kept = lane_rows(drop.key, 0, rows, width, drop.substream) >= drop.threshold
    return kept * np.array(drop.scale, like.dtype)
