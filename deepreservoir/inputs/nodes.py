"""The nodes of one graph as samples: a container for users, its reader and its batches."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import scipy.sparse

from ..backend import Array, Device, to_device
from ..kernels.sparse import csr
from .base import Batch, Index, Inputs
from .finite import cast_finite
from .table import TableReader

# Features that have been summed over neighbours are kept as a CSR matrix up to this density.
_SPARSE_DENSITY = 0.2


class Nodes:
    """Nodes of one graph, as samples that can be selected like the rows of an array.

    A selection of nodes keeps the whole graph, so that folds, searches and held-out sets of
    scikit-learn leave out labels and not neighbours. As a NumPy array, it is the features of the
    selected nodes.

    Parameters
    ----------
    features : array-like or CSR matrix, shape (n_nodes, n_features)
        Features of all nodes of the graph.
    adjacency : sparse or dense matrix, shape (n_nodes, n_nodes)
        Weights of the edges, not negative: symmetric, and without self-loops.
    index : array of int, shape (n_samples,), optional
        The selected nodes; all by default.

    Raises
    ------
    ValueError
        If the shapes do not agree, or the adjacency is not such a matrix; the message names the
        entry.

    Examples
    --------
    >>> import scipy.sparse
    >>> path = scipy.sparse.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> nodes = Nodes(np.eye(3), path)
    >>> ends = nodes[[0, 2]]
    >>> len(ends), ends.shape, ends.adjacency.shape
    (2, (2, 3), (3, 3))
    """

    def __init__(self, features: Any, adjacency: Any, index: Any = None) -> None:
        if not hasattr(features, "shape"):
            features = np.asarray(features)
        if len(features.shape) != 2:
            raise ValueError(
                f"features must have 2 axes, (n_nodes, n_features); got shape {features.shape}"
            )
        self.features = features
        self.adjacency = checked_adjacency(adjacency, int(features.shape[0]))
        n = self.adjacency.shape[0]
        self.index = np.arange(n) if index is None else np.arange(n)[np.asarray(index)]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_samples, n_features)."""
        return len(self.index), int(self.features.shape[1])

    @property
    def ndim(self) -> int:
        """Number of axes: 2."""
        return 2

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: Any) -> Nodes:
        if isinstance(key, tuple):  # as scikit-learn selects rows of an array
            key = key[0]
        if isinstance(key, list):
            key = np.asarray(key, dtype=None if key else np.intp)
        part = copy.copy(self)
        part.index = np.atleast_1d(self.index[key])
        return part

    def with_features(self, features: Any) -> Nodes:
        """Return the same nodes of the same graph with other features."""
        other = copy.copy(self)
        other.features = features
        return other

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        features: Any = self.features
        if scipy.sparse.issparse(features):
            return np.asarray(features.tocsr()[self.index].toarray(), dtype)
        return np.asarray(np.asarray(features)[self.index], dtype)

    def __repr__(self) -> str:
        n, d = self.features.shape
        return f"<{len(self)} of {n} nodes, {d} features, {self.adjacency.nnz // 2} edges>"


#: Relative difference of two weights that are one, computed in another order.
_ROUNDING = 1e-12


def checked_adjacency(adjacency: Any, n_nodes: int) -> scipy.sparse.csr_matrix:
    """Return an adjacency as a CSR matrix of float64, or raise an error that names the entry.

    Raises
    ------
    ValueError
        If it is not square, does not have `n_nodes` rows, is not symmetric, or has a self-loop or
        a weight that is negative or not finite.
    """
    matrix = scipy.sparse.csr_matrix(adjacency, dtype=np.float64, copy=True)
    if matrix.shape != (n_nodes, n_nodes):
        raise ValueError(
            f"adjacency must have one row and one column per node, shape ({n_nodes}, {n_nodes}), "
            f"as the features have {n_nodes} rows; got shape {matrix.shape}"
        )
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    wrong = ~(np.isfinite(matrix.data) & (matrix.data > 0))
    if wrong.any():
        i, j, value = _first(matrix, wrong)
        raise ValueError(
            f"adjacency must hold finite weights that are not negative; adjacency[{i}, {j}] is "
            f"{value:g}"
        )
    loops = np.flatnonzero(matrix.diagonal())
    if loops.size:
        i = int(loops[0])
        raise ValueError(
            f"adjacency must be without self-loops, which are added internally; adjacency[{i}, "
            f"{i}] is {matrix[i, i]:g}. Remove them with adjacency.setdiag(0)"
        )
    difference = (matrix - matrix.T).tocsr()
    difference.eliminate_zeros()
    if not difference.nnz:
        return matrix
    # A product such as D A D is symmetric up to rounding.
    largest = matrix.maximum(matrix.T).multiply(difference != 0).tocsr()
    far = (abs(difference) > _ROUNDING * largest).tocsr()
    far.eliminate_zeros()
    if far.nnz:
        i, j, _ = _first(far, np.ones(far.nnz, bool))
        raise ValueError(
            f"adjacency must be symmetric; adjacency[{i}, {j}] is {matrix[i, j]:.17g}, but "
            f"adjacency[{j}, {i}] is {matrix[j, i]:.17g}. Use adjacency.maximum(adjacency.T)"
        )
    return ((matrix + matrix.T) / 2).tocsr()


