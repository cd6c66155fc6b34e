"""Layers: forward and backward by hand, one idea a file."""

from ..kernels import ACTIVATIONS
from .activation import Activation
from .base import Layer, Residual, ScaffoldRequest, Sequential, Step
from .dense import AdaptedDense, Adapter, Dense
from .norm import LayerNorm

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AdaptedDense",
    "Adapter",
    "Dense",
    "Layer",
    "LayerNorm",
    "Residual",
    "ScaffoldRequest",
    "Sequential",
    "Step",
]
