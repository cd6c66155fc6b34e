"""Parts of batches in worker processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from ..user_warnings import warn_user
from ..worker_processes import exit_with_parent, leave_ctrl_c_to_the_parent
from .parts import PartGradient, PartsComputer, PartsTask, Work, grouped

#: How often the parts of one step are given to new processes before training ends.
ATTEMPTS = 4


class WorkerLost(RuntimeError):
    """Workers that computed parts of a training step ended again and again."""


class ProcessExecutor:
    """Computes parts in worker processes, each of which has the training data.

    A process that ends takes the others with it; new ones then compute the parts that are missing.

    Parameters
    ----------
    work : Work
    n_workers : int
    """

    def __init__(self, work: Work, n_workers: int) -> None:
        self.parts, self._work, self._n_workers = work.parts, work, n_workers
        self._pool: ProcessPoolExecutor | None = None

    def compute(self, task: PartsTask, count: int) -> Sequence[PartGradient]:
        """Return the gradients of the `count` parts of a step's batch, in their order.

        Raises
        ------
        WorkerLost
            If processes keep ending.
        """
        groups = grouped(count, self._n_workers)
        found: dict[range, list[PartGradient]] = {}
        for attempt in range(ATTEMPTS):
            if attempt:
                self.close()
                warn_user(
                    "a worker process ended during a training step, possibly because memory was "
                    "short; its part of the batch is computed again"
                )
            missing = [chosen for chosen in groups if chosen not in found]
            found |= self._received(task, count, missing)
            if len(found) == len(groups):
                return [part for chosen in groups for part in found[chosen]]
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
            futures = {chosen: pool.submit(_compute, task, count, chosen) for chosen in groups}
            for chosen, future in futures.items():
                with suppress(BrokenProcessPool):
                    found[chosen] = future.result()
        return found

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._n_workers, initializer=_begin, initargs=(os.getpid(), self._work)
            )
        return self._pool

    def close(self) -> None:
        """End the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(kill_workers=True)


# In the processes ------------------------------------------------------------------------

_computers: list[PartsComputer] = []


def _begin(parent: int, work: Work) -> None:
    leave_ctrl_c_to_the_parent()
    exit_with_parent(parent)
    _computers.append(work.computer())


def _compute(task: PartsTask, count: int, chosen: range) -> list[PartGradient]:
    return _computers[0].compute_some(task, count, chosen)
