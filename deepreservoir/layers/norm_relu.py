"""Batch normalisation of images and ReLU in one layer, which keeps its input only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeVar

import numpy as np

from .. import kernels
from ..backend import Array, array_module, on_device_of
from ..thread_limits import in_shares
from .base import INFERENCE, Cache, Pass
from .batch_norm import BatchNorm

#: Bytes of an image that the passes below read and write at a time, so that it stays in a cache.
BLOCK_BYTES = 256 << 10


T = TypeVar("T")


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

        def share(some: slice) -> None:
            for part in _blocks(rows, some):
                block = xp.multiply(rows[part], slope, out=out[part])
                block += shift
                xp.maximum(block, 0, out=block)

        _in_shares(share, rows)
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

        def through_relu(some: slice) -> tuple[Array, Array]:
            total, along = xp.zeros((2, rows.shape[1]), x.dtype)
            for part in _blocks(rows, some):
                centred = rows[part] - wide[0]
                d = xp.multiply(dys[part], centred * wide[1] > wide[2], out=out[part])
                total += d.sum(axis=0)
                along += kernels.inner(d, centred, axis=0)
            return total, along

        sums = [sum(each) for each in zip(*_in_shares(through_relu, rows), strict=True)]
        total, along = (each.reshape(repeats, -1).sum(axis=0) for each in sums)
        along *= inverse
        self.dbias += total
        self.dweight += along
        # dx = slope (d - total / n - xhat along / n)
        of_x = -slope * inverse * along / n
        factors = slope, of_x, -slope * total / n - of_x * mean
        by_d, by_x, constant = (xp.tile(each, repeats) for each in factors)

        def through_norm(some: slice) -> None:
            for part in _blocks(rows, some):
                block = out[part]
                block *= by_d
                block += rows[part] * by_x
                block += constant

        _in_shares(through_norm, rows)
        return dx


def _repeats(x: Array) -> int:
    """Return how many pixels a row of :func:`_wide` holds."""
    return 1 if x.ndim == 2 else int(x.shape[-2])


def _wide(x: Array) -> Array:
    """Return x as rows of the last two axes: loops over few channels alone would be short."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-2] * x.shape[-1])


def _rows_at_a_time(rows: Array) -> int:
    if array_module(rows) is not np:
        return max(1, len(rows))
    return max(1, BLOCK_BYTES // (rows.shape[1] * rows.dtype.itemsize))


def _in_shares(job: Callable[[slice], T], rows: Array) -> list[T]:
    """Return the results of a job on shares of the rows: on the CPU one share per thread."""
    if array_module(rows) is not np:
        return [job(slice(0, len(rows)))]
    return in_shares(job, len(rows), _rows_at_a_time(rows))


def _blocks(rows: Array, some: slice) -> Iterator[slice]:
    step = _rows_at_a_time(rows)
    for start in range(some.start, some.stop, step):
        yield slice(start, min(start + step, some.stop))


def _moments(x: Array) -> tuple[Array, Array]:
    """Return mean and variance of the last axis's entries, (c,) each.

    Every block is centred at its own mean, and blocks are merged (Chan, Golub and LeVeque, 1983),
    so that no digits are lost where the mean is large.
    """
    xp, rows, repeats = array_module(x), _wide(x), _repeats(x)

    def moments(some: slice) -> list[tuple[int, Array, Array]]:
        found = []
        for part in _blocks(rows, some):
            block = rows[part]
            mean = block.mean(axis=0).reshape(repeats, -1).mean(axis=0)
            centred = block - xp.tile(mean, repeats)
            squares = kernels.inner(centred, centred, axis=0).reshape(repeats, -1).sum(axis=0)
            found.append((len(block) * repeats, mean, squares))
        return found

    counts, means, squares = zip(*chain(*_in_shares(moments, rows)), strict=True)
    n = sum(counts)
    share = on_device_of(x, np.array(counts, x.dtype) / n)[:, None]
    each = xp.stack(means)  # (blocks, c)
    mean = (share * each).sum(axis=0)
    var = xp.stack(squares).sum(axis=0) / n + (share * (each - mean) ** 2).sum(axis=0)
    return mean, var
