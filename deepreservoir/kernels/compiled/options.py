"""How functions are compiled by numba; all of them release the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# contract: a product and a sum may be fused. reassoc: sums may be taken in another order.
_OPTIONS = {"nogil": True, "fastmath": {"contract", "reassoc"}, "error_model": "numpy"}


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function, and keep the machine code on disk where numba finds a place for it."""
    try:
        return numba.njit(cache=True, **(_OPTIONS | options))(function)
    except RuntimeError:  # numba found no folder that can be written to
        return numba.njit(**(_OPTIONS | options))(function)


def compiled_exactly(function: Callable[..., Any]) -> Any:
    """Compile a function whose results have the bits of NumPy: no operation is rearranged."""
    return compiled(function, fastmath=False)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of those that call it, with their options."""
    return compiled(function, inline="always")
