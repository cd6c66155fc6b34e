"""A trained perceptron as ordinary layers, in which scaffold and adapter are one matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import to_host
from ..models import MLPConfig
from ..network import Network
from .base.targets import Numbers, Targets


@dataclass(frozen=True)
class PlainLayer:
    """One layer without frozen weights: ``act(norm(W x + b))``, or with x added before the norm.

    Attributes
    ----------
    path : str
    weight : ndarray of float64, shape (d_out, d_in)
    bias : ndarray of float64, shape (d_out,), or None
    norm : tuple of two ndarray of float64, shape (d_out,), or None
        Weight and bias of the layer normalisation that follows.
    residual : bool
        Whether x is added.
    activation : str
    """

    path: str
    weight: np.ndarray
    bias: np.ndarray | None
    norm: tuple[np.ndarray, np.ndarray] | None
    residual: bool
    activation: str


def dense_layers(network: Network, targets: Targets) -> list[PlainLayer]:
    """Return the hidden layers and the head of a perceptron as ordinary layers.

    The head of a regressor outputs targets in their original units.

    Parameters
    ----------
    network : Network
        With an :class:`~deepreservoir.MLPConfig`.
    targets : Targets
    """
    config = network.config
    assert isinstance(config, MLPConfig)
    named = {
        path: to_host(array).astype(np.float64)
        for path, array in network.named_parameters().items()
    }
    weights = {path: layer.effective_weight() for path, layer in network.adapted.items()}
    layers = []
    for i, (d_in, d_out) in enumerate(config.hidden_shapes):
        path = f"layers.{i}"
        norm = None
        if config.layer_norm:
            norm = named[f"{path}.norm.weight"], named[f"{path}.norm.bias"]
        layers.append(
            PlainLayer(
                path,
                weights[path],
                named.get(f"{path}.bias"),
                norm,
                config.residual and d_in == d_out,
                config.activation,
            )
        )
    head = weights["head"] if "head" in weights else named["head.weight"]
    bias = named.get("head.bias")
    if isinstance(targets, Numbers):
        head = head * targets.scale[:, None]
        bias = (0.0 if bias is None else bias * targets.scale) + targets.mean
    return [*layers, PlainLayer("head", head, bias, None, False, "identity")]
