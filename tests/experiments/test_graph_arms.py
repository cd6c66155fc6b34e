"""Comparisons on graphs: on the nodes of one graph, and on whole graphs."""

import numpy as np
import pytest

from deepreservoir import GCNClassifier, GINClassifier, Graph, Nodes, compare
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import Protocol

RANDOM = np.random.default_rng(0)


def rings():
    """Return rings of five and of six nodes, and which they are."""
    y = np.arange(40) % 2
    graphs = []
    for size in y + 5:
        start = np.arange(size)
        graphs.append(Graph(np.zeros((size, 1), int), np.c_[start, (start + 1) % size].T))
    return graphs, y


def nodes():
    """Return the nodes of a graph with two groups."""
    y = np.repeat([0, 1], 20)
    links = RANDOM.random((40, 40)) < np.where(y[:, None] == y, 0.3, 0.05)
    return Nodes(np.eye(40), np.triu(links, 1) | np.triu(links, 1).T), y


def data_of(X, y, take, features=None):
    train, test = np.arange(40) % 4 != 0, np.arange(40) % 4 == 0
    return Dataset("made", take(X, train), y[train], take(X, test), y[test], features=features)


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_adapter_twin_and_controls(kind):
    if kind == "nodes":
        data = data_of(*nodes(), lambda X, rows: X[np.flatnonzero(rows)])
        estimator = GCNClassifier
    else:
        take = lambda X, rows: [X[i] for i in np.flatnonzero(rows)]  # noqa: E731
        data = data_of(*rings(), take)
        estimator = GINClassifier
    arms = ("adapter", "full", "no_scaffold", "scaffold_removed", "wrong_seed")
    protocol = Protocol(max_iter=2, hidden_layer_sizes=(8,))
    result = compare(data, (1,), 1, arms, protocol=protocol, estimator=estimator)
    assert {record.arm for record in result.records} == set(arms)
    assert all(0 <= record.score <= 1 for record in result.records)
