"""Array modules, devices, and copies between host and device.

Layers do not choose a device: they take the module from their arrays
(:func:`array_module`), so the same code runs on NumPy and CuPy. Arrays are never moved
implicitly; only :func:`to_device` and :func:`to_host` move them.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any, Self

import numpy as np

Array = Any  # numpy.ndarray, or cupy.ndarray where CuPy is installed
Device = str  # "cpu"; "cuda", CuPy's current device; or "cuda:N", the one with number N

#: The devices that a user can name, beside "cuda:N" for the GPU with number N.
DEVICES = ("cpu", "cuda", "auto")

_NUMBERED = re.compile(r"cuda:(0|[1-9]\d{0,3})")


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
    """Return the device that `array` is on; ``"cuda"`` if it is CuPy's current device."""
    if not is_on_device(array):
        return "cpu"
    number = array.device.id
    return "cuda" if number == _cupy().cuda.Device().id else f"cuda:{number}"


def array_module(*arrays: Array) -> ModuleType:
    """Return the module (``numpy`` or ``cupy``) that all of `arrays` belong to.

    Raises
    ------
    TypeError
        If host and device arrays are mixed, which are never moved implicitly, or there are none.

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
    try:
        return _cupy()
    except ModuleNotFoundError:
        kinds = ", ".join(type(array).__name__ for array in arrays)
        raise TypeError(f"expected arrays of NumPy, or CuPy where installed; got {kinds}") from None


def device_module(device: Device) -> ModuleType:
    """Return the array module of `device`."""
    return np if device == "cpu" else _cupy()


def device_number(device: object) -> int | None:
    """Return N of ``"cuda:N"``, and None for every other name.

    Examples
    --------
    >>> device_number("cuda:1"), device_number("cuda")
    (1, None)
    """
    match = _NUMBERED.fullmatch(device) if isinstance(device, str) else None
    return int(match[1]) if match else None


def is_device_name(device: object) -> bool:
    """Return whether :func:`resolve_device` knows the name, on this machine or on another."""
    return device in DEVICES or device_number(device) is not None


def current_device(device: str) -> AbstractContextManager[Any]:
    """Return a context in which ``"cuda:N"`` is CuPy's current device.

    Arrays are created, and kernels launched, on the current device. Any other name changes
    nothing, and neither does the number of a device that is not there.
    """
    number = device_number(device)
    if number is None or cuda_problem(number) is not None:
        return nullcontext()
    context: AbstractContextManager[Any] = _cupy().cuda.Device(number)
    return context


def device_memory(device: Device) -> tuple[int, int]:
    """Return the bytes of memory of a CUDA device: those that are free, and all of them."""
    with current_device(device):
        free, total = device_module(device).cuda.runtime.memGetInfo()
    return int(free), int(total)


def cuda_problem(number: int | None = None) -> str | None:
    """Return the reason why ``device="cuda"`` cannot be used, or None if it can.

    Parameters
    ----------
    number : int, optional
        Ask about ``"cuda:N"`` instead.
    """
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
    if not n_devices:
        return "CuPy is installed, but it finds no CUDA device"
    if number is not None and number >= n_devices:
        known = "cuda:0" if n_devices == 1 else f"cuda:0 to cuda:{n_devices - 1}"
        return f"CuPy finds {n_devices} CUDA device{'s' if n_devices > 1 else ''}, {known}"
    return None


def resolve_device(device: str) -> Device:
    """Turn ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"auto"`` into the device to use.

    ``"auto"`` is the GPU if one can be used, and the CPU otherwise. ``"cuda"`` is CuPy's current
    device, by default the first.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not available.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if not is_device_name(device):
        raise ValueError(f"device must be one of cpu, cuda, cuda:N, auto; got {device!r}")
    if device == "cpu":
        return "cpu"
    problem = cuda_problem(device_number(device))
    if problem is None:
        return "cuda" if device == "auto" else device
    if device == "auto":
        return "cpu"
    raise ValueError(f"device={device!r} is not available: {problem}. Or use device='cpu'")


def present_device(device: str) -> Device:
    """Return the device that `device` names if it is available, and otherwise one that is.

    This is for models that are loaded: they may have been fitted on another machine. Instead of a
    GPU with a number that is not there, the current one is used, and without any GPU the CPU.
    """
    if device != "cpu" and cuda_problem(device_number(device)) is not None:
        device = "auto"
    return resolve_device(device)


class _Uploads(threading.local):
    """Whether this thread may copy arrays to a device."""

    allowed = True


_uploads = _Uploads()


@contextmanager
def no_uploads() -> Iterator[None]:
    """Refuse copies to a device within a with block, in this thread.

    A CUDA graph would repeat such a copy from memory that has since been used for something else.
    """
    _uploads.allowed = False
    try:
        yield
    finally:
        _uploads.allowed = True


def to_device(array: Array, device: Device) -> Array:
    """Return `array` on `device`, copying it only if it is elsewhere.

    Raises
    ------
    RuntimeError
        If it would be copied to a device within :func:`no_uploads`.
    """
    if device == "cpu":
        return to_host(array)
    if not _uploads.allowed and not is_on_device(array):
        raise RuntimeError(
            "an array on the host is used in a training step that is captured as a CUDA graph; "
            "such steps are run without a graph"
        )
    number = device_number(device)
    if number is None:
        return _cupy().asarray(array)
    with current_device(device):
        if is_on_device(array) and array.device.id != number:
            return array.copy()  # which CuPy makes on the current device
        return _cupy().asarray(array)


def on_device_of(like: Array, array: np.ndarray) -> Array:
    """Return a host array on the device of `like`."""
    return to_device(array, device_of(like))


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
