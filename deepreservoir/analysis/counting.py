"""Counts of the multiply-adds of the matrix products in layers."""

from __future__ import annotations

from ..layers import Layer, MultiplyAdds


def multiply_adds(layer: Layer, shape: tuple[int, ...]) -> MultiplyAdds:
    """Return the multiply-adds of a layer and of those inside it, without precomputed products.

    Parameters
    ----------
    layer : Layer
        Must be bound, unless every weight in it is trained.
    shape : tuple of int
        Shape of its input.

    Returns
    -------
    MultiplyAdds

    Raises
    ------
    TypeError
        If a layer does not define the count of its products.

    Examples
    --------
    >>> from deepreservoir.layers import Dense
    >>> multiply_adds(Dense("head", d_in=8, d_out=3), (1, 8))
    MultiplyAdds(forward=24, backward=48, forward_call=0, backward_call=0)
    """
    return layer.multiply_adds(shape)
