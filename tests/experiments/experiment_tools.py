"""What the tests of experiments share: small tasks, a quick protocol, and a NumPy forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_classification

from deepreservoir.datasets import Dataset
from deepreservoir.datasets.base import split_dataset, standardised
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons import resources
from deepreservoir.experiments.comparisons.task import Record
from deepreservoir.scaffold import ScaffoldSpec

QUICK = Protocol(hidden_layer_sizes=(16, 12), max_iter=3)


def diabetes() -> Dataset:
    """Return scikit-learn's diabetes: 10 features, a number to predict."""
    X, y = load_diabetes(return_X_y=True)
    split = split_dataset("diabetes", X, y, "regression")
    return Dataset(
        split.name,
        *_interleaved(split),
        "regression",
    )


def classes(n_classes: int = 3, n_features: int = 9) -> Dataset:
    """Return 200 made rows of a few classes."""
    X, y = make_classification(
        200,
        n_features,
        n_informative=6,
        n_redundant=0,
        n_classes=n_classes,
        class_sep=1.5,
        random_state=0,
    )
    split = split_dataset("made", X, y, "classification")
    return Dataset(split.name, *_interleaved(split))


def _interleaved(split: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X_train, X_test = standardised(split.X_train, split.X_test)
    return X_train, split.y_train, X_test, split.y_test


def forward(named: dict[str, np.ndarray], X: np.ndarray, seed: int | None) -> np.ndarray:
    """Return outputs (n, n_outputs) in float64, by the formula of the paper's section 1.

    h' = relu(beta W h + B A h); W is drawn from `seed`, or is zero where that is None.
    """
    h = X.astype(np.float64)
    depth = len({path for path in named if path.endswith(".A")})
    for i in range(depth):
        A, B, beta = (named[f"layers.{i}.{name}"].astype(np.float64) for name in ("A", "B", "beta"))
        z = h @ A.T @ B.T
        if seed is not None:
            shape = (B.shape[0], A.shape[1])
            W = ScaffoldSpec("normal", shape, seed, f"layers.{i}").rows(0, shape[0])
            z += beta * (h @ W.T.astype(np.float64))
        h = np.maximum(z, 0)
    return h @ named["head.weight"].T.astype(np.float64) + named["head.bias"]


def scores(records: tuple[Record, ...]) -> list[tuple[Any, ...]]:
    """Return what of records does not depend on the clock or the machine's memory."""
    return [(r.arm, r.rank, r.seed, r.score, r.trained, r.stored_bytes) for r in records]


@contextmanager
def without_collections() -> Iterator[None]:
    """Leave out the garbage collection before each fit, which takes longer than these fits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resources, "_release_free_memory", lambda: None)
        yield
