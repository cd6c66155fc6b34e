"""Fitted transformers of scikit-learn as plain data: a registry, and its entries.

Importing this package registers the transformers that deepreservoir can save.
"""

from . import columns, encoders, imputers, scalers, texts  # noqa: F401
from .registry import (
    TRANSFORMERS,
    State,
    n_outputs,
    pack_transformer,
    register_transformer,
    unpack_transformer,
)

__all__ = [
    "TRANSFORMERS",
    "State",
    "n_outputs",
    "pack_transformer",
    "register_transformer",
    "unpack_transformer",
]
