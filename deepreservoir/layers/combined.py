"""The single matrix that a scaffold and its adapter are equal to, and gradients through it.

``W_eff = beta W + s B A``, under DoRA with rows of the trained norms. Where there are many more
rows of inputs than entries in a row of W, as in narrow convolutions and Transformers, one product
with W_eff is faster than those with W, A and B; the gradients of all parts follow from that of
W_eff.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import kernels
from ..backend import Array, array_module

if TYPE_CHECKING:
    from .dense import AdaptedDense

#: On the CPU, a training step uses the combined weight of a dense layer if its shorter side is at
#: most the first of these, and if its input has at least as many rows as the second says, and as
#: the third times that side. The products with A and B take longer there than the additional
#: product that the gradient of the weight needs. Measured: 1.1 to 1.9 times as fast at ranks from 1
#: to 16; nothing is gained at a side of 256.
NARROW, LEAST_ROWS, LEAST_ROWS_PER_COLUMN = 128, 512, 8

#: Keeps DoRA's norm away from zero where both scaffold and injection vanish.
NORM_EPS = 1e-12


class Combined(NamedTuple):
    """The combined weight of a layer, and what its gradient needs.

    Attributes
    ----------
    weight : array, shape (d_out, d_in)
        W_eff.
    scaffold : array, shape (d_out, d_in), or None
        W, unless every weight is trained.
    raw : array, shape (d_out, d_in), or None
        Under DoRA, beta W + s B A.
    norms : array, shape (d_out,), or None
        Under DoRA, the norms of the rows of `raw`.
    """

    weight: Array
    scaffold: Array = None
    raw: Array = None
    norms: Array = None


def combine(layer: AdaptedDense, like: Array) -> Combined:
    """Return the combined weight of a layer, in the module and dtype of `like`."""
    adapter, xp = layer.adapter, array_module(like)
    if adapter.mode == "full":
        return Combined(layer.weight)
    scaffold = xp.empty((layer.d_out, layer.d_in), like.dtype)
    for rows, tile in layer.scaffold.product_tiles(like.dtype):
        scaffold[rows.start : rows.stop] = tile
    weight = scaffold * layer.beta
    if adapter.low_rank:
        A, B = (part.astype(like.dtype, copy=False) for part in (layer.A, layer.B))
        weight += kernels.product(adapter.scaling * B, A)
    if adapter.mode != "dora":
        return Combined(weight, scaffold)
    norms = xp.sqrt(kernels.inner(weight, weight, axis=1) + NORM_EPS)
    return Combined(weight * (layer.magnitude / norms)[:, None], scaffold, weight, norms)


def combined_backward(layer: AdaptedDense, combined: Combined, dweight: Array) -> None:
    """Add the gradients of a layer's parameters, given that of its combined weight."""
    adapter = layer.adapter
    if adapter.mode == "full":
        layer.dweight += dweight
        return
    if not adapter.low_rank:
        return
    if adapter.mode == "dora":
        ratio = layer.magnitude / combined.norms
        along = kernels.inner(dweight, combined.raw, axis=1)
        layer.dmagnitude += along / combined.norms
        dweight = dweight - combined.raw * (along / combined.norms**2)[:, None]
        dweight *= ratio[:, None]
    if layer.learns_beta:
        layer.dbeta += kernels.dot(dweight, combined.scaffold)
    layer.dB += adapter.scaling * kernels.product(dweight, layer.A.T)
    layer.dA += adapter.scaling * kernels.product(layer.B.T, dweight)


# Narrow dense layers ------------------------------------------------------------------------


class Narrow(NamedTuple):
    """The cache of a dense layer's pass with the combined weight."""

    x: Array  # (n, d_in)
    combined: Combined


def narrow(layer: AdaptedDense, x: Array) -> bool:
    """Return whether a training step on rows x (n, d_in) is faster with the combined weight."""
    side, adapter = min(layer.d_in, layer.d_out), layer.adapter
    return (
        type(x) is np.ndarray
        and adapter.low_rank
        and not adapter.dropout
        and layer.needs_dx  # without that product, the products apart are fewer
        and side <= NARROW
        and len(x) >= max(LEAST_ROWS, LEAST_ROWS_PER_COLUMN * side)
        and layer.scaffold.storage == "dense"
    )


def narrow_forward(layer: AdaptedDense, x: Array) -> tuple[Array, Narrow]:
    """Return the output (n, d_out) for rows x (n, d_in), and the cache."""
    combined = combine(layer, x)
    # Of narrow matrices, the faster order.
    y = kernels.product(x, np.ascontiguousarray(combined.weight.T))
    if layer.has_bias:
        y += layer.bias
    return y, Narrow(x, combined)


def narrow_backward(layer: AdaptedDense, dy: Array, cache: Narrow) -> Array:
    """Return the gradient of the rows, and add those of the parameters but for the bias."""
    combined_backward(layer, cache.combined, kernels.product(dy.T, cache.x))
    return kernels.product(dy, cache.combined.weight)
