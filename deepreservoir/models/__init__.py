"""Configurations: frozen dataclasses that build a root layer."""

from .mlp import ADAPTERS, B_INITS, DTYPES, HEADS, SCALINGS, MLPConfig

__all__ = ["ADAPTERS", "B_INITS", "DTYPES", "HEADS", "SCALINGS", "MLPConfig"]
