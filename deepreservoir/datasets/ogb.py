"""OGBN-Arxiv from the CSV files of the Open Graph Benchmark, where a user has them."""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np
import scipy.sparse

from ..inputs import Nodes
from .base import Dataset
from .idx import DatasetUnavailable
from .local_files import find, missing

_FOLDER = "ogbn_arxiv"
_SOURCE = "https://snap.stanford.edu/ogb/data/nodeproppred/arxiv.zip"

#: Rows and columns of each file; no file has more than this many bytes per number.
_SHAPES = {
    "raw/edge.csv.gz": (1_166_243, 2),
    "raw/node-feat.csv.gz": (169_343, 128),
    "raw/node-label.csv.gz": (169_343, 1),
    "split/time/train.csv.gz": (90_941, 1),
    "split/time/valid.csv.gz": (29_799, 1),
    "split/time/test.csv.gz": (48_603, 1),
}
_BYTES_PER_NUMBER = 32


def _table(name: str, dtype: type) -> np.ndarray:
    path = find(_FOLDER, name)
    if path is None:
        raise missing("arxiv", _FOLDER, name, _SOURCE)
    rows, columns = _SHAPES[name]
    limit = rows * columns * _BYTES_PER_NUMBER
    try:
        with gzip.open(path) as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"more than {limit:,} bytes")
        table: np.ndarray = np.loadtxt(io.BytesIO(content), dtype, delimiter=",", ndmin=2)
        if table.shape != (rows, columns):
            raise ValueError(f"a table of shape {table.shape}")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DatasetUnavailable(
            f"{path} must be a gzip file with a CSV table of shape ({rows}, {columns}); found "
            f"{error}. Delete it and copy it again"
        ) from None
    return table


def arxiv() -> Dataset:
    """Return OGBN-Arxiv (Hu et al., 2020) with the split by time, its citations undirected.

    Raises
    ------
    DatasetUnavailable
        If a file is missing or is not one of the published shape.
    """
    edges = _table("raw/edge.csv.gz", np.int64)
    features = _table("raw/node-feat.csv.gz", np.float32)
    y = _table("raw/node-label.csv.gz", np.int64)[:, 0]
    train, test = (
        _table(f"split/time/{part}.csv.gz", np.int64)[:, 0] for part in ("train", "test")
    )
    n = len(features)
    for name, index in (("edge", edges), ("train", train), ("test", test)):
        if index.min() < 0 or index.max() >= n:
            raise DatasetUnavailable(
                f"the nodes in {name}.csv.gz of arxiv must be from 0 to {n - 1}; got "
                f"{index.min()} to {index.max()}"
            )
    kept = edges[edges[:, 0] != edges[:, 1]]
    matrix = scipy.sparse.coo_matrix((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), (n, n)).tocsr()
    adjacency = matrix.maximum(matrix.T).sign()  # each citation once, in both directions
    nodes = Nodes(features, adjacency)
    return Dataset("arxiv", nodes[train], y[train], nodes[test], y[test])
