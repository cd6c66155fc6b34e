"""Graph convolutional networks on scaffolds: the configuration and the layers that it builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from ..checks import check_dropped_share, check_flag, check_integer
from ..layers import Activation, AdaptedDense, Aggregate, BatchNorm, Layer, NodeDense, Sequential
from ..params import DECAYED
from .base import NetworkConfig, architecture
from .equal_size import largest_within


@architecture("gcn")
@dataclass(frozen=True)
class GCNConfig(NetworkConfig):
    """A graph convolutional network on scaffolds (paper, arXiv 2604.08749, appendix on GCN).

    Each layer is ``S X W^T + b`` with ``S = D^-1/2 (A + I) D^-1/2`` (Kipf and Welling, 2017,
    equation 2); batch normalisation, ReLU and dropout follow all layers but the last. All matrices
    are adapted, the last one included.

    Parameters
    ----------
    n_features, n_outputs : int
        Widths of the input and the output.
    hidden_layer_sizes : tuple of int, default=(64,)
        Widths of the hidden layers, at least one.
    batch_norm : bool, default=True
    dropout : float, default=0.5
        Fraction of hidden activations that is dropped during training.
    bias : bool, default=False

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> config = GCNConfig(128, 40, (256, 256), rank=8)  # OGBN-Arxiv
    >>> config.n_params, config.fully_trained().n_params
    (10563, 110120)
    """

    merges_samples: ClassVar[bool] = False  # a node depends on its neighbours
    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}
    large_ranks = "warn"

    n_features: int
    n_outputs: int
    hidden_layer_sizes: tuple[int, ...] = (64,)
    batch_norm: bool = True
    dropout: float = 0.5
    bias: bool = False

    def __post_init__(self) -> None:
        check_integer("n_features", self.n_features, 1)
        check_integer("n_outputs", self.n_outputs, 1)
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str) or not isinstance(sizes, Sequence | np.ndarray) or not len(sizes):
            raise ValueError(
                "hidden_layer_sizes must be a tuple of at least one width, such as (64,); "
                f"got {sizes!r}"
            )
        for i, width in enumerate(sizes):
            check_integer(f"hidden_layer_sizes[{i}]", width, 1)
        check_dropped_share("dropout", self.dropout)
        for name in ("batch_norm", "bias"):
            check_flag(name, getattr(self, name))
        object.__setattr__(self, "hidden_layer_sizes", tuple(int(width) for width in sizes))
        super().__post_init__()
        self.check_ranks()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    def fully_trained(self) -> Self:
        return replace(self, adapter="full", bias=True)

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow."""
        depth = len(self.hidden_layer_sizes)
        return largest_within(
            lambda width: replace(self.fully_trained(), hidden_layer_sizes=(width,) * depth),
            n_params,
        )

    def build(self) -> tuple[Layer, Layer]:
        layers: list[Layer] = []
        d_in = self.n_features
        for i, d_out in enumerate(self.hidden_layer_sizes):
            path = f"layers.{i}"
            if i > 0:  # the inputs of the first layer come as S X
                layers.append(Aggregate("adjacency", path))
            kind = AdaptedDense if i else NodeDense
            layers.append(kind(path, d_in, d_out, self.adapter_of(d_in, d_out), self.bias, i > 0))
            if self.batch_norm:
                layers.append(BatchNorm(f"{path}.norm", d_out))
            layers.append(Activation("relu", path, dropout=self.dropout))
            d_in = d_out
        layers.append(Aggregate("rows", "head"))
        adapter = self.adapter_of(d_in, self.n_outputs)
        return Sequential(layers), AdaptedDense("head", d_in, self.n_outputs, adapter, self.bias)
