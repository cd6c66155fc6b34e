"""Dropout masks, drawn on the host or inside the kernels that apply them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, array_module
from .draw import key_words, lane_rows


class Drop(NamedTuple):
    """Parameters of a mask: an entry is dropped if its lane is below `threshold`.

    Attributes
    ----------
    threshold : int
        Share of dropped entries, in units of 1/65,536.
    key : int
        128-bit key of the stream of lanes.
    substream : int, or array of uint64 on a device, shape (1,)
        An array is read when a kernel draws from it.
    """

    threshold: int
    key: int
    substream: int | Array

    @property
    def scale(self) -> float:
        """Factor of the entries that are kept: the reciprocal of their share."""
        return 65_536 / (65_536 - self.threshold)

    def arguments(self, like: Array) -> tuple[Any, ...]:
        """Return the arguments that :data:`DROP` declares, for the mask of a device array."""
        fixed = isinstance(self.substream, int)
        return (
            np.int32(self.threshold),
            like.dtype.type(self.scale),
            like if fixed else self.substream,  # never read if fixed, but it must be some pointer
            np.int32(not fixed),
            np.uint64(self.substream if fixed else 0),
            *key_words(self.key),
        )


#: CUDA C: the arguments of a mask, of which SUBSTREAM is the substream.
DROP = """int threshold, real scale, const void* clock, int has_clock,
        unsigned long long fixed_substream, unsigned long long key0, unsigned long long key1"""
SUBSTREAM = "(has_clock ? *(const unsigned long long*)clock : fixed_substream)"

#: A mask to store for the backward pass: its entries or, on a device, how to redraw them.
Mask = Array | Drop


# Threshold, scale, substream and key of a compiled loop without dropout.
_NOTHING_DROPPED = np.uint16(0), np.float32(1), *3 * (np.uint64(0),)


def loop_arguments(drop: Drop | None) -> tuple[Any, ...]:
    """Return the arguments of a compiled loop on the host for a mask that it draws, or for none."""
    if drop is None:
        return _NOTHING_DROPPED
    threshold, scale, *key = _constants(drop.threshold, drop.key)
    return threshold, scale, np.uint64(drop.substream), *key


@lru_cache(maxsize=65_536)  # one per layer and call; only the substream differs between steps
def _constants(threshold: int, key: int) -> tuple[Any, ...]:
    return np.uint16(threshold), np.float32(Drop(threshold, key, 0).scale), *key_words(key)


def as_numbers(chosen: Array, dtype: np.dtype[Any]) -> Array:
    """Return zeros and ones for an array of bools that is in one piece, in a fast conversion."""
    return chosen.view(np.uint8).astype(dtype)


def dropout_mask(like: Array, drop: Drop) -> Mask:
    """Return the mask for `like` (n, d): zeros, and the reciprocal of the share that is kept.

    On a device nothing is drawn yet. The kernels draw the same bits whenever they apply the mask,
    which therefore takes no memory.
    """
    if array_module(like) is not np:
        return drop
    rows, width = like.shape
    kept = lane_rows(drop.key, 0, rows, width, int(drop.substream)) >= drop.threshold
    mask = as_numbers(kept, like.dtype)
    mask *= mask.dtype.type(drop.scale)
    return mask
