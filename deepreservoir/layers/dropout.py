"""Dropout masks keyed by (seed, path, step, call): equal keys give equal masks everywhere."""

from __future__ import annotations

from functools import lru_cache

from .. import kernels
from ..backend import Array
from ..kernels.dropout import Mask
from ..scaffold import Stream
from .base import Pass


@lru_cache(maxsize=65_536)  # the same streams serve every step; one per layer and call
def _stream(seed: int, path: str, calls: tuple[int, ...]) -> Stream:
    # A layer that is called once per step uses the stream of its path alone.
    return Stream(seed, path, "/".join(("dropout", *map(str, calls))))


def dropout_mask(like: Array, rate: float, path: str, on: Pass, drawn: bool = True) -> Mask:
    """Return the mask for `like` (n, d): zeros, and elsewhere the reciprocal of the kept fraction.

    The rate is rounded to a multiple of 1/65,536, the resolution of a lane. On a device, and on
    the host unless it is to be `drawn`, the mask is not an array but the key that it is drawn
    from; kernels accept both. Networks that share masks always draw them on the host.
    """
    step = on.step
    assert step is not None, "dropout is applied in training only"
    drop = kernels.Drop(round(rate * 65_536), _stream(step.seed, path, on.calls).key, step.index)
    if step.masks is None:
        return kernels.dropout_mask(like, drop) if drawn else drop
    key = (drop, like.shape, like.dtype)
    if key not in step.masks:
        step.masks[key] = kernels.dropout_mask(like, drop)
    return step.masks[key]
