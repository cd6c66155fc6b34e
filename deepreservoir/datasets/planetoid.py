"""Citeseer and Pubmed in the files of Planetoid, which are pickles: read without running them.

A pickle may call any function that it names. This reader knows the eight names that the published
files use, replaces those that allocate by its own, and refuses every other name.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from .idx import DatasetUnavailable
from .local_files import find, missing

_FOLDER = "planetoid"
_SOURCE = "https://github.com/kimiyoung/planetoid/tree/master/data"
_PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
_MAX_BYTES = 64 << 20


class _Csr:
    """The state of a CSR matrix in a pickle."""


def _empty(*arguments: Any) -> np.ndarray:
    """Stand for NumPy's constructor; the array's state, which follows, has its values."""
    return np.ndarray((0,), np.int8)


def _instance(cls: Any, base: type, state: None) -> Any:
    return cls()


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("scipy.sparse.csr", "csr_matrix"): _Csr,
    ("scipy.sparse._csr", "csr_matrix"): _Csr,
    ("copy_reg", "_reconstructor"): _instance,
    ("copyreg", "_reconstructor"): _instance,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}


class _Reader(pickle.Unpickler):
    """An unpickler that knows the names in Planetoid's files only."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not known here")
        return _KNOWN[module, name]


class PlanetoidGraph(NamedTuple):
    """Features, adjacency, labels, and the training and test nodes of the public split."""

    features: scipy.sparse.csr_matrix
    adjacency: scipy.sparse.csr_matrix
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray


def _read(path: Path) -> Any:
    if path.stat().st_size > _MAX_BYTES:
        raise DatasetUnavailable(
            f"{path} must have at most {_MAX_BYTES:,} bytes; it has {path.stat().st_size:,}"
        )
    try:
        with path.open("rb") as stream:
            if path.name.endswith("test.index"):
                return np.array(stream.read().split(), np.int64)
            return _plain(_Reader(stream, encoding="latin1").load())
    except Exception as error:  # a damaged pickle raises many types
        raise DatasetUnavailable(
            f"{path} is not a file of Planetoid: {error}. Delete it and copy it again"
        ) from None


def _plain(value: Any) -> Any:
    """Return a matrix, an array or a dict of neighbours, checked."""
    if isinstance(value, _Csr):
        state = vars(value)
        data, indices, indptr = (np.asarray(state[k]) for k in ("data", "indices", "indptr"))
        rows, columns = (int(n) for n in state["_shape"])
        matrix = scipy.sparse.csr_matrix((data, indices, indptr), (rows, columns))
        matrix.check_format(full_check=True)
        return matrix
    if isinstance(value, dict):
        return {int(node): [int(n) for n in others] for node, others in value.items()}
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise ValueError(f"it holds a {type(value).__name__}")
    return value


def _check(parts: dict[str, Any]) -> None:
    """Raise an error if the parts are not those of one graph."""
    matrices = {name: parts[name] for name in ("x", "tx", "allx")}
    labels = {name: parts[name] for name in ("y", "ty", "ally")}
    if not all(map(scipy.sparse.issparse, matrices.values())):
        raise ValueError("x, tx and allx must be sparse matrices")
    if not all(isinstance(part, np.ndarray) and part.ndim == 2 for part in labels.values()):
        raise ValueError("y, ty and ally must be arrays with a column per class")
    if not isinstance(parts["graph"], dict):
        raise ValueError("graph must be a dict of neighbours")
    for group in (matrices, labels):
        if len({part.shape[1] for part in group.values()}) > 1:
            raise ValueError(f"{', '.join(group)} must have as many columns")
    test, n_train, first = parts["test.index"], len(parts["y"]), len(parts["ally"])
    rows = {name: part.shape[0] for name, part in {**matrices, **labels}.items()}
    if not len(test) == rows["tx"] == rows["ty"] > 0 or test.min() < first:
        raise ValueError(
            "test.index must name a node after those of allx for each row of tx and ty"
        )
    if rows["allx"] != first or rows["x"] != n_train or not 0 < n_train <= first:
        raise ValueError("y must be the labels of x, and ally those of allx, which has x in it")
    nodes = {*parts["graph"], *(i for others in parts["graph"].values() for i in others)}
    outside = [node for node in sorted(nodes) if not 0 <= node <= test.max()]
    if outside:
        raise ValueError(f"graph must join nodes from 0 to {test.max()}; it has {outside[0]}")


def read_planetoid(name: str) -> PlanetoidGraph:
    """Return a graph of Planetoid (Yang et al., 2016), with its public split.

    Test nodes without features, which Citeseer has, get features and a label of zero.

    Parameters
    ----------
    name : {"citeseer", "pubmed", "cora"}

    Raises
    ------
    DatasetUnavailable
        If a file is missing, damaged, or names anything but arrays, matrices and lists.
    """
    parts: dict[str, Any] = {}
    folder = Path()
    for part in _PARTS:
        path = find(_FOLDER, f"ind.{name}.{part}")
        if path is None:
            files = ", ".join(f"ind.{name}.{each}" for each in _PARTS)
            raise missing(name, _FOLDER, files, _SOURCE)
        parts[part], folder = _read(path), path.parent
    try:
        _check(parts)
    except ValueError as error:
        raise DatasetUnavailable(
            f"the files ind.{name}.* in {folder} do not belong together: {error}. Copy them again"
        ) from None
    test = parts["test.index"]
    first, n = len(parts["ally"]), int(test.max()) + 1
    features = scipy.sparse.lil_matrix((n, parts["allx"].shape[1]))
    features[:first] = parts["allx"]
    features[test] = parts["tx"]
    labels = np.zeros((n, parts["ally"].shape[1]))
    labels[:first], labels[test] = parts["ally"], parts["ty"]
    pairs = [(i, j) for i, others in parts["graph"].items() for j in others if i != j]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    matrix = scipy.sparse.csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (n, n))
    adjacency = matrix.maximum(matrix.T).sign()
    train = np.arange(len(parts["y"]))
    return PlanetoidGraph(features.tocsr(), adjacency, labels.argmax(axis=1), train, np.sort(test))
