"""Where the runs of a sweep are made: here, or on this machine's cores.

Both are functions from assignments to records as they come, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from .work import Assignment, failed, work

Records = list[dict[str, Any]]
#: From assignments to their records, as they come.
Executor = Callable[[Sequence[Assignment]], Iterator[Records]]


class WorkerKilled(RuntimeError):
    """A worker died while it made a run; it was out of memory, say."""


def here(assignments: Sequence[Assignment]) -> Iterator[Records]:
    """Make runs in this process, one after another."""
    yield from map(work, assignments)


def processes(n_workers: int, make: Callable[[Assignment], Records] = work) -> Executor:
    """Return an executor of worker processes on this machine.

    A worker that is killed costs the run that it was making, which is made again, alone; a run
    that kills its worker a second time has failed.

    Parameters
    ----------
    n_workers : int
    make : callable
        What a worker does with an assignment.
    """

    def execute(assignments: Sequence[Assignment]) -> Iterator[Records]:
        missing = {assignment.runs: assignment for assignment in assignments}
        try:
            yield from _received(n_workers, make, missing)
        except TerminatedWorkerError:
            for assignment in list(missing.values()):
                try:
                    yield from _received(2, make, {assignment.runs: assignment})
                except TerminatedWorkerError:
                    killed = WorkerKilled("the worker was killed twice; was it out of memory?")
                    yield [failed(run, killed) for run in assignment.runs]

    return execute


def _received(
    n_workers: int, make: Callable[[Assignment], Records], missing: dict[Any, Assignment]
) -> Iterator[Records]:
    """Yield records as workers send them, taking their assignments out of what is missing."""
    # Two at least: with one, joblib would make the run in this process, which could be killed.
    parallel = Parallel(n_jobs=max(2, n_workers), return_as="generator_unordered", batch_size=1)
    for runs, records in parallel(delayed(_made)(make, each) for each in list(missing.values())):
        del missing[runs]
        yield records


def _made(make: Callable[[Assignment], Records], assignment: Assignment) -> tuple[Any, Records]:
    return assignment.runs, make(assignment)
