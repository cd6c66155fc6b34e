"""Trained parameters: named views on one flat vector, and on one flat gradient.

An optimiser sees two vectors and a mask; a file holds one vector; a layer sees arrays with
names and shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .backend import Array, array_module


@dataclass(frozen=True)
class Slot:
    """One trained array: its path (such as ``"layers.0.A"``), shape, and whether it decays."""

    path: str
    shape: tuple[int, ...]
    decay: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class ParamSet:
    """The layout of the flat parameter vector, in the order of declaration.

    Parameters
    ----------
    slots : iterable of Slot

    Examples
    --------
    >>> params = ParamSet([Slot("layers.0.A", (2, 3)), Slot("layers.0.beta", (1,), decay=False)])
    >>> params.size
    7
    >>> theta = np.arange(7.0)
    >>> params.views(theta)["layers.0.A"]
    array([[0., 1., 2.],
           [3., 4., 5.]])
    """

    def __init__(self, slots: Iterable[Slot]) -> None:
        self.slots = tuple(slots)
        paths = [slot.path for slot in self.slots]
        if len(set(paths)) != len(paths):
            twice = sorted({path for path in paths if paths.count(path) > 1})
            raise ValueError(f"every parameter needs a path of its own; used twice: {twice}")
        self.size = sum(slot.size for slot in self.slots)

    def views(self, flat: Array) -> dict[str, Array]:
        """Return the named views on `flat`, a vector of length `size`."""
        if flat.shape != (self.size,):
            raise ValueError(
                f"the flat vector must have shape ({self.size},), the number of trained "
                f"parameters of this configuration; got {flat.shape}"
            )
        views, start = {}, 0
        for slot in self.slots:
            views[slot.path] = flat[start : start + slot.size].reshape(slot.shape)
            start += slot.size
        return views

    def decay_mask(self, like: Array) -> Array:
        """Return ones where weight decay applies and zeros elsewhere, in the kind of `like`."""
        xp = array_module(like)
        mask = np.concatenate(
            [np.full(slot.size, slot.decay, like.dtype) for slot in self.slots]
            or [np.empty(0, like.dtype)]
        )
        return xp.asarray(mask)
