"""CUDA kernels, which CuPy compiles from source when they are first launched.

Kernels are written in plain CUDA C, without headers, so that the tests can also compile the same
source for a CPU. What only a device has, such as warp intrinsics, stands within
``#ifdef __CUDA_ARCH__`` beside a portable path. Conventions:

- the source calls the kernel ``KERNEL`` and its floating-point type ``real``;
- integers are ``long long`` (``np.int64``) or ``unsigned long long`` (``np.uint64``), and flags are
  ``int`` (``np.int32``), because a launch passes the bytes of its arguments unconverted;
- arrays are in C order, and every loop has a stride, so that the result does not depend on the
  size of the grid.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, array_module

#: Maximum number of threads per block, a power of two; kernels use the same name.
THREADS = 256

# Enough blocks to fill any device; further work is done by the loop in the kernel.
_MAX_BLOCKS = 2048

#: Bytes of shared memory per block that every device supports, and gives without being asked.
SHARED_BYTES = 48 << 10

_PRELUDE = f"#define THREADS {THREADS}\n"

#: CUDA C for sums and maxima over the threads of a block; all threads get the result. The number of
#: threads is a power of two of at least 32. On a device, threads of a warp exchange their values
#: without shared memory.
REDUCTIONS = r"""
#ifdef __CUDA_ARCH__
__device__ real warp_sum(real value) {
    for (int half = 16; half > 0; half /= 2) value += __shfl_xor_sync(0xFFFFFFFF, value, half);
    return value;
}

__device__ real block_sum(real value, real* shared) {
    int warp = threadIdx.x / 32, own = threadIdx.x % 32, warps = blockDim.x / 32;
    value = warp_sum(value);
    if (warps == 1) return value;
    __syncthreads();  // what was shared before has been read
    if (own == 0) shared[warp] = value;
    __syncthreads();
    return warp_sum(own < warps ? shared[own] : 0);
}

__device__ real block_max(real value, real* shared) {
    int warp = threadIdx.x / 32, own = threadIdx.x % 32, warps = blockDim.x / 32;
    for (int half = 16; half > 0; half /= 2) {
        real other = __shfl_xor_sync(0xFFFFFFFF, value, half);
        if (other > value) value = other;
    }
    if (warps == 1) return value;
    __syncthreads();
    if (own == 0) shared[warp] = value;
    __syncthreads();
    value = shared[own < warps ? own : 0];
    for (int half = 16; half > 0; half /= 2) {
        real other = __shfl_xor_sync(0xFFFFFFFF, value, half);
        if (other > value) value = other;
    }
    return value;
}

// All threads together: the sums of up to eight values over the threads, times a factor, to `out`.
// `shared` has 8 * 32 entries.
__device__ void store_sums(const real* sums, int count, real* out, real factor, real* shared) {
    int warps = blockDim.x / 32;
    __syncthreads();  // the sums before these have been read
    for (int k = 0; k < 8; k++) {
        real sum = warp_sum(sums[k]);
        if (threadIdx.x % 32 == 0) shared[k * 32 + threadIdx.x / 32] = sum;
    }
    __syncthreads();
    if (threadIdx.x < count) {
        real sum = 0;
        for (int warp = 0; warp < warps; warp++) sum += shared[threadIdx.x * 32 + warp];
        out[threadIdx.x] = factor * sum;
    }
}
#else
__device__ real block_sum(real value, real* shared) {
    __syncthreads();  // what was shared before has been read
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    return shared[0];
}

__device__ real block_max(real value, real* shared) {
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half && shared[threadIdx.x + half] > shared[threadIdx.x])
            shared[threadIdx.x] = shared[threadIdx.x + half];
        __syncthreads();
    }
    return shared[0];
}

__device__ void store_sums(const real* sums, int count, real* out, real factor, real* shared) {
    for (int k = 0; k < count; k++) {
        real sum = block_sum(sums[k], shared);
        if (threadIdx.x == 0) out[k] = factor * sum;
    }
}
#endif
"""

_registry: dict[str, Kernel] = {}


class DeviceLimits(NamedTuple):
    """What the launch of a kernel may depend on; no result does."""

    multiprocessors: int
    shared_bytes: int  # of a block that asks for as much as it can get


def device_limits() -> DeviceLimits:
    """Return the limits of CuPy's current device."""
    import cupy

    return _limits_of(cupy.cuda.Device().id)


@cache
def _limits_of(device: int) -> DeviceLimits:
    import cupy

    found = cupy.cuda.runtime.getDeviceProperties(device)
    return DeviceLimits(found["multiProcessorCount"], found["sharedMemPerBlockOptin"])


