"""Comparisons of language models: the trigram reference, scores and left-out arms."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from deepreservoir import CausalLanguageModel, compare
from deepreservoir.datasets import Dataset
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons.arms import without_scaffold
from deepreservoir.experiments.comparisons.report import table
from deepreservoir.experiments.comparisons.task import Task
from deepreservoir.experiments.comparisons.text_arms import Trigrams
from deepreservoir.inputs import TokenReader


def documents(n, seed):
    """Return documents in which a token depends on the two before it."""
    rng = np.random.default_rng(seed)
    table = np.random.default_rng(1).dirichlet(np.full(5, 0.2), (5, 5))
    found = []
    for _ in range(n):
        tokens = [0, 1]
        for _ in range(60):
            tokens.append(int(rng.choice(5, p=table[tokens[-2], tokens[-1]])))
        found.append(np.array(tokens))
    return found


DATA = Dataset(
    "tokens",
    documents(12, 2),
    np.zeros(12),
    documents(4, 3),
    np.zeros(4),
    task="language",
    metric="nats",
)
PROTOCOL = Protocol(
    max_iter=2,
    batch_size=8,
    others=(
        ("width", 8),
        ("depth", 1),
        ("heads", 2),
        ("mlp_width", 8),
        ("context", 10),
        ("vocabulary_size", 5),
    ),
)


def test_trigrams_are_the_counts():
    """On a stream that repeats, with a rare exception, the probabilities are known."""
    tokens = np.array([0, 1, 2] * 20 + [0, 1, 1] + [0, 1, 2] * 9)
    model = Trigrams(TokenReader(vocabulary_size=3)).fit(tokens)
    p = model._probabilities(np.array([0, 1, 2]))
    assert p[1].tolist() == pytest.approx([(29 + 1) / (90 + 3), 29 / 31, 29 / 30], rel=0.02)
    assert model.weights.sum() == pytest.approx(1)
    score = np.log(p @ model.weights).mean()
    assert model.score(np.array([0, 1, 2])) == pytest.approx(score)


def test_probabilities_sum_to_one_and_unseen_tokens_have_one():
    model = Trigrams(TokenReader(vocabulary_size=6)).fit(documents(3, 4))
    for a, b in ((0, 1), (5, 1), (5, 5)):
        p = [model._probabilities(np.array([a, b, c]))[1] @ model.weights for c in range(6)]
        assert sum(p) == pytest.approx(1)
        assert min(p) > 0


def test_a_comparison_of_language_models():
    arms = ("adapter", "full", "wrong_seed", "equal_bytes", "no_scaffold", "linear", "trigram")
    found = compare(DATA, ranks=(1,), seeds=1, arms=arms, protocol=PROTOCOL)
    scores = {row.arm: row.mean for row in found.summary()}
    assert "linear" not in scores
    assert any(note.startswith("linear: the samples are texts") for note in found.notes)
    assert set(scores) >= {"adapter", "full", "wrong_seed", "no_scaffold", "trigram"}
    assert all(score < 0 for score in scores.values())
    assert scores["trigram"] > -np.log(5)
    model = CausalLanguageModel(**PROTOCOL.parameters(CausalLanguageModel().get_params()))
    model.set_params(rank=1, random_state=0, scaffold_seed=0).fit(DATA.X_train)
    assert scores["adapter"] == model.score(DATA.X_test)
    assert "minus nats per token" in table(found)


def test_no_scaffold_trains_on_the_draw_of_matrices_without_adapters():
    task = Task(DATA, replace(PROTOCOL, max_iter=1), kind=CausalLanguageModel)
    model = without_scaffold(task, 3, rank=1)
    task.fit(model)
    drawn = task.estimator(3, rank=1)
    task.fit(drawn)
    for path, scaffold in model.network_.scaffolds.items():
        expected = drawn.network_.scaffolds[path].dense()
        assert_array_equal(scaffold.dense(), 0 if ".attention." in path else expected)
    assert model.network_.named_parameters()["layers.0.attention.q.B"].any()


def test_only_language_models_are_for_texts():
    with pytest.raises(ValueError, match="language task, which DeepReservoirClassifier"):
        compare(DATA, estimator="DeepReservoirClassifier", ranks=(1,), seeds=1)
