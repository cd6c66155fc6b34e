"""An adapted layer and the nonlinearity after it, in fewer launches or calls."""

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


class _Compiled(NamedTuple):
    """The cache of a pass through compiled loops."""

    x: Array  # (n, d_in)
    base: Array | None
    z: Array  # (n, rank)
    activated: Any  # the cache of the nonlinearity


class ActivatedDense(Sequential):
    """``y = f(beta x W^T + s (x A^T) B^T + bias)``, with dropout during training.

    Where neither kernels of a device nor compiled loops serve, it is the two layers one after the
    other.

    Parameters
    ----------
    dense : AdaptedDense
        Without a bias.
    activation : Activation
    widest : int, optional
        Width of the widest layer of the network: the size of its output decides whether the loops
        of all layers are compiled. The width of this layer by default.
    """

    def __init__(
        self, dense: AdaptedDense, activation: Activation, widest: int | None = None
    ) -> None:
        super().__init__([dense, activation])
        self.dense, self.activation = dense, activation
        self.widest = dense.d_out if widest is None else widest
        adapter = dense.adapter
        self._in_loops = (
            activation.name == "relu"
            and adapter.mode == "lora"
            and not adapter.dropout
            and not dense.has_bias
        )

    def _fuses(self, x: Array) -> bool:
        adapter = self.dense.adapter
        return (
            array_module(x) is not np
            and adapter.mode == "lora"
            and not self.dense.has_bias
            and kernels.fuses_activation(as_rows(x), adapter.rank)
        )

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if self._compiles(x, on):
            return self._forward_compiled(x, on)
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
        if isinstance(cache, _Compiled):
            return self._backward_compiled(dy, cache)
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

    # In compiled loops -------------------------------------------------------------------

    def _compiles(self, x: Array, on: Pass) -> bool:
        if not self._in_loops or on.step is None or on.step.masks is not None or x.ndim != 2:
            return False
        return kernels.suits_adapted_relu(x, self.dense.adapter.rank, len(x) * self.widest)

    def _forward_compiled(self, x: Array, on: Pass) -> tuple[Array, _Compiled]:
        dense, activation, drop = self.dense, self.activation, None
        z, given = kernels.product(x, dense.A.T), on.products.get(dense.path)
        base = dense.scaffold.matmul(x) if given is None else given
        if activation.dropout:
            drop = dropout_mask(base, activation.dropout, activation.path, on, drawn=False)
        scaling = dense.adapter.scaling
        last = given is None and dense.needs_dx  # nobody needs the product afterwards
        y = kernels.adapted_relu(base, dense.beta, z, scaling, dense.B, activation.bias, drop, last)
        scale = 1.0 if drop is None else drop.scale
        return y, _Compiled(x, None if last else base, z, (y, scale))

    def _backward_compiled(self, dy: Array, cache: _Compiled) -> Array | None:
        dense, activation, x = self.dense, self.activation, cache.x
        d = kernels.bias_activation_dropout_backward(dy, activation.name, cache.activated)
        scaling = dense.adapter.scaling
        if activation.dbias is not None:
            activation.dbias += d.sum(axis=0)
        kernels.add_product_(dense.dB, d.T, cache.z)
        u = kernels.product(d, dense.B)
        dx = dbeta = None
        if dense.needs_dx:
            dx = dense.scaffold.rmatmul(d)
            dbeta = kernels.adapted_input_gradient_(dx, dense.beta, u, scaling, dense.A, x)
        else:
            u *= scaling
            if dense.learns_beta:
                dbeta = kernels.dot(d, cache.base)
        if dense.learns_beta:
            dense.dbeta += dbeta
        kernels.add_product_(dense.dA, u.T, x)
        return dx
