"""Many graphs as samples: their reader, and batches that join graphs into one."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ..backend import Array, Device, to_device
from ..kernels.sparse import csr
from .base import Batch, Index, Inputs, Reader
from .finite import cast_finite
from .graph import Graph


class GraphInputs(Inputs):
    """Graphs, of which a batch is the disjoint union: their nodes and edges, one after the other.

    Edges are sorted by their target. With N nodes, M edges and G graphs in a batch, x is (N, d)
    and the side arrays are ``source`` and ``target`` (M,), the nodes that an edge joins;
    ``edge_attr`` (M, k), with k = 0 for edges without features; ``incoming`` and ``outgoing``, CSR
    matrices (N, M) that sum over the edges to or from each node; ``neighbours``, a CSR matrix
    (N, N) that sums over the sources of edges; and ``graphs``, a CSR matrix (G, N) that sums over
    the nodes of each graph.

    Parameters
    ----------
    graphs : sequence of Graph
        With features of the same kinds and widths.
    dtype : numpy dtype
    device : {"cpu", "cuda", "cuda:N"}

    Examples
    --------
    >>> from deepreservoir import Graph
    >>> path = Graph.undirected(x=[[0.5], [1.0], [2.0]], edges=[[0, 1], [1, 2]])
    >>> pair = Graph.undirected(x=[[3.0], [4.0]], edges=[[0], [1]])
    >>> batch = GraphInputs([path, pair], np.float32).take(np.array([0, 1]))
    >>> batch.x.shape, batch.side["source"].shape, batch.side["graphs"].shape
    ((5, 1), (6,), (2, 5))
    """

    side_names = ("source", "target", "edge_attr", "incoming", "outgoing", "neighbours", "graphs")

    def __init__(
        self, graphs: Sequence[Graph], dtype: np.dtype[Any] | type, device: Device = "cpu"
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.device: Device = device
        self._order = np.arange(len(graphs))
        self._nodes = np.array([graph.n_nodes for graph in graphs])  # per graph
        self._edges = np.array([graph.n_edges for graph in graphs])
        self._node_starts = _starts(self._nodes)
        self._edge_starts = _starts(self._edges)
        ends = np.concatenate([graph.edges for graph in graphs], axis=1)
        ends = ends + np.repeat(self._node_starts, self._edges)
        by_target = np.argsort(ends[1], kind="stable")
        self._source, self._target = ends[0][by_target], ends[1][by_target]
        self._by_source = np.argsort(self._source, kind="stable")
        n = int(self._nodes.sum())
        self._in_degree = np.bincount(self._target, minlength=n)
        self._out_degree = np.bincount(self._source, minlength=n)
        self._x = self._typed(np.concatenate([graph.x for graph in graphs]))
        attrs = [graph.edge_attr for graph in graphs if graph.edge_attr is not None]
        attr = np.concatenate(attrs) if attrs else np.empty((len(self._source), 0))
        self._edge_attr = self._typed(attr[by_target])

    def _typed(self, features: np.ndarray) -> np.ndarray:
        if features.dtype.kind != "f":
            return features.astype(np.int32)
        return cast_finite(features, self.dtype)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def takes_device_index(self) -> bool:
        return False

    def take(self, index: Array, step: int | None = None) -> Batch:
        chosen = self._order[index]
        n_nodes, n_edges = self._nodes[chosen], self._edges[chosen]
        nodes = _ranges(self._node_starts[chosen], n_nodes)
        edges = _ranges(self._edge_starts[chosen], n_edges)
        node_starts, edge_starts = _starts(n_nodes), _starts(n_edges)
        moved = np.repeat(node_starts - self._node_starts[chosen], n_edges)
        source, target = self._source[edges] + moved, self._target[edges] + moved
        n, m = len(nodes), len(edges)
        incoming = _bounds(self._in_degree[nodes])
        outgoing = _bounds(self._out_degree[nodes])
        by_source = self._by_source[edges]
        by_source = by_source + np.repeat(edge_starts - self._edge_starts[chosen], n_edges)
        side = {
            "source": to_device(source, self.device),
            "target": to_device(target, self.device),
            "edge_attr": to_device(self._edge_attr[edges], self.device),
            "incoming": self._sums(np.arange(m), incoming, (n, m)),
            "outgoing": self._sums(by_source, outgoing, (n, m)),
            "neighbours": self._sums(source, incoming, (n, n)),
            "graphs": self._sums(np.arange(n), _bounds(n_nodes), (len(chosen), n)),
        }
        return Batch(to_device(self._x[nodes], self.device), side)

    def _sums(self, indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, int]) -> Any:
        """Return a CSR matrix of ones."""
        parts = (np.ones(len(indices), self.dtype), indices, indptr)
        data, columns, bounds = (to_device(part, self.device) for part in parts)
        return csr(data, columns, bounds, shape)

    def subset(self, index: np.ndarray) -> Self:
        part = copy.copy(self)
        part._order = self._order[index]
        return part

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        """Yield (index, batch) over all graphs, each of at most about `nbytes`.

        Parameters
        ----------
        nbytes : int
        sample_bytes : int
            Bytes of one node or one edge.
        """
        sizes = self._nodes[self._order] + self._edges[self._order] + 1
        part = (np.cumsum(sizes) - sizes) * max(1, sample_bytes) // max(1, nbytes)
        bounds = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(self)]
        for start, stop in pairwise(bounds):
            if stop > start:
                yield slice(start, stop), self.take(np.arange(start, stop))

    def keys(self) -> None:
        """Return None: graphs are not merged."""

    def digest(self) -> str:
        sha = hashlib.sha256(f"graphs{len(self)}{self.dtype}".encode())
        arrays = (self._nodes, self._edges, self._x, self._source, self._target, self._edge_attr)
        for array in (*arrays, self._order):
            sha.update(f"{array.dtype.str}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def _starts(counts: np.ndarray) -> np.ndarray:
    """Return the position at which each of consecutive ranges of these lengths starts."""
    return np.cumsum(counts) - counts


def _bounds(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


def _ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the concatenation of the ranges [start, start + count)."""
    return np.repeat(starts - _starts(counts), counts) + np.arange(int(counts.sum()))


