"""Executors of a sweep's runs: in this process, or in processes on this machine.

An executor is a function from assignments to a generator of their records, in any order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ..worker_processes import exit_with_parent, leave_ctrl_c_to_the_parent
from .work import Assignment, failed, work

Records = list[dict[str, Any]]
#: A function from assignments to their records; closing the generator stops the execution.
Executor = Callable[[Sequence[Assignment]], Generator[Records]]


@dataclass(frozen=True)
class CountedExecutor:
    """An executor that knows how many assignments it executes at a time.

    Attributes
    ----------
    n_workers : int
        Runs are grouped so that there is work for as many workers.
    execute : callable
        The executor.
    """

    n_workers: int
    execute: Executor

    def __call__(self, assignments: Sequence[Assignment]) -> Generator[Records]:
        """Execute the runs of assignments and yield their records."""
        return self.execute(assignments)


# Number of dispatched assignments per worker, so that no worker is idle.
_DISPATCHED = 2


class WorkerKilled(RuntimeError):
    """A worker process was killed during a run, possibly because it was out of memory."""


def here(assignments: Sequence[Assignment]) -> Generator[Records]:
    """Execute runs in this process, one after another."""
    yield from map(work, assignments)


def processes(n_workers: int, make: Callable[[Assignment], Records] = work) -> CountedExecutor:
    """Return an executor that uses worker processes on this machine.

    If a worker is killed, the other workers end too, and the unfinished runs are repeated one by
    one. A run that then kills its worker twice is recorded as failed.

    Parameters
    ----------
    n_workers : int
        Number of processes, at least 2.
    make : callable
        Function that a worker applies to an assignment.

    Raises
    ------
    ValueError
        If `n_workers` is less than 2.
    """
    if n_workers < 2:
        raise ValueError(f"n_workers must be at least 2; got {n_workers}")

    def execute(assignments: Sequence[Assignment]) -> Generator[Records]:
        missing = {assignment.runs: assignment for assignment in assignments}
        while missing:
            try:
                yield from _received(n_workers, make, missing)
            except TerminatedWorkerError:
                # Assignments are dispatched in order: one of these killed its worker.
                for runs in list(missing)[: _DISPATCHED * n_workers]:
                    for assignment in missing.pop(runs).one_by_one():
                        yield from _alone(make, assignment)

    return CountedExecutor(n_workers, execute)


def _alone(make: Callable[[Assignment], Records], assignment: Assignment) -> Generator[Records]:
    for _ in range(2):  # the first kill may be a coincidence
        try:
            # Two workers, one of them idle: with one, joblib would use this process.
            yield from _received(2, make, {assignment.runs: assignment})
            return
        except TerminatedWorkerError:
            continue
    killed = WorkerKilled("the run killed its worker twice, possibly out of memory")
    yield [failed(run, killed) for run in assignment.runs]


def _received(
    n_workers: int, make: Callable[[Assignment], Records], missing: dict[Any, Assignment]
) -> Generator[Records]:
    """Yield records as workers return them, and remove their assignments from `missing`."""
    parallel = Parallel(
        n_workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        pre_dispatch=_DISPATCHED * n_workers,
    )
    execute = delayed(_execute)
    calls = (execute(make, each, os.getpid()) for each in [*missing.values()])
    for runs, records in parallel(calls):
        del missing[runs]
        yield records


def _execute(
    make: Callable[[Assignment], Records], assignment: Assignment, parent: int
) -> tuple[Any, Records]:
    if os.getpid() != parent:
        leave_ctrl_c_to_the_parent()
        exit_with_parent(parent)
    return assignment.runs, make(assignment)
