"""Parts of batches in worker processes of this machine."""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudpickle
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from ..user_warnings import warn_user
from ..worker_processes import exit_with_parent, leave_ctrl_c_to_the_parent
from .parts import PartGradient, PartsComputer, PartsTask, Work, grouped

#: How often the parts of one step are given to new processes before training ends.
ATTEMPTS = 4

_WORK = "work"


class WorkerLost(RuntimeError):
    """Workers that computed parts of a training step ended again and again."""


class ProcessExecutor:
    """Computes parts in worker processes, which share the training data in memory.

    A process that ends takes the others with it; new ones then compute the parts that are missing.

    Parameters
    ----------
    work : Work
    n_workers : int
    """

    def __init__(self, work: Work, n_workers: int) -> None:
        self.parts, self._n_workers = work.parts, n_workers
        self._folder = TemporaryDirectory(prefix="deepreservoir-")
        self._pool: ProcessPoolExecutor | None = None
        try:
            _write(Path(self._folder.name), work)
        except BaseException:
            self.close()
            raise

    def compute(self, task: PartsTask, count: int) -> Sequence[PartGradient]:
        """Return the gradients of the `count` parts of a step's batch, in their order.

        Raises
        ------
        WorkerLost
            If processes keep ending.
        """
        found: dict[range, list[PartGradient]] = {}
        missing = grouped(count, self._n_workers)
        for attempt in range(ATTEMPTS):
            if attempt:
                self._stop()
                warn_user(
                    "a worker process ended during a training step, possibly because memory was "
                    "short; its part of the batch is computed again"
                )
            found |= self._received(task, count, missing)
            missing = [chosen for chosen in missing if chosen not in found]
            if not missing:
                return [
                    part for chosen in grouped(count, self._n_workers) for part in found[chosen]
                ]
        raise WorkerLost(
            f"worker processes ended {ATTEMPTS} times during one training step, possibly because "
            f"memory was short; use fewer than {self._n_workers} workers, or a smaller batch_size"
        )

    def _received(
        self, task: PartsTask, count: int, groups: Sequence[range]
    ) -> dict[range, list[PartGradient]]:
        """Return what the processes have computed until all have, or one has ended."""
        found = {}
        # The pool refuses work if a process ended between two steps.
        with suppress(BrokenProcessPool):
            pool = self._running()
            futures = {
                chosen: pool.submit(_compute, self._folder.name, task, count, chosen)
                for chosen in groups
            }
            for chosen, future in futures.items():
                with suppress(BrokenProcessPool):
                    found[chosen] = future.result()
        return found

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._n_workers, initializer=_begin, initargs=(os.getpid(),)
            )
        return self._pool

    def _stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(kill_workers=True)

    def close(self) -> None:
        """End the processes, and remove what they read."""
        self._stop()
        self._folder.cleanup()


# In the processes ------------------------------------------------------------------------


def _begin(parent: int) -> None:
    leave_ctrl_c_to_the_parent()
    exit_with_parent(parent)


def _compute(folder: str, task: PartsTask, count: int, chosen: range) -> list[PartGradient]:
    return _computer(folder).compute_some(task, count, chosen)


@lru_cache(maxsize=1)
def _computer(folder: str) -> PartsComputer:
    return _read(Path(folder)).computer()


# The arrays of the training data are files of their own, which the processes map into memory:
# they are there once, however many processes read them.


def _write(folder: Path, work: Work) -> None:
    arrays: list[pickle.PickleBuffer] = []
    data = cloudpickle.dumps(work, protocol=5, buffer_callback=arrays.append)
    (folder / _WORK).write_bytes(data)
    for i, array in enumerate(arrays):
        (folder / str(i)).write_bytes(array.raw())


def _read(folder: Path) -> Work:
    names = sorted((path.name for path in folder.iterdir() if path.name != _WORK), key=int)
    arrays = [_mapped(folder / name) for name in names]
    work: Work = pickle.loads((folder / _WORK).read_bytes(), buffers=arrays)
    return work


def _mapped(path: Path) -> Any:
    if not path.stat().st_size:
        return b""  # which cannot be mapped
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
