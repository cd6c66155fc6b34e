"""Products with adapted matrices that a recurrent layer needs at every step.

One pass applies the same matrices at many steps. The matrix ``W = beta W_seed + s B A`` is
therefore composed once per pass, and a step is a single product. The gradients need two products
with frozen weights per step, as everywhere: forward, and ``g = dy W_seed`` backward, from which
follow ``dx = beta g + s (dy B) A`` and ``dbeta = <x, g>``. Those of A, B and bias are sums over
all steps, and are taken over many steps at a time; ``dy^T x`` is never formed. Matrices that read
the same x are one product, side by side.

A fully trained matrix is used as it is, and its gradient is ``dy^T x``. So is that of a
weight-decomposed one (DoRA), followed by the chain rule through magnitude and norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import kernels
from ..backend import Array, array_module
from ..scaffold import Scaffold
from .base import Cache, Pass
from .combined import NORM_EPS
from .dense import AdaptedDense


class StepProducts:
    """The composed matrices of layers that read the same x at every step of a pass.

    Parameters
    ----------
    layers : sequence of AdaptedDense
        Alike in widths and adapter; with biases.
    dtype : numpy dtype
        Type of the pass.
    on : Pass
    start : int, default=0
        Number of the first columns of x that are known for all steps in advance: their products
        are taken by :meth:`known`, and no gradient with respect to them is needed.
    """

    def __init__(
        self, layers: Sequence[AdaptedDense], dtype: Any, on: Pass, start: int = 0
    ) -> None:
        self.layers, self.on, self.start = tuple(layers), on, start
        first = layers[0]
        self.adapter, self.d_out = first.adapter, first.d_out
        # The mask of a read-in differs from step to step: then nothing can be composed.
        self.by_step = on.training and first.adapter.low_rank and first.adapter.dropout > 0
        if self.by_step:
            return
        xp = array_module(first.bias)
        self.frozen: list[Array] = []
        self.composed: list[Array] = []  # before DoRA's norm
        self.norms: list[Array] = []
        weights = [self._compose(layer, dtype) for layer in layers]
        one = len(layers) == 1
        self.weight = weights[0] if one else xp.concatenate(weights)  # (k d_out, d_in)
        self.bias = first.bias if one else xp.concatenate([layer.bias for layer in layers])
        self.later = self.weight[:, start:]

    def _compose(self, layer: AdaptedDense, dtype: Any) -> Array:
        if layer.adapter.mode == "full":
            return layer.weight.astype(dtype, copy=False)
        frozen = frozen_weights(layer.scaffold, dtype)  # (d_out, d_in)
        self.frozen.append(frozen)
        weight = frozen * layer.beta
        if layer.adapter.low_rank:
            weight += layer.adapter.scaling * kernels.product(layer.B, layer.A)
        if layer.adapter.mode == "dora":
            xp = array_module(weight)
            norm = xp.sqrt((weight * weight).sum(axis=1) + NORM_EPS)  # (d_out,)
            self.composed.append(weight)
            self.norms.append(norm)
            weight = weight * (layer.magnitude / norm)[:, None]
        return weight.astype(dtype, copy=False)

    def known(self, x: Array) -> Array | None:
        """Return the share of the outputs that the first columns of x have, with the bias.

        Parameters
        ----------
        x : array, shape (m, start)
            Rows of many steps.

        Returns
        -------
        array, shape (m, k d_out), or None
            None if there are no such columns, or nothing is composed.
        """
        if self.by_step or not self.start:
            return None
        return kernels.product(x, self.weight[:, : self.start].T) + self.bias

    def forward(self, x: Array, step: int, known: Array | None) -> tuple[Array, Cache]:
        """Return the outputs (n, k d_out) for the rows x (n, d_in) of one step.

        Parameters
        ----------
        x : array, shape (n, d_in)
        step : int
        known : array, shape (n, k d_out), optional
            The rows of :meth:`known` that belong to this step.
        """
        if self.by_step:
            pairs = [layer.forward(x, self.on.at(step)) for layer in self.layers]
            xp = array_module(x)
            return xp.concatenate([y for y, _ in pairs], axis=1), [cache for _, cache in pairs]
        y = kernels.product(x[:, self.start :], self.later.T)
        y += self.bias if known is None else known
        return y, None

    def gradients(self, rows: int) -> StepGradients:
        """Return an object that takes the gradients of the steps that have `rows` rows in all."""
        return StepGradients(self, rows)


class StepGradients:
    """The gradients of :class:`StepProducts`, over some of the steps.

    Parameters
    ----------
    products : StepProducts
    rows : int
        Number of rows of all of these steps.
    """

    def __init__(self, products: StepProducts, rows: int) -> None:
        self.products, self.low_rank = products, products.adapter.mode == "lora"
        if products.by_step or not self.low_rank:
            return
        layers, start = products.layers, products.start
        xp = array_module(products.weight)
        rank, s = products.adapter.rank, products.adapter.scaling
        dtype = products.weight.dtype
        # g and u = s dy B are one product per matrix.
        self.back = xp.stack(
            [
                xp.concatenate([w[:, start:], s * layer.B.astype(dtype, copy=False)], axis=1)
                for w, layer in zip(products.frozen, layers, strict=True)
            ]
        )  # (k, d_out, d_in - start + rank)
        self.A = xp.concatenate([layer.A for layer in layers])  # (k rank, d_in)
        self.later_A = self.A[:, start:]
        self.u = xp.empty((rows, len(layers) * rank), dtype)
        self.learns_beta = layers[0].learns_beta
        self.dbeta = [0.0] * len(layers)

    def step(self, dy: Array, x: Array, cache: Cache, rows: slice) -> Array:
        """Return the gradient (n, d_in - start) with respect to the later columns of x.

        Parameters
        ----------
        dy : array, shape (n, k d_out)
        x : array, shape (n, d_in)
        cache : object
            From :meth:`StepProducts.forward`.
        rows : slice
            The rows of this step among those of all steps.
        """
        products = self.products
        if products.by_step:
            return self._by_step(dy, cache)
        if not self.low_rank:
            return kernels.product(dy, products.later)
        layers, n, d_in = products.layers, len(dy), x.shape[1] - products.start
        parts = dy.reshape(n, len(layers), -1).swapaxes(0, 1)  # (k, n, d_out)
        gu = kernels.product(parts, self.back)  # (k, n, d_in - start + rank)
        g, later = gu[:, :, :d_in], x[:, products.start :]
        u = self.u[rows]
        u.reshape(n, len(layers), -1)[...] = gu[:, :, d_in:].swapaxes(0, 1)
        dx = kernels.product(u, self.later_A)
        for k, layer in enumerate(layers):
            if self.learns_beta:
                self.dbeta[k] += (later * g[k]).sum()
            dx += g[k] * layer.beta
        return dx

    def _by_step(self, dy: Array, cache: Cache) -> Array:
        products, dx = self.products, None
        for k, layer in enumerate(products.layers):
            own = dy[:, k * products.d_out : (k + 1) * products.d_out]
            share = layer.backward(own, cache[k])
            dx = share if dx is None else dx + share
        assert dx is not None
        return dx[:, products.start :]

    def finish(self, dy: Array, x: Array) -> None:
        """Add the gradients of all trained arrays.

        Parameters
        ----------
        dy : array, shape (rows, k d_out)
        x : array, shape (rows, d_in)
        """
        products = self.products
        if products.by_step:
            return
        d_out, start, rank = products.d_out, products.start, products.adapter.rank
        dbias = kernels.product(
            array_module(dy).ones(len(dy), dy.dtype), dy
        )  # faster than a sum over rows
        if self.low_rank:
            dA = kernels.product(self.u.T, x)  # (k rank, d_in)
            z = kernels.product(x, self.A.T)  # (rows, k rank)
            z *= products.adapter.scaling
        for k, layer in enumerate(products.layers):
            own = dy[:, k * d_out : (k + 1) * d_out]
            layer.dbias += dbias[k * d_out : (k + 1) * d_out]
            if self.low_rank:
                part = slice(k * rank, (k + 1) * rank)
                layer.dA += dA[part]
                kernels.add_product_(layer.dB, own.T, z[:, part])
                if self.learns_beta:
                    layer.dbeta += self.dbeta[k]
                    if start:
                        layer.dbeta += kernels.dot(
                            x[:, :start], kernels.product(own, products.frozen[k][:, :start])
                        )
            elif products.adapter.mode == "full":
                kernels.add_product_(layer.dweight, own.T, x)
            elif products.adapter.mode == "dora":
                self._decomposed(layer, k, kernels.product(own.T, x))

    def _decomposed(self, layer: AdaptedDense, k: int, dweight: Array) -> None:
        """Add the gradients of a weight-decomposed matrix from that of the whole matrix."""
        v, norm = self.products.composed[k], self.products.norms[k]
        along = (dweight * v).sum(axis=1) / norm  # (d_out,)
        layer.dmagnitude += along
        dv = (layer.magnitude / norm)[:, None] * (dweight - v * (along / norm)[:, None])
        s = layer.adapter.scaling
        layer.dB += s * kernels.product(dv, layer.A.T)
        layer.dA += s * kernels.product(layer.B.T, dv)
        if layer.learns_beta:
            layer.dbeta += kernels.dot(dv, self.products.frozen[k])


def frozen_weights(scaffold: Scaffold, dtype: Any) -> Array:
    """Return the frozen weights (d_out, d_in) as one array on the scaffold's device."""
    tiles = [tile for _, tile in scaffold.product_tiles(dtype)]
    return tiles[0] if len(tiles) == 1 else array_module(tiles[0]).concatenate(tiles)
