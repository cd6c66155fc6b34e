"""A toy problem of two tasks, and small models of it."""

import numpy as np

from deepreservoir import SeedGatedClassifier

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(90, 5)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 0.5)
NAMES = np.array(["left", "right"])[np.arange(90) % 3 // 2]  # 60 and 30
SMALL = {"hidden_layer_sizes": (16, 8), "rank": 2, "max_iter": 5, "random_state": 0}


def small(**params):
    return SeedGatedClassifier(**(SMALL | params))


def fitted(**params):
    return small(**params).fit(ROWS, LABELS, NAMES)
