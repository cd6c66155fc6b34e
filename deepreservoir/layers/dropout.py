"""Dropout with masks keyed by (seed, path, step): the same step, the same mask, anywhere."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..backend import Array, array_module
from ..scaffold import Stream
from .base import Cache, Layer, Step, Train


@lru_cache(maxsize=1024)  # the same few streams serve every step
def _stream(seed: int, path: str) -> Stream:
    return Stream(seed, path, "dropout")


def dropout_mask(like: Array, rate: float, path: str, step: Step) -> Array:
    """Return the mask for `like` (n, d): zeros, and the reciprocal of the share kept.

    The rate is rounded to a multiple of 1/65,536, the resolution of a lane.
    """
    xp = array_module(like)
    threshold = round(rate * 65_536)
    rows, width = like.shape
    lanes = _stream(step.seed, path).rows(0, rows, width, step.index)
    kept = lanes >= threshold
    return xp.asarray(kept * np.array(65_536 / (65_536 - threshold), like.dtype))


class Dropout(Layer):
    """Set a share of the activations to zero while training, and scale up the others.

    Parameters
    ----------
    path : str
    rate : float
        Share that is dropped, in [0, 1).
    """

    def __init__(self, path: str, rate: float) -> None:
        super().__init__(path)
        self.rate = rate

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        if not train:
            return x, None
        mask = dropout_mask(x, self.rate, self.path, train)
        return x * mask, mask

    def backward(self, dy: Array, cache: Cache) -> Array:
        return dy * cache
