"""What the stand-in for CuPy has beside arrays: kernels, the device, streams, memory pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from cpu_kernels import CpuKernel, CpuModule
from device_array import devices, unwrap


class RawModule:
    """CUDA C built for the CPU when a function of it is first asked for."""

    def __init__(
        self,
        *,
        code: str,
        options: Sequence[str] = (),
        backend: str = "nvrtc",
        name_expressions: Sequence[str] | None = None,
    ) -> None:
        self.code, self.options = code, tuple(options)
        self.backend, self.name_expressions = backend, name_expressions
        self._built: CpuModule | None = None

    def compile(self, log_stream: Any = None) -> None:
        if self._built is None:
            self._built = CpuModule(self.code, self.options, self.name_expressions)

    def get_function(self, name: str) -> RawKernel:
        self.compile()
        assert self._built is not None
        return RawKernel._of(self._built.get_function(name))


class RawKernel:
    """One kernel of a source; see :class:`cpu_kernels.CpuKernel` for what a call checks."""

    def __init__(
        self,
        code: str,
        name: str,
        options: Sequence[str] = (),
        backend: str = "nvrtc",
        *,
        enable_cooperative_groups: bool = False,
    ) -> None:
        # Blocks run one after another, so none can wait for another: a device of one
        # multiprocessor is not asked for that.
        self._module, self.name = RawModule(code=code, options=options, backend=backend), name
        self._kernel: CpuKernel | None = None

    @classmethod
    def _of(cls, kernel: CpuKernel) -> RawKernel:
        self = object.__new__(cls)
        self._kernel, self.name = kernel, kernel.name
        return self

    @property
    def kernel(self) -> CpuKernel:
        if self._kernel is None:
            self._kernel = self._module.get_function(self.name).kernel
        return self._kernel

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self.kernel.max_dynamic_shared_size_bytes

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, value: int) -> None:
        self.kernel.max_dynamic_shared_size_bytes = value

    def __call__(
        self, grid: Any, block: Any, args: Sequence[Any], *, shared_mem: int = 0, stream: Any = None
    ) -> None:
        values = [unwrap(argument, self.name) for argument in args]
        self.kernel(grid, block, values, shared_mem=shared_mem)


class Device:
    """One of the devices there are, by default the current one."""

    compute_capability = "80"
    attributes: ClassVar[dict[str, int]] = {"MultiProcessorCount": 1}
    mem_info = (1 << 34, 1 << 34)

    def __init__(self, device: int | None = None) -> None:
        self.id = devices.current if device is None else device
        if self.id not in range(devices.count):
            raise CUDARuntimeError(f"cudaErrorInvalidDevice: there is no device {device}")
        self._before: list[int] = []

    def use(self) -> None:
        devices.current = self.id

    def synchronize(self) -> None: ...

    def __enter__(self) -> Device:
        self._before.append(devices.current)
        self.use()
        return self

    def __exit__(self, *exception: object) -> None:
        devices.current = self._before.pop()


class Stream:
    """A stream on which everything has already happened."""

    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None: ...

    def use(self) -> Stream:
        return self

    def synchronize(self) -> None: ...

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None: ...


Stream.null = Stream(null=True)


class Event:
    """An event that took no time."""

    def record(self, stream: Stream | None = None) -> None: ...

    def synchronize(self) -> None: ...


class MemoryPool:
    """A pool that keeps nothing."""

    def free_all_blocks(self, stream: Stream | None = None) -> None: ...

    def used_bytes(self) -> int:
        return 0

    def total_bytes(self) -> int:
        return 0


class CUDARuntimeError(RuntimeError):
    """What the CUDA runtime raises."""


class OutOfMemoryError(MemoryError):
    """What a device raises that is full."""
