"""Array modules, devices, and copies between host and device.

Layers do not choose a device: they take the module from their arrays
(:func:`array_module`), so the same code runs on NumPy and CuPy. Arrays are never moved
implicitly; only :func:`to_device` and :func:`to_host` move them.
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
    """Return whether `array` is a device array; if CuPy is not imported, it cannot be one."""
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
        If host and device arrays are mixed; arrays are never moved implicitly.

    Examples
    --------
    >>> import numpy as np
    >>> array_module(np.zeros(3)).__name__
    'numpy'
    """
    for array in arrays:  # the common case first: this runs many times per training step
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


def total_memory(device: Device) -> int:
    """Return the bytes of memory that a CUDA device has, used or not."""
    with device_module(device).cuda.Device():
        return int(device_module(device).cuda.runtime.memGetInfo()[1])


def cuda_problem() -> str | None:
    """Return the reason why ``device="cuda"`` cannot be used, or None if it can."""
    try:
        cupy = _cupy()
    except ImportError:
        return (
            "CuPy is not installed; install the extra that fits your driver: "
            "pip install 'deepreservoir[cuda12]' or 'deepreservoir[cuda13]'"
        )
    try:
        n_devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # without a usable driver, the CUDA runtime raises many types
        return f"CuPy is installed, but no CUDA device responds ({error})"
    return None if n_devices else "CuPy is installed, but it finds no CUDA device"


def resolve_device(device: str) -> Device:
    """Turn ``"cpu"``, ``"cuda"`` or ``"auto"`` into the device to use.

    ``"auto"`` is the GPU if one can be used, and the CPU otherwise.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not available.

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
    """Return the device that `device` names if it is available, and the CPU otherwise.

    This is for models that are loaded: they may have been fitted on another machine.
    """
    return resolve_device(device if device == "cpu" or cuda_problem() is None else "cpu")


def to_device(array: Array, device: Device) -> Array:
    """Return `array` on `device`, copying it only if it is elsewhere."""
    if device == "cuda":
        return _cupy().asarray(array)
    return to_host(array)


def moved(value: Any, device: Device) -> Any:
    """Return `value` with all of its arrays on `device`.

    Handles arrays, :class:`Movable` objects, and tuples, lists and dicts of them; any other value
    is returned unchanged.
    """
    if isinstance(value, np.ndarray) or is_on_device(value):
        return to_device(value, device)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(moved(item, device) for item in value)
    if type(value) is dict:
        return {key: moved(item, device) for key, item in value.items()}
    return value.to(device) if isinstance(value, Movable) else value


class Movable:
    """An object whose arrays can be moved to a device together; its pickle has host arrays."""

    def to(self, device: Device) -> Self:
        """Return a copy on `device`, which shares the arrays that are already there."""
        new = object.__new__(type(self))  # copy() would go through the host, as pickling does
        vars(new).update({name: moved(value, device) for name, value in vars(self).items()})
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {name: moved(value, "cpu") for name, value in vars(self).items()}


def to_host(array: Array) -> np.ndarray:
    """Return `array` as a NumPy array, copying it only if it is on a device."""
    if _is_host(array):
        return np.asarray(array)
    return _cupy().asnumpy(array)
