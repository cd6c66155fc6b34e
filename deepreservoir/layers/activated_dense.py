"""An adapted layer and the nonlinearity after it, in fewer launches on a device."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..backend import Array, array_module
from .activation import Activation
from .base import INFERENCE, Cache, Pass, as_rows, like_rows
from .composite import Sequential
from .dense import AdaptedDense
from .dropout import dropout_mask


class _Fused(NamedTuple):
    """The cache of a pass through the fused kernels."""

    dense: Cache
    before: Array  # what bias and nonlinearity are applied to
    drop: Any


class ActivatedDense(Sequential):
    """``y = f(beta x W^T + s (x A^T) B^T + bias)``, with dropout during training.

    On the host, and where a device is not kept busy by so few launches, it is the two layers one
    after the other.

    Parameters
    ----------
    dense : AdaptedDense
        Without a bias.
    activation : Activation
    """

    def __init__(self, dense: AdaptedDense, activation: Activation) -> None:
        super().__init__([dense, activation])
        self.dense, self.activation = dense, activation

    def _fuses(self, x: Array) -> bool:
        adapter = self.dense.adapter
        return (
            array_module(x) is not np
            and adapter.mode == "lora"
            and not self.dense.has_bias
            and kernels.fuses_activation(as_rows(x), adapter.rank)
        )

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if not self._fuses(x):
            return super().forward(x, on)
        dense, activation, rows = self.dense, self.activation, as_rows(x)
        base, z, mask = dense.parts(rows, on)
        drop = None
        if on.training and activation.dropout:
            drop = dropout_mask(base, activation.dropout, activation.path, on)
        y, before = kernels.combine_activation(
            base, dense.beta, z, dense.B.T, activation.bias, activation.name, drop
        )
        cache = _Fused(dense.cache(rows, z, mask, base), before, drop) if on.training else None
        return like_rows(y, x), cache

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        if not isinstance(cache, _Fused):
            return super().backward(dy, cache)
        dense, activation = self.dense, self.activation
        d, u = kernels.combine_activation_backward(
            as_rows(dy),
            cache.before,
            activation.bias,
            dense.B.T,
            dense.adapter.scaling,
            activation.name,
            cache.drop,
        )
        if activation.dbias is not None:
            activation.dbias += d.sum(axis=0)
        dx = dense.backward_rows(d, cache.dense, branch="gradients", u=u)
        return None if dx is None else like_rows(dx, dy)
