"""A limit on the number of layers that are made, for configurations that may come from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class TooManyLayers(Exception):
    """More layers are made than :func:`at_most_layers` allows."""


@dataclass
class _Limit:
    """The most layers that a block may make, and the number that it has made."""

    most: int
    made: int = 0


_LIMIT: ContextVar[_Limit | None] = ContextVar("_LIMIT", default=None)


@contextmanager
def at_most_layers(most: int) -> Iterator[None]:
    """Raise a TooManyLayers in the block as soon as more than `most` layers are made in it.

    The layers themselves are counted, so that the limit holds for every architecture, whatever its
    fields mean, and wherever it builds its layers.

    Parameters
    ----------
    most : int

    Examples
    --------
    >>> from deepreservoir import Activation
    >>> with at_most_layers(2):
    ...     layers = [Activation("tanh") for _ in range(10**12)]
    Traceback (most recent call last):
        ...
    deepreservoir.layers.layer_limit.TooManyLayers: more than 2 layers
    """
    token = _LIMIT.set(_Limit(most))
    try:
        yield
    finally:
        _LIMIT.reset(token)


def count_layer() -> None:
    """Count a layer that is being made.

    Raises
    ------
    TooManyLayers
        If it exceeds the limit of the block.
    """
    limit = _LIMIT.get()
    if limit is None:
        return
    limit.made += 1
    if limit.made > limit.most:
        raise TooManyLayers(f"more than {limit.most:,} layers")
