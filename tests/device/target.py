"""Where the tests run: on the host, on the stand-in for CuPy, or on a real device.

`conftest.py` decides, before any test is imported. Tests make their arrays with `put`, work
on them with `xp`, and compare what `host` brings back.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

device: str = "cpu"
xp: ModuleType = np


def use_cuda() -> None:
    """Let all that follows run on the device that ``import cupy`` gives."""
    global device, xp
    import cupy

    device, xp = "cuda", cupy


def put(values: Any, dtype: Any = None) -> Any:
    """Return `values` as an array where the tests run."""
    return xp.asarray(np.asarray(values, dtype))


def host(value: Any) -> Any:
    """Return an array, or a list of them, on the host; anything else as it is."""
    if isinstance(value, list | tuple):
        return [host(part) for part in value]
    return xp.asnumpy(value) if device == "cuda" and isinstance(value, xp.ndarray) else value


def assert_array_equal(found: Any, expected: Any, **options: Any) -> None:
    np.testing.assert_array_equal(host(found), host(expected), **options)


def assert_allclose(found: Any, expected: Any, **options: Any) -> None:
    np.testing.assert_allclose(host(found), host(expected), **options)
