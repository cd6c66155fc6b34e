"""Stochastic depth: whole branches of a residual network are dropped during training."""

from __future__ import annotations

from .. import kernels
from ..backend import Array, array_module
from .base import INFERENCE, Cache, Layer, Pass
from .dropout import dropout_mask
from .multiply_adds import MultiplyAdds


class StochasticDepth(Layer):
    """``y = x`` times zero for a share of the samples in training (Huang et al., 2016).

    The other samples are divided by the share that is kept. The masks are keyed as those of
    dropout are.

    Parameters
    ----------
    path : str
    rate : float
        Share of the samples that are dropped, in [0, 1).

    Examples
    --------
    In training, a dropped sample is zero and a kept one is doubled:

    >>> import numpy as np
    >>> from deepreservoir.layers import Pass, StochasticDepth, Step
    >>> layer, x = StochasticDepth("depth", rate=0.5), np.ones((100, 1))
    >>> y, _ = layer.forward(x, Pass(Step(seed=0, index=0)))
    >>> np.unique(y), (layer.forward(x)[0] == x).all()
    (array([0., 2.]), np.True_)
    """

    def __init__(self, path: str, rate: float) -> None:
        super().__init__(path)
        self.rate = rate

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        if not on.training or not self.rate:
            return x, None
        ones = array_module(x).ones((len(x), 1), x.dtype)  # x: (n, ..., d)
        kept = kernels.masked(ones, dropout_mask(ones, self.rate, f"{self.path}.depth", on))
        kept = kept.reshape(-1, *(1,) * (x.ndim - 1))
        return x * kept, kept

    def backward(self, dy: Array, cache: Cache) -> Array:
        return dy if cache is None else dy * cache

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
