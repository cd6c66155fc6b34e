"""An adapted layer with ReLU and dropout on the host, in as few calls as possible.

In a step of a narrow network, calls take as long as arithmetic. Only the matrix products are left
to the BLAS; the loops between them are compiled. Their NumPy reference is the dense layer and its
activation, one after the other.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array
from . import compiled
from .dropout import Drop, loop_arguments
from .low_rank import MAX_COMPILED_RANK

_NO_BIAS = np.empty(0, np.float32)


def suits_adapted_relu(x: Array, rank: int, size: int) -> bool:
    """Return whether the functions of this module serve rows x (n, d_in).

    Parameters
    ----------
    x : array, shape (n, d_in)
    rank : int
    size : int
        Number of entries of the widest array of the network's layers.
    """
    large = size >= compiled.SMALLEST and rank <= MAX_COMPILED_RANK
    return large and type(x) is np.ndarray and x.dtype == np.float32 and compiled.available()


def adapted_relu(
    base: np.ndarray,
    beta: np.ndarray | float,
    z: np.ndarray,
    scaling: float,
    B: np.ndarray,
    bias: np.ndarray | None,
    drop: Drop | None,
    overwrite: bool = False,
) -> np.ndarray:
    """Return ``max(beta base + s z B^T + bias, 0)`` times a dropout mask.

    Parameters
    ----------
    base : ndarray, shape (n, d_out)
        Product with the frozen matrix.
    beta : ndarray of shape (1,), or float
    z : ndarray, shape (n, rank)
        Multiplied by the scaling in place.
    scaling : float
    B : ndarray, shape (d_out, rank)
    bias : ndarray, shape (d_out,), optional
    drop : Drop, optional
    overwrite : bool, default=False
        Whether the result may replace base.

    Returns
    -------
    ndarray, shape (n, d_out)
    """
    y = base if overwrite else np.empty_like(base)
    compiled.dense_loops().adapted_relu(
        base,
        compiled.number_of(beta, base),
        z,
        base.dtype.type(scaling),
        B,
        _NO_BIAS if bias is None else bias,
        *loop_arguments(drop),
        y,
    )
    return y


def adapted_input_gradient_(
    g: np.ndarray,
    beta: np.ndarray | float,
    u: np.ndarray,
    scaling: float,
    A: np.ndarray,
    x: np.ndarray,
) -> np.floating:
    """Replace g by ``beta g + s u A`` and u by s u, and return the sum of the entries of g x.

    Parameters
    ----------
    g : ndarray, shape (n, d_in)
        Product of the gradient of the outputs with the frozen matrix.
    beta : ndarray of shape (1,), or float
    u : ndarray, shape (n, rank)
    scaling : float
    A : ndarray, shape (rank, d_in)
    x : ndarray, shape (n, d_in)

    Returns
    -------
    float32
        The gradient of beta.
    """
    loop = compiled.dense_loops().adapted_input_gradient_
    dbeta: np.floating = loop(g, compiled.number_of(beta, g), u, g.dtype.type(scaling), A, x)
    return dbeta
