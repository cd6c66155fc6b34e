"""One small fitted model of every architecture, by name."""

import warnings

import numpy as np
from graph_tools import two_groups

from deepreservoir import (
    CausalLanguageModel,
    CfCClassifier,
    DecisionTransformer,
    DeepReservoirClassifier,
    EchoStateRegressor,
    GCNClassifier,
    GINClassifier,
    Graph,
    PlainCNNClassifier,
    SeedGatedClassifier,
    TextTransformerClassifier,
    ViTClassifier,
)

RNG = np.random.default_rng(0)
CODES = np.arange(24) % 2
SHORT = {"rank": 2, "max_iter": 1, "random_state": 0}


def graph_of(n):
    ones = np.ones((n, 2), int)
    return Graph.undirected(ones, [np.arange(n), np.roll(np.arange(n), -1)], np.zeros((n, 1), int))


def episode(seed):
    rng = np.random.default_rng(seed)
    sizes = {"observations": (6, 3), "actions": (6, 2), "rewards": 6}
    return {name: rng.uniform(-0.5, 0.5, size) for name, size in sizes.items()}


def nodes():
    adjacency, labels = two_groups()
    model = GCNClassifier((8,), rank=1, max_iter=1, random_state=0)
    return model.fit(RNG.normal(size=(80, 4)), labels, adjacency=adjacency)


def gated():
    return SeedGatedClassifier((8, 4), **SHORT).fit(RNG.normal(size=(24, 6)), CODES, CODES)


MODELS = {
    "mlp": lambda: DeepReservoirClassifier((8, 4), **SHORT).fit(RNG.normal(size=(24, 6)), CODES),
    "cfc": lambda: CfCClassifier(8, **SHORT).fit(RNG.normal(size=(24, 5, 2)), CODES),
    "vit": lambda: ViTClassifier(2, 8, depth=1, heads=2, **SHORT).fit(
        RNG.random((24, 4, 4)), CODES
    ),
    "plain_cnn": lambda: PlainCNNClassifier(8, 4, **SHORT).fit(RNG.random((24, 4, 4)), CODES),
    "gcn": nodes,
    "gin": lambda: GINClassifier(width=8, depth=1, **SHORT).fit(
        [graph_of(4 + i) for i in range(24)], CODES
    ),
    "decoder": lambda: CausalLanguageModel(
        vocabulary_size=257, width=8, depth=1, heads=1, mlp_width=8, context=8, **SHORT
    ).fit(["a text of some words " * 4] * 2),
    "text_transformer": lambda: TextTransformerClassifier(
        width=8, depth=1, heads=1, max_length=8, vocabulary_size=257, **SHORT
    ).fit(["a good film", "a bad film"] * 12, CODES),
    "decision_transformer": lambda: DecisionTransformer(
        context=3, width=8, depth=1, **SHORT
    ).fit([episode(i) for i in range(4)]),
    "tasks": gated,
    "reservoir": lambda: EchoStateRegressor(10, random_state=0).fit(
        RNG.normal(size=(60, 2)), RNG.normal(size=60)
    ),
}  # fmt: skip


def fitted(name):
    """Return the fitted model of a name, whose training is too short to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODELS[name]()
