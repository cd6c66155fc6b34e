"""Estimators of networks that their own parameters cannot describe."""

from __future__ import annotations

from typing import Any

from ...models import NetworkConfig
from .fitting import DeepEstimator


def with_config(model: Any, config: NetworkConfig) -> Any:
    """Return an unfitted estimator with the parameters of `model` and the given configuration.

    Controls train networks that the parameters of the estimator cannot describe.

    Parameters
    ----------
    model : DeepEstimator
    config : NetworkConfig
    """

    def network_config(self: DeepEstimator, *args: Any, **sizes: Any) -> NetworkConfig:
        return config

    kind = type(type(model).__name__, (type(model),), {"network_config": network_config})
    return kind(**model.get_params(deep=False))
