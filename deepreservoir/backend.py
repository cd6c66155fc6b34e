"""Which array module an array belongs to, which device to use, and moves between the two.

Layers never ask for a device: they take the module from their arrays
(:func:`array_module`), so one line of code serves NumPy and CuPy. Nothing moves
implicitly; :func:`to_device` and :func:`to_host` are the only ways across.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Literal, Self

import numpy as np

Array = Any  # numpy.ndarray, or cupy.ndarray where CuPy is installed
Device = Literal["cpu", "cuda"]

DEVICES = ("cpu", "cuda", "auto")


def _cupy() -> ModuleType:
    import cupy

    return cupy


def _is_host(array: Array) -> bool:
    return isinstance(array, np.ndarray | np.generic)


def is_on_device(array: object) -> bool:
    """Say whether `array` is a device array. CuPy is not imported for it: whoever has one, has."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(array, cupy.ndarray)


def device_of(array: Array) -> Device:
    """Return the device that `array` is on."""
    return "cuda" if is_on_device(array) else "cpu"


def array_module(*arrays: Array) -> ModuleType:
    """Return the module (``numpy`` or ``cupy``) that all of `arrays` belong to.

    Raises
    ------
    TypeError
        If host and device arrays are mixed: nothing moves implicitly.

    Examples
    --------
    >>> import numpy as np
    >>> array_module(np.zeros(3)).__name__
    'numpy'
    """
    for array in arrays:  # the common case first: this is asked many times a training step
        if type(array) is not np.ndarray:
            break
    else:
        return np
    host = [_is_host(array) for array in arrays]
    if all(host):
        return np
    if any(host):
        kinds = ", ".join(f"{type(a).__module__}.{type(a).__name__}" for a in arrays)
        raise TypeError(
            f"all arrays must be on one device; got {kinds}. "
            "Move them with deepreservoir.backend.to_device or to_host"
        )
    return _cupy()


def device_module(device: Device) -> ModuleType:
    """Return the array module of `device`."""
    return _cupy() if device == "cuda" else np


def cuda_problem() -> str | None:
    """Say why ``device="cuda"`` cannot be used here, or return None where it can."""
    try:
        cupy = _cupy()
    except ImportError:
        return (
            "CuPy is not installed; install the extra that fits your driver: "
            "pip install 'deepreservoir[cuda12]' or 'deepreservoir[cuda13]'"
        )
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # the CUDA runtime has many ways to say that it is not there
        return f"CuPy is installed but no CUDA device answers ({error})"
    return None if found else "CuPy is installed but it finds no CUDA device"


def resolve_device(device: str) -> Device:
    """Turn ``"cpu"``, ``"cuda"`` or ``"auto"`` into the device to use.

    ``"auto"`` is the GPU where one can be used and the CPU elsewhere.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not there.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}; got {device!r}")
    if device == "cpu":
        return "cpu"
    problem = cuda_problem()
    if problem is None:
        return "cuda"
    if device == "auto":
        return "cpu"
    raise ValueError(f"device='cuda' is not available: {problem}. Or use device='cpu'")


def present_device(device: str) -> Device:
    """Return the device that `device` names where it is there, and the CPU where it is not.

    For what is fitted and loaded again: it may have been fitted on another machine.
    """
    return resolve_device(device if device == "cpu" or cuda_problem() is None else "cpu")


def to_device(array: Array, device: Device) -> Array:
    """Return `array` on `device`, copying only if it is elsewhere."""
    if device == "cuda":
        return _cupy().asarray(array)
    return to_host(array)


def moved(value: Any, device: Device) -> Any:
    """Return `value` with all arrays in it on `device`; what is neither is returned as it is.

    Arrays, tuples, lists and dicts of them, and what has a method ``to(device)``.
    """
    if isinstance(value, np.ndarray) or is_on_device(value):
        return to_device(value, device)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(moved(item, device) for item in value)
    if type(value) is dict:
        return {key: moved(item, device) for key, item in value.items()}
    return value.to(device) if isinstance(value, Movable) else value


class Movable:
    """What holds arrays, and goes where they go. A pickle holds arrays of the host."""

    def to(self, device: Device) -> Self:
        """Return this on `device`; arrays that are there are shared."""
        new = object.__new__(type(self))  # copy() would go by way of the host, as a pickle does
        vars(new).update({name: moved(value, device) for name, value in vars(self).items()})
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {name: moved(value, "cpu") for name, value in vars(self).items()}


def to_host(array: Array) -> np.ndarray:
    """Return `array` as a NumPy array, copying only if it is on a device."""
    if _is_host(array):
        return np.asarray(array)
    return _cupy().asnumpy(array)
