"""Small trainings of several architectures, as the tests of parts and workers need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepreservoir import (
    CausalLanguageModel,
    CfCClassifier,
    DecisionTransformer,
    DeepReservoirClassifier,
    GCNClassifier,
    Nodes,
    PlainCNNClassifier,
    ViTClassifier,
)

SHORT = {"max_iter": 2, "random_state": 0, "batch_size": 8}


def table() -> tuple[Any, tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((27, 5)).astype(np.float32)  # the last batch has three samples
    y = (X[:, 0] > 0).astype(int)
    model = DeepReservoirClassifier((12, 8), rank=2, dropout=0.2, **SHORT)
    return model, (X, y, rng.uniform(0.5, 2, len(X)))


def images() -> tuple[Any, tuple[Any, ...]]:
    """A network with batch normalisation, and random changes that mix images."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, (18, 8, 8, 3), dtype=np.uint8)
    model = PlainCNNClassifier(depth=8, rank=2, augmentation=("flip", "crop", "mixup"), **SHORT)
    return model, (X, np.arange(18) % 3)


def patches() -> tuple[Any, tuple[Any, ...]]:
    rng = np.random.default_rng(2)
    X = rng.integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    shape = {"patch_size": 4, "width": 8, "depth": 2, "heads": 2}
    return ViTClassifier(**shape, rank=2, dropout=0.1, **SHORT), (X, np.arange(16) % 2)


def series() -> tuple[Any, tuple[Any, ...]]:
    rng = np.random.default_rng(3)
    X = [rng.standard_normal((int(n), 2)) for n in rng.integers(3, 7, 16)]
    return CfCClassifier(rank=2, **SHORT), (X, np.arange(16) % 2)


def tokens() -> tuple[Any, tuple[Any, ...]]:
    codes = np.random.default_rng(4).integers(0, 20, 200)
    shape = {"width": 8, "depth": 1, "heads": 2, "context": 8}
    return CausalLanguageModel(**shape, rank=2, **SHORT), ([codes],)


def trajectories() -> tuple[Any, tuple[Any, ...]]:
    """Windows of which some are shorter, so that parts average over other numbers of actions."""
    rng = np.random.default_rng(5)
    X = [
        {
            "observations": rng.standard_normal((n, 3)),
            "actions": rng.uniform(-1, 1, (n, 2)),
            "rewards": rng.standard_normal(n),
        }
        for n in (3, 9, 14)
    ]
    shape = {"width": 8, "depth": 1, "heads": 2, "context": 5}
    return DecisionTransformer(**shape, rank=2, **SHORT), (X,)


def nodes() -> tuple[Any, tuple[Any, ...]]:
    """One graph, all of which belongs to every part."""
    rng = np.random.default_rng(6)
    upper = np.triu(rng.random((20, 20)) < 0.2, 1)
    X = Nodes(rng.standard_normal((20, 4)).astype(np.float32), (upper | upper.T).astype(float))
    y = np.arange(20) % 3
    return GCNClassifier(rank=2, max_iter=3, random_state=0), (X, y)


TRAININGS = {f.__name__: f for f in (table, images, patches, series, tokens, trajectories, nodes)}


def bits(model: Any) -> tuple[bytes, bytes, tuple[float, ...]]:
    """Return what must be equal: parameters, buffers and losses."""
    network = model.network_
    return network.theta.tobytes(), network.buffers.tobytes(), tuple(model.history_["loss"])
