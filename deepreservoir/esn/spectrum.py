"""The spectral radius of recurrent weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from scipy.sparse.csgraph import connected_components

# Up to this size all eigenvalues are computed; above it, only the largest few (Arnoldi).
_DENSE_LIMIT = 512


def spectral_radius_of(weights: Any) -> float:
    """Return the largest magnitude of the eigenvalues of a square matrix.

    Parameters
    ----------
    weights : ndarray or sparse matrix, shape (units, units)

    Returns
    -------
    float
        Accurate to about ten digits, and exact for sparse weights without cycles, such as
        nilpotent ones.

    Examples
    --------
    >>> spectral_radius_of(np.diag([0.5, -2.0]))
    2.0
    """
    weights = weights.astype(np.float64)
    if not scipy.sparse.issparse(weights):
        return _largest(weights)
    links = weights.tocsr()
    links.eliminate_zeros()
    # Ordered by strongly connected components, the matrix is block triangular, so only the
    # diagonal blocks have eigenvalues. Rounding would turn the other weights into large ones.
    _, labels = connected_components(links, connection="strong")
    sizes = np.bincount(labels)
    # The link of a unit to itself is an eigenvalue only if the unit is in no longer cycle.
    alone = np.abs(links.diagonal())[sizes[labels] == 1]
    radius = float(alone.max(initial=0.0))
    for label in np.flatnonzero(sizes > 1):
        members = np.flatnonzero(labels == label)
        radius = max(radius, _largest(links[members][:, members]))
    return radius


def _largest(weights: Any) -> float:
    units = weights.shape[0]
    if units > _DENSE_LIMIT:
        # The eigenvalues of random weights are dense at the edge of a disc, so Arnoldi's method
        # needs a large subspace.
        start = np.ones(units) / np.sqrt(units)
        try:
            values = scipy.sparse.linalg.eigs(
                weights, k=4, ncv=96, v0=start, tol=1e-10, return_eigenvectors=False
            )
        except scipy.sparse.linalg.ArpackNoConvergence:
            pass  # no dominant eigenvalue; compute all of them
        else:
            return float(np.abs(values).max())
    dense = weights.toarray() if scipy.sparse.issparse(weights) else weights
    return float(np.abs(scipy.linalg.eigvals(dense)).max())
