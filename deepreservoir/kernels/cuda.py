"""CUDA kernels: source text that CuPy compiles when it is first launched.

A kernel is written in plain CUDA C: no headers, no warp intrinsics, so that the same text also
compiles for a CPU, where the tests run it. Its conventions:

- the text calls the kernel ``KERNEL`` and its floating type ``real``;
- integers are ``long long`` (``np.int64``) or ``unsigned long long`` (``np.uint64``), flags are
  ``int`` (``np.int32``): a launch hands the bytes of its arguments over as they are;
- arrays are in C order, and every loop has a stride, so that any grid gives the same result.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..backend import Array, array_module

#: Most threads of a block, a power of two; kernels know it by the same name.
THREADS = 256

# Enough blocks to fill any device; more work than that is done by the loop in the kernel.
_MAX_BLOCKS = 2048

_PRELUDE = f"#define THREADS {THREADS}\n"

#: CUDA C for sums and maxima over the threads of a block, which all of them get.
REDUCTIONS = r"""
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
"""

_registry: dict[str, Kernel] = {}


def all_kernels() -> list[Kernel]:
    """Return every kernel of the modules imported so far, in the order of their names."""
    return [_registry[name] for name in sorted(_registry)]


class Kernel:
    """One CUDA kernel, compiled when it is first launched and kept for the process.

    Parameters
    ----------
    name : str
        Name of the compiled function, of which there may be only one.
    source : str
        CUDA C that defines the function ``KERNEL``.
    real : {"float", "double"}, default="float"
        What ``real`` stands for in the source.
    """

    def __init__(self, name: str, source: str, real: str = "float") -> None:
        if name in _registry:
            raise ValueError(f"every kernel needs a name of its own; used twice: {name!r}")
        self.name = name
        self.source = f"{_PRELUDE}typedef {real} real;\n{source.replace('KERNEL', name)}"
        _registry[name] = self

    @cached_property
    def _compiled(self) -> Any:
        import cupy

        return cupy.RawKernel(self.source, self.name)

    def launch(self, n: int, *arguments: Array | np.generic) -> None:
        """Run on a grid of threads for `n` items; nothing happens for none.

        Parameters
        ----------
        n : int
        *arguments : arrays of the device in C order, and NumPy scalars of the exact C type
        """
        self.launch_blocks(min(-(-n // THREADS), _MAX_BLOCKS), THREADS, *arguments)

    def launch_rows(
        self, rows: int, width: int, *arguments: Array | np.generic, shared_bytes: int = 0
    ) -> None:
        """Run one block a row, with threads for the `width` of a row; nothing for no width."""
        # Threads do a few columns each: reductions over fewer threads are shorter.
        threads = min(max(32, 1 << max(width // 4 - 1, 0).bit_length()), THREADS)
        blocks = min(rows, _MAX_BLOCKS) if width else 0
        self.launch_blocks(blocks, threads, *arguments, shared_bytes=shared_bytes)

    def launch_blocks(
        self, blocks: int, threads: int, *arguments: Array | np.generic, shared_bytes: int = 0
    ) -> None:
        """Run `blocks` blocks of `threads` threads; nothing happens for no blocks.

        Raises
        ------
        ValueError
            If an array is not in C order: a kernel sees its first element and no strides.
        """
        for position, argument in enumerate(arguments):
            if not isinstance(argument, np.generic) and not argument.flags.c_contiguous:
                raise ValueError(
                    f"argument {position} of kernel {self.name} must be in C order; got strides "
                    f"{argument.strides} for shape {argument.shape}. Use kernels.cuda.contiguous"
                )
        if blocks:
            self._compiled((blocks,), (threads,), arguments, shared_mem=shared_bytes)


class RealKernel:
    """One source for both types of training: a kernel for float32 and one for float64.

    Parameters
    ----------
    name : str
        The kernels are called ``name_float`` and ``name_double``.
    source : str
        As of :class:`Kernel`.
    """

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self._kernels = {
            np.dtype(np.float32): Kernel(f"{name}_float", source, "float"),
            np.dtype(np.float64): Kernel(f"{name}_double", source, "double"),
        }

    def of(self, dtype: np.dtype) -> Kernel:
        """Return the kernel for arrays of `dtype`.

        Raises
        ------
        TypeError
            If that is neither float32 nor float64.
        """
        try:
            return self._kernels[np.dtype(dtype)]
        except KeyError:
            raise TypeError(
                f"kernel {self.name} works in float32 or float64; got {dtype}. Convert with astype"
            ) from None


def contiguous(array: Array, dtype: np.dtype | type | None = None) -> Array:
    """Return `array` in C order and, where given, in `dtype`, copying only if it is not."""
    return array_module(array).ascontiguousarray(array, dtype)
