"""Work on a device that the user named: it is made current, and its errors say what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .backend import current_device, device_memory
from .sizes import size_words


class DeviceMemoryError(MemoryError):
    """A device has too little free memory for the work that was asked of it."""


@contextmanager
def computing_on(
    device: str, work: str, remedies: Callable[[], Sequence[str]] = tuple
) -> Iterator[None]:
    """Make a device current, and translate the errors that CuPy raises for lack of something.

    Parameters
    ----------
    device : {"cpu", "cuda", "cuda:N", "auto"}
    work : str
        What is computed, as error messages name it.
    remedies : callable, optional
        Returns what takes less memory, as parts of a sentence; called only after such an error.

    Raises
    ------
    DeviceMemoryError
        If the memory of the device does not suffice.
    RuntimeError
        If the parts of the CUDA toolkit that compile kernels are missing.
    """
    with current_device(device):
        try:
            yield
        except Exception as error:
            if type(error).__name__ == "OutOfMemoryError":
                raise DeviceMemoryError(_memory_message(error, device, work, remedies())) from error
            if _toolkit_is_missing(error):
                raise RuntimeError(_toolkit_message(error, device, work)) from error
            raise


def _memory_message(error: Exception, device: str, work: str, remedies: Sequence[str]) -> str:
    free, total = device_memory("cuda" if device == "auto" else device)
    asked = re.search(r"allocating ([\d,]+) bytes", str(error))
    needed = size_words(int(asked[1].replace(",", ""))) if asked else "more"
    advice = "; or ".join([*remedies, "device='cpu'"])
    return (
        f"{work} ran out of memory on device {device!r}: it needed another {needed}, and "
        f"{size_words(free)} of {size_words(total)} were free. Try {advice}"
    )


def _toolkit_is_missing(error: Exception) -> bool:
    text = str(error).lower()
    header = type(error).__name__ == "CompileException" and "open source file" in text
    return header or any(
        sign in text for sign in ("libnvrtc", "nvrtc64", "cuda root directory", "cuda_path")
    )


def _toolkit_message(error: Exception, device: str, work: str) -> str:
    cause = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (
        f"{work} needs the compiler and the headers of the CUDA toolkit on device {device!r}, and "
        f"CuPy does not find them ({type(error).__name__}: {cause:.200}). Install the extra that "
        "fits your driver, which has them: pip install 'deepreservoir[cuda12]' or "
        "'deepreservoir[cuda13]'. Or use device='cpu'"
    )
