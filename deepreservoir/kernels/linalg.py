"""Linear algebra whose interfaces differ between NumPy, SciPy and CuPy.

CuPy's solvers fail silently by default; here they raise exceptions, as NumPy's do.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from ..backend import Array, array_module
from .products import product


def linear(x: Array, W: Array) -> Array:
    """Return ``x W^T`` for x (..., d_in) and W (d_out, d_in): (..., d_out)."""
    if array_module(x, W) is np:
        return product(x, W.T)
    # As one product, because CuPy would loop over the leading axes.
    return product(x.reshape(-1, x.shape[-1]), W.T).reshape(*x.shape[:-1], len(W))


def solve(a: Array, b: Array) -> Array:
    """Solve one or several square systems: a (..., n, n), b (..., n, m) -> (..., n, m).

    Raises
    ------
    numpy.linalg.LinAlgError
        If a system is singular.
    """
    xp = array_module(a, b)
    if xp is np:
        return np.linalg.solve(a, b)
    import cupyx

    with cupyx.errstate(linalg="raise"):
        return xp.linalg.solve(a, b)


def solve_positive(a: Array, b: Array) -> Array:
    """Solve a symmetric, positive definite system by Cholesky; `a` may be overwritten.

    Parameters
    ----------
    a : array of float64, shape (n, n)
    b : array of float64, shape (n, m)

    Returns
    -------
    array of float64, shape (n, m)

    Raises
    ------
    numpy.linalg.LinAlgError
        If `a` is not positive definite.
    """
    xp = array_module(a, b)
    if xp is np:
        factor = scipy.linalg.cho_factor(a, overwrite_a=True, check_finite=False)
        return scipy.linalg.cho_solve(factor, b, check_finite=False)
    import cupyx
    from cupyx.scipy.linalg import solve_triangular

    with cupyx.errstate(linalg="raise"):
        lower = xp.linalg.cholesky(a)
    half = solve_triangular(lower, b, lower=True)
    return solve_triangular(lower, half, trans="T", lower=True)


def eigh(a: Array) -> tuple[Array, Array]:
    """Return ascending eigenvalues and eigenvectors of symmetric `a`, which may be overwritten."""
    xp = array_module(a)
    if xp is np:
        return scipy.linalg.eigh(a, overwrite_a=True, check_finite=False)
    import cupyx

    with cupyx.errstate(linalg="raise"):
        return xp.linalg.eigh(a)


def leading_vectors(a: Array, k: int) -> Array:
    """Return the eigenvectors of the k largest eigenvalues of a symmetric matrix, in order.

    Parameters
    ----------
    a : array of float64, shape (n, n)
        May be overwritten.
    k : int

    Returns
    -------
    array of float64, shape (k, n)

    Raises
    ------
    ValueError
        If `a` is not finite.
    """
    n = len(a)
    if array_module(a) is np:
        last = (n - k, n - 1)
        vectors = scipy.linalg.eigh(a, subset_by_index=last, overwrite_a=True)[1]
    else:
        if not bool(array_module(a).isfinite(a).all()):
            raise ValueError("array must not contain infs or NaNs")
        vectors = eigh(a)[1][:, n - k :]
    return vectors[:, ::-1].T.copy()
