"""Trained parameters: named views on one flat vector, and on one flat gradient.

An optimiser works on two vectors and a mask, a file stores one vector, and a layer works on named
arrays. Buffers, such as running statistics, are another flat vector, which has no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from .backend import Array, array_module
from .checks import check_choice, is_finite_number

Group = Literal["weight", "adapter", "scale", "bias", "norm", "embedding", "buffer"]

#: Groups that weight decay applies to, unless a configuration says otherwise.
DECAYED: frozenset[str] = frozenset(("weight", "adapter", "embedding"))


@dataclass(frozen=True)
class Slot:
    """One array of a layer, trained or a buffer.

    Attributes
    ----------
    path : str
        Path of the layer and name of the array, such as ``"layers.0.A"``.
    shape : tuple of int
    group : {"weight", "adapter", "scale", "bias", "norm", "embedding", "buffer"}
        Kind of array; weight decay applies to some groups only. A buffer is not trained.
    init : float, optional
        Initial value. By default the array is drawn from the network's `init_seed`, Kaiming
        uniform over its last axis.

    Raises
    ------
    ValueError
        If the group is not one of these, or the initial value is not a finite number.

    Examples
    --------
    >>> Slot("layers.0.A", (8, 64), "adapter").size
    512
    """

    path: str
    shape: tuple[int, ...]
    group: Group = "weight"
    init: float | None = None

    def __post_init__(self) -> None:
        check_choice(f"the group of {self.path}", self.group, get_args(Group))
        if self.init is not None and not is_finite_number(self.init):
            raise ValueError(
                f"the initial value of {self.path} must be a finite number, or None; got "
                f"{self.init!r}. Write other values into the array in initialise_own"
            )

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def name(self) -> str:
        """The last part of the path, which names the layer's attribute."""
        return self.path.rpartition(".")[2]

    @property
    def trained(self) -> bool:
        """Whether the array has a gradient."""
        return self.group != "buffer"


class ParamSet:
    """The layout of a flat vector, in the order of declaration.

    Parameters
    ----------
    slots : iterable of Slot

    Raises
    ------
    ValueError
        If two slots have the same path.

    Examples
    --------
    >>> params = ParamSet([Slot("layers.0.A", (2, 3)), Slot("layers.0.beta", (1,), "scale")])
    >>> params.size
    7
    >>> theta = np.arange(7.0)
    >>> params.views(theta)["layers.0.A"]
    array([[0., 1., 2.],
           [3., 4., 5.]])
    """

    def __init__(self, slots: Iterable[Slot]) -> None:
        self.slots = tuple(slots)
        check_paths("parameter", [slot.path for slot in self.slots])
        self.size = sum(slot.size for slot in self.slots)

    def views(self, flat: Array) -> dict[str, Array]:
        """Return the named views on `flat`, a vector of length :attr:`size`."""
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

    def decay_mask(self, like: Array, decayed: Collection[str] = DECAYED) -> Array:
        """Return ones where weight decay applies and zeros elsewhere, as an array like `like`.

        Parameters
        ----------
        like : array
        decayed : collection of str
            Groups that weight decay applies to.
        """
        xp = array_module(like)
        mask = np.concatenate(
            [np.full(slot.size, slot.group in decayed, like.dtype) for slot in self.slots]
            or [np.empty(0, like.dtype)]
        )
        return xp.asarray(mask)


def check_paths(kind: str, paths: list[str]) -> None:
    """Raise a ValueError that names the paths used more than once."""
    if len(set(paths)) != len(paths):
        twice = sorted({path for path in paths if paths.count(path) > 1})
        raise ValueError(
            f"every {kind} needs a path of its own; used more than once: "
            f"{', '.join(map(repr, twice))}. Give each layer its own path"
        )