def all_kernels() -> list[Kernel]:
    """Return all kernels of the modules imported so far, sorted by name."""
    return [_registry[name] for name in sorted(_registry)]


class Kernel:
    """A CUDA kernel that is compiled once per process, when it is first launched.

    Parameters
    ----------
    name : str
        Name of the compiled function, which must be unique.
    source : str
        CUDA C that defines the function ``KERNEL``.
    real : {"float", "double"}, default="float"
        Type that ``real`` stands for in the source.
    cooperative : bool, default=False
        Whether all blocks of a launch must run at the same time, so that they can wait for one
        another. A device may refuse a launch of more than :func:`multiprocessors` blocks.
    """

    def __init__(
        self, name: str, source: str, real: str = "float", cooperative: bool = False
    ) -> None:
        if name in _registry:
            raise ValueError(f"every kernel needs a unique name; {name!r} is used twice")
        self.name, self.cooperative = name, cooperative
        self.source = f"{_PRELUDE}typedef {real} real;\n{source.replace('KERNEL', name)}"
        _registry[name] = self

    @cached_property
    def _compiled(self) -> Any:
        import cupy

        return cupy.RawKernel(self.source, self.name, enable_cooperative_groups=self.cooperative)

    def launch(self, n: int, *arguments: Array | np.generic) -> None:
        """Launch a grid of threads for `n` items; does nothing if there are none.

        Parameters
        ----------
        n : int
        *arguments : arrays on the device in C order, and NumPy scalars of the exact C type
        """
        self.launch_blocks(min(-(-n // THREADS), _MAX_BLOCKS), THREADS, *arguments)

    def launch_rows(
        self, rows: int, width: int, *arguments: Array | np.generic, shared_bytes: int = 0
    ) -> None:
        """Launch one block per row, with threads for `width` columns; does nothing for no width."""
        # Each thread handles a few columns, since reductions over fewer threads are faster.
        threads = min(max(32, 1 << max(width // 4 - 1, 0).bit_length()), THREADS)
        blocks = min(rows, _MAX_BLOCKS) if width else 0
        self.launch_blocks(blocks, threads, *arguments, shared_bytes=shared_bytes)

    def launch_blocks(
        self, blocks: int, threads: int, *arguments: Array | np.generic, shared_bytes: int = 0
    ) -> None:
        """Launch `blocks` blocks of `threads` threads; does nothing if there are none.

        Raises
        ------
        ValueError
            If an array is not in C order: a kernel only gets a pointer, without strides.
        """
        for position, argument in enumerate(arguments):
            if not isinstance(argument, np.generic) and not argument.flags.c_contiguous:
                raise ValueError(
                    f"argument {position} of kernel {self.name} must be in C order; got strides "
                    f"{argument.strides} for shape {argument.shape}. Use kernels.cuda.contiguous"
                )
        if blocks:
            if shared_bytes > SHARED_BYTES:  # of the current device: there may be others
                self._compiled.max_dynamic_shared_size_bytes = shared_bytes
            self._compiled((blocks,), (threads,), arguments, shared_mem=shared_bytes)


class RealKernel:
    """Two kernels from one source, for float32 and float64.

    Parameters
    ----------
    name : str
        The kernels are called ``name_float`` and ``name_double``.
    source : str
    cooperative : bool, default=False
        See :class:`Kernel`.
    """

    def __init__(self, name: str, source: str, cooperative: bool = False) -> None:
        self.name = name
        self._kernels = {
            np.dtype(np.float32): Kernel(f"{name}_float", source, "float", cooperative),
            np.dtype(np.float64): Kernel(f"{name}_double", source, "double", cooperative),
        }

    def of(self, dtype: np.dtype) -> Kernel:
        """Return the kernel for arrays of `dtype`.

        Raises
        ------
        TypeError
            If `dtype` is neither float32 nor float64.
        """
        try:
            return self._kernels[np.dtype(dtype)]
        except KeyError:
            raise TypeError(
                f"kernel {self.name} supports float32 and float64; got {dtype}. Convert with astype"
            ) from None


@cache
def _multiprocessors_of(device: int) -> int:
    import cupy

    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])


def multiprocessors() -> int:
    """Return the number of multiprocessors of the current device."""
    import cupy

    return _multiprocessors_of(cupy.cuda.Device().id)


def contiguous(array: Array, dtype: np.dtype | type | None = None) -> Array:
    """Return `array` in C order and, if given, in `dtype`; copies only if needed."""
    return array_module(array).ascontiguousarray(array, dtype)
