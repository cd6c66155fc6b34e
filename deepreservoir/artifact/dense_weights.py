"""Ordinary weights, in which scaffold and adapter are combined, for use in other software."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..container import ArtifactError
from ..estimators import DeepEstimator, Numbers
from ..estimators.dense_layers import PlainLayer as PlainLayer
from ..estimators.dense_layers import dense_layers
from ..models import MLPConfig


def check_deep(model: Any) -> None:
    """Raise an ArtifactError unless `model` is a fitted perceptron on one scaffold."""
    if not isinstance(model, DeepEstimator) or hasattr(model, "tasks_"):
        raise ArtifactError(
            f"this is for deep estimators on one scaffold; got {type(model).__name__}. For a "
            "pipeline, pass its last step"
        )
    check_is_fitted(model, "network_")
    config = model.network_.config
    if not isinstance(config, MLPConfig):
        raise ArtifactError(
            "this needs the ordinary weights of a multilayer perceptron; got the architecture "
            f"{config.name!r}, whose layers are not all dense. Use deepreservoir.save"
        )


def _check_units(model: Any, dtype: np.dtype[Any]) -> None:
    """Raise an ArtifactError if a head in the units of the targets exceeds the range of `dtype`."""
    # Weights are products with the scale, hence the margin.
    least, most = float(np.finfo(dtype).tiny) * 1e6, float(np.finfo(dtype).max) / 1e6
    smallest = float(model.y_scale_.min())
    largest = float(max(model.y_scale_.max(), np.abs(model.y_mean_).max()))
    if largest > most or smallest < least:
        raise ArtifactError(
            f"targets between {smallest:.3g} and {largest:.3g} do not fit weights in {dtype}: fit "
            "the model on targets in other units, or use deepreservoir.save"
        )


def plain_layers(model: Any, dtype: np.dtype[Any] | None = None) -> list[PlainLayer]:
    """Return the hidden layers and the head of a fitted deep estimator as ordinary layers.

    The head of a regressor outputs targets in their original units, which must be in the range of
    `dtype`, by default that of the network.
    """
    check_deep(model)
    if isinstance(model._targets, Numbers):
        _check_units(model, model.network_.dtype if dtype is None else dtype)
    return dense_layers(model.network_, model._targets)


def materialise(model: Any) -> dict[str, np.ndarray]:
    """Return the ordinary weights ``beta W_seed + s B A`` of each layer, by name.

    Parameters
    ----------
    model : estimator
        A fitted deep estimator.

    Returns
    -------
    dict of str to ndarray, in the model's dtype
        From ``layers.0.weight`` (d_out, d_in), with the names and layout of PyTorch, and
        ``layers.0.bias`` and ``layers.0.norm.weight`` if present, to ``head.weight`` and
        ``head.bias``. A classifier's head outputs logits, a regressor's head targets in their
        original units.

    Raises
    ------
    ArtifactError
        If the model is not a deep estimator, or its targets exceed the range of the weights.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import DeepReservoirRegressor, materialise
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> model = DeepReservoirRegressor((16,), "relu", max_iter=5, random_state=0)
    >>> w = materialise(model.fit(X, X[:, 0]))
    >>> list(w)
    ['layers.0.weight', 'layers.0.bias', 'head.weight', 'head.bias']
    >>> h = np.maximum(X @ w["layers.0.weight"].T + w["layers.0.bias"], 0)
    >>> y = h @ w["head.weight"].T + w["head.bias"]
    >>> bool(np.allclose(y[:, 0], model.predict(X), atol=1e-5))
    True
    """
    weights: dict[str, np.ndarray] = {}
    for layer in plain_layers(model):
        weights[f"{layer.path}.weight"] = layer.weight
        if layer.bias is not None:
            weights[f"{layer.path}.bias"] = layer.bias
        if layer.norm is not None:
            weights[f"{layer.path}.norm.weight"], weights[f"{layer.path}.norm.bias"] = layer.norm
    return {name: array.astype(model.network_.dtype) for name, array in weights.items()}
