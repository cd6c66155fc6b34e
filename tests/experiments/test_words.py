"""Comparisons on texts with labels: the linear model of words, and left-out arms."""

import numpy as np
import pytest

from deepreservoir import TextTransformerClassifier, compare
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons.natural_estimator import natural_estimator
from deepreservoir.experiments.comparisons.words import LinearInWords
from deepreservoir.experiments.tables.references import references

X = ["a fine film", "a dull film", "fine and long", "dull and long", "fine", "dull"] * 5
Y = np.array(["good", "bad"] * 15)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "fine", "dull", "film", "and", "long"]
DATA = Dataset("texts", X, Y, X[:6], Y[:6], parameters={"vocabulary": PIECES, "unknown": 1})
PROTOCOL = Protocol(
    max_iter=2,
    batch_size=16,
    others=(("width", 8), ("depth", 1), ("heads", 2), ("max_length", 8)),
)


def test_words_decide():
    model = LinearInWords().fit(X, Y)
    assert model.score(X, Y) == 1
    weights = dict(
        zip(model.model[0].get_feature_names_out(), model.model[1].coef_[0], strict=True)
    )
    assert weights["fine"] > 0 > weights["dull"]
    assert "fine film" in weights
    assert model.n_weights == len(weights) + 1
    assert (model.decision_function(["fine", "dull"]) > 0).tolist() == [True, False]


def test_words_that_occur_once_are_read_if_there_are_no_others():
    model = LinearInWords().fit(["fine film", "dull story"], np.array([1, 0]))
    assert model.predict(["fine", "dull"]).tolist() == [1, 0]


def test_a_model_is_compared_with_words():
    model = LinearInWords().fit(X, Y)
    simple, linear = references(model, DATA)
    assert (simple.name, simple.score) == ("most frequent class", 0.5)
    assert (linear.name, linear.score) == ("logistic regression on TF-IDF of words", 1.0)
    assert simple.difference == 0.5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_comparison_on_texts():
    pytest.importorskip("tokenizers")
    assert natural_estimator(DATA) is TextTransformerClassifier
    arms = ("adapter", "full", "random_features", "linear")
    found = compare(DATA, (2,), seeds=1, arms=arms, protocol=PROTOCOL)
    trained = {record.arm: record.trained for record in found.records}
    assert set(trained) == {"adapter", "full", "linear"}
    assert trained["adapter"] == (10 + 8) * 8 + 4 * (2 * 16 + 1) + 2 * 9
    assert [note.split(":")[0] for note in found.notes] == ["random_features"]
    assert {r.arm: r.score for r in found.records}["linear"] == 1
