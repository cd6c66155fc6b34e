"""Networks in which scaffold and adapter are one matrix per layer, for predictions on the host.

``y = x W_eff^T`` with ``W_eff = beta W + s B A`` takes one product per layer where the adapted
layer takes three, two of them narrow. Training needs the parts; predictions do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .backend import Array
from .layers import AdaptedDense, Sequential, combine
from .models import NetworkConfig
from .params import Slot
from .passes import Passes

#: Largest size in bytes of the merged weights of a network; larger ones are not merged.
MERGED_BYTES = 64 << 20


class Merged(Passes):
    """The passes of a network at inference, with one matrix for scaffold and adapter of a layer.

    It holds copies of the weights in `dtype`: the network's own may change, as
    :meth:`is_current` tells. It is never pickled nor saved.

    Parameters
    ----------
    config : NetworkConfig
        From :meth:`NetworkConfig.merged`; it builds layers without frozen weights.
    flat : tuple of ndarray
        Trained parameters and buffers of the network, as :meth:`is_current` compares them.
    named : mapping of str to ndarray
        The same as named arrays.
    adapted : mapping of str to AdaptedDense
        The layers of the network that adapt a frozen matrix, by path.

    Raises
    ------
    ValueError
        If `config` builds an array to which none of the network belongs.
    """

    def __init__(
        self,
        config: NetworkConfig,
        flat: tuple[Array, ...],
        named: Mapping[str, Array],
        adapted: Mapping[str, AdaptedDense],
    ) -> None:
        self.config = config
        self.dtype = np.dtype(config.dtype)
        self.device = "cpu"
        self.precision = "float32"  # of products on a device, where this never is
        self.body, self.head = config.build()
        self.root = Sequential([self.body, self.head])
        self._flat = tuple(array.copy() for array in flat)
        for layer in self.root.walk():
            for slot in layer.own_slots():
                setattr(layer, slot.name, self._value(slot, named, adapted))

    def _value(
        self, slot: Slot, named: Mapping[str, Array], adapted: Mapping[str, AdaptedDense]
    ) -> Array:
        if slot.path in named:
            return named[slot.path].astype(self.dtype)
        owner = adapted.get(slot.path.rpartition(".")[0])
        if owner is not None and slot.name == "weight":
            # By columns, since a product with the transpose is faster then.
            return _merged_weight(owner).astype(self.dtype, order="F", copy=False)
        if owner is not None and slot.name == "bias":
            return np.zeros(slot.shape, self.dtype)  # the layer has no bias
        raise ValueError(
            f"{type(self.config).__name__}.merged() builds the array {slot.path!r}, which is "
            "neither an array of the network nor the weight or bias of an adapted layer"
        )

    def is_current(self, dtype: np.dtype[Any], flat: tuple[Array, ...]) -> bool:
        """Return whether this was merged in `dtype` from parameters with these bits."""
        return self.dtype == dtype and all(map(_same_bits, self._flat, flat))


def can_be_merged(adapted: Mapping[str, AdaptedDense], dtype: np.dtype[Any]) -> bool:
    """Return whether merged weights of these layers in `dtype` are small, and are worthwhile.

    Frozen weights that are not in memory as a matrix are not expanded to one.
    """
    entries = 0
    for layer in adapted.values():
        if layer.adapter.mode != "full" and layer.scaffold.storage != "dense":
            return False
        entries += layer.d_in * layer.d_out
    return entries * dtype.itemsize <= MERGED_BYTES


def _merged_weight(layer: AdaptedDense) -> Array:
    """Return W_eff in float64, so that a weight in float32 is rounded once."""
    combined, norms = combine(layer, np.empty(0)), layer.row_norms()
    if norms is None:
        return combined.weight
    # The norms of the layer's own passes, which are in its dtype.
    return combined.raw * (layer.magnitude / norms[0])[:, None]


def _same_bits(one: Array, other: Array) -> bool:
    # As integers, since a NaN does not equal itself.
    kind = np.dtype(f"i{one.itemsize}")
    return one.shape == other.shape and bool((one.view(kind) == other.view(kind)).all())
