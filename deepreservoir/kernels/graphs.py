"""CUDA graphs: work that is launched once by Python and then replayed as a whole.

A step of a small network is some fifty launches of a few microseconds each, which Python cannot
issue as fast as a device runs them. Captured work reads its inputs from, and writes its results to,
fixed places in memory, so everything that changes from one replay to the next is in an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backend import Array, device_module, no_uploads
from .branches import Branches
from .cuda import Kernel, RealKernel
from .products import captures_products, forget_streams


class Replay:
    """Captured work, which a call launches; it keeps what the work refers to."""

    def __init__(self, graph: Any, stream: Any, work: Callable[[], object]) -> None:
        # The graph knows addresses only: the arrays live as long as the work.
        self._graph, self._stream, self._work = graph, stream, work

    def __call__(self) -> None:
        self._graph.launch(self._stream)


class Recorder:
    """A stream whose work can be captured, with memory that nothing else is given.

    The memory of captured work is written at every replay. It comes from a pool of its own, which
    serves captured work only; :meth:`close` returns it.
    """

    def __init__(self) -> None:
        cuda = device_module("cuda").cuda
        self.stream = cuda.Stream()
        self._pool = cuda.MemoryPool()
        self._branches = Branches(self.stream)

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        """Run work on the stream, within a with block; waits for it at the end."""
        with self.stream:
            yield
        self.stream.synchronize()

    @contextmanager
    def own_memory(self) -> Iterator[None]:
        """Allocate from the pool of captured work, within a with block.

        Work that is about to be captured is run in it a few times, so that kernels are compiled,
        and that the pool holds the memory that it needs.
        """
        with device_module("cuda").cuda.using_allocator(self._pool.malloc):
            yield

    def capture(self, work: Callable[[], object]) -> Replay:
        """Return a function that replays `work`, which is not run by this call.

        Raises
        ------
        Exception
            Whatever `work` or CUDA raises if it cannot be captured: for example because it waits
            for the device, or copies from the host.
        """
        with self.own_memory():
            self.stream.begin_capture()
            try:
                with no_uploads(), self._branches.recording():
                    work()
            except BaseException:
                self._abandon()
                raise
            graph = self.stream.end_capture()
        return Replay(graph, self.stream, work)

    def _abandon(self) -> None:
        """End a capture that has failed."""
        try:
            self.stream.end_capture()
        except Exception:  # CUDA reports again what has invalidated the capture
            return

    def close(self) -> None:
        """Return the memory; no graph of this recorder may be replayed afterwards."""
        self.stream.synchronize()
        forget_streams([self.stream, *self._branches.streams])
        self._pool.free_all_blocks()


def graphs_available() -> bool:
    """Return whether training steps on a device can be captured, products included."""
    return captures_products()


_BEGIN = RealKernel(
    "begin_step",
    r"""
extern "C" __global__ void KERNEL(const long long* position, const long long* order,
        long long* rows, long long n, long long size, const real* table, real* scalars,
        long long k) {
    long long number = position[0], stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n + k; i += stride)
        if (i < n) rows[i] = order[number * size + i];
        else scalars[i - n] = table[number * k + i - n];
}
""",
)

_END = RealKernel(
    "end_step",
    r"""
extern "C" __global__ void KERNEL(long long* position, const real* loss, real* losses) {
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        losses[position[0]] = loss[0];
        position[0] += 1;
        position[1] += 1;
    }
}
""",
)


class StepTape:
    """What changes from one training step to the next, on the device.

    Attributes
    ----------
    position : array of int64, shape (2,)
        Number of the step in its epoch, and its index in the whole training, which keys the
        dropout masks.
    losses : array, shape (steps,)
        The losses of the steps of the epoch.

    Parameters
    ----------
    steps, size, n_samples : int
        Steps per epoch, samples per step, and samples per epoch.
    n_scalars : int
        Number of values that the optimiser needs in a step.
    dtype : numpy dtype
    """

    def __init__(
        self, steps: int, size: int, n_samples: int, n_scalars: int, dtype: np.dtype[Any]
    ) -> None:
        xp = device_module("cuda")
        self.size, self.dtype = size, np.dtype(dtype)
        self.position = xp.zeros(2, np.int64)
        self.losses = xp.zeros(steps, dtype)
        self._order = xp.zeros(n_samples, np.int64)
        self._table = xp.zeros((steps, n_scalars), dtype)
        self._next = (-1, -1)

    @property
    def index(self) -> Array:
        """The index of the current step, an array (1,) of uint64 on the device."""
        return self.position[1:].view(np.uint64)

    def begin_epoch(self, order: Array, table: np.ndarray) -> None:
        """Set the order of the samples, on the device, and the scalars (steps, n_scalars)."""
        self._order[:] = order
        self._table.set(np.ascontiguousarray(table, self.dtype))

    def move_to(self, number: int, index: int) -> None:
        """Set the position, unless the device has counted to it itself."""
        if self._next != (number, index):
            self.position.set(np.array([number, index], np.int64))
        self._next = number + 1, index + 1

    def begin_step(self, n: int) -> tuple[Array, Array]:
        """Return the samples of the current step (n,), and its scalars (n_scalars,)."""
        xp, k = device_module("cuda"), self._table.shape[1]
        rows, scalars = xp.empty(n, np.int64), xp.empty(k, self.dtype)
        _BEGIN.of(self.dtype).launch(
            n + k,
            self.position,
            self._order,
            rows,
            np.int64(n),
            np.int64(self.size),
            self._table,
            scalars,
            np.int64(k),
        )
        return rows, scalars

    def end_step(self, loss: Array) -> None:
        """Keep the loss of the current step, and count it."""
        kernel: Kernel = _END.of(self.dtype)
        kernel.launch(1, self.position, loss.astype(self.dtype, copy=False), self.losses)
