"""CUDA C kernels run on the CPU: the source as a device gets it, built by g++, over NumPy memory.

    module = CpuModule(source)
    module.get_function("name")((grid,), (block,), (x, y, np.int32(n)), shared_mem=0)

The call is CuPy's. Refused is what a device would take silently or answer with a crash: a
scalar of the wrong size, an array of another type than its parameter or not C-contiguous, a
launch out of range, a barrier that not all threads reach, an access out of bounds.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

SHIM = Path(__file__).with_name("cuda_shim.h")
CACHE = Path(tempfile.gettempdir()) / f"deepreservoir-cpu-kernels-{os.getuid()}"
FLAGS = ("-O2", "-g1", "-fPIC", "-ffp-contract=off", "-fno-strict-aliasing", "-w")

#: In which order threads and blocks run, see `thread_order`.
ORDERS = ("forward", "reverse", "shuffled")

# A device's limits; more dynamic shared memory than the first figure must be asked for.
SHARED_LIMIT, SHARED_MOST = 48 << 10, 163 << 10
GRID_LIMITS, BLOCK_LIMITS, BLOCK_THREADS = (2**31 - 1, 65_535, 65_535), (1024, 1024, 64), 1024

# Arrays up to this many bytes a launch are copied between guard zones that are checked.
GUARDED_BYTES = 64 << 20
_GUARD = np.full(4096, 0xFF, np.uint8)  # read as a float it is NaN, so reads beyond show too

_GLOBAL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(")
_DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;")
_FAILURES = {
    1: "divergent __syncthreads (line {}): not all threads of a block reach the same barrier",
    2: "an index leaves its array (line {})",
    3: "a write beyond the dynamic shared memory that the launch gives",
}

_order = "forward"


class KernelError(RuntimeError):
    """A kernel did what a device forbids or leaves undefined."""


@contextmanager
def thread_order(order: str) -> Iterator[None]:
    """Run kernels inside the block with their threads in another order.

    A kernel without a race gives the same results in all of `ORDERS`.
    """
    global _order
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {order!r}")
    before, _order = _order, order
    try:
        yield
    finally:
        _order = before


def compiler() -> str | None:
    """Return the path of g++, or None where there is none."""
    return shutil.which("g++")


class _Parameter(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_char),
        ("pointee", ctypes.c_char),
        ("size", ctypes.c_int),
        ("pointee_size", ctypes.c_int),
    )


class CpuModule:
    """Kernels of one source, as ``cupy.RawModule`` has them.

    Parameters
    ----------
    code : str
        CUDA C.
    options : sequence of str
        NVRTC's, of which ``-D``, ``-std`` and ``--fmad=false`` make sense here.
    name_expressions : sequence of str, optional
        Instances of templates to build, such as ``"kernel<float>"``.

    Raises
    ------
    SyntaxError
        If g++ does not take the source; the message is its own.
    """

    def __init__(
        self,
        code: str,
        options: Sequence[str] = (),
        name_expressions: Sequence[str] | None = None,
    ) -> None:
        flags = _compiler_flags(options)
        plain = _run_compiler(["-E", *flags, "-x", "c++", "-"], code)
        self.names = list(name_expressions or dict.fromkeys(_GLOBAL.findall(plain)))
        body = _DYNAMIC_SHARED.sub(r"\1* \2 = (\1*)shim::dynamic.data();", plain)
        # A namespace without a name keeps everything internal to the library, and so fast.
        parts = [f'#include "{SHIM}"', "namespace {", body, "}"]
        parts += ['extern "C" size_t shim_static_shared() { return shim::static_shared(); }']
        for i, name in enumerate(self.names):
            parts += [
                f'extern "C" int shim_launch_{i}(const unsigned* g, size_t s, void** p, int o, '
                f"int* l) {{ return shim::launch<{name}>(g, s, p, o, l); }}",
                f'extern "C" int shim_describe_{i}(shim::Parameter* p) '
                f"{{ return shim::describe({name}, p); }}",
            ]
        if "__syncthreads" in plain:
            flags = (*flags, "-DSHIM_BARRIERS")
        self._library = ctypes.CDLL(str(_build("\n".join(parts) + "\n", flags)))
        self._library.shim_static_shared.restype = ctypes.c_size_t

    def get_function(self, name: str) -> CpuKernel:
        if name not in self.names:
            raise AttributeError(f"the source has no kernel {name!r}, only {self.names}")
        return CpuKernel(self._library, self.names.index(name), name)


class CpuKernel:
    """One kernel, called as ``cupy.RawKernel`` is."""

    def __init__(self, library: ctypes.CDLL, index: int, name: str) -> None:
        self.name = name
        #: As in CuPy: to be raised before a launch asks for more than 48 KiB.
        self.max_dynamic_shared_size_bytes = SHARED_LIMIT
        self.shared_size_bytes = library.shim_static_shared()
        self._launch = getattr(library, f"shim_launch_{index}")
        found = (_Parameter * 64)()
        self.parameters = found[: getattr(library, f"shim_describe_{index}")(found)]

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: Sequence[Any],
        *,
        shared_mem: int = 0,
    ) -> None:
        shape = (*self._extent("grid", grid), *self._extent("block", block))
        self._check_shared(shared_mem)
        if len(args) != len(self.parameters):
            raise TypeError(f"{self.name} has {len(self.parameters)} parameters; got {len(args)}")
        arrays, values = {}, []
        for i, (argument, parameter) in enumerate(zip(args, self.parameters, strict=True)):
            where = f"argument {i} of {self.name}"
            if parameter.kind in b"pc":
                arrays[i] = _check_array(argument, parameter, where)
                values.append(None)
            else:
                values.append(_check_scalar(argument, parameter, where))
        writes = {i for i in arrays if self.parameters[i].kind == b"p"}
        with _Memory({i: a for i, a in arrays.items() if a is not None}, writes) as memory:
            for i in arrays:
                values[i] = np.uint64(memory.addresses.get(i, 0))
            held = [np.asarray(value) for value in values]
            pointers = (ctypes.c_void_p * len(held))(*(v.ctypes.data for v in held))
            line = ctypes.c_int()
            failure = self._launch(
                (ctypes.c_uint * 6)(*shape),
                ctypes.c_size_t(shared_mem),
                pointers,
                ORDERS.index(_order),
                ctypes.byref(line),
            )
        if failure:
            raise KernelError(f"{self.name}: {_FAILURES[failure].format(line.value)}")
        memory.check(self.name)

    def _extent(self, what: str, extent: tuple[int, ...]) -> tuple[int, ...]:
        limits = GRID_LIMITS if what == "grid" else BLOCK_LIMITS
        whole = tuple(int(n) for n in extent) + (1,) * (3 - len(extent))
        fits = all(1 <= n <= limit for n, limit in zip(whole, limits, strict=True))
        if not fits or (what == "block" and int(np.prod(whole)) > BLOCK_THREADS):
            raise ValueError(
                f"{self.name}: a device refuses a {what} of {extent}; each extent must be from 1 "
                f"to {limits}" + (f", {BLOCK_THREADS} threads in all" if what == "block" else "")
            )
        return whole

    def _check_shared(self, asked: int) -> None:
        most = min(self.max_dynamic_shared_size_bytes, SHARED_MOST)
        if not 0 <= asked <= most or self.shared_size_bytes > SHARED_LIMIT:
            raise ValueError(
                f"{self.name}: {asked} bytes of dynamic and {self.shared_size_bytes} of static "
                f"shared memory; a device gives {most} and {SHARED_LIMIT} (set "
                f"max_dynamic_shared_size_bytes for more, up to {SHARED_MOST})"
            )


def _check_array(argument: Any, parameter: _Parameter, where: str) -> np.ndarray | None:
    """Return the array of a pointer; None is the null pointer."""
    if argument is None:
        return None
    if not isinstance(argument, np.ndarray):
        raise TypeError(f"{where} must be an array: its parameter is a pointer; got {argument!r}")
    if not argument.flags.c_contiguous:
        raise ValueError(f"{where} must be C-contiguous: a kernel sees only its first byte")
    if parameter.kind == b"p" and not argument.flags.writeable:
        raise ValueError(f"{where} is read-only, but its parameter is no pointer to const")
    kind, dtype = parameter.pointee.decode(), argument.dtype
    if kind in "vs":
        return argument
    kinds = "bu" if dtype.kind == "b" else dtype.kind  # a bool may be read as a byte
    if kind not in kinds or parameter.pointee_size != dtype.itemsize:
        raise TypeError(
            f"{where} is an array of {dtype}; its parameter points to numbers of kind {kind!r} "
            f"and {parameter.pointee_size} bytes"
        )
    return argument


def _check_scalar(argument: Any, parameter: _Parameter, where: str) -> np.generic:
    """Return a scalar of the parameter's size: CuPy passes the bytes as they are."""
    if type(argument) is int:
        argument = np.int64(argument)  # as CuPy does, whatever the parameter's size
    elif type(argument) is float:
        argument = np.float64(argument)
    kind = parameter.kind.decode()
    if isinstance(argument, np.generic):
        allowed = {"f": "f", "i": "iu", "u": "iu", "b": "b"}.get(kind, "")
        if argument.dtype.kind in allowed and argument.dtype.itemsize == parameter.size:
            return argument
    came = argument.dtype if isinstance(argument, np.generic) else type(argument).__name__
    raise TypeError(
        f"{where} must be a scalar of kind {kind!r} and {parameter.size} bytes, such as "
        f"numpy.float32(x) or numpy.int32(n); got {came}"
    )


