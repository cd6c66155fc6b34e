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
    ValueError
        If a layer on frozen weights is not bound.

    Examples
    --------
    >>> from deepreservoir.layers import Dense
    >>> multiply_adds(Dense("head", d_in=8, d_out=3), (1, 8))
    MultiplyAdds(forward=24, backward=48, forward_call=0, backward_call=0)
    """
    for each in layer.walk():
        if any(request.frozen for request in each.own_requests()) and not hasattr(each, "scaffold"):
            raise ValueError(
                f"{type(each).__name__} {each.path!r} is not bound to its frozen weights; count "
                "the layers of a Network, such as network.body"
            )
    return layer.multiply_adds(shape)
