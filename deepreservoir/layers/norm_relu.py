"""Batch normalisation of images and ReLU in one layer, which keeps its input only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backend import Array, array_module
from .base import INFERENCE, Cache, Pass
from .batch_norm import BatchNorm

#: Bytes of an image that the passes below read and write at a time, so that it stays in a cache.
BLOCK_BYTES = 256 << 10


class BatchNormReLU(BatchNorm):
    """``y = max(weight (x - mean) / sqrt(var + eps) + bias, 0)`` over a batch of images.

    The same as :class:`BatchNorm` and a ReLU after it, in fewer passes over memory. Only the input
    is kept for the backward pass: :meth:`output` computes the output again, which a convolution
    after this layer reads.

    Parameters
    ----------
    path : str
    width : int
    eps : float, default=1e-5
    momentum : float, default=0.1
    """

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        xp, n = array_module(x), x.size // self.width  # x: (..., width)
        if not on.training or not n:
            inverse = 1 / xp.sqrt(self.running_var + self.eps)
            return self._affine(x, self.running_mean, inverse), None
        mean, var = _moments(x)
        if not on.replay:
            self.update_running(mean, var, n)
        inverse = 1 / xp.sqrt(var + self.eps)
        cache = x, mean, inverse
        return self.output(cache), cache

    def output(self, cache: Cache) -> Array:
        """Return the output of the forward pass with this cache, which is not None."""
        return self._affine(*cache)

    def _affine(self, x: Array, mean: Array, inverse: Array) -> Array:
        xp, y = array_module(x), array_module(x).empty_like(x)
        slope = self.weight * inverse
        repeats = _repeats(x)
        slope, shift = (xp.tile(each, repeats) for each in (slope, self.bias - mean * slope))
        rows, out = _wide(x), _wide(y)
        for part in _blocks(rows):
            block = xp.multiply(rows[part], slope, out=out[part])
            block += shift
            xp.maximum(block, 0, out=block)
        return y

    def backward(self, dy: Array, cache: Cache) -> Array:
        if cache is None:  # an empty batch
            return dy
        x, mean, inverse = cache
        xp, n, repeats = array_module(x), x.size // self.width, _repeats(x)
        slope = self.weight * inverse
        wide = [xp.tile(each, repeats) for each in (mean, slope, -self.bias)]
        dx = xp.empty_like(x)
        rows, dys, out = _wide(x), _wide(dy), _wide(dx)
        total, along = (xp.zeros(rows.shape[1], x.dtype) for _ in range(2))
        for part in _blocks(rows):
            centred = rows[part] - wide[0]
            open_part = centred * wide[1] > wide[2]
            d = xp.multiply(dys[part], open_part, out=out[part])
            total += d.sum(axis=0)
            along += xp.einsum("ij,ij->j", d, centred)
        total, along = (each.reshape(repeats, -1).sum(axis=0) for each in (total, along))
        along *= inverse
        self.dbias += total
        self.dweight += along
        # dx = slope (d - total / n - xhat along / n)
        by_x = -slope * inverse * along / n
        factors = slope, by_x, -slope * total / n - by_x * mean
        by_d, by_x, constant = (xp.tile(each, repeats) for each in factors)
        for part in _blocks(rows):
            block = out[part]
            block *= by_d
            block += rows[part] * by_x
            block += constant
        return dx


def _repeats(x: Array) -> int:
    """Return how many pixels a row of :func:`_wide` holds."""
    return 1 if x.ndim == 2 else int(x.shape[-2])


def _wide(x: Array) -> Array:
    """Return x as rows of the last two axes: loops over few channels alone would be short."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-2] * x.shape[-1])


def _blocks(rows: Array) -> Iterator[slice]:
    n = len(rows)
    step = n
    if array_module(rows) is np:
        step = max(1, BLOCK_BYTES // (rows.shape[1] * rows.dtype.itemsize))
    for start in range(0, n, max(step, 1)):
        yield slice(start, start + step)


def _moments(x: Array) -> tuple[Array, Array]:
    """Return mean and variance of the last axis's entries, (c,) each.

    Every block is centred at its own mean, and blocks are merged (Chan, Golub and LeVeque, 1983),
    so that no digits are lost where the mean is large.
    """
    xp, rows, repeats = array_module(x), _wide(x), _repeats(x)
    counts, means, squares = [], [], []
    for part in _blocks(rows):
        block = rows[part]
        mean = block.mean(axis=0).reshape(repeats, -1).mean(axis=0)
        centred = block - xp.tile(mean, repeats)
        counts.append(len(block) * repeats)
        means.append(mean)
        squares.append(xp.einsum("ij,ij->j", centred, centred).reshape(repeats, -1).sum(axis=0))
    n = sum(counts)
    share = xp.asarray(np.array(counts, x.dtype) / n)[:, None]
    each = xp.stack(means)  # (blocks, c)
    mean = (share * each).sum(axis=0)
    var = xp.stack(squares).sum(axis=0) / n + (share * (each - mean) ** 2).sum(axis=0)
    return mean, var
