"""Graph isomorphism networks on scaffolds: the configuration and the layers that it builds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ..checks import check_choice, check_dropped_share, check_flag, check_integer
from ..layers import Dense, Layer
from ..layers.embedding import CategoryEmbedding
from ..layers.gin import GINConvolution, GINStack
from ..layers.pooling import POOLINGS
from ..params import DECAYED
from .base import NetworkConfig, architecture
from .equal_size import largest_within


@architecture("gin")
@dataclass(frozen=True)
class GINConfig(NetworkConfig):
    """A graph isomorphism network on scaffolds (paper, arXiv 2604.08749, appendix on GIN).

    Features of nodes and edges are embedded, then each layer sums over neighbours and applies two
    adapted matrices, ``W_b relu(W_a ((1 + eps) h + m))``, followed by batch normalisation, ReLU,
    dropout and, from the second layer on, a skip. The head reads the pooled nodes of a graph.

    Parameters
    ----------
    n_outputs : int
    node_categories, edge_categories : tuple of int, default=()
        Number of categories of each column of integer codes, which have trained embeddings.
    n_node_features, n_edge_features : int, default=0
        Number of features that are numbers, which a trained matrix reads. Nodes have either
        categories or numbers; edges may have neither.
    width : int, default=64
    depth : int, default=3
        Number of layers.
    dropout : float, default=0.2
    pooling : {"mean", "sum", "max"}, default="mean"
    bias : bool, default=False
        Whether adapted matrices have a trained bias.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> atoms, bonds = (119, 5, 12, 12, 10, 6, 6, 2, 2), (5, 6, 2)
    >>> config = GINConfig(1, atoms, edge_categories=bonds, width=300, depth=5, rank=8)
    >>> config.n_params, config.fully_trained().n_params
    (131416, 1863906)
    """

    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}

    n_outputs: int
    node_categories: tuple[int, ...] = ()
    n_node_features: int = 0
    edge_categories: tuple[int, ...] = ()
    n_edge_features: int = 0
    width: int = 64
    depth: int = 3
    dropout: float = 0.2
    pooling: str = "mean"
    bias: bool = False

    def __post_init__(self) -> None:
        for name in ("n_outputs", "width", "depth"):
            check_integer(name, getattr(self, name), 1)
        for kind in ("node", "edge"):
            name = f"{kind}_categories"
            for i, number in enumerate(getattr(self, name)):
                check_integer(f"{name}[{i}]", number, 1)
            object.__setattr__(self, name, tuple(int(number) for number in getattr(self, name)))
            check_integer(f"n_{kind}_features", getattr(self, f"n_{kind}_features"), 0)
            if getattr(self, name) and getattr(self, f"n_{kind}_features"):
                raise ValueError(f"{kind}s have either categories or numbers, not both")
        if not self.node_categories and not self.n_node_features:
            raise ValueError("nodes must have at least one feature")
        check_dropped_share("dropout", self.dropout)
        check_choice("pooling", self.pooling, POOLINGS)
        check_flag("bias", self.bias)
        super().__post_init__()
        self.check_ranks()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one node: costs are counted per node."""
        return (len(self.node_categories) or self.n_node_features,)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one node or edge in a pass."""
        return 6 * self.width * (8 if self.dtype == "float64" else 4)

    def fully_trained(self) -> Self:
        return replace(self, adapter="full", bias=True)

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow."""
        return largest_within(lambda width: replace(self.fully_trained(), width=width), n_params)

    def build(self) -> tuple[Layer, Layer]:
        width = self.width
        nodes = self._encoder("nodes", self.node_categories, self.n_node_features)
        edges = self._encoder("edges", self.edge_categories, self.n_edge_features)
        assert nodes is not None
        convolutions = [
            GINConvolution(
                f"layers.{i}",
                width,
                self.adapter_of(width, 2 * width),
                self.adapter_of(2 * width, width),
                self.bias,
                edges is not None,
            )
            for i in range(self.depth)
        ]
        stack = GINStack(nodes, edges, convolutions, width, self.dropout, self.pooling)
        return stack, Dense("head", width, self.n_outputs)

    def _encoder(self, path: str, categories: tuple[int, ...], n_features: int) -> Layer | None:
        if categories:
            return CategoryEmbedding(path, categories, self.width)
        if not n_features:
            return None
        return Dense(path, n_features, self.width, needs_dx=False)
