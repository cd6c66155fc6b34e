"""Layers: forward and backward by hand, one idea a file."""

from .activation import ACTIVATIONS, Activation
from .base import Layer, Residual, ScaffoldRequest, Sequential, Step
from .dense import AdaptedDense, Adapter, Dense
from .dropout import Dropout
from .norm import LayerNorm

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AdaptedDense",
    "Adapter",
    "Dense",
    "Dropout",
    "Layer",
    "LayerNorm",
    "Residual",
    "ScaffoldRequest",
    "Sequential",
    "Step",
]
