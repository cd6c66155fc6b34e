"""Readouts of scikit-learn, which are fitted to all rows at once, on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import has_fit_parameter

from ...backend import Array, to_host


class WholeFit:
    """Collects rows for a readout of scikit-learn.

    Parameters
    ----------
    readout : estimator
        A clone of it is fitted.
    """

    def __init__(self, readout: Any) -> None:
        self.readout = readout
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._weights: list[np.ndarray] = []

    def add(self, X: Array, y: Array, weights: Array | None = None) -> None:
        """Add rows: X (n, n_features), y (n, n_outputs), and their weights (n,)."""
        self._rows.append((to_host(X).astype(np.float64, copy=False), to_host(y)))
        if weights is not None:
            self._weights.append(to_host(weights))

    def fit(self) -> Any:
        """Return a fitted clone of the readout; one output is passed to it as (n,)."""
        X, y = (np.concatenate([rows[i] for rows in self._rows]) for i in range(2))
        weights = np.concatenate(self._weights) if self._weights else None
        return fitted_with(self.readout, X, y[:, 0] if y.shape[1] == 1 else y, weights)


def fitted_with(readout: Any, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Any:
    """Return a readout of scikit-learn that is fitted, with weights if there are any.

    Rows of weight zero are left out, since some readouts count them. They stay if a class would
    lose all of its rows, so that the readout knows the class.

    Raises
    ------
    ValueError
        If there are weights, but its `fit` does not take them.
    """
    if weights is None:
        return clone(readout).fit(X, y)
    if not has_fit_parameter(readout, "sample_weight"):
        raise ValueError(
            f"the fit of {type(readout).__name__}, the readout, does not take sample_weight; leave "
            "the weights out, also those of class_weight, or use readout='ridge'"
        )
    counted = weights > 0
    if is_classifier(readout) and len(np.unique(y[counted])) < len(np.unique(y)):
        counted[:] = True
    return clone(readout).fit(X[counted], y[counted], sample_weight=weights[counted])