class _Memory:
    """The arrays of one launch, copied between guard zones unless they are large.

    Arrays that overlap keep doing so: they are copied as one stretch of memory.
    """

    def __init__(self, arrays: dict[int, np.ndarray], writes: set[int]) -> None:
        self.addresses = {i: array.ctypes.data for i, array in arrays.items()}
        self._stretches: list[tuple[int, int, bool, np.ndarray]] = []
        if sum(array.nbytes for array in arrays.values()) > GUARDED_BYTES:
            return
        spans = sorted(
            (array.ctypes.data, array.ctypes.data + array.nbytes, i) for i, array in arrays.items()
        )
        groups: list[tuple[int, int, list[int]]] = []
        for start, stop, i in spans:
            if groups and start < groups[-1][1]:
                first, last, members = groups.pop()
                groups.append((first, max(last, stop), [*members, i]))
            else:
                groups.append((start, stop, [i]))
        for start, stop, members in groups:
            buffer = np.concatenate([_GUARD, np.empty(stop - start, np.uint8), _GUARD])
            inside = buffer.ctypes.data + len(_GUARD)
            ctypes.memmove(inside, start, stop - start)
            self._stretches.append((start, stop - start, not writes.isdisjoint(members), buffer))
            for i in members:
                self.addresses[i] += inside - start

    def __enter__(self) -> _Memory:
        return self

    def __exit__(self, *exception: object) -> None:
        for start, size, written, buffer in self._stretches:
            if written:
                ctypes.memmove(start, buffer.ctypes.data + len(_GUARD), size)

    def check(self, name: str) -> None:
        for _, size, _, buffer in self._stretches:
            guards = buffer[: len(_GUARD)], buffer[len(_GUARD) + size :]
            for guard, side in zip(guards, ("before", "behind"), strict=True):
                if not np.array_equal(guard, _GUARD):
                    raise KernelError(f"{name}: a write {side} an array of {size} bytes")


