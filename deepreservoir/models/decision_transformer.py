"""Decision Transformers on scaffolds: the configuration and the layers that it builds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..checks import check_dropped_share, check_integer
from ..layers import (
    Activation,
    Dense,
    Layer,
    LayerNorm,
    ObservationTokens,
    Sequential,
    TrajectoryEmbedding,
    TransformerBlock,
)
from ..layers.trajectory import TOKENS_PER_STEP
from ..params import DECAYED
from .base import NetworkConfig, architecture
from .equal_size import largest_within


@architecture("decision_transformer")
@dataclass(frozen=True)
class DecisionTransformerConfig(NetworkConfig):
    """A Decision Transformer (Chen et al., 2021) on scaffolds.

    A step of a trajectory is three tokens: the return-to-go, the observation and the action, each
    with the embedding of the time step. Blocks of causal attention and MLP, each after a layer
    normalisation, transform them, and the action is read from the token of the observation, as the
    hyperbolic tangent of a linear function. The matrices Q, K, V and O and both matrices of the
    MLP of each block are adapted, with a scale each; embeddings, layer normalisations and the head
    are trained, and the blocks have biases only with ``adapter="full"`` (paper, arXiv 2604.08749,
    section on the Decision Transformer).

    Parameters
    ----------
    n_observations, n_actions : int
        Numbers of entries of an observation, and of an action.
    max_steps : int
        Number of time steps that have an embedding of their own; later ones share the last.
    context : int, default=20
        Number of steps of a window.
    width : int, default=128
        Width of a token.
    depth : int, default=3
        Number of blocks.
    heads : int, default=1
        Number of heads of attention, by which the width must be divisible.
    mlp_ratio : int, default=4
        Width of the hidden layer of the MLP, in units of `width`.
    dropout : float, default=0.1
        Share that is dropped during training of the outputs of attention and of MLP.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    References
    ----------
    Chen, Lu, Rajeswaran, Lee, Grover, Laskin, Abbeel, Srinivas and Mordatch, Decision Transformer:
    reinforcement learning via sequence modeling, NeurIPS 2021.

    Examples
    --------
    >>> config = DecisionTransformerConfig(17, 6, 1000, rank=8)
    >>> config.n_params == 134_296 + 6_912 * 8
    True
    >>> config.fully_trained().n_params
    727558
    """

    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}
    merges_samples: ClassVar[bool] = False
    works_in_shares: ClassVar[bool] = True

    n_observations: int
    n_actions: int
    max_steps: int
    context: int = 20
    width: int = 128
    depth: int = 3
    heads: int = 1
    mlp_ratio: int = 4
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in (
            "n_observations",
            "n_actions",
            "max_steps",
            "context",
            "width",
            "depth",
            "heads",
            "mlp_ratio",
        ):
            check_integer(name, getattr(self, name), 1)
        if self.width % self.heads:
            raise ValueError(
                f"width must be divisible by the number of heads; got width {self.width} and heads "
                f"{self.heads}"
            )
        check_dropped_share("dropout", self.dropout)
        super().__post_init__()
        self.check_ranks()

    @property
    def n_outputs(self) -> int:
        """Number of entries of an action."""
        return self.n_actions

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.context, 1 + self.n_observations + self.n_actions)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one window and of what a block makes of it in a pass."""
        token = self.width * (6 + 2 * self.mlp_ratio)
        entries = TOKENS_PER_STEP * self.context * token
        return entries * np.dtype(self.dtype).itemsize

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow."""
        full = self.fully_trained()
        return largest_within(lambda head: replace(full, width=head * self.heads), n_params)

    def build(self) -> tuple[Layer, Layer]:
        embedding = TrajectoryEmbedding(
            "embedding", self.n_observations, self.n_actions, self.max_steps, self.width
        )
        blocks: list[Any] = [
            TransformerBlock(
                f"layers.{i}",
                self.width,
                self.heads,
                self.mlp_ratio * self.width,
                self.adapter_of,
                bias=self.adapter == "full",
                activation="relu",
                dropout=self.dropout,
                causal=True,
            )
            for i in range(self.depth)
        ]
        norm = LayerNorm("norm", self.width)
        head = Sequential([Dense("head", self.width, self.n_actions), Activation("tanh")])
        return Sequential([embedding, *blocks, ObservationTokens(), norm]), head
