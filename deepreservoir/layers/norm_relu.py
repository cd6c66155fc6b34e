"""Batch normalisation of images and ReLU in one layer, which keeps its input only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeVar

import numpy as np

from .. import kernels
from ..backend import Array, array_module
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
        rows = _wide(x)
        y = array_module(x).empty(x.shape, x.dtype)
        out = _wide(y)
        slope, shift = self._factors(x, mean, inverse)

        def share(some: slice) -> None:
            for part in _blocks(rows, some):
                kernels.affine_relu(rows[part], slope, shift, out[part])

        _in_shares(share, rows)
        return y

    def _factors(self, x: Array, mean: Array, inverse: Array) -> tuple[Array, Array]:
        """Return slope and shift of the pixels of a row of :func:`_wide`."""
        slope = self.weight * inverse
        return _tiled(x, slope), _tiled(x, self.bias - mean * slope)

    def backward(self, dy: Array, cache: Cache) -> Array:
        if cache is None:  # an empty batch
            return dy
        x, mean, inverse = cache
        xp, n, repeats = array_module(x), x.size // self.width, _repeats(x)
        dx = xp.empty_like(x)
        rows, dys, out = _wide(x), _wide(xp.ascontiguousarray(dy)), _wide(dx)
        slope, shift = self._factors(x, mean, inverse)
        means = _tiled(x, mean)

        def through_relu(some: slice) -> list[tuple[Array, Array]]:
            return [
                kernels.relu_sums(rows[part], dys[part], means, slope, shift, out[part])
                for part in _blocks(rows, some)
            ]

        # The sums of the blocks are added in order, however many threads there are.
        sums = zip(*chain(*_in_shares(through_relu, rows)), strict=True)
        total, along = (sum(each).reshape(repeats, -1).sum(axis=0) for each in sums)
        along *= inverse
        self.dbias += total
        self.dweight += along
        # dx = weight inverse (d - total / n - xhat along / n)
        of_x = -self.weight * inverse * inverse * along / n
        by_x = _tiled(x, of_x)
        constant = _tiled(x, -self.weight * inverse * total / n - of_x * mean)

        def through_norm(some: slice) -> None:
            for part in _blocks(rows, some):
                given = rows[part], dys[part], slope, shift, by_x, constant
                kernels.norm_gradient_(*given, out[part])

        _in_shares(through_norm, rows)
        return dx


def _tiled(x: Array, values: Array) -> Array:
    """Return values of the channels (c,), repeated over the pixels of a row of :func:`_wide`."""
    repeats = _repeats(x)
    return values if repeats == 1 else array_module(x).tile(values, repeats)


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
    xp, rows, c = array_module(x), _wide(x), x.shape[-1]

    def moments(some: slice) -> list[tuple[int, Array, Array]]:
        return [
            (len(rows[part]) * (rows.shape[1] // c), *kernels.pixel_moments(rows[part], c))
            for part in _blocks(rows, some)
        ]

    counts, means, squares = zip(*chain(*_in_shares(moments, rows)), strict=True)
    n = sum(counts)
    if len(counts) == 1:  # as on a device
        return means[0], squares[0] / n
    share = (np.array(counts, x.dtype) / n)[:, None]
    each = xp.stack(means)  # (blocks, c)
    mean = (share * each).sum(axis=0)
    var = xp.stack(squares).sum(axis=0) / n + (share * (each - mean) ** 2).sum(axis=0)
    return mean, var
