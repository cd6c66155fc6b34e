"""Counts of the multiply-adds of layers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MultiplyAdds:
    """Multiply-adds of matrix products, two floating-point operations each.

    Elementwise work (activations, biases, norms, scales, the optimiser) is not counted: it grows
    linearly with the widths, matrix products quadratically.

    Attributes
    ----------
    forward, backward : int
        For all rows of the input.
    forward_call, backward_call : int
        In addition for each call, whatever its number of rows: DoRA's norms.

    Examples
    --------
    >>> from deepreservoir import MultiplyAdds
    >>> layer = MultiplyAdds(forward=24, backward=48)
    >>> (layer + layer).training(samples=100)
    14400
    """

    forward: int = 0
    backward: int = 0
    forward_call: int = 0
    backward_call: int = 0

    def __add__(self, other: MultiplyAdds) -> MultiplyAdds:
        if not isinstance(other, MultiplyAdds):
            raise TypeError(
                "the multiply_adds of a layer must be MultiplyAdds, which is MultiplyAdds() "
                f"without matrix products; got {other!r}"
            )
        return MultiplyAdds(
            self.forward + other.forward,
            self.backward + other.backward,
            self.forward_call + other.forward_call,
            self.backward_call + other.backward_call,
        )

    def prediction(self, samples: int, calls: int = 1) -> int:
        """Return the count for `samples` such inputs forward, in `calls` calls."""
        return samples * self.forward + calls * self.forward_call

    def training(self, samples: int, calls: int = 1) -> int:
        """Return the count for `samples` such inputs forward and backward, in `calls` steps."""
        backward = samples * self.backward + calls * self.backward_call
        return self.prediction(samples, calls) + backward


def trained_product(rows: int, d_in: int, d_out: int, needs_dx: bool) -> MultiplyAdds:
    """Return the count for the products x W^T, dW = dy^T x and dx = dy W."""
    product = rows * d_in * d_out
    return MultiplyAdds(product, product * (2 if needs_dx else 1))
