"""Nodes without a label, however a graph is learned from."""

import numpy as np
import pytest

from deepreservoir import GCNClassifier, Nodes, RankSearch, compare, fit_many
from deepreservoir.datasets import Dataset
from deepreservoir.estimators.base.node_labels import labels_of_nodes

pytestmark = pytest.mark.host(reason="graphs are prepared on the host")
RNG = np.random.default_rng(0)
TRUTH = np.repeat([0, 1], 40)
LINKS = RNG.random((80, 80)) < np.where(TRUTH[:, None] == TRUTH, 0.2, 0.02)
NODES = Nodes(np.eye(80), (np.triu(LINKS, 1) | np.triu(LINKS, 1).T).astype(float))
KNOWN = np.arange(80) % 4 == 0
LABELS = np.where(KNOWN, TRUTH, -1)
NAMES = np.array(["a", "b"])[TRUTH]


def classifier(rank=2):
    return GCNClassifier((16,), rank=rank, max_iter=30, random_state=0)


def test_models_fitted_side_by_side_leave_them_out_as_one_alone_does():
    alone = classifier().fit(NODES, LABELS)
    for model in fit_many([classifier(1), classifier(2)], NODES, LABELS):
        assert model.classes_.tolist() == [0, 1]
    assert np.array_equal(model.network_.theta, alone.network_.theta)
    named = NAMES.astype(object)
    named[~KNOWN] = -1
    (model,) = fit_many([classifier()], NODES, named)
    assert model.classes_.tolist() == ["a", "b"]


def test_lists_and_arrays_of_names_are_read_alike():
    named = [name if known else -1 for name, known in zip(NAMES, KNOWN, strict=True)]
    models = [classifier().fit(NODES, y) for y in (named, np.array(named, dtype=object))]
    assert models[0].classes_.tolist() == ["a", "b"]
    assert np.array_equal(models[0].network_.theta, models[1].network_.theta)
    assert models[0].score(NODES, named) == models[1].score(NODES, np.array(named, dtype=object))


@pytest.mark.parametrize("missing", [None, float("nan"), 0.5, ()])
def test_entries_that_are_no_labels_are_named(missing):
    y = [name if known else missing for name, known in zip(NAMES, KNOWN, strict=True)]
    labels = np.empty(80, dtype=object)
    labels[:] = y
    with pytest.raises(ValueError, match=r"y\[1\] is "):
        classifier().fit(NODES, labels)


def test_labels_are_of_one_kind():
    with pytest.raises(ValueError, match=r"integers or strings, and -1 .* got both"):
        labels_of_nodes(["a", 3, -1])
    assert labels_of_nodes(np.array([1.0, -1.0]))[0].tolist() == [1.0]


def test_no_class_stands_for_nodes_without_one():
    with pytest.raises(ValueError, match="classes must not contain -1"):
        classifier().partial_fit(NODES, LABELS, classes=[-1, 0, 1])


def test_all_arms_of_a_comparison_leave_them_out():
    train, test = np.arange(0, 80, 2), np.arange(1, 80, 2)
    arms = ("adapter", "label_propagation", "linear", "random_features")
    scores = []
    for chosen in (train, train[KNOWN[train]]):
        data = Dataset("g", NODES[chosen], LABELS[chosen], NODES[test], TRUTH[test])
        result = compare(data, ranks=(1,), seeds=1, arms=arms)
        scores.append({record.arm: record.score for record in result.records})
    assert scores[0] == scores[1]
    assert scores[0]["label_propagation"] > 0.8
    partly = Dataset("g", NODES[train], LABELS[train], NODES[train], LABELS[train])
    (record,) = compare(partly, ranks=(1,), seeds=1, arms=("label_propagation",)).records
    assert record.score == 1.0


def test_a_graph_that_is_symmetric_up_to_rounding_is_symmetric():
    weights = RNG.random((80, 80))
    scale = 1 / np.sqrt(weights.sum(axis=1))
    product = scale[:, None] * np.triu(weights, 1) * scale
    rounded = product + product.T * (1 + 2**-52)
    assert (rounded != rounded.T).any()
    nodes = Nodes(np.eye(80), rounded)
    assert (nodes.adjacency != nodes.adjacency.T).nnz == 0
    rounded[0, 1] *= 1 + 1e-9
    with pytest.raises(ValueError, match=r"adjacency\[0, 1\] is 0\.\d{12,}"):
        Nodes(np.eye(80), rounded)


def test_a_selection_of_nodes_may_be_empty():
    assert len(NODES[[]]) == 0
    assert len(NODES[[3, 1]]) == 2


def test_weights_of_a_search_are_those_of_the_nodes_with_a_label():
    weights = np.arange(80.0) + 1
    options = {"eps": 9.0, "ranks": (1,), "cv": 2, "n_seeds": 1, "random_state": 0}
    whole = RankSearch(classifier(), **options).fit(NODES, LABELS, sample_weight=weights)
    part = RankSearch(classifier(), **options)
    part.fit(NODES[KNOWN], LABELS[KNOWN], sample_weight=weights[KNOWN])
    assert np.array_equal(whole.losses_[1], part.losses_[1])
