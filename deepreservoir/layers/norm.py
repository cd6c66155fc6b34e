"""Layer normalisation, and normalisation by the root of the mean square."""

from __future__ import annotations

from .. import kernels
from ..backend import Array
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass, as_rows, like_rows
from .multiply_adds import MultiplyAdds


class LayerNorm(Layer):
    """``y = weight (x - mean) / sqrt(var + eps) + bias`` over the features (Ba et al., 2016).

    Parameters
    ----------
    path : str
    width : int
    eps : float, default=1e-5
    trained : bool, default=True
        Whether weight and bias are trained, from one and zero on; otherwise they stay there.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.layers import LayerNorm
    >>> y, _ = LayerNorm("norm", 3, trained=False).forward(np.array([[1.0, 2.0, 3.0]]))
    >>> y.round(3)
    array([[-1.225,  0.   ,  1.225]])
    """

    weight: Array
    dweight: Array
    bias: Array
    dbias: Array

    def __init__(self, path: str, width: int, eps: float = 1e-5, trained: bool = True) -> None:
        super().__init__(path)
        self.width = width
        self.eps = eps
        self.trained = trained

    def own_slots(self) -> list[Slot]:
        if not self.trained:
            return []
        return [
            Slot(f"{self.path}.weight", (self.width,), "norm", init=1.0),
            Slot(f"{self.path}.bias", (self.width,), "norm", init=0.0),
        ]

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        weight, bias = (self.weight, self.bias) if self.trained else (None, None)
        y, xhat, inverse = kernels.layer_norm(as_rows(x), weight, bias, self.eps)
        return like_rows(y, x), (xhat, inverse) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        xhat, inverse = cache  # (n, width), (n, 1)
        weight = self.weight if self.trained else None
        dx, dweight, dbias = kernels.layer_norm_backward(as_rows(dy), xhat, inverse, weight)
        if self.trained:
            self.dweight += dweight
            self.dbias += dbias
        return like_rows(dx, dy)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()


class RMSNorm(Layer):
    """``y = gain x / sqrt(mean(x^2) + eps)`` over the features (Zhang and Sennrich, 2019).

    Parameters
    ----------
    path : str
    width : int
    eps : float, default=1e-5
    trained : bool, default=True
        Whether the gains are trained, from ones on; otherwise they stay at one.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.layers import RMSNorm
    >>> y, _ = RMSNorm("norm", 2, trained=False).forward(np.array([[1.0, 7.0]]))
    >>> y.round(3)
    array([[0.2, 1.4]])
    """

    weight: Array  # (width,)
    dweight: Array

    def __init__(self, path: str, width: int, eps: float = 1e-5, trained: bool = True) -> None:
        super().__init__(path)
        self.width = width
        self.eps = eps
        self.trained = trained

    def own_slots(self) -> list[Slot]:
        return [Slot(f"{self.path}.weight", (self.width,), "norm", init=1.0)] * self.trained

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        rows = as_rows(x)
        y, inverse = kernels.rms_norm(rows, self._gain, self.eps)
        return like_rows(y, x), (rows, inverse) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        x, inverse = cache  # (n, width), (n, 1)
        rows = as_rows(dy)
        if self.trained:
            self.dweight += (rows * x * inverse).sum(axis=0)
        return like_rows(kernels.rms_norm_backward(rows, x, inverse, self._gain), dy)

    @property
    def _gain(self) -> Array | None:
        return self.weight if self.trained else None

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return MultiplyAdds()
