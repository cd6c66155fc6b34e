"""The package's gradient check, where the tests run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from target import device, put

from deepreservoir.backend import Array
from deepreservoir.gradient_check import (
    STEP,
    Bound,
    bound_network,
    check_bound_gradients,
)
from deepreservoir.gradient_check import bind as bind_on
from deepreservoir.gradient_check import move as jitter
from deepreservoir.gradient_check import read_only as frozen
from deepreservoir.layers import Layer, Pass
from deepreservoir.layers.base import EMPTY

__all__ = [
    "STEP",
    "TRAINING",
    "Bound",
    "bind",
    "bound_network",
    "check_gradients",
    "frozen",
    "jitter",
    "normal",
]

TRAINING = Pass(STEP)


def normal(*shape: int, seed: int = 0) -> Array:
    """Return standard normal numbers in float64, read-only on the host."""
    return frozen(put(np.random.default_rng(seed).standard_normal(shape)))


def bind(layer: Layer, family: str = "normal", storage: str = "auto", moved: bool = True) -> Bound:
    """Bind `layer` to float64 arrays where the tests run."""
    return bind_on(layer, family, storage, device, moved)


def check_gradients(
    bound: Bound,
    x: Array,
    products: Mapping[str, Array] = EMPTY,
    needs_dx: bool = True,
    side: Mapping[str, Any] = EMPTY,
) -> None:
    """Check the gradients of bound layers, whose parameters stay where they are."""
    check_bound_gradients(bound, x, products, side, needs_dx)
