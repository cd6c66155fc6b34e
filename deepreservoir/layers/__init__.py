"""Layers with hand-written forward and backward passes."""

from ..kernels import ACTIVATIONS
from .activation import Activation
from .base import (
    INFERENCE,
    Layer,
    Pass,
    ScaffoldRequest,
    Step,
    as_rows,
    like_rows,
)
from .cfc import CfC
from .composite import Recompute, Residual, Sequential
from .dense import AdaptedDense, Adapter, Dense
from .multiply_adds import MultiplyAdds
from .norm import LayerNorm

__all__ = [
    "ACTIVATIONS",
    "INFERENCE",
    "Activation",
    "AdaptedDense",
    "Adapter",
    "CfC",
    "Dense",
    "Layer",
    "LayerNorm",
    "MultiplyAdds",
    "Pass",
    "Recompute",
    "Residual",
    "ScaffoldRequest",
    "Sequential",
    "Step",
    "as_rows",
    "like_rows",
]
