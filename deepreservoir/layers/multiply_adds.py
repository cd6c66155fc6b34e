"""Counts of the multiply-adds that layers make."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MultiplyAdds:
    """Multiply-adds of matrix products, two floating-point operations each.

    What is done entry by entry (activations, biases, norms, scales, the optimiser) is left out:
    it grows with the widths, and products with their squares.

    Attributes
    ----------
    forward, backward : int
        Of all rows of the input.
    forward_call, backward_call : int
        Of each call besides, however many rows it has: DoRA's norms.
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

    def prediction(self, samples: int, calls: int = 1) -> int:
        """Return those of `samples` such inputs forward, in `calls` calls."""
        return samples * self.forward + calls * self.forward_call

    def training(self, samples: int, calls: int = 1) -> int:
        """Return those of `samples` such inputs forward and backward, in `calls` steps."""
        backward = samples * self.backward + calls * self.backward_call
        return self.prediction(samples, calls) + backward


def trained_product(rows: int, d_in: int, d_out: int, needs_dx: bool) -> MultiplyAdds:
    """Count x W^T; dW = dy^T x; dx = dy W."""
    product = rows * d_in * d_out
    return MultiplyAdds(product, product * (2 if needs_dx else 1))
