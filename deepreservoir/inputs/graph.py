"""Graphs with features of nodes and edges, as users give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import scipy.sparse


class Graph:
    """A graph: features of its nodes, its edges, and features of the edges.

    Features are numbers, or integer codes of categories. Edges are directed, as in PyTorch
    Geometric; an undirected graph has each edge in both directions (:meth:`undirected`).

    Parameters
    ----------
    x : array-like, shape (n_nodes, n_features)
        Floating-point features, or integers: codes of categories, from 0 on.
    edges : array-like of int, shape (2, n_edges)
        Source and target of each edge.
    edge_attr : array-like, shape (n_edges, n_edge_features), optional
        Floating-point features, or integer codes of categories.

    Raises
    ------
    ValueError
        If a shape is wrong, an edge joins a node that is not there or a node to itself, a feature
        is not finite, or a code is negative; the message names the entry.

    Examples
    --------
    >>> water = Graph.undirected(x=[[8], [1], [1]], edges=[[0, 0], [1, 2]])
    >>> water
    <Graph of 3 nodes and 4 edges>
    >>> water.edges
    array([[0, 0, 1, 2],
           [1, 2, 0, 0]])
    """

    __slots__ = ("edge_attr", "edges", "x")

    def __init__(self, x: Any, edges: Any, edge_attr: Any = None) -> None:
        self.x = _features("x", x, "n_nodes")
        self.edges = _edges(edges, len(self.x))
        self.edge_attr = None
        if edge_attr is not None and (self.n_edges or np.shape(edge_attr) != (0,)):  # []
            self.edge_attr = _features("edge_attr", edge_attr, "n_edges")
            if len(self.edge_attr) != self.n_edges:
                raise ValueError(
                    f"edge_attr must have one row for each of {self.n_edges} edges; got "
                    f"{len(self.edge_attr)} rows"
                )

    @classmethod
    def trusted(cls, x: np.ndarray, edges: np.ndarray, edge_attr: np.ndarray | None) -> Self:
        """Return the graph of arrays that are known to be valid, without checking them."""
        graph = cls.__new__(cls)
        graph.x, graph.edges, graph.edge_attr = x, edges, edge_attr
        return graph

    @classmethod
    def undirected(cls, x: Any, edges: Any, edge_attr: Any = None) -> Self:
        """Return a graph that has every edge in both directions, with the same features.

        Parameters
        ----------
        x, edges, edge_attr : as for Graph
            With each edge once.
        """
        one = cls(x, edges, edge_attr)
        both = np.hstack([one.edges, one.edges[::-1]])
        attr = None if one.edge_attr is None else np.vstack([one.edge_attr, one.edge_attr])
        return cls(one.x, both, attr)

    @classmethod
    def from_scipy(cls, x: Any, adjacency: Any, weights: bool = False) -> Self:
        """Return the graph of an adjacency matrix.

        Parameters
        ----------
        x : array-like, shape (n_nodes, n_features)
        adjacency : sparse or dense matrix, shape (n_nodes, n_nodes)
            An entry at (i, j) is an edge from i to j; stored zeros are not edges, and stored
            duplicates of an entry are its summands, as in SciPy.
        weights : bool, default=False
            Whether the entries are the feature of the edges.

        Examples
        --------
        >>> Graph.from_scipy(np.ones((2, 1)), scipy.sparse.csr_array([[0, 1], [1, 0]]))
        <Graph of 2 nodes and 2 edges>
        """
        rows = scipy.sparse.csr_matrix(adjacency, copy=True)
        rows.sum_duplicates()
        matrix = rows.tocoo()
        n = len(_features("x", x, "n_nodes"))
        if matrix.shape != (n, n):
            raise ValueError(
                f"adjacency must have shape ({n}, {n}), one row and one column per node; got "
                f"{matrix.shape}"
            )
        kept = matrix.data != 0
        edges = np.stack([matrix.row[kept], matrix.col[kept]])
        wrong = np.flatnonzero(~np.isfinite(matrix.data[kept]))
        if len(wrong):
            i, j = edges[:, wrong[0]].tolist()
            raise ValueError(
                f"adjacency must be finite; got {matrix.data[kept][wrong[0]]} at [{i}, {j}]"
            )
        attr = matrix.data[kept].astype(np.float64)[:, None] if weights else None
        return cls(x, edges, attr)

    @classmethod
    def from_networkx(cls, graph: Any, x: str | None = None, edge_attr: str | None = None) -> Self:
        """Return the graph of a networkx graph; its nodes keep their order.

        Parameters
        ----------
        graph : networkx.Graph or networkx.DiGraph
            An edge of an undirected graph is taken in both directions.
        x : str, optional
            Attribute of the nodes with their features, a number or a vector; by default the only
            feature is the constant 1.
        edge_attr : str, optional
            Attribute of the edges with their features.

        Raises
        ------
        ValueError
            If a node or an edge lacks the attribute.
        """
        position = {node: i for i, node in enumerate(graph.nodes)}
        if not position:
            raise ValueError("graph must have at least one node; got none")
        rows = [_attribute(data, x, f"node {node!r}") for node, data in graph.nodes(data=True)]
        pairs, attrs = [], []
        for source, target, data in graph.edges(data=True):
            pairs.append((position[source], position[target]))
            if edge_attr is not None:
                attrs.append(_attribute(data, edge_attr, f"edge {source!r} - {target!r}"))
        edges = np.array(pairs, np.int64).reshape(-1, 2).T
        make = cls if graph.is_directed() else cls.undirected
        return make(_table(rows, x), edges, _table(attrs, edge_attr) if attrs else None)

    @classmethod
    def from_pyg(cls, data: Any) -> Self:
        """Return the graph of a ``Data`` object, or dictionary, of PyTorch Geometric.

        Parameters
        ----------
        data : object or mapping
            With `x` and `edge_index`, and optionally `edge_attr`: tensors or arrays.

        Examples
        --------
        >>> Graph.from_pyg({"x": np.ones((2, 3)), "edge_index": np.array([[0, 1], [1, 0]])})
        <Graph of 2 nodes and 2 edges>
        """
        get = data.get if isinstance(data, Mapping) else lambda name: getattr(data, name, None)
        for name in ("x", "edge_index"):
            if get(name) is None:
                raise ValueError(f"data must have {name!r}; got {type(data).__name__} without it")
        attr = get("edge_attr")
        return cls(
            np.asarray(get("x")),
            np.asarray(get("edge_index")),
            None if attr is None else np.asarray(attr),
        )

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.x)

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return int(self.edges.shape[1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        pairs = zip(self._arrays(), other._arrays(), strict=True)
        return all(
            a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs
        )

    __hash__ = None  # type: ignore[assignment]

    def _arrays(self) -> tuple[Any, ...]:
        return self.x, self.edges, self.edge_attr

    def __repr__(self) -> str:
        return f"<Graph of {self.n_nodes} nodes and {self.n_edges} edges>"


def _features(name: str, values: Any, rows: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have 2 axes, ({rows}, n_features); got an array of shape {array.shape}"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers; got an array of {array.dtype}")
    if array.dtype.kind == "f":
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            i, j = wrong[0].tolist()
            raise ValueError(f"{name} must be finite; {name}[{i}, {j}] is {array[i, j]}")
        return array
    codes = array.astype(np.int64)
    wrong = np.argwhere(codes < 0)
    if len(wrong):
        i, j = wrong[0].tolist()
        raise ValueError(
            f"integers in {name} are codes of categories, from 0 on; {name}[{i}, {j}] is "
            f"{codes[i, j]}. Convert numbers to float"
        )
    return codes


def _edges(values: Any, n_nodes: int) -> np.ndarray:
    array = np.asarray(values)
    if array.size == 0:
        return np.empty((2, 0), np.int64)
    if array.ndim != 2 or array.shape[0] != 2:
        raise ValueError(
            f"edges must have shape (2, n_edges), sources and targets; got {array.shape}"
            + (". Transpose them" if array.ndim == 2 and array.shape[1] == 2 else "")
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"edges must be integers, indices of nodes; got {array.dtype}")
    edges = array.astype(np.int64)
    outside = np.argwhere(((edges < 0) | (edges >= n_nodes)).T)
    if len(outside):
        i = int(outside[0, 0])
        raise ValueError(
            f"edges must join nodes from 0 to {n_nodes - 1}; edge {i} joins "
            f"{edges[0, i]} and {edges[1, i]}"
        )
    loops = np.flatnonzero(edges[0] == edges[1])
    if loops.size:
        i = int(loops[0])
        raise ValueError(
            f"edges must join different nodes: layers read each node itself anyway; edge {i} joins "
            f"node {edges[0, i]} to itself. Leave it out"
        )
    return edges


def _table(rows: list[np.ndarray], name: str | None) -> np.ndarray:
    sizes = {row.shape for row in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"attribute {name!r} must be a number, or vectors of one length, everywhere; got "
            f"values of shapes {' and '.join(map(str, sorted(sizes)))}"
        )
    return np.array(rows)


def _attribute(data: Mapping[str, Any], name: str | None, where: str) -> np.ndarray:
    if name is None:
        return np.ones(1)
    if name not in data:
        raise ValueError(f"{where} has no attribute {name!r}; it has {sorted(map(str, data))}")
    return np.atleast_1d(np.asarray(data[name]))