def _compiler_flags(options: Sequence[str]) -> tuple[str, ...]:
    flags = ["-std=c++17"]
    for option in options:
        if option.startswith("-D"):
            flags.append(option)
        elif option.lstrip("-").startswith("std="):
            flags[0] = "-" + option.lstrip("-")
        elif option.lstrip("-") != "fmad=false":
            raise ValueError(f"the shim knows no meaning of option {option!r}")
    return tuple(flags)


def _build(source: str, flags: Sequence[str]) -> Path:
    """Return the library of a source, built once: the cache is keyed by all that goes in."""
    flags = (*FLAGS, *flags)
    key = source + repr(flags) + SHIM.read_text()
    library = CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
    if not library.exists():
        CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            unit, out = f"{folder}/kernel.o", f"{folder}/kernel.so"
            command = [*flags, "-fsanitize=bounds", "-x", "c++", "-c", "-", "-o", unit]
            _run_compiler(command, source)
            # Linked without the sanitizer's library: the shim brings the one handler it needs.
            _run_compiler(["-shared", unit, "-o", out], "")
            os.replace(out, library)  # whole or not at all, also with several processes
    return library


def _run_compiler(arguments: Sequence[str], source: str) -> str:
    done = subprocess.run(["g++", *arguments], input=source, capture_output=True, text=True)
    if done.returncode:
        raise SyntaxError(done.stderr)
    return done.stdout
