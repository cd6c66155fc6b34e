"""Multiply-adds of the matrix products that layers make, counted as they make them."""

from __future__ import annotations

from dataclasses import dataclass

from ..layers import Activation, AdaptedDense, Dense, Layer, LayerNorm, Residual, Sequential


@dataclass(frozen=True)
class MultiplyAdds:
    """Multiply-adds of matrix products, two floating-point operations each.

    What is done entry by entry (activations, biases, norms, scales, the optimiser) is left out:
    it grows with the widths, and products with their squares.

    Attributes
    ----------
    forward, backward : int
        For each row.
    forward_call, backward_call : int
        For each call besides, however many rows it has: DoRA's norms.
    """

    forward: int = 0
    backward: int = 0
    forward_call: int = 0
    backward_call: int = 0

    def __add__(self, other: MultiplyAdds) -> MultiplyAdds:
        return MultiplyAdds(
            self.forward + other.forward,
            self.backward + other.backward,
            self.forward_call + other.forward_call,
            self.backward_call + other.backward_call,
        )

    def prediction(self, rows: int, calls: int = 1) -> int:
        """Return those of `rows` rows forward, in `calls` calls."""
        return rows * self.forward + calls * self.forward_call

    def training(self, rows: int, calls: int = 1) -> int:
        """Return those of `rows` rows forward and backward, in `calls` steps."""
        backward = rows * self.backward + calls * self.backward_call
        return self.prediction(rows, calls) + backward


def multiply_adds(layer: Layer) -> MultiplyAdds:
    """Return the multiply-adds of a layer and those inside it, without the projection cache.

    Parameters
    ----------
    layer : Layer
        Bound, unless every weight in it is trained.

    Raises
    ------
    TypeError
        For a kind of layer whose products are not known here.

    Examples
    --------
    >>> multiply_adds(Dense("head", d_in=8, d_out=3))
    MultiplyAdds(forward=24, backward=48, forward_call=0, backward_call=0)
    """
    if isinstance(layer, Sequential | Residual):
        return sum(map(multiply_adds, layer.children), MultiplyAdds())
    if isinstance(layer, AdaptedDense):
        return _trained(layer) if layer.adapter.mode == "full" else _adapted(layer)
    if isinstance(layer, Dense):
        return _trained(layer)
    if isinstance(layer, Activation | LayerNorm):
        return MultiplyAdds()
    raise TypeError(f"the products of a {type(layer).__name__} are not known to the count of costs")


def _trained(layer: Dense | AdaptedDense) -> MultiplyAdds:
    """Count x W^T; dW = dy^T x; dx = dy W."""
    product = layer.d_in * layer.d_out
    return MultiplyAdds(product, product * (2 if layer.needs_dx else 1))


def _adapted(layer: AdaptedDense) -> MultiplyAdds:
    scaffold, rank, d_in, d_out = layer.scaffold, layer.adapter.rank, layer.d_in, layer.d_out
    there, back = scaffold.multiply_adds(), scaffold.multiply_adds(backward=True)
    # x W^T; g = dy W.
    count = MultiplyAdds(there, back if layer.needs_dx else 0)
    if layer.adapter.low_rank:
        read, inject = rank * d_in, rank * d_out
        # z = x A^T and z B^T; u = dy B, dA = u^T x, dB = dy^T z, and u A.
        count += MultiplyAdds(
            read + inject, inject + read + inject + (read if layer.needs_dx else 0)
        )
    if layer.adapter.mode == "dora":
        # A W^T, A A^T and B (A A^T); (e B)^T W, B^T (e B) and its product with A.
        small = rank * rank * (d_in + d_out)
        count += MultiplyAdds(forward_call=rank * there + small, backward_call=rank * back + small)
    return count
