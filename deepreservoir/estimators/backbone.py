"""Initial values of a Vision Transformer from another one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import to_device, to_host
from ..container import MAX_BYTES, ArtifactError, read
from ..document import checked
from ..layers import AdaptedDense
from ..models import NetworkConfig, ViTConfig, from_plain
from ..models.plain_config import layers_within
from ..network import Network

#: Fields of the configuration that decide the shapes of what is taken over.
_SHAPES = ("patch_size", "width", "depth", "pooling", "layer_norm")


def check_backbone(backbone: Any, cls: type) -> None:
    """Raise a ValueError if a parameter is not a model of `cls`, the path of a file, or None."""
    if backbone is not None and not isinstance(backbone, cls | str | os.PathLike):
        raise ValueError(
            f"backbone must be None, a fitted {cls.__name__}, or the path of a saved one; got "
            f"{backbone!r:.100}"
        )


def take_backbone(network: Network, backbone: Any) -> None:
    """Set the initial values of a network to what another has learned outside of its adapters.

    These are the embeddings of patches and positions, the class token and the layer normalisations;
    positions only if the numbers of tokens are equal. The scaffolds of the two may differ.

    Parameters
    ----------
    network : Network
        Of the architecture ``"vit"``.
    backbone : ViTClassifier, str or path
        A fitted model, or the path of a saved one.

    Raises
    ------
    ValueError
        If the shapes of the two differ; the message names both.
    NotFittedError
        If the model is not fitted.
    ArtifactError, OSError
        If the file cannot be read.
    """
    config, values = _read(backbone)
    own = network.config
    assert isinstance(own, ViTConfig)
    differences = [
        f"{name} {getattr(config, name)!r}, but this model {getattr(own, name)!r}"
        for name in _SHAPES
        if getattr(config, name) != getattr(own, name)
    ]
    channels, expected = config.image_shape[2], own.image_shape[2]
    if channels != expected:
        differences.append(f"images of {channels} channels, but this model of {expected}")
    if differences:
        raise ValueError(
            "backbone must have the shapes of the model that takes its values; it has "
            + "; ".join(differences)
        )
    views = network.named_parameters()
    for layer in network.body.walk():
        if isinstance(layer, AdaptedDense):
            continue
        for slot in layer.own_slots():
            if slot.name == "position" and config.n_tokens != own.n_tokens:
                continue
            views[slot.path][...] = to_device(
                values[slot.path].astype(network.dtype), network.device
            )


def _read(backbone: Any) -> tuple[ViTConfig, Mapping[str, np.ndarray]]:
    """Return configuration and trained arrays of a model or a file."""
    if isinstance(backbone, str | os.PathLike):
        contents = read(backbone)
        config: NetworkConfig | None = None
        if isinstance(contents.document.get("config"), dict):
            try:
                with layers_within(MAX_BYTES), checked("config"):
                    config = from_plain(contents.document["config"])
            except ArtifactError as error:
                raise ArtifactError(f"{os.fspath(backbone)}: {error}") from None
        if not isinstance(config, ViTConfig):
            raise ArtifactError(
                f"{os.fspath(backbone)}: backbone must be a Vision Transformer; the file holds a "
                f"{contents.document.get('estimator')!s:.60}"
            )
        return config, contents.tensors
    check_is_fitted(backbone, "network_")
    config = backbone.network_.config
    assert isinstance(config, ViTConfig)
    arrays = backbone.network_.named_parameters()
    return config, {path: to_host(array) for path, array in arrays.items()}
