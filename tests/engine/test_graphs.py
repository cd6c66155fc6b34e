"""Graph: what it refuses, and its conversions."""

from types import SimpleNamespace

import networkx
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from deepreservoir import GINClassifier, Graph, Nodes

pytestmark = pytest.mark.host(reason="graphs are given on the host")

ONES = np.ones((3, 2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((ONES, [[0, 1], [1, 3]]), r"nodes from 0 to 2; edge 1 joins 1 and 3"),
        ((ONES, [[0, -1], [1, 0]]), r"edge 1 joins -1 and 0"),
        ((ONES, [[0, 2], [1, 2]]), r"edge 1 joins node 2 to itself"),
        ((ONES, [[0, 1], [1, 2], [2, 0]]), r"\(2, n_edges\).*got \(3, 2\). Transpose"),
        ((ONES, [[0.0], [1.0]]), r"integers, indices of nodes; got float64"),
        ((np.ones(3), [[], []]), r"x must have 2 axes, \(n_nodes, n_features\)"),
        (([[1.0], [np.nan]], [[], []]), r"x\[1, 0\] is nan"),
        (([[1], [-2]], [[], []]), r"codes of categories.*x\[1, 0\] is -2. Convert"),
        (([["a"], ["b"]], [[], []]), r"x must hold numbers"),
        ((ONES, [[0], [1]], [[1.0], [2.0]]), r"one row for each of 1 edges; got 2 rows"),
        ((ONES, [[0], [1]], [[np.inf]]), r"edge_attr\[0, 0\] is inf"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        Graph(*arguments)


def test_both_directions():
    graph = Graph.undirected(ONES, [[0, 1], [1, 2]], [[5], [6]])
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [1, 0], [2, 1]]
    assert graph.edge_attr.ravel().tolist() == [5, 6, 5, 6]
    assert graph == Graph(graph.x, graph.edges, graph.edge_attr)
    assert graph != Graph(graph.x, graph.edges)
    assert repr(graph) == "<Graph of 3 nodes and 4 edges>"


def test_conversions_agree():
    G = networkx.path_graph(3)
    for node in G:
        G.nodes[node]["size"] = float(node)
    for pair in G.edges:
        G.edges[pair]["weight"] = 2.0
    expected = Graph.undirected([[0.0], [1.0], [2.0]], [[0, 1], [1, 2]], [[2.0], [2.0]])
    assert Graph.from_networkx(G, x="size", edge_attr="weight") == expected
    A = networkx.to_scipy_sparse_array(G, weight="weight")
    found = Graph.from_scipy(expected.x, A, weights=True)
    assert sorted(found.edges.T.tolist()) == sorted(expected.edges.T.tolist())
    assert_array_equal(found.edge_attr, expected.edge_attr)
    data = {"x": expected.x, "edge_index": expected.edges, "edge_attr": expected.edge_attr}
    assert Graph.from_pyg(data) == Graph.from_pyg(SimpleNamespace(**data)) == expected
    assert Graph.from_networkx(networkx.DiGraph([(0, 1)])).edges.tolist() == [[0], [1]]


def test_duplicate_entries_of_a_matrix_are_one_edge():
    entries = ([1.0, 1.0, 2.0, 1.0, -1.0], ([0, 0, 1, 2, 2], [1, 1, 0, 1, 1]))
    A = scipy.sparse.coo_array(entries, (3, 3))
    duplicates = scipy.sparse.csr_array((np.ones(2), [1, 1], [0, 2, 2, 2]), (3, 3))
    expected = Graph.from_scipy(ONES, A.toarray(), weights=True)
    assert expected.edges.tolist() == [[0, 1], [1, 0]]
    assert expected.edge_attr.ravel().tolist() == [2, 2]
    for form in (A, A.tocsc(), A.tocsr(), A.tobsr()):
        assert Graph.from_scipy(ONES, form, weights=True) == expected
    assert Graph.from_scipy(ONES, duplicates, weights=True).edge_attr.tolist() == [[2]]
    assert duplicates.nnz == 2  # the caller's matrix is as it was


@pytest.mark.parametrize("attr", [None, [], np.empty((0, 1)), np.empty((0, 3), int)])
def test_features_of_no_edges_are_of_any_kind(attr):
    bond = Graph.undirected([[8], [1]], [[0], [1]], [[1]])
    model = GINClassifier(4, 1, max_iter=1, random_state=0).fit(
        [bond, Graph([[2]], [], attr)], [0, 1]
    )
    assert model.predict([Graph([[2]], [], attr)]).shape == (1,)


def test_tensors_are_read():
    torch = pytest.importorskip("torch")
    data = {"x": torch.ones(2, 3), "edge_index": torch.tensor([[0], [1]]), "edge_attr": None}
    assert Graph.from_pyg(data) == Graph(np.ones((2, 3)), [[0], [1]])


def test_conversions_name_what_is_missing():
    with pytest.raises(ValueError, match="node 0 has no attribute 'size'"):
        Graph.from_networkx(networkx.path_graph(2), x="size")
    with pytest.raises(ValueError, match="must have 'edge_index'"):
        Graph.from_pyg({"x": ONES})
    with pytest.raises(ValueError, match=r"adjacency must have shape \(3, 3\)"):
        Graph.from_scipy(ONES, scipy.sparse.eye(2))
    with pytest.raises(ValueError, match=r"adjacency must be finite; got nan at \[0, 1\]"):
        Graph.from_scipy(np.ones((2, 1)), [[0, np.nan], [1, 0]])
    with pytest.raises(ValueError, match="at least one node"):
        Graph.from_networkx(networkx.Graph())
    uneven = networkx.path_graph(2)
    networkx.set_node_attributes(uneven, {0: [1.0, 2.0], 1: [1.0]}, "size")
    with pytest.raises(ValueError, match=r"'size' must .*got values of shapes \(1,\) and \(2,\)"):
        Graph.from_networkx(uneven, x="size")


def test_nodes_are_selected_like_rows():
    nodes = Nodes(ONES, np.zeros((3, 3)))
    for key in ([0, 2], np.array([True, False, True]), slice(0, 3, 2)):
        part = nodes[key]
        assert_array_equal(part.index, [0, 2])
        assert part.adjacency is nodes.adjacency
        assert_array_equal(np.asarray(part), ONES[:2])
    assert len(nodes[1]) == 1
    assert repr(nodes[[0]]) == "<1 of 3 nodes, 2 features, 0 edges>"
