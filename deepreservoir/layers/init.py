"""Initial values of trained parameters, drawn from streams."""

from __future__ import annotations

import math

import numpy as np

from ..backend import Array, array_module
from ..scaffold import Stream
from ..scaffold.tables import lane_table


def init_stream(seed: int, path: str) -> Stream:
    """Return the stream of the initial values of the parameter at `path`."""
    return Stream(seed, path, "init")


def assign(view: Array, values: np.ndarray) -> None:
    """Write host values into a view on any device."""
    view[...] = array_module(view).asarray(values, dtype=view.dtype)


def kaiming_uniform(stream: Stream, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Return U(-b, b) with b = 1/sqrt(fan_in): Kaiming uniform with a = sqrt 5.

    Parameters
    ----------
    stream : Stream
    shape : tuple of int
    fan_in : int

    Returns
    -------
    ndarray of float32, of `shape`
    """
    rows, width = math.prod(shape[:-1]), shape[-1]
    unit = lane_table("uniform")[stream.rows(0, rows, width)]  # variance one: bound sqrt 3
    return (unit * np.float32(1 / math.sqrt(3 * fan_in))).reshape(shape)


def normal(stream: Stream, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    """Return normal numbers with mean zero and a standard deviation.

    Parameters
    ----------
    stream : Stream
    shape : tuple of int
    deviation : float

    Returns
    -------
    ndarray of float32, of `shape`
    """
    rows, width = math.prod(shape[:-1]), shape[-1]
    unit = lane_table("normal")[stream.rows(0, rows, width)]
    return (unit * np.float32(deviation)).reshape(shape)