def _first(matrix: scipy.sparse.csr_matrix, where: np.ndarray) -> tuple[int, int, float]:
    """Return row, column and value of the first stored entry at which `where` is true."""
    at = int(np.flatnonzero(where)[0])
    row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
    return row, int(matrix.indices[at]), float(matrix.data[at])


def normalised_adjacency(adjacency: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """Return ``D^-1/2 (A + I) D^-1/2`` with D the row sums of A + I (Kipf and Welling, 2017).

    Examples
    --------
    >>> pair = scipy.sparse.csr_matrix(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> normalised_adjacency(pair).toarray().round(3)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    n = adjacency.shape[0]
    with_loops = (adjacency + scipy.sparse.identity(n, format="csr")).tocsr()
    factors = 1 / np.sqrt(np.asarray(with_loops.sum(axis=1)).ravel())
    scale = scipy.sparse.diags(factors)
    return (scale @ with_loops @ scale).tocsr()


class NodeInputs(Inputs):
    """Nodes of one graph; every batch holds the whole graph, and selects some of its nodes.

    The features come summed over neighbours, ``S X`` with S of :func:`normalised_adjacency`: no
    weight acts before, so the sum is computed once. Side arrays are ``adjacency``, S (n_nodes,
    n_nodes), and ``rows``, the rows of S of the selected nodes.

    Parameters
    ----------
    nodes : Nodes
        With features that have been validated: an array or a CSR matrix.
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}

    Examples
    --------
    >>> path = scipy.sparse.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> inputs = NodeInputs(Nodes(np.eye(3), path), np.float32)
    >>> batch = inputs.take(np.array([2]))
    >>> batch.x.shape, batch.side["adjacency"].shape, batch.side["rows"].shape
    ((3, 3), (3, 3), (1, 3))
    """

    side_names = ("adjacency", "rows")

    def __init__(self, nodes: Nodes, dtype: np.dtype[Any] | type, device: Device = "cpu") -> None:
        self.dtype = np.dtype(dtype)
        self.device: Device = device
        self.index = nodes.index
        self._host = normalised_adjacency(nodes.adjacency).astype(self.dtype)
        if scipy.sparse.issparse(nodes.features):
            features = nodes.features.copy()
            features.data = cast_finite(features.data, self.dtype)
        else:
            features = cast_finite(nodes.features, self.dtype)
        x = self._host @ features
        if scipy.sparse.issparse(x):
            sparse = device == "cpu" and x.nnz <= _SPARSE_DENSITY * np.prod(x.shape)
            x = x.tocsr() if sparse else x.toarray()
        self._x = x if scipy.sparse.issparse(x) else to_device(np.ascontiguousarray(x), device)
        self._adjacency = self._placed(self._host)
        self._last: tuple[np.ndarray, Batch] | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def takes_device_index(self) -> bool:
        return False

    def _placed(self, matrix: scipy.sparse.csr_matrix) -> Any:
        if self.device == "cpu":
            return matrix
        parts = (matrix.data, matrix.indices, matrix.indptr)
        data, indices, indptr = (to_device(part, self.device) for part in parts)
        return csr(data, indices, indptr, matrix.shape)

    def take(self, index: Array, step: int | None = None) -> Batch:
        """Return the whole graph, with the nodes at `index` selected.

        The batch shares its arrays with that of the call before if the index is the same.
        """
        last = self._last  # read once: another thread may replace it
        if last is not None and np.array_equal(last[0], index):
            return last[1]
        rows = self._placed(self._host[self.index[index]])
        batch = Batch(self._x, {"adjacency": self._adjacency, "rows": rows})
        self._last = np.array(index), batch
        return batch

    def subset(self, index: np.ndarray) -> Self:
        part = copy.copy(self)
        part.index, part._last = self.index[index], None
        return part

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        """Yield all samples as one chunk: each node needs the nodes around it."""
        if len(self):
            yield slice(0, len(self)), self.take(np.arange(len(self)))

    @property
    def n_product_rows(self) -> int:
        return int(self._x.shape[0])

    def product_rows(self, index: Any) -> Any:
        return slice(None)

    def keys(self) -> None:
        """Return None: equal nodes have different neighbours, and are not merged."""

    def digest(self) -> str:
        sha = hashlib.sha256(f"nodes{self._x.shape}{self.dtype}".encode())
        x, matrix = self._x, self._host
        parts = (x.data, x.indices, x.indptr) if scipy.sparse.issparse(x) else (x,)
        for array in (*parts, matrix.data, matrix.indices, matrix.indptr, self.index):
            sha.update(np.ascontiguousarray(to_device(array, "cpu")).data)
        return sha.hexdigest()


class NodeReader(TableReader):
    """The reader of :class:`Nodes`; only the number of features is fitted.

    Parameters
    ----------
    n_features : int, default=0
        Set by :meth:`fit`.

    Examples
    --------
    >>> path = scipy.sparse.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> nodes = Nodes(np.eye(3), path)
    >>> reader = NodeReader().fit(nodes)
    >>> reader.sizes(), len(reader.read(nodes[[0, 2]], np.float32, "cpu"))
    ({'n_features': 3}, 2)
    """

    def read(self, X: Nodes, dtype: np.dtype[Any] | type, device: Device) -> NodeInputs:  # type: ignore[override]
        return NodeInputs(X, dtype, device)
