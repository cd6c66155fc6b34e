"""The widest network that a number of parameters allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .base import NetworkConfig

Config = TypeVar("Config", bound=NetworkConfig)


def largest_within(of_width: Callable[[int], Config], n_params: int) -> Config | None:
    """Return the configuration of the largest width with at most `n_params` trained parameters.

    Parameters
    ----------
    of_width : callable
        Width, from 1 on -> configuration; wider ones have more parameters.
    n_params : int

    Returns
    -------
    NetworkConfig, or None if even a width of 1 has more parameters
    """
    if of_width(1).n_params > n_params:
        return None
    low, high = 1, 2
    while of_width(high).n_params <= n_params:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if of_width(middle).n_params <= n_params:
            low = middle
        else:
            high = middle
    return of_width(low)
