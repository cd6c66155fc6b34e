"""Values of X in the type of a network."""

from __future__ import annotations

from typing import Any

import numpy as np


def cast_finite(values: np.ndarray, dtype: np.dtype[Any], name: str = "the values") -> np.ndarray:
    """Return finite values on the host in a type.

    Raises
    ------
    ValueError
        If one is too large for the type.
    """
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"{name} of X are too large for {dtype}; divide them by a constant")
    return cast
