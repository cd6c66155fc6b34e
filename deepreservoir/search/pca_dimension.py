"""The number of principal components of the rows: the dimension of a task for linear methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.decomposition import PCA

#: Maximum number of features of sparse rows for which their dense covariance is computed.
SPARSE_FEATURES = 4096


def components_for(X: Any, share: float) -> int | None:
    """Return the smallest number of principal components that explain a share of the variance.

    Parameters
    ----------
    X : array-like or sparse matrix, shape (n_samples, n_features)
    share : float
        In (0, 1).

    Returns
    -------
    int or None
        0 if all rows are equal; None for sparse rows of more than `SPARSE_FEATURES` features, and
        for X that is not a matrix, such as series and graphs.

    Examples
    --------
    >>> line = np.outer(np.arange(9.0), [1, 2, 3])
    >>> components_for(line, 0.95)
    1
    """
    sparse = scipy.sparse.issparse(X)
    if sparse and X.shape[1] > SPARSE_FEATURES:
        return None
    if not (sparse or _is_matrix(X)):
        return None
    X = X.astype(np.float64) if sparse else np.asarray(X, dtype=np.float64)
    widths = X.max(axis=0) - X.min(axis=0)
    if not (widths.nnz if sparse else widths.any()):
        return 0
    solver = "covariance_eigh" if sparse else "auto"
    return int(PCA(share, svd_solver=solver).fit(X).n_components_)


def _is_matrix(X: Any) -> bool:
    try:
        return bool(np.ndim(X) == 2)
    except ValueError:  # a list of series of different lengths
        return False
