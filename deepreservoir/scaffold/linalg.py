"""The linear algebra of two families: orthogonal and spectral radius.

Both are computed on the host in float64 and rounded to float32. Unlike the look-ups of the
other families, their last bits can depend on the LAPACK in use; digests detect that.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

# Up to this width all eigenvalues are computed; above it, the largest few by Arnoldi.
_DENSE_LIMIT = 1024


def orthogonal(normal: np.ndarray) -> np.ndarray:
    """Return orthonormal rows, or columns if these are fewer, computed from normal entries.

    Parameters
    ----------
    normal : ndarray, shape (d_out, d_in)

    Returns
    -------
    ndarray of float32, shape (d_out, d_in)
        Uniform on the Stiefel manifold: Q of a QR decomposition in which R's diagonal is positive.
    """
    wide = normal.shape[0] < normal.shape[1]
    columns = normal.T if wide else normal
    q, r = scipy.linalg.qr(columns.astype(np.float64), mode="economic")
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q.T if wide else q, dtype=np.float32)


def spectral_factor(matrix: np.ndarray, target: float) -> float:
    """Return the factor that scales `matrix` to the spectral radius `target`.

    For a matrix that is not square, the largest singular value is used instead of the spectral
    radius.
    """
    a = matrix.astype(np.float64)
    rows, cols = a.shape
    if rows != cols:
        norm = np.linalg.norm(a, 2) if min(a.shape) <= _DENSE_LIMIT else _largest_singular(a)
        return target / float(norm)
    if rows <= _DENSE_LIMIT:
        return target / float(np.abs(scipy.linalg.eigvals(a)).max())
    # A random matrix has many eigenvalues near the edge of its disc, so Arnoldi needs a large ncv.
    start = np.ones(rows) / np.sqrt(rows)
    values = scipy.sparse.linalg.eigs(
        a, k=6, ncv=128, v0=start, which="LM", tol=1e-10, return_eigenvectors=False
    )
    return target / float(np.abs(values).max())


def _largest_singular(a: np.ndarray) -> float:
    start = np.ones(min(a.shape)) / np.sqrt(min(a.shape))
    return float(
        scipy.sparse.linalg.svds(a, k=1, v0=start, tol=1e-10, return_singular_vectors=False)[0]
    )