class GraphReader(Reader):
    """The reader of lists of graphs: the numbers of features, or of categories, are fitted.

    Parameters
    ----------
    node_categories, edge_categories : "auto" or sequence of int
        Number of categories of each column of integer codes; "auto" takes those that occur.

    Examples
    --------
    >>> from deepreservoir import Graph
    >>> path = Graph.undirected(x=[[0.5], [1.0], [2.0]], edges=[[0, 1], [1, 2]])
    >>> pair = Graph.undirected(x=[[3.0], [4.0]], edges=[[0], [1]])
    >>> reader = GraphReader().fit([path, pair])
    >>> reader.sizes()["n_node_features"], reader.sizes()["n_edge_features"]
    (1, 0)
    """

    def __init__(self, node_categories: Any = "auto", edge_categories: Any = "auto") -> None:
        self._given = {"node": node_categories, "edge": edge_categories}
        self._sizes: dict[str, Any] = {}

    def fit(self, X: Sequence[Graph]) -> Self:
        for kind, features in (("node", _node_features), ("edge", _edge_features)):
            first = next((graph for graph in X if not _lacks_edges(graph)), X[0])
            codes, width = _kind(features(first))
            given = self._given[kind]
            if not codes and not isinstance(given, str):
                raise ValueError(
                    f"{kind}_categories={given!r} is for integer codes, but the features of "
                    f"{kind}s are {'numbers' if width else 'absent'}; use 'auto'"
                )
            categories: tuple[int, ...] = ()
            if codes and isinstance(given, str):
                largest = [f.max(axis=0) for f in map(features, X) if f is not None and len(f)]
                tops = np.max(largest, axis=0) if largest else np.zeros(width, int)
                categories = tuple(int(top) + 1 for top in tops)
            elif codes:
                categories = tuple(int(number) for number in given)
            self._sizes[f"{kind}_categories"] = categories
            self._sizes[f"n_{kind}_features"] = 0 if codes else width
        return self

    def read(self, X: Sequence[Graph], dtype: np.dtype[Any] | type, device: Device) -> GraphInputs:
        X = [self._with_edge_features(graph) if _lacks_edges(graph) else graph for graph in X]
        for kind, features in (("node", _node_features), ("edge", _edge_features)):
            categories = self._sizes[f"{kind}_categories"]
            width = len(categories) or self._sizes[f"n_{kind}_features"]
            for i, graph in enumerate(X):
                values = features(graph)
                codes, found = _kind(values)
                if (codes, found) != (bool(categories), width):
                    raise ValueError(
                        f"X[{i}] must have {_described(kind, bool(categories), width)}, as in "
                        f"fit; got {_described(kind, codes, found)}"
                    )
                if categories and values is not None and (values >= categories).any():
                    row, column = np.argwhere(values >= categories)[0].tolist()
                    raise ValueError(
                        f"codes in column {column} of the {kind} features must be from 0 to "
                        f"{categories[column] - 1}; {kind} {row} of X[{i}] has "
                        f"{values[row, column]}. Set {kind}_categories, the number of categories "
                        "of each column, in the estimator"
                    )
        return GraphInputs(X, dtype, device)

    def _with_edge_features(self, graph: Graph) -> Graph:
        """Return a graph without edges with features of no edges, of the kind seen in fit."""
        categories, width = self._sizes["edge_categories"], self._sizes["n_edge_features"]
        if not categories and not width:
            return graph
        attr = np.empty((0, len(categories) or width), np.int64 if categories else np.float64)
        return Graph(graph.x, graph.edges, attr)

    def sizes(self) -> dict[str, Any]:
        return dict(self._sizes)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in self._sizes.items()}
        return plain, {}

    @classmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        reader = cls()
        names = ("node_categories", "n_node_features", "edge_categories", "n_edge_features")
        if set(plain) != set(names) or tensors:
            raise ValueError(
                f"the state of a reader of graphs has {', '.join(names)}, and no arrays; got "
                f"{', '.join(sorted(map(str, plain)))}"[:300]
            )
        for name in names:
            value = plain[name]
            numbers = value if isinstance(value, list) else [value]
            wrong = isinstance(value, list) != name.endswith("categories")
            if wrong or any(type(number) is not int or number < 0 for number in numbers):
                raise ValueError(f"{name} in the state of a reader of graphs is {value!r:.60}")
            reader._sizes[name] = tuple(value) if isinstance(value, list) else value
        return reader


