"""Dropout masks keyed by (seed, path, step): the same step, the same mask, anywhere."""

from __future__ import annotations

from functools import lru_cache

from .. import kernels
from ..backend import Array
from ..kernels.dropout import Mask
from ..scaffold import Stream
from .base import Step


@lru_cache(maxsize=1024)  # the same few streams serve every step
def _stream(seed: int, path: str) -> Stream:
    return Stream(seed, path, "dropout")


def dropout_mask(like: Array, rate: float, path: str, step: Step) -> Mask:
    """Return the mask for `like` (n, d): zeros, and the reciprocal of the share kept.

    The rate is rounded to a multiple of 1/65,536, the resolution of a lane. On a device the mask
    is not an array but what draws it: :func:`deepreservoir.kernels.masked` applies either.
    """
    drop = kernels.Drop(round(rate * 65_536), _stream(step.seed, path).key, step.index)
    if step.masks is None:
        return kernels.dropout_mask(like, drop)
    key = (drop, like.shape, like.dtype)
    if key not in step.masks:
        step.masks[key] = kernels.dropout_mask(like, drop)
    return step.masks[key]
