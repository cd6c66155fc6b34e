"""Small irregular series for tests: two frequencies at random times, with values missing."""

import numpy as np

from deepreservoir import CfCClassifier, CfCRegressor

QUICK = {
    "units": 10,
    "backbone_units": 6,
    "rank": 2,
    "max_iter": 4,
    "batch_size": 16,
    "learning_rate_init": 0.02,
    "random_state": 0,
}


def irregular(n=60, channels=2, seed=0):
    """Return series (n_steps, channels), their times and their classes."""
    random = np.random.default_rng(seed)
    X, times, y = [], [], random.integers(0, 2, n)
    for label in y:
        t = np.sort(random.uniform(0, 10, random.integers(4, 14)))
        values = np.sin((1 + 2 * label) * t[:, None] + np.arange(channels)) * 3 + 1
        values[random.uniform(size=values.shape) < 0.2] = np.nan
        values[-1, 0] = 0.5
        X.append(values)
        times.append(t)
    return X, times, y


def classifier(**changes):
    return CfCClassifier(**QUICK | changes)


def regressor(**changes):
    return CfCRegressor(**QUICK | changes)
