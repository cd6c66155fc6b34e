"""Batch normalisation."""

from __future__ import annotations

from .. import kernels
from ..backend import Array, array_module
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass, as_rows, like_rows
from .multiply_adds import MultiplyAdds


class BatchNorm(Layer):
    """``y = weight (x - mean) / sqrt(var + eps) + bias`` over a batch (Ioffe and Szegedy, 2015).

    Mean and variance of each feature are those of all rows of the batch during training, and
    running averages, which are buffers, otherwise. As in PyTorch, the running variance is that of
    the unbiased estimate. An empty batch is returned unchanged.

    Parameters
    ----------
    path : str
    width : int
    eps : float, default=1e-5
    momentum : float, default=0.1
        Share of the batch in a running average.

    Examples
    --------
    >>> from deepreservoir.layers import BatchNorm
    >>> [slot.path for slot in BatchNorm("norm", 16).slots() if slot.group == "buffer"]
    ['norm.running_mean', 'norm.running_var']
    """

    reads_batch = True

    weight: Array  # (width,)
    dweight: Array
    bias: Array
    dbias: Array
    running_mean: Array
    running_var: Array

    def __init__(self, path: str, width: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(path)
        self.width = width
        self.eps = eps
        self.momentum = momentum

    def own_slots(self) -> list[Slot]:
        return [
            Slot(f"{self.path}.weight", (self.width,), "norm", init=1.0),
            Slot(f"{self.path}.bias", (self.width,), "norm", init=0.0),
            Slot(f"{self.path}.running_mean", (self.width,), "buffer", init=0.0),
            Slot(f"{self.path}.running_var", (self.width,), "buffer", init=1.0),
        ]

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        xp, rows = array_module(x), as_rows(x)  # (n, width)
        n = len(rows)
        if not on.training or not n:
            scale = self.weight / xp.sqrt(self.running_var + self.eps)
            return x * scale + (self.bias - self.running_mean * scale), None
        mean = kernels.product(xp.ones(n, rows.dtype) / n, rows)  # (width,)
        xhat = rows - mean
        var = kernels.inner(xhat, xhat, axis=0) / n
        if not on.replay:
            self.update_running(mean, var, n)
        inverse = 1 / xp.sqrt(var + self.eps)
        xhat *= inverse
        y = xhat * self.weight
        y += self.bias
        return like_rows(y, x), (xhat, inverse)

    def update_running(self, mean: Array, var: Array, n: int) -> None:
        """Move the running averages towards the statistics of a batch of n rows."""
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var * (n / max(n - 1, 1)) - self.running_var)

    def backward(self, dy: Array, cache: Cache) -> Array:
        if cache is None:  # an empty batch
            return dy
        xhat, inverse = cache  # (n, width), (width,)
        xp, rows = array_module(dy), as_rows(dy)
        n = len(rows)
        along = kernels.inner(rows, xhat, axis=0)
        total = kernels.product(xp.ones(n, rows.dtype), rows)
        self.dweight += along
        self.dbias += total
        dx = xhat * (-along / n)
        dx += rows
        dx -= total / n
        dx *= self.weight * inverse
        return like_rows(dx, dy)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
