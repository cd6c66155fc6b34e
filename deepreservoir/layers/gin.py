"""Graph isomorphism networks: convolutions that sum over neighbours, and their stack."""

from __future__ import annotations

from collections.abc import Sequence

from .. import kernels
from ..backend import Array, array_module
from ..params import Slot
from .activation import Activation
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass
from .batch_norm import BatchNorm
from .composite import Sequential
from .dense import AdaptedDense
from .multiply_adds import MultiplyAdds
from .pooling import GraphPooling


class GINConvolution(Layer):
    """``W_b relu(W_a ((1 + eps) h_i + m_i))`` with the sum m_i over the neighbours of node i.

    Without features of edges, ``m_i = sum_j h_j`` (Xu et al., 2019, equation 4.1). With embeddings
    e of the edges, ``m_i = sum_j relu(h_j + e_ij)`` (Hu et al., 2020).

    Parameters
    ----------
    path : str
    width : int
    first, second : Adapter
        Adapters of W_a (2 width, width) and W_b (width, 2 width).
    bias : bool
    edges : bool
        Whether there are embeddings of edges: the side array ``edge_embedding`` (M, width).

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, GINConvolution
    >>> layer = GINConvolution("layers.0", 16, Adapter(rank=2), Adapter(rank=2), True, False)
    >>> layer.reads, [request.shape for request in layer.scaffold_requests()]
    (('neighbours',), [(32, 16), (16, 32)])
    """

    eps: Array  # (1,)
    deps: Array

    def __init__(
        self, path: str, width: int, first: Adapter, second: Adapter, bias: bool, edges: bool
    ) -> None:
        super().__init__(path)
        self.edges = edges
        self.reads = ("source", "target", "incoming", "outgoing") if edges else ("neighbours",)
        if edges:
            self.reads = (*self.reads, "edge_embedding")
        self.mlp = Sequential(
            [
                AdaptedDense(f"{path}.a", width, 2 * width, first, bias),
                Activation("relu", f"{path}.a"),
                AdaptedDense(f"{path}.b", 2 * width, width, second, bias),
            ]
        )

    @property
    def children(self) -> Sequence[Layer]:
        return (self.mlp,)

    def own_slots(self) -> list[Slot]:
        return [Slot(f"{self.path}.eps", (1,), "scale", init=0.0)]

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        side = on.side
        kept: Array = None  # the edges whose ReLU is open, (M, width)
        if self.edges:
            messages = x[side["source"]]  # (M, width)
            messages += side["edge_embedding"]
            array_module(x).maximum(messages, 0, out=messages)
            u = side["incoming"] @ messages
            kept = messages > 0 if on.training else None
        else:
            u = side["neighbours"] @ x
        u += (1 + self.eps) * x
        y, cache = self.mlp.forward(u, on)
        return y, (x, kept, side, cache) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array:
        return self.backward_to_edges(dy, cache)[0]

    def backward_to_edges(self, dy: Array, cache: Cache) -> tuple[Array, Array]:
        """Return the gradients of x and of the embeddings of edges; the latter may be None."""
        x, kept, side, inner = cache
        du: Array = self.mlp.backward(dy, inner)  # (N, width)
        self.deps += kernels.dot(du, x)
        dx = (1 + self.eps) * du
        if not self.edges:
            dx += side["neighbours"].T @ du
            return dx, None
        dmessages = du[side["target"]]
        dmessages *= kept
        dx += side["outgoing"] @ dmessages
        return dx, dmessages

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        return self.mlp.multiply_adds(shape)


class GINStack(Layer):
    """Encoders of nodes and edges, convolutions with batch normalisation and skips, and pooling.

    ``h <- h + dropout(relu(norm(conv(h))))``, without the skip in the first layer and without the
    nonlinearity in the last one. One encoder of edges serves all layers.

    Parameters
    ----------
    nodes : Layer
        Encoder of the nodes, (N, d) or codes -> (N, width).
    edges : Layer or None
        Encoder of the edges, which reads the side array ``edge_attr``.
    convolutions : sequence of GINConvolution
    width : int
    dropout : float
    pooling : {"mean", "sum", "max"}
    """

    gives = ("edge_embedding",)

    def __init__(
        self,
        nodes: Layer,
        edges: Layer | None,
        convolutions: Sequence[GINConvolution],
        width: int,
        dropout: float,
        pooling: str,
    ) -> None:
        super().__init__()
        self.nodes, self.edges = nodes, edges
        self.reads = () if edges is None else ("edge_attr",)
        self.convolutions = list(convolutions)
        self.after: list[Sequential] = []
        for i, convolution in enumerate(self.convolutions):
            path, last = convolution.path, i == len(self.convolutions) - 1
            norm = BatchNorm(f"{path}.norm", width)
            act = Activation("identity" if last else "relu", path, dropout=dropout)
            self.after.append(Sequential([norm, act]))
        self.pooling = GraphPooling(pooling)

    @property
    def children(self) -> Sequence[Layer]:
        encoders = [self.nodes] if self.edges is None else [self.nodes, self.edges]
        layers = [
            layer for pair in zip(self.convolutions, self.after, strict=True) for layer in pair
        ]
        return [*encoders, *layers, self.pooling]

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        h, node_cache = self.nodes.forward(x, on)
        edge_cache = None
        if self.edges is not None:
            embedding, edge_cache = self.edges.forward(on.side["edge_attr"], on)
            on = on.within(edge_embedding=embedding)
        caches = []
        for i, (convolution, after) in enumerate(zip(self.convolutions, self.after, strict=True)):
            y, first = convolution.forward(h, on)
            y, second = after.forward(y, on)
            h = y + h if i else y  # not in place: the cache of the nonlinearity may be y itself
            caches.append((first, second))
        y, pooled = self.pooling.forward(h, on)
        return y, (node_cache, edge_cache, caches, pooled) if on.training else None

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        node_cache, edge_cache, caches, pooled = cache
        dh = self.pooling.backward(dy, pooled)
        dedges: Array | None = None
        for i in reversed(range(len(caches))):
            first, second = caches[i]
            inner = self.after[i].backward(dh, second)
            dx, dmessages = self.convolutions[i].backward_to_edges(inner, first)
            if i:
                dx += dh
            dh = dx
            if dmessages is not None:
                dedges = dmessages if dedges is None else dedges + dmessages
        if self.edges is not None:
            self.edges.backward(dedges, edge_cache)
        return self.nodes.backward(dh, node_cache)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.nodes.out_shape(shape)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        total = self.nodes.multiply_adds(shape)
        inner = self.nodes.out_shape(shape)
        for convolution in self.convolutions:
            total += convolution.multiply_adds(inner)
        return total
