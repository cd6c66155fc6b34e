"""Clipping of gradients."""

from __future__ import annotations

from ..backend import Array, array_module
from ..kernels import dot


def clip_global_norm(grad: Array, limit: float) -> None:
    """Scale `grad` in place so that its Euclidean norm is at most `limit`.

    Parameters
    ----------
    grad : array of float32 or float64, shape (n_params,)
        The gradient of all parameters, changed in place.
    limit : float
        Largest norm, positive.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir.optim import clip_global_norm
    >>> grad = np.array([3.0, 4.0])
    >>> clip_global_norm(grad, 1.0)
    >>> grad
    array([0.6, 0.8])
    """
    xp = array_module(grad)
    norm = xp.sqrt(dot(grad, grad))
    # A NaN norm stays NaN here, and training reports the loss as not finite.
    grad *= xp.minimum(1.0, limit / xp.maximum(norm, 1e-30)).astype(grad.dtype)
