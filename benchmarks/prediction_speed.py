"""Predictions of the MNIST network against scikit-learn's perceptron of the same widths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from sklearn.neural_network import MLPClassifier

from deepreservoir import DeepReservoirClassifier

from .timing import medians, race, ratio

_HIDDEN = (512, 256, 128, 64)
_TRAINED_ON = 1000  # rows: what is learned does not matter here
ROWS = (1, 100, 20_000)

#: (type of X and of the predictions, largest time as a multiple of scikit-learn's).
TYPES = {"float32": 1.0, "float64": 1.5}


def _fitted(X: np.ndarray, y: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the predictions of both sides for rows of X's type."""
    ours = DeepReservoirClassifier(
        _HIDDEN,
        rank=8,
        activation="relu",
        bias=False,
        max_iter=1,
        random_state=0,
        predict_dtype=X.dtype.name,  # type: ignore[arg-type]
    )
    theirs = MLPClassifier(_HIDDEN, max_iter=1, random_state=0)  # computes in the type of X
    with catch_warnings():
        simplefilter("ignore")  # neither has converged
        return {
            "rank 8": ours.fit(X, y).predict_proba,
            "scikit-learn": theirs.fit(X, y).predict_proba,
        }


def races(rounds: int, rows: tuple[int, ...] = ROWS) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, figures) for each type and number of rows."""
    random = np.random.default_rng(0)
    X = random.standard_normal((max(rows), 784), np.float32)
    y = random.integers(0, 10, _TRAINED_ON)
    for dtype, most in TYPES.items():
        typed = X.astype(dtype)
        sides = _fitted(typed[:_TRAINED_ON], y[: len(typed)])
        for n in rows:
            seconds = race({k: partial(f, typed[:n]) for k, f in sides.items()}, rounds)
            figures = {
                "median_seconds": medians(seconds),
                "ratios": [
                    {
                        "faster": "rank 8",
                        "than": "scikit-learn",
                        "times": ratio(seconds, "scikit-learn", "rank 8"),
                        "target": round(1 / most, 2),
                    }
                ],
            }
            yield f"prediction in {dtype}, {n:,} rows", figures
