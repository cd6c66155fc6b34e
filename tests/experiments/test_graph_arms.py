"""Comparisons on graphs: on the nodes of one graph, and on whole graphs."""

import numpy as np
import pytest

from deepreservoir import GCNClassifier, GINClassifier, Graph, Nodes, compare
from deepreservoir.datasets import DATASETS, Dataset, DatasetUnavailable, load_dataset
from deepreservoir.datasets.molecules import (
    are_molecules,
    atom_counts,
    morgan_fingerprints,
    read_smiles,
)
from deepreservoir.experiments import ARMS, Protocol, check_arms, references_for, table
from deepreservoir.experiments.comparisons.graph_arms import LabelPropagation
from deepreservoir.experiments.comparisons.natural_estimator import natural_estimator

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


# References ------------------------------------------------------------------------------------


def test_labels_spread_along_the_closed_form():
    """Zhou et al. (2004) give the limit: F = (1 - alpha) (I - alpha S)^-1 Y."""
    X, y = nodes()
    known = np.arange(0, 40, 5)
    model = LabelPropagation(0.9).fit(X[known], y[known])
    A = X.adjacency.toarray()
    root = 1 / np.sqrt(A.sum(axis=1))
    S, Y = root[:, None] * A * root, np.zeros((40, 2))
    Y[known, y[known]] = 1
    expected = 0.1 * np.linalg.solve(np.eye(40) - 0.9 * S, Y)
    np.testing.assert_allclose(model.scores_, expected, atol=1e-6)
    assert model.score(X, y) > 0.9


def test_labels_do_not_reach_other_components():
    A = np.zeros((4, 4))
    A[0, 1] = A[1, 0] = 1
    X = Nodes(np.eye(4), A)
    model = LabelPropagation().fit(X[[1, 2]], np.array(["b", "a"]))
    assert model.predict(X).tolist() == ["b", "b", "a", "a"]  # node 3 is alone: the first label


def test_label_propagation_is_a_reference_of_nodes_alone():
    data = data_of(*nodes(), lambda X, rows: X[np.flatnonzero(rows)])
    protocol = Protocol(max_iter=1, hidden_layer_sizes=(4,))
    result = compare(data, (1,), 2, ("label_propagation", "fingerprints"), protocol=protocol)
    (record,) = result.records
    assert (record.arm, record.rank, record.trained, record.stored_bytes) == (
        "label_propagation",
        None,
        0,
        0,
    )
    assert record.score > 0.8
    assert result.notes == (
        "fingerprints: the samples are not molecules, or RDKit is not installed",
    )
    assert "label propagation" in table(result)


def molecules():
    """Return chains of carbon, of which the active ones end in an oxygen."""
    smiles = ["C" * (2 + i % 5) + "O" * (i % 2) for i in range(40)]
    return read_smiles(smiles), np.arange(40) % 2


def test_fingerprints_are_a_reference_of_molecules():
    pytest.importorskip("rdkit")
    take = lambda X, rows: [X[i] for i in np.flatnonzero(rows)]  # noqa: E731
    data = data_of(*molecules(), take, features=atom_counts)
    arms = ("linear", "fingerprints", "label_propagation")
    result = compare(data, (1,), 1, arms, protocol=Protocol(max_iter=1))
    found = {record.arm: record for record in result.records}
    assert set(found) == {"linear", "fingerprints"}
    assert found["fingerprints"].trained == 2048 + 1
    assert found["linear"].trained == data.n_features + 1
    assert found["linear"].score == found["fingerprints"].score == 1
    assert result.notes == ("label_propagation: the samples are not nodes of one graph",)


@pytest.mark.parametrize(
    "smiles",
    [
        "CCO",
        "c1ccccc1O",
        "C[N+](C)(C)CC([O-])=O",
        "[NH4+].[Cl-]",
        "C1CC1C#N",
        "[CH3]",
        "O=S(=O)(O)c1ccncc1",
    ],
)
def test_fingerprints_of_graphs_are_those_of_their_smiles(smiles):
    Chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(smiles))
    found = morgan_fingerprints(read_smiles([smiles]))
    assert found.shape == (1, 2048)
    np.testing.assert_array_equal(found.toarray()[0], expected)


# Others with samples of the same kind are quicker to load.
LARGE = {"cifar10_5000", "flowers12", "imdb", "imdb_5000", "physionet2012", "physionet2012_minutes"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())
        for name in sorted(set(DATASETS) - {"cifar10"})  # cifar10_5000 is quicker
    ],
)
def test_the_references_of_a_named_data_set_are_those_that_its_samples_have(name):
    expected = references_for(name)
    try:
        data = load_dataset(name)
    except DatasetUnavailable:
        pytest.skip(f"{name} is not here")
    found = ("label_propagation",) if isinstance(data.X_train, Nodes) else ()
    found += ("fingerprints",) if are_molecules(data.X_train) else ()
    found += ("trigram",) if data.task == "language" else ()
    found += ("behaviour_cloning",) if data.task == "control" else ()
    assert found == expected
    assert check_arms(None, name) == (*ARMS, *found)


@pytest.mark.parametrize("kind", ["nodes", "graphs"])
def test_samples_choose_their_estimator(kind):
    """A comparison of graphs does not need the name of an estimator."""
    take = lambda X, rows: [X[i] for i in np.flatnonzero(rows)]  # noqa: E731
    data = data_of(*rings(), take)
    if kind == "nodes":
        data = data_of(*nodes(), lambda X, rows: X[np.flatnonzero(rows)])
    protocol = Protocol(max_iter=2, hidden_layer_sizes=(8,))
    named = {"nodes": GCNClassifier, "graphs": GINClassifier}[kind]
    assert natural_estimator(data) is named
    one, other = (
        compare(data, (1,), 1, ("adapter",), protocol=protocol, estimator=each).records[0]
        for each in (None, named)
    )
    assert (one.score, one.trained) == (other.score, other.trained)


def test_numbers_of_nodes_have_no_estimator():
    X, y = nodes()
    data = Dataset("made", X, y + 0.5, X, y + 0.5, task="regression")
    with pytest.raises(ValueError, match="made is a regression, which no estimator"):
        compare(data, (1,), 1, ("adapter",), protocol=Protocol(max_iter=1))


@pytest.mark.parametrize("form", [list, tuple, lambda graphs: np.array(graphs, dtype=object)])
def test_graphs_of_ones_own_are_compared_by_the_default_arms(form):
    graphs, y = rings()
    data = Dataset("own", form(graphs[:30]), y[:30], form(graphs[30:]), y[30:])
    found = compare(data, (1,), 1, protocol=Protocol(max_iter=2))
    arms = {row.arm for row in found.summary()}
    assert {"adapter", "full", "no_scaffold"} <= arms
    assert not {"linear", "random_features"} & arms
    assert any("linear: the samples are" in note for note in found.notes)


def test_images_of_ones_own_are_compared_by_the_default_arms():
    X = RANDOM.integers(0, 255, (40, 8, 6, 3)).astype(np.uint8)
    y = np.arange(40) % 2
    data = Dataset("own", X[:30], y[:30], X[30:], y[30:])
    found = compare(
        data, (1,), 1, ("adapter", "linear", "random_features"), protocol=Protocol(max_iter=1)
    )
    assert {row.arm for row in found.summary()} == {"adapter", "linear", "random_features"}


def test_one_molecule_is_not_read_as_its_letters():
    with pytest.raises(
        ValueError, match=r"must be a list of SMILES; got one, 'CCO'. Pass \[smiles\]"
    ):
        read_smiles("CCO")
