"""The estimator that reads the samples of a data set, if none is named."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...datasets import Dataset
from ...estimators import (
    CausalLanguageModel,
    CfCClassifier,
    CfCRegressor,
    DecisionTransformer,
    DeepReservoirClassifier,
    DeepReservoirRegressor,
    GCNClassifier,
    GINClassifier,
    GINRegressor,
    PlainCNNClassifier,
    TextTransformerClassifier,
)
from ...inputs import Graph, IrregularSeries, Nodes


def are_graphs(X: Any) -> bool:
    """Return whether samples are graphs: a list, a tuple or an array of them."""
    several = isinstance(X, list | tuple) or getattr(X, "dtype", None) == np.dtype(object)
    return several and len(X) > 0 and isinstance(X[0], Graph)


def natural_estimator(data: Dataset) -> Any:
    """Return the class of the estimators that read the samples of a data set.

    Raises
    ------
    ValueError
        For a regression on images, on texts or on the nodes of a graph, for which there is no
        estimator.
    """
    X = data.X_train
    kinds: dict[str, Any] = {
        "classification": DeepReservoirClassifier,
        "regression": DeepReservoirRegressor,
    }
    if data.task == "language":
        kinds = {"language": CausalLanguageModel}
    elif data.task == "control":
        kinds = {"control": DecisionTransformer}
    elif isinstance(X, IrregularSeries):
        kinds = {"classification": CfCClassifier, "regression": CfCRegressor}
    elif isinstance(X, Nodes):
        kinds = {"classification": GCNClassifier}
    elif are_graphs(X):
        kinds = {"classification": GINClassifier, "regression": GINRegressor}
    elif isinstance(X, list) and X and isinstance(X[0], str):
        kinds = {"classification": TextTransformerClassifier}
    elif len(getattr(X, "shape", ())) == 4:  # images
        kinds = {"classification": PlainCNNClassifier}
    if data.task not in kinds:
        raise ValueError(
            f"{data.name} is a {data.task}, which no estimator of its samples supports"
        )
    return kinds[data.task]
