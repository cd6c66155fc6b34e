"""Where the runs of a sweep are made: here, or on this machine's cores.

Both are functions from assignments to records as they come, in any order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from functools import cache
from threading import Thread
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from .work import Assignment, failed, work

Records = list[dict[str, Any]]
#: From assignments to their records, as they come; closed, it makes no more.
Executor = Callable[[Sequence[Assignment]], Generator[Records]]

# Assignments that a worker has or waits for, so that none is idle.
_GIVEN_OUT = 2


class WorkerKilled(RuntimeError):
    """A worker died while it made a run; it was out of memory, say."""


def here(assignments: Sequence[Assignment]) -> Generator[Records]:
    """Make runs in this process, one after another."""
    yield from map(work, assignments)


def processes(n_workers: int, make: Callable[[Assignment], Records] = work) -> Executor:
    """Return an executor of worker processes on this machine.

    A worker that is killed takes the others with it, and the runs that they were making are made
    again, one by one; a run that kills its worker twice then has failed.

    Parameters
    ----------
    n_workers : int
        Two at least.
    make : callable
        What a worker does with an assignment.

    Raises
    ------
    ValueError
        For fewer than two.
    """
    if n_workers < 2:
        raise ValueError(f"n_workers must be at least 2; got {n_workers}")

    def execute(assignments: Sequence[Assignment]) -> Generator[Records]:
        missing = {assignment.runs: assignment for assignment in assignments}
        while missing:
            try:
                yield from _received(n_workers, make, missing)
            except TerminatedWorkerError:
                # They are given out in order, so the one that killed its worker is among these.
                for runs in list(missing)[: _GIVEN_OUT * n_workers]:
                    for assignment in missing.pop(runs).one_by_one():
                        yield from _alone(make, assignment)

    return execute


def _alone(make: Callable[[Assignment], Records], assignment: Assignment) -> Generator[Records]:
    for _ in range(2):  # the first time may be bad luck
        try:
            # Two workers, of which one is idle: with one, joblib would make the run right here.
            yield from _received(2, make, {assignment.runs: assignment})
            return
        except TerminatedWorkerError:
            continue
    killed = WorkerKilled("it killed its worker twice; was that out of memory?")
    yield [failed(run, killed) for run in assignment.runs]


def _received(
    n_workers: int, make: Callable[[Assignment], Records], missing: dict[Any, Assignment]
) -> Generator[Records]:
    """Yield records as workers send them, taking their assignments out of what is missing."""
    parallel = Parallel(
        n_workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        pre_dispatch=_GIVEN_OUT * n_workers,
    )
    made = delayed(_made)
    for runs, records in parallel(made(make, each, os.getpid()) for each in [*missing.values()]):
        del missing[runs]
        yield records


def _made(
    make: Callable[[Assignment], Records], assignment: Assignment, parent: int
) -> tuple[Any, Records]:
    if os.getpid() != parent:
        _leave_with(parent)
    return assignment.runs, make(assignment)


@cache
def _leave_with(parent: int) -> None:
    """End this process soon after its parent, which a kill may end before it can say so.

    It would finish a run that nobody records, and then wait for minutes, with its memory.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
