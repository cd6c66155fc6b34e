"""Sparse matrices for products with dense arrays, on the host or on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from ..backend import Array, array_module


def csr(data: Array, indices: Array, indptr: Array, shape: tuple[int, int]) -> Any:
    """Return a CSR matrix where its arrays are: of ``scipy.sparse``, or of ``cupyx``.

    Parameters
    ----------
    data, indices : array, shape (nnz,)
    indptr : array, shape (shape[0] + 1,)
    shape : (int, int)

    Returns
    -------
    csr_matrix
        ``matrix @ x`` and ``matrix.T @ x`` are dense arrays for a dense x (n, d).

    Examples
    --------
    >>> eye = csr(np.ones(2), np.arange(2), np.arange(3), (2, 2))
    >>> eye @ np.array([[1.0], [2.0]])
    array([[1.],
           [2.]])
    """
    if array_module(data) is np:
        return scipy.sparse.csr_matrix((data, indices, indptr), shape)
    from cupyx.scipy.sparse import csr_matrix

    return csr_matrix((data, indices, indptr), shape)


def row_maxima(x: Array, indptr: Array) -> Array:
    """Return the maxima over consecutive segments of rows; zeros for an empty segment.

    Parameters
    ----------
    x : array, shape (n, d)
    indptr : array of int, shape (n_segments + 1,)
        Segment i consists of the rows from ``indptr[i]`` to ``indptr[i + 1] - 1``.

    Returns
    -------
    array, shape (n_segments, d)

    Examples
    --------
    >>> row_maxima(np.array([[1.0], [3.0], [2.0]]), np.array([0, 2, 2, 3]))
    array([[3.],
           [0.],
           [2.]])
    """
    xp = array_module(x)
    out = xp.zeros((len(indptr) - 1, x.shape[1]), x.dtype)
    filled = xp.flatnonzero(indptr[1:] > indptr[:-1])
    if xp is np:
        if len(filled):
            out[filled] = np.maximum.reduceat(x, indptr[filled], axis=0)
        return out
    out[filled] = -xp.inf
    owner = xp.repeat(xp.arange(len(indptr) - 1), [int(k) for k in indptr[1:] - indptr[:-1]])
    xp.maximum.at(out, owner, x)
    return out