def check_graphs(X: Any) -> list[Graph]:
    """Return samples as a list of graphs with features of the same kinds and widths.

    Raises
    ------
    ValueError
        If X is not a sequence of graphs, is empty, or graphs differ; the message names the sample.
    """
    if isinstance(X, Graph) or not hasattr(X, "__iter__"):
        raise ValueError(
            f"X must be a list of deepreservoir.Graph; got a {type(X).__name__}. "
            "For one graph, pass [graph]"
        )
    graphs = list(X)
    if not graphs:
        raise ValueError("X must hold at least one graph; got none")
    for i, graph in enumerate(graphs):
        if not isinstance(graph, Graph):
            raise ValueError(
                f"X must be a list of deepreservoir.Graph; X[{i}] is a {type(graph).__name__}"
            )
    _check_alike("node", [(i, graph.x) for i, graph in enumerate(graphs)])
    edges = [(i, graph.edge_attr) for i, graph in enumerate(graphs) if not _lacks_edges(graph)]
    _check_alike("edge", edges)
    return graphs


def _node_features(graph: Graph) -> np.ndarray | None:
    return graph.x


def _edge_features(graph: Graph) -> np.ndarray | None:
    return graph.edge_attr


def _lacks_edges(graph: Graph) -> bool:
    """Return whether a graph has no edges, so that features of no rows may be of any kind."""
    return not graph.n_edges


def _check_alike(kind: str, features: Sequence[tuple[int, np.ndarray | None]]) -> None:
    """Raise unless the features of all graphs, given with their numbers, are of one kind."""
    for i, found in features:
        first, expected = features[0]
        if _kind(found) != _kind(expected):
            raise ValueError(
                f"all graphs must have the same kinds of features: X[{first}] has "
                f"{_described(kind, *_kind(expected))}, but X[{i}] has "
                f"{_described(kind, *_kind(found))}"
            )


def _kind(features: np.ndarray | None) -> tuple[bool, int]:
    """Return whether features are codes, and their width; no features have width 0."""
    if features is None:
        return False, 0
    return features.dtype.kind != "f", features.shape[1]


def _described(kind: str, codes: bool, width: int) -> str:
    if not width:
        return f"no {kind} features"
    return f"{width} {'columns of integer codes' if codes else 'numbers'} per {kind}"
