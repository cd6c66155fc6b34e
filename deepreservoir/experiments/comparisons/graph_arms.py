"""References for graphs: label propagation for nodes, and fingerprints of molecules."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression

from ...datasets.molecules import are_molecules, morgan_fingerprints
from ...inputs import Graph, Nodes
from .task import Record, Task

# The share that comes from neighbours: the best on the validation nodes of Cora's public split,
# of 0.5, 0.8, 0.9, 0.95 and 0.99. The penalty is the best of 0.01, 0.1 and 1 on the validation
# molecules of MolHIV.
_ALPHA, _PENALTY = 0.95, 0.1
_TOLERANCE, _MOST_STEPS = 1e-8, 1_000


class LabelPropagation:
    """Labels that spread over the edges of a graph (Zhou et al., 2004); features are not read.

    The scores F of all nodes are iterated, ``F <- alpha S F + (1 - alpha) Y``, with the labels Y
    one-hot encoded, zero for nodes without one, and ``S = D^-1/2 A D^-1/2``.

    Parameters
    ----------
    alpha : float
        The share of a node's score that comes from its neighbours, below 1.

    References
    ----------
    Zhou, Bousquet, Lal, Weston and Schoelkopf, Learning with local and global consistency, NeurIPS
    2003.

    Examples
    --------
    >>> path = Nodes(np.eye(4), np.eye(4, k=1) + np.eye(4, k=-1))
    >>> model = LabelPropagation().fit(path[[0, 3]], np.array(["left", "right"]))
    >>> model.predict(path).tolist()
    ['left', 'left', 'right', 'right']
    """

    def __init__(self, alpha: float = _ALPHA) -> None:
        self.alpha = alpha

    def fit(self, X: Nodes, y: np.ndarray) -> Self:
        self.classes_, codes = np.unique(y, return_inverse=True)
        A = X.adjacency
        degrees = np.asarray(A.sum(axis=1)).ravel()
        root = scipy.sparse.diags(1 / np.sqrt(np.where(degrees > 0, degrees, 1)))
        S = self.alpha * (root @ A @ root).tocsr()
        Y = np.zeros((A.shape[0], len(self.classes_)))
        Y[X.index, codes] = 1 - self.alpha
        F = Y
        for _ in range(_MOST_STEPS):
            before, F = F, S @ F + Y
            if np.abs(F - before).max() < _TOLERANCE:
                break
        self.scores_ = F
        return self

    def predict(self, X: Nodes) -> np.ndarray:
        """Return the label of each node; the first one for a node that no label reaches."""
        return np.asarray(self.classes_[self.scores_[X.index].argmax(axis=1)])

    def score(self, X: Nodes, y: np.ndarray) -> float:
        """Return the accuracy."""
        return float(np.mean(self.predict(X) == y))


class LinearInFingerprints:
    """Logistic regression on the Morgan fingerprints of molecules, radius 2, 2,048 bits."""

    def __init__(self) -> None:
        self.model = LogisticRegression(C=_PENALTY, max_iter=200)

    def fit(self, X: list[Graph], y: np.ndarray) -> Self:
        self.model.fit(morgan_fingerprints(X), y)
        return self

    def decision_function(self, X: list[Graph]) -> np.ndarray:
        return np.asarray(self.model.decision_function(morgan_fingerprints(X)))

    def score(self, X: list[Graph], y: np.ndarray) -> float:
        """Return the accuracy."""
        return float(self.model.score(morgan_fingerprints(X), y))


def label_propagation(task: Task, seed: int) -> Record | None:
    """Spread the labels of the training nodes over the graph; None for other samples."""
    if task.data.task != "classification" or not isinstance(task.data.X_train, Nodes):
        return None
    model = LabelPropagation()
    cost = task.fit(model)
    return task.record("label_propagation", None, seed, model, cost, 0, False)


def fingerprints(task: Task, seed: int) -> Record | None:
    """Fit logistic regression on fingerprints; None for other samples, or without RDKit."""
    molecules = task.data.task == "classification" and are_molecules(task.data.X_train)
    if not molecules or find_spec("rdkit") is None:
        return None
    model: Any = LinearInFingerprints()
    cost = task.fit(model)
    trained = model.model.coef_.size + model.model.intercept_.size
    return task.record("fingerprints", None, seed, model, cost, trained, False)
