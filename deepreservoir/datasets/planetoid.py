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

from ..inputs import Nodes
from .base import Dataset
from .citations import scaled_rows
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
    for part in _PARTS:
        path = find(_FOLDER, f"ind.{name}.{part}")
        if path is None:
            files = ", ".join(f"ind.{name}.{each}" for each in _PARTS)
            raise missing(name, _FOLDER, files, _SOURCE)
        parts[part] = _read(path)
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


def planetoid(name: str) -> Dataset:
    """Return a graph of Planetoid as a data set."""
    graph = read_planetoid(name)
    nodes, y = Nodes(scaled_rows(graph.features), graph.adjacency), graph.y
    train, test = graph.train, graph.test
    return Dataset(name, nodes[train], y[train], nodes[test], y[test])
