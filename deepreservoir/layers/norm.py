"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping

from .. import kernels
from ..backend import Array
from ..params import Slot
from ..scaffold import Scaffold
from .base import Cache, Layer, Train


class LayerNorm(Layer):
    """``y = weight (x - mean) / sqrt(var + eps) + bias`` over the features (Ba et al., 2016).

    Parameters
    ----------
    path : str
    width : int
    eps : float, default=1e-5
    """

    def __init__(self, path: str, width: int, eps: float = 1e-5) -> None:
        super().__init__(path)
        self.width = width
        self.eps = eps

    def slots(self) -> list[Slot]:
        return [
            Slot(f"{self.path}.weight", (self.width,), decay=False),
            Slot(f"{self.path}.bias", (self.width,), decay=False),
        ]

    def bind(
        self,
        values: Mapping[str, Array],
        grads: Mapping[str, Array],
        scaffolds: Mapping[str, Scaffold],
    ) -> None:
        self.weight, self.dweight = values[f"{self.path}.weight"], grads[f"{self.path}.weight"]
        self.bias, self.dbias = values[f"{self.path}.bias"], grads[f"{self.path}.bias"]

    def initialise(self, seed: int) -> None:
        self.weight[...] = 1
        self.bias[...] = 0

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        y, xhat, inverse = kernels.layer_norm(x, self.weight, self.bias, self.eps)
        return y, (xhat, inverse) if train else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        xhat, inverse = cache  # (n, width), (n, 1)
        self.dweight += (dy * xhat).sum(axis=0)
        self.dbias += dy.sum(axis=0)
        return kernels.layer_norm_backward(dy, xhat, inverse, self.weight)
