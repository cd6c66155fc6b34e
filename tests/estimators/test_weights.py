"""Weights of samples and classes: a weight of zero has no effect, a weight of k is k copies."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

from deepreservoir import (
    DeepReservoirClassifier,
    GINClassifier,
    Graph,
    TextTransformerClassifier,
)

RNG = np.random.default_rng(0)
Y = np.repeat([0, 1, 2], [60, 20, 10])
X = RNG.normal(size=(90, 5))
X[:, 0] += Y
HALF = np.where((np.arange(90) >= 30) & (np.arange(90) < 60), 0.0, 1.0)
COPIES = np.where(Y == 0, 3, 1)
CLASS_WEIGHTS = [None, "balanced", {0: 1.0, 1: 2.0, 2: 5.0}]


def model(**params):
    default = {"rank": 2, "max_iter": 10, "batch_size": 1000, "random_state": 0}
    return DeepReservoirClassifier((16,), **{**default, **params})


def probabilities(*data, **params):
    return model(**params).fit(*data).predict_proba(X)


@pytest.mark.parametrize("class_weight", CLASS_WEIGHTS, ids=str)
def test_a_sample_of_weight_zero_has_no_effect(class_weight):
    kept = HALF > 0
    np.testing.assert_allclose(
        probabilities(X, Y, HALF, class_weight=class_weight),
        probabilities(X[kept], Y[kept], class_weight=class_weight),
        atol=1e-6,
    )


@pytest.mark.parametrize("class_weight", CLASS_WEIGHTS, ids=str)
def test_a_weight_of_k_is_k_copies(class_weight):
    np.testing.assert_allclose(
        probabilities(X, Y, COPIES, class_weight=class_weight),
        probabilities(np.repeat(X, COPIES, axis=0), Y.repeat(COPIES), class_weight=class_weight),
        atol=1e-6,
    )


def test_balanced_classes_without_sample_weights_are_those_of_scikit_learn():
    np.testing.assert_array_equal(
        probabilities(X, Y, class_weight="balanced"),
        probabilities(X, Y, compute_sample_weight("balanced", Y)),
    )


def test_a_negative_weight_is_refused_in_a_class_without_positive_ones():
    weights = np.where(Y == 2, 0.0, 1.0)
    weights[-1] = -1
    with pytest.raises(ValueError, match=r"sample_weight must not be negative"):
        model(class_weight="balanced").fit(X, Y, weights)


# Batches that lack classes ------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", CLASS_WEIGHTS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("size", [1, 15])
def test_partial_fit_takes_batches_of_one_class(class_weight, n_classes, size):
    rows = np.flatnonzero(n_classes > Y)
    weight = class_weight if isinstance(class_weight, str) or class_weight is None else {1: 2.0}
    streamed = model(class_weight=weight, learning_rate_init=0.01)
    for _ in range(5):
        for label in range(n_classes):
            batch = rows[Y[rows] == label][:size]
            streamed.partial_fit(X[batch], Y[batch], classes=range(n_classes))
    assert streamed.classes_.tolist() == list(range(n_classes))
    assert streamed.predict_proba(X).shape == (90, n_classes)
    assert np.isfinite(streamed.predict_proba(X)).all()


def test_a_sorted_stream_is_learned():
    streamed = model(batch_size=10, learning_rate_init=0.02)
    far = X + 6 * np.eye(5)[Y]
    for _ in range(20):
        for label in range(3):
            streamed.partial_fit(far[label == Y], Y[label == Y], classes=[0, 1, 2])
    assert streamed.score(far, Y) > 0.9


def test_fit_forgets_the_classes_of_partial_fit():
    streamed = model().partial_fit(X[:5], Y[:5], classes=[0, 1, 2])
    assert len(np.unique(Y[:5])) == 1
    assert streamed.fit(X[:5], Y[:5]).classes_.tolist() == [Y[0]]


def test_text_stands_for_labels_that_are_no_text():
    """Files such as TOML have no other keys than text."""
    for y in (Y, Y - 1.0):
        weights = {label: 1.0 + 2 * i for i, label in enumerate(np.unique(y).tolist())}
        text = {str(label): weight for label, weight in weights.items()}
        np.testing.assert_array_equal(
            probabilities(X, y, class_weight=text), probabilities(X, y, class_weight=weights)
        )
    with pytest.raises(ValueError, match="class_weight"):
        probabilities(X, Y, class_weight={"a": 1.0, "b": 2.0})


@pytest.mark.host(reason="texts and graphs are read on the host")
@pytest.mark.parametrize("kind", ["texts", "graphs"])
def test_readers_learn_nothing_from_samples_of_weight_zero(kind):
    rng = np.random.default_rng(0)
    if kind == "texts":
        words = np.array([["good", "great", "fine"], ["awful", "dull", "weak"]])
        X = [" ".join(rng.choice(words[i % 2], 5)) for i in range(20)]
        X += ["zzzzzz qqqqqq xxxxxx " * 10] * 20
        model = TextTransformerClassifier(width=16, depth=1, heads=2, rank=2, max_iter=2)
        model.set_params(vocabulary_size=290, max_length=12)
    else:
        X = [_ring(rng.integers(0, 3 if i < 20 else 9, (5, 1))) for i in range(40)]
        model = GINClassifier(8, 2, rank=1, max_iter=2)
    model.set_params(random_state=0)
    y, weights = np.arange(40) % 2, np.repeat([1.0, 0.0], 20)
    weighted = clone(model).fit(X, y, sample_weight=weights)
    left_out = clone(model).fit(X[:20], y[:20])
    assert np.array_equal(weighted.network_.theta, left_out.network_.theta)


def _ring(categories):
    nodes = np.arange(len(categories))
    return Graph.undirected(categories, [nodes, np.roll(nodes, -1)])
