"""Multi-head self-attention on adapted matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import kernels
from ..backend import Array
from .adapter import Adapter
from .base import INFERENCE, Cache, Layer, Pass
from .composite import Sequential
from .dense import AdaptedDense
from .key_value_cache import KEYS_AND_VALUES, KeyValueCache
from .multiply_adds import MultiplyAdds
from .norm import LayerNorm


class SelfAttention(Layer):
    """Multi-head attention of tokens to each other (Vaswani et al., 2017): (n, t, d) -> (n, t, d).

    The matrices Q, K, V and O are adapted, each on a scaffold of its own.

    Parameters
    ----------
    path : str
        The matrices are called ``f"{path}.q"``, ``.k``, ``.v`` and ``.o``.
    width, heads : int
        The width of a token, and the number of heads, by which it must be divisible.
    adapter : Adapter
        Of all four matrices.
    bias : bool
        Whether the matrices have trained biases.
    causal : bool, default=False
        Whether a token attends only to itself and to those before it.
    mask : str, optional
        Name of a side array of bool (n, t): the tokens that are attended to.
    layer_norm : bool, default=False
        Whether each matrix is followed by a layer normalisation of its outputs.
    queries : int, optional
        Number of leading tokens for which outputs are computed, (n, queries, d); all by default.
    rotary : float, optional
        Base of rotary positions (Su et al., 2021), by which queries and keys are rotated. By
        default, attention does not depend on positions.

    Raises
    ------
    ValueError
        If the width is not divisible by the number of heads, only some outputs are asked for
        under causal attention, or rotary positions are asked for and a head has an odd width.

    Notes
    -----
    If the side arrays hold a :class:`KeyValueCache` under ``"keys_and_values"``, x is read as the
    tokens after those in the cache, at inference.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter, SelfAttention
    >>> attention = SelfAttention("attention", 64, 4, Adapter(rank=2), bias=True, causal=True)
    >>> [request.path for request in attention.scaffold_requests()]
    ['attention.q', 'attention.k', 'attention.v', 'attention.o']
    >>> attention.out_shape((8, 10, 64))
    (8, 10, 64)
    """

    def __init__(
        self,
        path: str,
        width: int,
        heads: int,
        adapter: Adapter,
        bias: bool,
        causal: bool = False,
        mask: str | None = None,
        layer_norm: bool = False,
        queries: int | None = None,
        rotary: float | None = None,
    ) -> None:
        super().__init__(path)
        if width % heads:
            raise ValueError(
                f"width must be divisible by the number of heads; got width {width} and {heads} "
                "heads"
            )
        if causal and queries is not None:
            raise ValueError("causal attention computes the outputs of all tokens; got queries")
        if rotary is not None and (width // heads) % 2:
            raise ValueError(
                "rotary positions need heads of an even width; got width "
                f"{width} and {heads} heads, of width {width // heads}"
            )
        self.width, self.heads, self.rotary = width, heads, rotary
        self.causal, self.mask, self.queries = causal, mask, queries
        self.reads = () if mask is None else (mask,)
        self.q, self.k, self.v, self.o = (
            adapted(f"{path}.{name}", width, width, adapter, bias, layer_norm) for name in "qkvo"
        )

    @property
    def children(self) -> Sequence[Layer]:
        return (self.q, self.k, self.v, self.o)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        q, q_cache = self.q.forward(x[:, : self.queries], on)  # x: (n, t, d)
        k, k_cache = self.k.forward(x, on)
        v, v_cache = self.v.forward(x, on)
        q, k, v = (self._by_head(part) for part in (q, k, v))
        past: KeyValueCache | None = on.side.get(KEYS_AND_VALUES)
        q, k = self._at_positions(q, k, 0 if past is None else past.length)
        if past is not None:
            k, v = past.extended(self.path, k, v)
        mask = self._mask_of(on)
        out, log_sums = kernels.softmax_attention(q, k, v, mask, self.causal)
        y, o_cache = self.o.forward(out.reshape(*out.shape[:2], self.width), on)
        if not on.training:
            return y, None
        return y, ((q, k, v, out, log_sums, mask), (q_cache, k_cache, v_cache, o_cache))

    def backward(self, dy: Array, cache: Cache) -> Array | None:
        (q, k, v, out, log_sums, mask), (q_cache, k_cache, v_cache, o_cache) = cache
        dout: Any = self.o.backward(dy, o_cache)
        grads = kernels.softmax_attention_backward(
            self._by_head(dout), q, k, v, out, log_sums, mask, self.causal
        )
        dq, dk = self._at_positions(*grads[:2], back=True)
        dq, dk, dv = (part.reshape(*part.shape[:2], self.width) for part in (dq, dk, grads[2]))
        dx: Any = self.k.backward(dk, k_cache)
        dx += self.v.backward(dv, v_cache)
        dx[:, : self.queries] += self.q.backward(dq, q_cache)
        return dx

    def probabilities(self, x: Array, on: Pass = INFERENCE) -> Array:
        """Return how much each token attends to each, (n, heads, t, t), at inference.

        Parameters
        ----------
        x : array, shape (n, t, d)
            The input of this layer.
        on : Pass
        """
        q, k = (self._by_head(part.forward(x, on)[0]) for part in (self.q, self.k))
        q, k = self._at_positions(q, k)
        return kernels.attention_probabilities(q, k, self._mask_of(on), self.causal)

    def _by_head(self, x: Array) -> Array:
        return x.reshape(*x.shape[:2], self.heads, -1)  # (n, t, heads, d / heads)

    def _at_positions(
        self, q: Array, k: Array, start: int = 0, back: bool = False
    ) -> tuple[Array, Array]:
        """Return queries and keys, (n, t, heads, d), rotated by the angles of their positions."""
        if self.rotary is None:
            return q, k
        return (
            kernels.rotate(q, self.rotary, start, back),
            kernels.rotate(k, self.rotary, start, back),
        )

    def _mask_of(self, on: Pass) -> Array | None:
        return None if self.mask is None else on.side[self.mask]

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], min(shape[-2], self.queries or shape[-2]), shape[-1])

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        out = self.out_shape(shape)
        total = self.k.multiply_adds(shape) + self.v.multiply_adds(shape)
        total += self.q.multiply_adds(out) + self.o.multiply_adds(out)
        pairs = shape[-2] * self.width  # of all queries and keys, over all heads
        for size in out[:-1]:
            pairs *= size
        # q k^T and p v; q k^T again, p^T do, do v^T, ds k and ds^T q.
        return total + MultiplyAdds(2 * pairs, 5 * pairs)


def adapted(
    path: str, d_in: int, d_out: int, adapter: Adapter, bias: bool, layer_norm: bool
) -> Layer:
    """Return an adapted matrix, with layer normalisation of its outputs where asked for.

    The normalisation acts on the sum of the frozen and the low-rank path, and is trained.
    """
    dense = AdaptedDense(path, d_in, d_out, adapter, bias)
    return Sequential([dense, LayerNorm(f"{path}.norm", d_out)]) if layer_norm else dense
