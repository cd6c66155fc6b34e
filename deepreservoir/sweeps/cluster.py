"""Runs of a sweep on an existing Dask cluster (the extra ``dask``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

from ..backend import cuda_problem, device_number
from ..clusters import (
    ClusterUnavailable,
    WorkerWatch,
    check_scheduler,
    check_versions,
    connected,
    connection_lost,
    version_problem,
)
from ..datasets import DatasetUnavailable
from ..versions import versions
from .work import Assignment, FileDiffers, failed, work
from .workers import CountedExecutor, Records, WorkerKilled


def dask_cluster(
    scheduler: str, make: Callable[[Assignment], Records] = work, device: str = "auto"
) -> CountedExecutor:
    """Return an executor that runs assignments on the workers of a Dask cluster.

    A worker receives the specification of a run, loads the data set, draws the scaffold from its
    seed, and returns the record. If a worker is lost, the cluster repeats the run that the worker
    was executing. A run that repeatedly kills its workers is retried once after all other runs; if
    it kills a worker again, it is recorded as failed. If a worker that joins later has different
    versions of the packages on which records depend, or lacks the CSV file of the sweep, or if
    there has been no worker for a minute, the sweep ends with a :class:`ClusterUnavailable`.

    Parameters
    ----------
    scheduler : str
        Address of the scheduler, such as ``"tcp://127.0.0.1:8786"``. Start the workers with one
        thread each, because a process executes one run at a time.
    make : callable
        Function that a worker applies to an assignment.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="auto"
        With ``"cuda"``, workers without a CUDA device are refused.

    Returns
    -------
    callable
        For the parameter `executor` of :func:`run_sweep`. Its attribute `n_workers` is the number
        of workers that the cluster had when this function was called; groups of adapters that are
        trained side by side are no larger than leaves work for all of them.

    Raises
    ------
    ValueError
        If `scheduler` is not an address.
    ClusterUnavailable
        If Dask is not installed, no scheduler responds, the scheduler has no workers, a worker has
        different versions of the packages on which records depend, or a worker lacks the device.

    Examples
    --------
    >>> from deepreservoir.sweeps import dask_cluster, run_sweep
    >>> run_sweep("ranks.toml", "out", executor=dask_cluster("tcp://10.0.0.1:8786"))
    ... # doctest: +SKIP
    """
    check_scheduler(scheduler)
    with connected(scheduler) as client:
        check_versions(client)
        if device not in ("cpu", "auto"):
            _check_cuda(client, device)
        n_workers = len(client.nthreads())
    make = partial(_on_worker, make, versions())

    def execute(assignments: Sequence[Assignment]) -> Generator[Records]:
        try:
            yield from executed(assignments)
        except (ClusterUnavailable, DatasetUnavailable) as error:
            raise type(error)(
                f"{error}. All records are kept: start the sweep again to continue it"
            ) from None

    def executed(assignments: Sequence[Assignment]) -> Generator[Records]:
        with connected(scheduler) as client:
            suspects: list[Assignment] = []
            for assignment, records in _received(client, make, assignments):
                if records is None:
                    suspects += assignment.one_by_one()
                else:
                    yield records
            # Some of them may only have been queued on a worker that another run killed.
            for suspect in suspects:
                for _, records in _received(client, make, [suspect]):
                    yield records or [failed(run, _KILLED) for run in suspect.runs]

    return CountedExecutor(n_workers, execute)


def _on_worker(
    make: Callable[[Assignment], Records], expected: Mapping[str, str], assignment: Assignment
) -> Records:
    """Apply `make` on a worker, unless its versions are not those of the client.

    Errors name the worker: a file that it lacks may well exist on the machine of the client.
    """
    from distributed import get_worker

    worker = get_worker().address
    problem = version_problem(versions(), expected)
    if problem is not None:
        raise ClusterUnavailable(f"the worker {worker} {problem}")
    try:
        return make(assignment)
    except DatasetUnavailable as error:
        raise DatasetUnavailable(f"on the worker {worker}: {error}") from None
    except (OSError, FileDiffers) as error:
        raise ClusterUnavailable(f"on the worker {worker}: {error}") from None


# Seconds between looks for results.
_POLL = 0.1

_KILLED = WorkerKilled("the run killed every worker that executed it, possibly out of memory")


def _received(
    client: Any, make: Callable[[Assignment], Records], assignments: Sequence[Assignment]
) -> Generator[tuple[Assignment, Records | None]]:
    """Yield records as workers return them; None for runs that repeatedly killed workers."""
    from distributed import CancelledError, KilledWorker, as_completed

    # pure=False: otherwise the cluster might return another client's result for the assignment.
    futures = {client.submit(make, each, pure=False): each for each in assignments}
    completed, watch = as_completed(list(futures)), WorkerWatch(client)
    try:
        while futures:
            if not completed.has_ready():
                watch.check()
                time.sleep(_POLL)
                continue
            future = next(completed)
            try:
                records = watch.result(future)
            except KilledWorker:
                records = None
            yield futures.pop(future), records
    except CancelledError:
        raise connection_lost(client) from None
    finally:
        client.cancel(list(futures))


def _check_cuda(client: Any, device: str) -> None:
    number = device_number(device)
    for worker, problem in client.run(cuda_problem, number, on_error="return").items():
        if problem is not None:
            raise ClusterUnavailable(
                f"device {device!r} is not available on the worker {worker}: {problem}. Or use the "
                "device 'cpu'"
            )
